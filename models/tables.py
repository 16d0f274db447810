r"""Trees whose every path uses one feature and the age of the case, turned into look-up tables.

Each leaf of such a tree adds its value to a rectangle (bins of its feature) x (bins of age), so the whole ensemble is

.. math:: F(x, e) = B(e) + \sum_j T_j[\mathrm{bin}_j(x_j), \mathrm{bin}(e)]

The constraint holds per path and not per tree (a tree that splits on age first may go on with one feature to the left and
another to the right), so a leaf belongs to the feature of its own path.

Leaf values are rounded to multiples of 2^-36 before anything is compiled. Sums of such numbers are exact in double
precision whatever their order, so tables and trees give the same bits (for numbers of magnitude above 1e-35 or 0:
LightGBM itself reads smaller ones as 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb
import numpy as np

from models.arrays import FEW_ROWS, BoolArray, FloatArray, IntArray
from models.lookup import Lookup, sum_parts, take_parts

GRAIN = 2.0**-36


@dataclass(frozen=True)
class Tables:
    """Cuts and values per feature.

    Attributes
    ----------
    age_cuts : (a,) weeks; an age equal to a cut lies below it
    base : (a + 1,) what the age alone adds
    cuts : per feature (c_j,)
    values : per feature (a + 1, c_j + 2): bins between cuts, then missing
    """

    age_cuts: FloatArray
    base: FloatArray
    cuts: tuple[FloatArray, ...]
    values: tuple[FloatArray, ...]
    _lookups: tuple[Lookup, ...] = field(init=False, repr=False, compare=False)
    _padded: FloatArray = field(init=False, repr=False, compare=False)
    _flat: FloatArray = field(init=False, repr=False, compare=False)
    _first: IntArray = field(init=False, repr=False, compare=False)
    _bins: IntArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lookups", tuple(Lookup.of(c) for c in self.cuts))
        # For a few rows one padded comparison beats a search per feature.
        width = max((len(c) for c in self.cuts), default=0)
        padded = np.full((len(self.cuts), width + 1), np.inf)
        for j, cuts in enumerate(self.cuts):
            padded[j, : len(cuts)] = cuts
        sizes = np.array([v.size for v in self.values], dtype=np.int64)
        object.__setattr__(self, "_padded", padded)
        object.__setattr__(self, "_flat", np.concatenate([v.ravel() for v in self.values] or [np.zeros(0)]))
        object.__setattr__(self, "_first", np.cumsum(sizes) - sizes)
        object.__setattr__(self, "_bins", np.array([v.shape[1] for v in self.values], dtype=np.int64))

    def parts(self, matrix: FloatArray, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What each feature adds, (n, p), and what age alone adds, (n,)."""
        age = self.age_cuts.searchsorted(entry, side="left")
        if len(matrix) <= FEW_ROWS:
            return self._few(matrix, age), self.base[age]
        return take_parts(self._lookups, self.values, matrix, age), self.base[age]

    def total(self, matrix: FloatArray, entry: FloatArray) -> FloatArray:
        """The sum of all parts, (n,): the same bits in whatever order they are added."""
        age = self.age_cuts.searchsorted(entry, side="left")
        if len(matrix) <= FEW_ROWS:
            return self.base[age] + self._few(matrix, age).sum(axis=1)
        return self.base[age] + sum_parts(self._lookups, self.values, matrix, age)

    def _few(self, matrix: FloatArray, age: IntArray) -> FloatArray:
        # The first cut that is not below: cuts rise, and the last of every row is infinite.
        at = (matrix[:, :, None] > self._padded).argmin(axis=2)
        np.copyto(at, self._bins - 1, where=np.isnan(matrix))
        at += age[:, None] * self._bins
        at += self._first
        found: FloatArray = self._flat[at]
        return found

    def on(self, age_cuts: FloatArray, cuts: Sequence[FloatArray]) -> Tables:
        """The same tables on finer bins; the cuts they have must be among those given."""
        age = _bins_in(self.age_cuts, age_cuts)
        values = [
            table[np.ix_(age, np.append(_bins_in(own, finer), table.shape[1] - 1))]
            for table, own, finer in zip(self.values, self.cuts, cuts, strict=True)
        ]
        return Tables(age_cuts, self.base[age], tuple(cuts), tuple(values))

    def to_dict(self) -> dict[str, Any]:
        return {
            "age_cuts": self.age_cuts.tolist(),
            "base": self.base.tolist(),
            "cuts": [c.tolist() for c in self.cuts],
            "values": [v.tolist() for v in self.values],
        }


def _bins_in(own: FloatArray, finer: FloatArray) -> IntArray:
    """In which bin between ``own`` cuts each bin between finer cuts lies, (finer + 1,)."""
    return np.append(np.searchsorted(own, finer, side="left"), len(own)).astype(np.int64)


def tables_from_dict(stored: dict[str, Any]) -> Tables:
    """The opposite of :meth:`Tables.to_dict`."""
    return Tables(
        np.array(stored["age_cuts"], dtype=np.float64),
        np.array(stored["base"], dtype=np.float64),
        tuple(np.array(c, dtype=np.float64) for c in stored["cuts"]),
        tuple(np.array(v, dtype=np.float64) for v in stored["values"]),
    )


def round_leaves(booster: lgb.Booster, n_trees: int, slope: float) -> lgb.Booster:
    """A copy with its first trees only, leaves multiplied by ``slope`` and rounded to :data:`GRAIN`."""
    copy = lgb.Booster(model_str=booster.model_to_string(num_iteration=n_trees))
    for tree, info in enumerate(copy.dump_model()["tree_info"]):
        for leaf in range(info["num_leaves"]):
            copy.set_leaf_output(tree, leaf, round(slope * copy.get_leaf_output(tree, leaf) / GRAIN) * GRAIN)
    return copy


def compile_tables(
    booster: lgb.Booster,
    start: Tables,
    levels: Sequence[tuple[Any, ...] | None],
    matrix: FloatArray,
    entry: FloatArray,
) -> Tables:
    """Tables of a booster with rounded leaves, whose last column is age, and of what its trees started from.

    Each feature is centred on its training mean at every age, so that a part says how a case differs from others of its
    age; the means go to the base, rounded as leaves are.
    """
    trees = [info["tree_structure"] for info in booster.dump_model()["tree_info"]]
    thresholds: list[set[float]] = [set(cuts.tolist()) for cuts in (*start.cuts, start.age_cuts)]
    for tree in trees:
        _collect(tree, thresholds)
    cuts: list[FloatArray] = [
        np.array(sorted(thresholds[j]), dtype=np.float64)
        if kinds is None
        else np.arange(0.5, len(kinds) - 1, dtype=np.float64)
        for j, kinds in enumerate(levels)
    ]
    age_cuts = np.array(sorted(thresholds[-1]))
    grid = _Grid(start.on(age_cuts, cuts), [kinds is not None for kinds in levels])
    for tree in trees:
        grid.add(tree)
    return _centred(grid.tables(), matrix, entry)


class _Grid:
    """Accumulates leaves on top of what is there."""

    def __init__(self, start: Tables, categorical: list[bool]) -> None:
        self.age_cuts, self.cuts, self.categorical = start.age_cuts, start.cuts, categorical
        self.base, self.values = start.base.copy(), [v.copy() for v in start.values]

    def add(
        self, node: dict[str, Any], age: BoolArray | None = None, of: int = -1, bins: BoolArray | None = None
    ) -> None:
        age = np.ones(len(self.base), dtype=np.bool_) if age is None else age
        if "leaf_value" in node:
            if bins is None:
                self.base[age] += node["leaf_value"]
            else:
                self.values[of][np.ix_(age, bins)] += node["leaf_value"]
            return
        feature = node["split_feature"]
        if feature == len(self.cuts):
            left = np.arange(len(self.base)) <= np.searchsorted(self.age_cuts, node["threshold"])
            self.add(node["left_child"], age & left, of, bins)
            self.add(node["right_child"], age & ~left, of, bins)
            return
        if bins is not None and feature != of:
            raise ValueError(f"a path splits on features {of} and {feature}: not an additive ensemble")
        left = self._left(node, feature)
        bins = np.ones(len(left), dtype=np.bool_) if bins is None else bins
        self.add(node["left_child"], age, feature, bins & left)
        self.add(node["right_child"], age, feature, bins & ~left)

    def _left(self, node: dict[str, Any], feature: int) -> BoolArray:
        """Which bins of the feature go left, the last being missing."""
        left = np.zeros(len(self.cuts[feature]) + 2, dtype=np.bool_)
        if self.categorical[feature]:
            left[[int(code) for code in node["threshold"].split("||")]] = True
            return left
        left[: int(np.searchsorted(self.cuts[feature], node["threshold"])) + 1] = True
        # Where training saw nothing missing, LightGBM reads missing as 0.
        left[-1] = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0
        return left

    def tables(self) -> Tables:
        return Tables(self.age_cuts, self.base, self.cuts, tuple(self.values))


def _centred(raw: Tables, matrix: FloatArray, entry: FloatArray) -> Tables:
    age = np.searchsorted(raw.age_cuts, entry, side="left")
    parts, _ = raw.parts(matrix, entry)
    count = np.bincount(age, minlength=len(raw.base)).astype(np.float64)
    base, values = raw.base.copy(), []
    for j, table in enumerate(raw.values):
        # Ages with few rows lean on the mean over all ages.
        mean = (np.bincount(age, parts[:, j], minlength=len(base)) + 20.0 * parts[:, j].mean()) / (count + 20.0)
        mean = np.round(mean / GRAIN) * GRAIN
        values.append(table - mean[:, None])
        base += mean
    return Tables(raw.age_cuts, base, raw.cuts, tuple(values))


def _collect(node: dict[str, Any], thresholds: list[set[float]]) -> None:
    if "split_feature" in node:
        if node["decision_type"] == "<=":
            thresholds[node["split_feature"]].add(float(node["threshold"]))
        _collect(node["left_child"], thresholds)
        _collect(node["right_child"], thresholds)
