"""What a booster asks of a row: each column's cuts, and how every split answers for each bin between them.

A split is a question about one column, and all numbers between two neighbouring cuts answer all questions alike. So a
row is its bins, and what the trees make of them can be worked out beforehand (:mod:`models.leafmasks` for the sum of the
trees, :mod:`models.leafcells` for what each column adds to it).

Codes of categories are whole numbers; what is negative or beyond the highest code asked for goes where LightGBM sends an
unknown category.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from models.arrays import BoolArray, FloatArray
from models.lookup import Lookup, Work

Node = dict[str, Any]
Bins = Sequence[npt.NDArray[np.intp]]
ZERO = float(np.float32(1e-35))
ROWS = 16_384  # so many at a time: fewer, and the calls cost more than the work; more, and the bins leave the cache


@dataclass(frozen=True)
class Questions:
    """The trees of a booster and the cuts of its columns.

    Attributes
    ----------
    trees : root of each tree, as LightGBM dumps it
    cuts : (c_j,) per column; the bins are the c_j + 1 between them, and then missing
    lookups : finds the bin of a number, per column
    padded : (p, most cuts + 1) the cuts side by side, filled up with infinity
    """

    trees: tuple[Node, ...]
    cuts: tuple[FloatArray, ...]
    lookups: tuple[Lookup, ...]
    padded: FloatArray

    @classmethod
    def of(cls, booster: lgb.Booster) -> Questions | None:
        """The questions of a booster; None where zero means missing, which no learner here asks for."""
        trees = tuple(info["tree_structure"] for info in booster.dump_model()["tree_info"])
        cuts: list[set[float]] = [set() for _ in range(booster.num_feature())]
        for split in (split for tree in trees for split in splits(tree)):
            if split["missing_type"] == "Zero":
                return None
            cuts[split["split_feature"]].update(_cuts(split))
        rising = tuple(np.array(sorted(c), dtype=np.float64) for c in cuts)
        padded = np.full((len(rising), max((len(c) for c in rising), default=0) + 1), np.inf)
        for row, own in zip(padded, rising, strict=True):
            row[: len(own)] = own
        return cls(trees, rising, tuple(Lookup.of(c) for c in rising), padded)

    def goes_left(self, split: Node) -> BoolArray:
        """Which bins of the split's column go left, (c_j + 2,), the last being missing."""
        cuts = self.cuts[split["split_feature"]]
        left = np.zeros(len(cuts) + 2, dtype=np.bool_)
        if split["decision_type"] == "==":
            # A missing category is one that no split names.
            left[np.searchsorted(cuts, _codes(split), side="left")] = True
            return left
        threshold = _threshold(split)
        left[: int(np.searchsorted(cuts, threshold)) + 1] = True
        # Where training saw nothing missing, LightGBM reads missing as 0.
        left[-1] = split["default_left"] if split["missing_type"] == "NaN" else threshold >= 0.0
        return left

    def few_bins(self, matrix: FloatArray) -> npt.NDArray[np.intp]:
        """The bin of each number of a few rows (n, p), in one comparison: searches would cost a call for each column."""
        # The first cut that is not below; the last of every row is infinite.
        at = (matrix[:, :, None] > self.padded).argmin(axis=2)
        missing = np.array([len(c) + 1 for c in self.cuts], dtype=np.intp)
        return np.where(np.isnan(matrix), missing, at)

    def bins(self, columns: FloatArray, work: Work) -> list[npt.NDArray[np.intp]]:
        """The bin of each number of columns (p, m), (m,) each."""
        with np.errstate(over="ignore"):  # what leaves the range of numbers lies beyond the last bucket all the same
            return [
                lookup.bins(np.ascontiguousarray(column), work).copy()
                for lookup, column in zip(self.lookups, columns, strict=True)
            ]


def splits(node: Node) -> Iterator[Node]:
    """The splits below and at a node."""
    if "split_feature" in node:
        yield node
        yield from splits(node["left_child"])
        yield from splits(node["right_child"])


def n_leaves(node: Node) -> int:
    return 1 + sum(1 for _ in splits(node))


def _codes(split: Node) -> list[float]:
    return [float(code) for code in str(split["threshold"]).split("||")]


def _cuts(split: Node) -> list[float]:
    """Numbers that part what a split sends left from what it sends right; a code lies between two of them."""
    if split["decision_type"] == "==":
        return [c + half for c in _codes(split) for half in (-0.5, 0.5)]
    return [_threshold(split)]


def _threshold(split: Node) -> float:
    """The highest number that goes left. What is at most :data:`ZERO` in magnitude is 0 to LightGBM, so above ``-ZERO``."""
    threshold = float(split["threshold"])
    return float(np.nextafter(threshold, -np.inf)) if threshold == -ZERO else threshold
