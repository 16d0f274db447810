"""Bringing facts to their cases without holding a register: places among the cases at hand, and piles on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from risk.arrow import is_text, marks_of

ROW = "__row__"  # the column that says which row of its file a case or fact was
Ints = npt.NDArray[np.int64]
Placed = list[tuple[pa.RecordBatch, Ints]]  # facts, and the place among the cases of each of the ids they name


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same batch without dictionaries longer than itself: those of a large row group name all its texts."""
    columns = [
        c.dictionary_decode().dictionary_encode()
        if pa.types.is_dictionary(c.type) and len(c.dictionary) > len(c)
        else c
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


class Places:
    """Finds the places of case ids among those of a part; ``ids`` are these in order, ``marks`` theirs, sorted."""

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids.dictionary_decode() if pa.types.is_dictionary(ids.type) else ids
        marks = marks_of(self.ids)
        self._order = np.argsort(marks)
        self.marks = marks[self._order]

    def of(self, known: pa.Array) -> Ints:
        """Where each of some ids stands, (m,), -1 where it does not."""
        if not len(self.marks) or not len(known):
            return np.full(len(known), -1, dtype=np.int64)
        near = np.searchsorted(self.marks, marks_of(known))
        at = self._order[np.minimum(near, len(self.marks) - 1)]
        # Equal marks are very nearly equal texts; only equal texts count.
        is_here = pc.equal(self.ids.take(pa.array(at)), known).to_numpy(zero_copy_only=False)
        found: Ints = np.where(is_here, at, -1)
        return found


def deal(batches: Iterator[pa.RecordBatch], folder: Path, what: str, n: int) -> None:
    """Write each row to the pile its case belongs to."""
    with ExitStack() as open_files:
        piles: dict[int, pa.RecordBatchFileWriter] = {}
        for batch in batches:
            plain = pa.RecordBatch.from_arrays(
                [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns],
                batch.schema.names,
            )
            of = (marks_of(plain.column("case_id")) % np.uint64(n)).astype(np.int64)
            for i in np.unique(of).tolist():
                if i not in piles:
                    piles[i] = open_files.enter_context(pa.ipc.new_file(folder / f"{what}-{i}", plain.schema))
                piles[i].write_batch(plain.filter(pa.array(of == i)))


def pile(path: Path) -> list[pa.RecordBatch]:
    """One pile as one batch of dictionaries; none when nothing was dealt to it."""
    if not path.exists():
        return []
    with pa.OSFile(str(path)) as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()
    columns = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in table.columns]
    coded = [c.dictionary_encode() if is_text(c.type) else c for c in columns]
    return [pa.RecordBatch.from_arrays(coded, table.schema.names)]
