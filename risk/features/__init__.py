"""Features: the allow-list of columns a model may learn from, one file per family.

A feature not listed here cannot be learned from. Those computed from protected, steering or retired attributes are listed
but off: a plan that names one must say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.errors import ConfigError
from risk.features import audit, clock, health, history, progress, work
from risk.features.feature import Feature
from risk.snapshot import Snapshot
from risk.weeks import Floats

__all__ = ["Built", "Feature", "build_features", "catalogue", "check_features", "default_features", "feature_frame"]


@cache
def catalogue() -> dict[str, Feature]:
    """Every feature by name, in a fixed order of families."""
    families = (clock, work, history, health, progress, audit)
    return {f.name: f for family in families for f in family.FEATURES}


def default_features() -> tuple[str, ...]:
    """Names of the features a model may use without further ado."""
    return tuple(name for name, feature in catalogue().items() if feature.use == "feature")


def check_features(names: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Refuse features that are not listed, or not free to use and not expressly allowed.

    Raises
    ------
    ConfigError
        Names the feature and what to do.
    """
    known = catalogue()
    for name in names:
        if name not in known:
            raise ConfigError(f"feature {name!r} is not in the catalogue; add it to a family file in risk/features")
        if known[name].use != "feature" and name not in allowed:
            raise ConfigError(
                f"feature {name!r} is marked {known[name].use!r}; a plan may use it only under [features.allowed] with a reason"
            )


class Built(dict[str, Floats]):
    """Features by name, (n,) each: the rows of one matrix, so that a model can take them without copying."""

    def __init__(self, names: Sequence[str], matrix: Floats) -> None:
        super().__init__(zip(names, matrix, strict=True))
        self._names, self._matrix = tuple(names), matrix

    def table(self, names: Sequence[str]) -> Floats:
        """The named features side by side, (n, p) in Fortran order."""
        if tuple(names) == self._names[: len(names)]:
            return self._matrix[: len(names)].T
        return np.array([self[name] for name in names]).T

    def rows(self, names: Sequence[str], chosen: npt.NDArray[Any]) -> Built:
        """The named features of some rows."""
        return Built(names, np.ascontiguousarray(self.table(names).T[:, chosen]))


def build_features(snapshot: Snapshot, names: Sequence[str]) -> Built:
    """Compute the named features, (n,) float each: numbers, 0/1, or positions of levels; nan where not known.

    Raises
    ------
    ConfigError
        When a name is not in the catalogue.
    """
    chosen, otherwise = _chosen(tuple(names))
    matrix = np.empty((len(chosen), len(snapshot)))
    for i, feature in enumerate(chosen):
        matrix[i] = feature.compute(snapshot)
    np.copyto(matrix, otherwise, where=np.isnan(matrix))
    return Built(names, matrix)


@cache
def _chosen(names: tuple[str, ...]) -> tuple[list[Feature], Floats]:
    """The named features, and what stands where each knows nothing, (p, 1)."""
    known = catalogue()
    strange = [n for n in names if n not in known]
    if strange:
        raise ConfigError(f"feature {strange[0]!r} is not in the catalogue; the model was made by another version")
    return [known[n] for n in names], np.array([[known[n].otherwise] for n in names]).reshape(-1, 1)


def feature_frame(columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Features as the table learners take: numbers as float, categories with the levels of the schema."""
    known = catalogue()
    made: dict[str, object] = {}
    for name, values in columns.items():
        levels = known[name].levels
        if levels:
            codes = np.where(np.isnan(values), -1, values).astype(np.int64)
            made[name] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(levels)))
        else:
            made[name] = np.asarray(values, dtype=np.float64)
    return pd.DataFrame(made)
