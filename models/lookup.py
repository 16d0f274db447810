r"""Which bin a number lies in, a million times over, without a search.

Cuts :math:`c_0 < c_1 < \dots` divide the line; the bin of ``x`` is the number of cuts below it, and a missing value has a bin
of its own after them. A binary search decides some six times by a branch no processor can foresee. Here the line is
also divided into many buckets of equal width, and a table says how many cuts lie in the buckets before. What is
left are the one or two cuts in the bucket itself, each a comparison:

.. math:: b(x) = \lfloor s x + o \rfloor, \qquad \mathrm{bin}(x) = \#\{j : b(c_j) < b(x)\} + \#\{j : b(c_j) = b(x),\ c_j < x\}

This is exact although ``b`` is computed with rounding: each step of it is monotone, so a cut in an earlier bucket is
smaller than ``x`` and one in a later bucket is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray, IntArray

BUCKETS = (256, 1024, 4096)
LARGEST = 1e300  # beyond it the width of the line is no number
ROWS_AT_ONCE = 8192
MOST_IN_ONE = 4  # cuts in one bucket; with more of them a search is as fast


@dataclass(frozen=True)
class Lookup:
    """The cuts of one column, ready to be looked up.

    Attributes
    ----------
    cuts : (c + 2,) the cuts, then two times infinity: nothing lies above the bin after the last cut, nor above missing
    scale, shift : of the bucket of a number; 0 where a search is used instead
    before : (buckets + 1,) cuts in the buckets before each; last the bin of a missing value
    steps : most cuts in one bucket
    """

    cuts: FloatArray
    scale: float
    shift: float
    before: npt.NDArray[np.intp]
    steps: int

    @classmethod
    def of(cls, cuts: FloatArray) -> Lookup:
        """For cuts (c,) in rising order."""
        padded = np.concatenate([cuts, [np.inf, np.inf]])
        none = cls(padded, 0.0, 0.0, np.zeros(0, dtype=np.intp), 0)
        if len(cuts) < 2 or max(-cuts[0], cuts[-1]) > LARGEST:
            return none
        for n in BUCKETS:
            scale = (n - 2) / (cuts[-1] - cuts[0])
            shift = 1.0 - scale * cuts[0]
            if not np.isfinite(scale) or not np.isfinite(shift):
                return none
            bucket = np.clip(cuts * scale + shift, 0.0, n - 1.0).astype(np.intp)
            held = np.bincount(bucket, minlength=n)
            if held.max() <= MOST_IN_ONE and (held.max() <= 1 or n == BUCKETS[-1]):
                before = np.concatenate([np.cumsum(held) - held, [len(cuts) + 1]]).astype(np.intp)
                return cls(padded, scale, shift, before, int(held.max()))
        return none

    def bins(self, column: FloatArray, work: Work) -> npt.NDArray[np.intp]:
        """The bin of each number, (m,), in memory of ``work``: 0 to c, and c + 1 where missing."""
        n = len(column)
        at = work.at[:n]
        if self.scale == 0.0:
            # Missing values sort behind infinity.
            at[:] = np.searchsorted(self.cuts[:-1], column, side="left")
            return at
        place, cut, above = work.place[:n], work.cut[:n], work.above[:n]
        np.multiply(column, self.scale, out=place)
        np.add(place, self.shift, out=place)
        np.clip(place, 0.0, len(self.before) - 2.0, out=place)
        np.fmin(place, len(self.before) - 1.0, out=place)  # only a missing value is still not a number here
        np.copyto(work.bucket[:n], place, casting="unsafe")
        self.before.take(work.bucket[:n], out=at, mode="clip")
        for _ in range(self.steps):
            self.cuts.take(at, out=cut, mode="clip")
            np.greater(column, cut, out=above)
            np.add(at, above, out=at)
        return at


class Work:
    """Memory for ``n`` numbers at a time, used again and again: what fits the processor's cache need not be fetched."""

    def __init__(self, n: int) -> None:
        self.place, self.cut = np.empty(n), np.empty(n)
        self.bucket, self.at = np.empty(n, dtype=np.intp), np.empty(n, dtype=np.intp)
        self.above = np.empty(n, dtype=np.bool_)


def take_parts(
    lookups: Sequence[Lookup],
    values: Sequence[FloatArray],
    matrix: FloatArray,
    group: IntArray,
    rows_at_once: int = ROWS_AT_ONCE,
) -> FloatArray:
    """``values[j][group[i], bin of matrix[i, j]]`` for every cell, (n, p) in Fortran order.

    Parameters
    ----------
    values : per column (groups, bins)
    group : (n,)
    """
    out = np.empty(matrix.shape, order="F")
    for rows, j, table, at in _cells(lookups, values, matrix, group, rows_at_once):
        table.take(at, out=out[rows, j], mode="clip")
    return out


def sum_parts(
    lookups: Sequence[Lookup],
    values: Sequence[FloatArray],
    matrix: FloatArray,
    group: IntArray,
    rows_at_once: int = ROWS_AT_ONCE,
) -> FloatArray:
    """The sums of the rows of :func:`take_parts`, (n,), without its many parts in memory, added column after column."""
    out, part = np.zeros(len(matrix)), np.empty(min(rows_at_once, len(matrix)))
    for rows, _, table, at in _cells(lookups, values, matrix, group, rows_at_once):
        out[rows] += table.take(at, out=part[: len(at)], mode="clip")
    return out


def _cells(
    lookups: Sequence[Lookup], values: Sequence[FloatArray], matrix: FloatArray, group: IntArray, rows_at_once: int
) -> Iterator[tuple[slice, int, FloatArray, npt.NDArray[np.intp]]]:
    """Some rows and a column at a time: its table, flat, and where in that each cell finds its value."""
    work = Work(min(rows_at_once, len(matrix)))
    wanted = np.empty(len(work.at), dtype=np.intp)
    flat = [np.ascontiguousarray(table).ravel() for table in values]
    with np.errstate(over="ignore"):  # what leaves the range of numbers lies beyond the last bucket all the same
        for a in range(0, len(matrix), rows_at_once):
            rows = slice(a, min(a + rows_at_once, len(matrix)))
            first = wanted[: rows.stop - a]
            for j, (lookup, table) in enumerate(zip(lookups, values, strict=True)):
                at = lookup.bins(np.ascontiguousarray(matrix[rows, j]), work)
                np.multiply(group[rows], table.shape[1], out=first)
                np.add(first, at, out=first)
                yield rows, j, flat[j], first
