"""The terms of a linear hazard for a few rows: all columns at once, where :mod:`models.design` goes column by column.

For many rows a column at a time is as fast as memory allows; for one case it is mostly the cost of calling. Here the same
operations, in the same order, run on all numbers, all bends and all levels together, so every term has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.arrays import FloatArray, IntArray


class Straight(Protocol):
    """A number as :class:`models.design.Number` describes it."""

    @property
    def feature(self) -> int: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def centre(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def bends(self) -> tuple[tuple[float, float, float, float], ...]: ...
    @property
    def missing_share(self) -> float: ...
    @property
    def n_straight(self) -> int: ...


class Listed(Protocol):
    """A categorical column as :class:`models.design.Levels` describes it."""

    @property
    def feature(self) -> int: ...
    @property
    def table(self) -> FloatArray: ...


class FewRows:
    """What the terms of a design need, in arrays over all columns.

    Parameters
    ----------
    numbers, levels : a column and the place of its first term among all terms
    n_terms : of the whole design
    """

    def __init__(
        self, numbers: Sequence[tuple[Straight, int]], levels: Sequence[tuple[Listed, int]], n_terms: int
    ) -> None:
        self._n_terms = n_terms
        parts = [part for part, _ in numbers]
        self._numbers = _ints([part.feature for part in parts])
        self._low, self._high, self._centre, self._scale = (
            np.array([getattr(part, name) for part in parts], dtype=np.float64)
            for name in ("low", "high", "centre", "scale")
        )
        self._straight = _ints([first for _, first in numbers])
        lacking = [(i, first + 1) for i, (part, first) in enumerate(numbers) if part.missing_share > 0]
        self._lacking, self._lacking_at = _ints([i for i, _ in lacking]), _ints([at for _, at in lacking])
        self._share = np.array([parts[i].missing_share for i, _ in lacking], dtype=np.float64)
        bends = [(i, first + part.n_straight + b, *bend) for i, (part, first) in enumerate(numbers)
                 for b, bend in enumerate(part.bends)]  # fmt: skip
        self._bent, self._bent_at = _ints([bend[0] for bend in bends]), _ints([bend[1] for bend in bends])
        self._bends = np.array([bend[2:] for bend in bends], dtype=np.float64).reshape(-1, 4).T
        self._list(levels)

    def _list(self, levels: Sequence[tuple[Listed, int]]) -> None:
        tables = [part.table for part, _ in levels]
        begins = np.cumsum([0, *(table.size for table in tables)])
        self._levels = _ints([part.feature for part, _ in levels])
        self._unseen = np.array([len(table) - 2.0 for table in tables])
        self._tables = np.concatenate([table.ravel() for table in tables] or [np.zeros(0)])
        terms = [(i, t) for i, table in enumerate(tables) for t in range(table.shape[1])]
        self._level = _ints([i for i, _ in terms])
        self._level_at = _ints([levels[i][1] + t for i, t in terms])
        self._level_first = _ints([begins[i] + t for i, t in terms])
        self._level_width = _ints([tables[i].shape[1] for i, _ in terms])

    def terms(self, matrix: FloatArray) -> FloatArray:
        """(n, n_terms) of encoded rows."""
        out = np.empty((len(matrix), self._n_terms))
        values = matrix[:, self._numbers]
        missing = np.isnan(values)
        z = (np.minimum(np.maximum(values, self._low), self._high) - self._centre) / self._scale
        out[:, self._straight] = np.where(missing, 0.0, z)
        out[:, self._lacking_at] = 2.0 * (missing[:, self._lacking] - self._share)
        knot, intercept, slope, scale = self._bends
        bent = z[:, self._bent]
        bend = (np.maximum(bent - knot, 0.0) - intercept - slope * bent) / scale
        out[:, self._bent_at] = np.where(missing[:, self._bent], 0.0, bend)
        codes = matrix[:, self._levels]
        at = np.where(np.isnan(codes), self._unseen + 1.0, np.minimum(codes, self._unseen)).astype(np.int64)
        out[:, self._level_at] = self._tables[self._level_first + at[:, self._level] * self._level_width]
        return out


def _ints(values: Sequence[int]) -> IntArray:
    return np.array(values, dtype=np.int64)
