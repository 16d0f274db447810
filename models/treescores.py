"""The sum of a booster's trees and what each column adds to it, by the quickest way that gives LightGBM's own numbers.

Trees are turned into tables (:mod:`models.leafmasks`, :mod:`models.leafcells`) once a booster is asked for enough rows to
repay it, or for reasons, where walking the trees costs far more. What the tables cannot hold LightGBM does.
"""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import lightgbm as lgb
import numpy as np

from models.arrays import FloatArray
from models.leafcells import LeafCells
from models.leafmasks import LeafMasks
from models.treebins import Questions

MANY_ROWS = 10_000
MANY_THREADS = 4  # masks use one thread; with more than this LightGBM is as fast


class _Tables:
    """The tables of one booster, each made when first needed."""

    def __init__(self, booster: lgb.Booster) -> None:
        self.questions = Questions.of(booster)

    @cached_property
    def masks(self) -> LeafMasks | None:
        return None if self.questions is None else LeafMasks.of(self.questions)

    @cached_property
    def cells(self) -> LeafCells | None:
        return None if self.questions is None else LeafCells.of(self.questions)


_TABLES: WeakKeyDictionary[lgb.Booster, _Tables] = WeakKeyDictionary()


def _tables(booster: lgb.Booster) -> _Tables:
    """Tables of a booster that is grown no further; they go when it goes."""
    found = _TABLES.get(booster)
    if found is None:
        found = _TABLES[booster] = _Tables(booster)
    return found


def raw_score(booster: lgb.Booster, matrix: FloatArray, n_jobs: int) -> FloatArray:
    """Sum of trees per row, (n,); the same bits whatever the way."""
    if len(matrix) >= MANY_ROWS and n_jobs in range(1, MANY_THREADS + 1):
        masks = _tables(booster).masks
        if masks is not None:
            return masks.score(matrix)
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=n_jobs), dtype=np.float64).reshape(-1)


def tree_parts(booster: lgb.Booster, matrix: FloatArray, n_jobs: int) -> FloatArray:
    """Exact path-dependent Shapley values (Lundberg et al. 2020, Nat. Mach. Intell. 2:56) and their sum, (n, p + 2).

    What each of the ``p`` columns adds, then the mean over the training rows, then the sum of the trees (their total).
    """
    cells = _tables(booster).cells
    if cells is not None:
        parts, total = cells.parts(matrix)
        return np.column_stack([parts, np.full(len(matrix), cells.expected), total])
    values = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=n_jobs), dtype=np.float64)
    return np.column_stack([values.reshape(len(matrix), -1), raw_score(booster, matrix, n_jobs)])
