"""Features: the allow-list of columns a model may learn from, one file per family.

A feature not listed here cannot be learned from. Those computed from protected, steering or retired attributes are listed
but off: a plan that names one must say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from risk.errors import ConfigError
from risk.features import audit, clock, health, history, progress, work
from risk.features.feature import Feature
from risk.snapshot import Snapshot
from risk.stacked import Stacked
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


class Built(Stacked[np.float64]):
    """Features by name, (n,) each."""


def build_features(snapshot: Snapshot, names: Sequence[str]) -> Built:
    """Compute the named features, (n,) float each: numbers, 0/1, or positions of levels; nan where not known.

    Raises
    ------
    ConfigError
        When a name is not in the catalogue.
    """
    chosen, otherwise, as_they_stand, attributes, computed = _chosen(tuple(names))
    matrix = np.empty((len(chosen), len(snapshot)))
    if isinstance(snapshot.columns, Stacked):
        matrix[as_they_stand] = snapshot.columns.table(attributes).T
    else:
        computed = range(len(chosen))
    for i in computed:
        matrix[i] = chosen[i].compute(snapshot)
    np.copyto(matrix, otherwise, where=np.isnan(matrix))
    return Built(names, matrix)


class _Chosen(NamedTuple):
    """The named features, what stands where each knows nothing, (p, 1), and how they come about.

    Attributes
    ----------
    as_they_stand : places of those that are an attribute as it stands, and ``attributes`` which
    computed : places of the others
    """

    features: list[Feature]
    otherwise: Floats
    as_they_stand: list[int]
    attributes: tuple[str, ...]
    computed: Sequence[int]


@cache
def _chosen(names: tuple[str, ...]) -> _Chosen:
    known = catalogue()
    strange = [n for n in names if n not in known]
    if strange:
        raise ConfigError(f"feature {strange[0]!r} is not in the catalogue; the model was made by another version")
    chosen = [known[n] for n in names]
    otherwise = np.array([[feature.otherwise] for feature in chosen]).reshape(-1, 1)
    as_they_stand = [i for i, feature in enumerate(chosen) if feature.is_attribute]
    computed = [i for i, feature in enumerate(chosen) if not feature.is_attribute]
    return _Chosen(chosen, otherwise, as_they_stand, tuple(chosen[i].sources[0] for i in as_they_stand), computed)


def feature_frame(columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
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
