"""Splitting rows by person, the same way whatever order they came in."""

from __future__ import annotations

import numpy as np

from models.contract import BoolArray, IntArray


def fold_of_group(group: IntArray, n_folds: int, seed: int) -> IntArray:
    """A fold 0..n_folds-1 per row, (n,); rows of one person share it, and folds hold about as many persons each.

    >>> fold_of_group(np.array([5, 5, 9, 9]), 2, seed=0).tolist()
    [0, 0, 1, 1]
    """
    persons, at = np.unique(group, return_inverse=True)
    folds = np.arange(len(persons)) % n_folds
    return np.random.default_rng(seed).permutation(folds)[at].astype(np.int64)


def sample_groups(group: IntArray, n_rows: int, seed: int) -> BoolArray:
    """Whole persons drawn until about ``n_rows`` rows are chosen, (n,); all of them when there are no more."""
    if len(group) <= n_rows:
        return np.ones(len(group), dtype=np.bool_)
    persons, at, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(persons))
    chosen = np.zeros(len(persons), dtype=np.bool_)
    chosen[order[: max(int(np.searchsorted(np.cumsum(sizes[order]), n_rows)), 1)]] = True
    return chosen[at]
