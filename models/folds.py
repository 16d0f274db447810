"""Splitting rows by person, the same way whatever order they came in."""

from __future__ import annotations

import numpy as np

from models.arrays import BoolArray, IntArray

MANY_ROWS = 20_000
ENOUGH = 2_000  # persons to hold out
FEW_PERSONS = 2_000  # below, each tree learns from a share of the rows
BOOTSTRAP = 0.632  # the share of rows that a bootstrap sample holds


def fold_of_group(group: IntArray, n_folds: int, seed: int) -> IntArray:
    """A fold 0..n_folds-1 per row, (n,); rows of one person share it, and folds hold about as many persons each.

    >>> fold_of_group(np.array([5, 5, 9, 9]), 2, seed=0).tolist()
    [0, 0, 1, 1]
    """
    persons, at = np.unique(group, return_inverse=True)
    folds = np.arange(len(persons)) % n_folds
    return np.random.default_rng(seed).permutation(folds)[at].astype(np.int64)


def holdouts(group: IntArray, seed: int, n_folds: int = 5) -> tuple[IntArray, range]:
    """A fold per row, (n,), and the folds to hold out in turn.

    All of few persons; of more than :data:`ENOUGH` only so many folds that about that number is held out, because each
    fold costs a fit and what is learned from them (when to stop, a slope, a few weights) needs no more. Of
    :data:`MANY_ROWS` one in ten is held out once, and the trees grown beside it are kept.

    >>> fold, held_out = holdouts(np.arange(100), seed=0)
    >>> np.bincount(fold).tolist(), list(held_out)
    ([20, 20, 20, 20, 20], [0, 1, 2, 3, 4])
    >>> [len(holdouts(np.arange(n), seed=0)[1]) for n in (2000, 3000, 5000, 20000)]
    [5, 4, 2, 1]
    """
    if len(group) >= MANY_ROWS:
        return fold_of_group(group, 10, seed), range(1)
    fold = fold_of_group(group, n_folds, seed)
    enough = -(-ENOUGH * n_folds // len(np.unique(group)))
    return fold, range(min(int(fold.max()) + 1, max(enough, 2)))


def drawn_share(n_persons: int) -> float:
    """The share of the rows that each tree learns from: 63 % of few persons, as much as a bootstrap sample holds; else all.

    Of few persons the next sample would grow other trees, and what many trees of many samples agree on is steadier
    (stochastic boosting: Friedman 2002, Comput. Stat. Data Anal. 38:367). Of many, rows left out are information lost: the
    share rises to 1 at :data:`FEW_PERSONS`, without a jump.

    >>> [drawn_share(n) for n in (100, 1000, 1500, 2000, 50_000)]
    [0.632, 0.632, 0.75, 1.0, 1.0]
    """
    return min(max(n_persons / FEW_PERSONS, BOOTSTRAP), 1.0)


def sample_groups(group: IntArray, n_rows: int, seed: int) -> BoolArray:
    """Whole persons drawn until about ``n_rows`` rows are chosen, (n,); all of them when there are no more."""
    if len(group) <= n_rows:
        return np.ones(len(group), dtype=np.bool_)
    persons, at, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(persons))
    chosen = np.zeros(len(persons), dtype=np.bool_)
    chosen[order[: max(int(np.searchsorted(np.cumsum(sizes[order]), n_rows)), 1)]] = True
    return chosen[at]
