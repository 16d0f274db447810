"""A bundle as it is used again and again: by the service, and by whoever scores a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import Bundle
from risk import features
from risk.outcomes import OutcomeDefinition
from risk.weeks import Floats


class InService:
    """A bundle as the service uses it: a :class:`risk.scoring.ScoringModel` that notices when it changes in memory."""

    def __init__(self, bundle: Bundle, mark: str) -> None:
        self.bundle, self.mark = bundle, mark
        self.meta: dict[str, Any] = bundle.meta
        self.version = bundle.version
        self._content = bundle.content_version()
        self.outcome = OutcomeDefinition.model_validate(bundle.meta["outcome"])
        self.opened_at = datetime.now(UTC)
        self._names = tuple(str(c["name"]) for c in bundle.columns)
        known = features.catalogue()
        # A model that learned other levels than today's, or in another order, is read through its own table of levels.
        self._has_our_levels = all(
            c["name"] in known and tuple(c["levels"] or ()) == known[c["name"]].levels for c in bundle.columns
        )

    def survival(self, X: pd.DataFrame, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Floats:
        return self.bundle.survival(X, weeks, entry)

    def contributions(self, X: pd.DataFrame, week: float, entry: npt.ArrayLike | None = None) -> pd.DataFrame:
        return self.bundle.contributions(X, week, entry)

    def survival_of(self, columns: Mapping[str, Floats], weeks: Floats, entry: Floats) -> Floats:
        return self.bundle.survival_encoded(self._matrix(columns), weeks, entry)

    def contributions_of(
        self, columns: Mapping[str, Floats], week: float, entry: Floats
    ) -> tuple[Sequence[str], Floats]:
        return self._names, self.bundle.contributions_encoded(self._matrix(columns), week, entry)[0]

    def both_of(
        self, columns: Mapping[str, Floats], weeks: Floats, week: float, entry: Floats
    ) -> tuple[Floats, Sequence[str], Floats]:
        p, parts = self.bundle.survival_and_parts(self._matrix(columns), weeks, week, entry)
        return p, self._names, parts

    def _matrix(self, columns: Mapping[str, Floats]) -> Floats:
        """Built features as the bundle encodes them: by name, levels as positions, (n, p)."""
        if not self._has_our_levels:
            return self.bundle.encode(features.feature_frame({name: columns[name] for name in self._names}))
        if isinstance(columns, features.Built):
            return columns.table(self._names)
        return np.asfortranarray(np.column_stack([columns[name] for name in self._names]))

    def is_intact(self) -> bool:
        """Whether everything in the bundle, its golden scores among it, is still what it was when it was opened."""
        return self.bundle.content_version() == self._content
