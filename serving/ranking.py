"""Ranking more cases than fit in memory: each portion is sorted as it comes and laid aside, then all are merged.

The order is that of the list: the highest chance first; of equal chances the case opened first, then the lower case id;
cases without a score last, by opening day and id. Portions lie in one Arrow file beside the result. The merge takes a
slice of the order at a time from every portion, so memory grows neither with the cases nor with what is said of them;
only cases of exactly equal chance are always held together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from risk.weeks import Dates, Floats

Ints = npt.NDArray[np.int64]
SLICE = 65_536
EVERY = 256
UNSCORED = 2.0  # after every chance: those lie between -1 and 0 when the highest comes first


def rank_order(p: Floats, opened_on: Dates, case_id: pa.Array) -> Ints:
    """The order of cases, (n,), by chance ``p`` (nan without a score), opening day and case id."""
    key = _coarse(p, opened_on)
    order = np.argsort(key, kind="stable").astype(np.int64)  # quick where sorted portions follow one another
    tied = np.diff(key[order]) == 0
    if not tied.any():
        return order
    # Days and ids decide within ties only, and comparing texts is dear.
    group = np.concatenate([[0], np.cumsum(~tied)])
    rows = np.flatnonzero(np.concatenate([tied, [False]]) | np.concatenate([[False], tied]))
    ids = np.array(case_id.take(pa.array(order[rows])).to_pylist(), dtype=str)
    order[rows] = order[rows][np.lexsort((ids, opened_on[order[rows]], group[rows]))]
    return order


def _coarse(p: Floats, opened_on: Dates) -> Floats:
    """A number that never falls along the order, nor is equal where chances differ: cases are cut into slices by it."""
    days = opened_on.astype("datetime64[D]").astype(np.float64)
    return np.where(np.isnan(p), UNSCORED + days / 1e6, -p)


class Portions:
    """Sorted portions in a file, and slices of all of them in order.

    Parameters
    ----------
    path : file to keep them in
    p : name of the column to rank by; ``opened_on`` and ``case_id`` are columns too
    """

    def __init__(self, path: Path, p: str) -> None:
        self._path, self._p = path, p
        self._writer: pa.RecordBatchFileWriter | None = None
        self._marks: list[Floats] = []
        self.sizes: list[int] = []

    def add(self, columns: dict[str, pa.Array]) -> None:
        """Sort one portion and lay it aside."""
        table = pa.RecordBatch.from_pydict(columns)
        p, opened_on = _keys(table, self._p)
        order = rank_order(p, opened_on, table.column("case_id"))
        table = table.take(pa.array(order))
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), table.schema)
        self._writer.write_batch(table)
        self._marks.append(_coarse(p[order], opened_on[order])[::EVERY])
        self.sizes.append(len(table))

    def close(self) -> None:
        """No more portions."""
        if self._writer is not None:
            self._writer.close()

    def column(self, portion: int, name: str, n: int | None = None) -> npt.NDArray[Any]:
        """A column of the first ``n`` rows of a portion, in its order, (n,)."""
        with pa.memory_map(str(self._path)) as file:
            column = pa.ipc.open_file(file).get_batch(portion).column(name).slice(0, n)
            return np.array(column.to_numpy(zero_copy_only=False))

    def first(self, n: int) -> list[int]:
        """How many rows of each portion are among the first ``n`` scored ones of all; all that tie with the last are."""
        best: Floats = np.empty(0)
        for i in range(len(self.sizes)):
            p = self.column(i, self._p, n)
            best = np.concatenate([best, p[~np.isnan(p)]])
            best = np.partition(best, len(best) - n)[-n:] if len(best) > n else best
        if not len(best):
            return [0] * len(self.sizes)
        last = best.min()
        return [int((self.column(i, self._p, n) >= last).sum()) for i in range(len(self.sizes))]

    def merged(self, beside: Path | None = None) -> Iterator[tuple[pa.Table, pa.Array | None]]:
        """The rows of all portions in order, some at a time, and what stands beside each of them.

        Parameters
        ----------
        beside : Arrow file with as many batches as there are portions, each of one column for the portion's first rows
        """
        cuts = self._cuts()
        for i in range(len(cuts[0]) - 1 if cuts else 0):
            # Opened anew for each slice: what was mapped for the last one is let go.
            with pa.memory_map(str(self._path)) as file:
                batches = pa.ipc.open_file(file)
                pieces = [batches.get_batch(k).slice(at[i], at[i + 1] - at[i]) for k, at in enumerate(cuts)]
                table = pa.Table.from_batches(pieces).combine_chunks()
            p, opened_on = _keys(table, self._p)
            order = pa.array(rank_order(p, opened_on, table.column("case_id").combine_chunks()))
            told = None if beside is None else self._beside(beside, cuts, i).take(order)
            yield table.take(order), told

    def _cuts(self) -> list[list[int]]:
        """Where each slice begins and ends in each portion."""
        if not self._marks:
            return []
        marks = np.sort(np.concatenate(self._marks))
        borders = np.unique(marks[SLICE // EVERY :: SLICE // EVERY])
        cuts = []
        for k, size in enumerate(self.sizes):
            coarse = _coarse(self.column(k, self._p), self.column(k, "opened_on"))
            cuts.append([0, *np.searchsorted(coarse, borders, side="right").tolist(), size])
        return cuts

    def _beside(self, path: Path, cuts: list[list[int]], i: int) -> pa.ChunkedArray:
        with pa.memory_map(str(path)) as file:
            batches = pa.ipc.open_file(file)
            pieces = []
            for k, at in enumerate(cuts):
                column = batches.get_batch(k).column(0)
                piece = column.slice(min(at[i], len(column)), max(min(at[i + 1], len(column)) - at[i], 0))
                pieces += [piece, pa.nulls(at[i + 1] - at[i] - len(piece), column.type)]
            return pa.chunked_array(pieces).combine_chunks()


def _keys(table: Any, p: str) -> tuple[Floats, Dates]:
    """Chance and opening day of the rows of a table or batch."""
    chance, opened_on = (table.column(name).to_numpy(zero_copy_only=False) for name in (p, "opened_on"))
    return chance, opened_on
