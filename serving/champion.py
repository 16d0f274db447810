"""The model in service: opened, checked, swapped when the champion moves, and kept when the registry cannot be read."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import MANIFEST, Bundle
from risk import features
from risk.errors import BundleError, RiskError
from risk.outcomes import OutcomeDefinition
from risk.weeks import Floats
from serving.messages import accepted_attributes, accepted_facts

HORIZON_WEEKS = 52
log = logging.getLogger("risk.serving")


class Source(Protocol):
    """Where the model comes from."""

    def mark(self) -> str:
        """What tells one model from the next, found cheaply: a version number or a fingerprint."""

    def open(self, mark: str) -> Bundle:
        """The model of that mark, opened and checked."""


@dataclass(frozen=True)
class FolderSource:
    """A bundle in a folder of this machine."""

    folder: Path

    def mark(self) -> str:
        try:
            return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()
        except OSError:
            raise BundleError(f"{self.folder} is not a bundle; name a bundle's folder or a registered model") from None

    def open(self, mark: str) -> Bundle:
        return Bundle.open(self.folder)


@dataclass(frozen=True)
class RegistrySource:
    """A registered model, e.g. ``models:/risk52@champion``."""

    uri: str

    def mark(self) -> str:
        from models.registry import find_version  # MLflow comes with it

        return str(find_version(self.uri).number)

    def open(self, mark: str) -> Bundle:
        from models.registry import find_version, open_version

        return open_version(find_version(mark))  # by number: the alias may have moved on since it was looked up


def source_of(model: str) -> Source:
    """The source named by a setting: a folder when there is one of that name, else the registry."""
    return FolderSource(Path(model)) if Path(model).is_dir() else RegistrySource(model)


class InService:
    """A bundle as the service uses it: a :class:`risk.scoring.ScoringModel` that notices when it changes in memory."""

    def __init__(self, bundle: Bundle, mark: str) -> None:
        self.bundle, self.mark = bundle, mark
        self.meta: dict[str, Any] = bundle.meta
        self.version = bundle.version
        self._content = bundle.content_version()
        self.outcome = OutcomeDefinition.model_validate(bundle.meta["outcome"])
        self.opened_at = datetime.now(UTC)
        self._names = [str(c["name"]) for c in bundle.columns]
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

    def _matrix(self, columns: Mapping[str, Floats]) -> Floats:
        """Built features as the bundle encodes them: by name, levels as positions, (n, p)."""
        if not self._has_our_levels:
            return self.bundle.encode(features.feature_frame(dict(columns)))
        return np.asfortranarray(np.column_stack([columns[name] for name in self._names]))

    def is_intact(self) -> bool:
        """Whether everything in the bundle, its golden scores among it, is still what it was when it was opened."""
        return self.bundle.content_version() == self._content


def check_servable(model: InService) -> None:
    """Refuse a model the messages cannot feed, or that answers another question.

    Raises
    ------
    BundleError
    """
    if model.outcome.horizon_weeks != HORIZON_WEEKS:
        raise BundleError(
            f"the model answers for {model.outcome.horizon_weeks} weeks, the service for {HORIZON_WEEKS}; "
            "score such a model with 'risk score'"
        )
    known, accepted = features.catalogue(), {**accepted_attributes(), **accepted_facts()}
    strange = [n for n in model.meta["features"] if n not in known]
    if strange:
        raise BundleError(f"the model uses the feature {strange[0]!r}, which this version does not have")
    barred = [n for n in model.meta["features"] if not set(known[n].sources) <= set(accepted)]
    if barred:
        raise BundleError(
            f"the model uses {barred[0]!r}, which the service does not ask case systems for; train without it"
        )


class Champion:
    """Holds the model in service; :meth:`refresh` is the only way it changes, and it changes in one step.

    A request takes :attr:`current` once and keeps it to its end, so each answer comes from one model.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self.current: InService | None = None
        self.trouble: str | None = None

    def refresh(self) -> bool:
        """Ask the source for its model and put it in service if it is another; True when it changed.

        Whatever goes wrong, the last good model stays; what went wrong is logged and kept in :attr:`trouble`.
        """
        with self._lock:
            try:
                mark = self._source.mark()
                if self.current is not None and mark == self.current.mark:
                    self.trouble = None
                    return False
                fresh = InService(self._source.open(mark), mark)
                check_servable(fresh)
            except RiskError as why:
                self._keep(why.code, str(why))
                return False
            except (
                Exception
            ) as why:  # a registry can fail in ways of its own; the model in service is sound all the same
                self._keep("unexpected", type(why).__name__)
                return False
            self.current, self.trouble = fresh, None
            log.info("model %s in service (%s)", fresh.version, mark)
            return True

    def _keep(self, code: str, said: str) -> None:
        if self.trouble != code:  # say it once, not at every look
            kept = "no model in service" if self.current is None else f"model {self.current.version} stays in service"
            log.error("%s; %s: %s", kept, code, said)
        self.trouble = code
