"""A register read in parts, so that its size does not matter: some cases at a time, each with all its facts.

Cases are read in their own order. When the facts stand grouped in that order, as :func:`risk.register.write_register`
leaves them, both files are read once from front to back. Otherwise they are first dealt out on disk, cases and facts by
the same rule, into as many pairs of files as keep each pair small. Only the columns and facts that are asked for are
read; keys, dates, and what is asked for are checked by the rules of :mod:`risk.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from risk import schema
from risk.arrow import days_of, is_text, values_of
from risk.encoded import Encoded
from risk.errors import CaseDataError, RegisterError, rows_named
from risk.grouping import ROW, Ints, Placed, Places, compact, deal, pile
from risk.part_columns import DATES, PartColumns
from risk.register import about_register

ROWS = 16_384
MOST_PILES = 256
Found = tuple[pa.RecordBatch, Places, Placed]


@dataclass(frozen=True)
class Part:
    """Some cases of a register with all their facts: what a snapshot is taken of (:class:`risk.snapshot.Recorded`).

    Attributes
    ----------
    case_id : (n,) as Arrow holds them; ``encoded`` has the same as Python's own
    """

    encoded: Encoded
    extract_on: date
    case_id: pa.Array


class RegisterParts:
    """A register folder, to be read in parts.

    Parameters
    ----------
    folder : Path
    names : attributes that will be looked at; others are not read
    rows : cases in a part, about
    scratch : folder on a disk with room for a copy of the register, used only when facts are not in the order of cases

    Raises
    ------
    RegisterError
        A file is missing or unreadable, or another schema version wrote the folder.
    CaseDataError
        A column is missing, is not declared, or is of another kind than declared.
    """

    def __init__(self, folder: Path, names: Sequence[str], rows: int = ROWS, scratch: Path | None = None) -> None:
        self.folder, self.rows, self.scratch = Path(folder), rows, scratch
        about = about_register(self.folder)
        self.extract_on = date.fromisoformat(about["extract_on"])
        self.is_synthetic, self.fingerprint = bool(about.get("is_synthetic")), str(about.get("fingerprint", ""))
        self._is_grouped = about.get("facts_in_order") is True
        self._cases, self._facts = self._open("cases"), self._open("facts")
        self.n_cases = self._cases.metadata.num_rows
        there = self._check_columns()
        self._attributes = [n for n in names if n in schema.case_attributes() and n in there]
        facts = [n for n in names if n in schema.fact_attributes()]
        self._columns = PartColumns(self._attributes, facts, self.extract_on)

    def __iter__(self) -> Iterator[Part]:
        """The parts, the same ones each time.

        Raises
        ------
        RegisterError
            A file is damaged.
        CaseDataError
            A row breaks a rule; names column, rule and rows, never a value.
        AsOfError
            A case was registered or closed, or a fact recorded, on or after the extract date.
        """
        marks: list[npt.NDArray[np.uint64]] = []
        try:
            for cases, places, facts in self._in_order() if self._is_grouped else self._dealt():
                marks.append(places.marks)
                yield Part(self._columns.encode(cases, facts), self.extract_on, places.ids)
        except (pa.ArrowException, OSError) as why:
            raise RegisterError(
                f"{self.folder}: a table cannot be read ({type(why).__name__}); make the register again"
            ) from None
        seen = np.concatenate(marks) if marks else np.empty(0, dtype=np.uint64)
        seen.sort()
        n_again = int((seen[1:] == seen[:-1]).sum())
        if n_again:
            raise CaseDataError(f"cases: column 'case_id' must be unique; {n_again} rows repeat the id of another")

    # The files ------------------------------------------------------------------------------------------------------

    def _open(self, what: str) -> pq.ParquetFile:
        path = self.folder / f"{what}.parquet"
        try:
            own = "case_id" if what == "cases" else None  # no two are alike, so a dictionary of them would only cost
            texts = [field.name for field in pq.read_schema(path) if is_text(field.type) and field.name != own]
            return pq.ParquetFile(path, read_dictionary=texts, memory_map=False)
        except (pa.ArrowException, OSError) as why:
            raise RegisterError(
                f"{self.folder}: a table cannot be read ({type(why).__name__}); make the register again"
            ) from None

    def _check_columns(self) -> set[str]:
        """The columns of the cases, when both tables have what they must and nothing else."""
        known = schema.case_attributes()
        for what, file, keys, others in (
            ("cases", self._cases, schema.CASE_KEYS, known),
            ("facts", self._facts, schema.FACT_KEYS, {}),
        ):
            there = file.schema_arrow
            missing = [c for c in keys if c not in there.names]
            if missing:
                raise CaseDataError(f"{what} lack the column {missing[0]!r}; needed are {', '.join(keys)}")
            foreign = [c for c in there.names if c not in keys and c not in others]
            if foreign:
                raise CaseDataError(f"{what} hold {len(foreign)} undeclared columns; declare them in attributes.toml")
            for field in there:
                _check_kind(what, field)
        return set(self._cases.schema_arrow.names)

    def _case_batches(self) -> Iterator[pa.RecordBatch]:
        return self._read(self._cases, ["case_id", *DATES, *self._attributes], self.rows)

    def _fact_batches(self) -> Iterator[pa.RecordBatch]:
        return self._read(self._facts, list(schema.FACT_KEYS), 8 * self.rows)

    def _read(self, file: pq.ParquetFile, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches with the number of each row in the file; a key must be there in every row."""
        first = 0
        for batch in file.iter_batches(batch_size=rows, columns=columns, use_threads=False):
            for key in (c for c in columns if c in ("case_id", "opened_on", "registered_on", *schema.FACT_KEYS)):
                if batch.column(key).null_count:
                    empty = first + np.flatnonzero(batch.column(key).is_null().to_numpy(zero_copy_only=False))
                    raise CaseDataError(f"column {key!r} must not be empty in {rows_named(empty.tolist())}")
            yield compact(batch).append_column(ROW, pa.array(np.arange(first, first + len(batch))))
            first += len(batch)

    # Joining --------------------------------------------------------------------------------------------------------

    def _in_order(self) -> Iterator[Found]:
        facts, waiting = self._fact_batches(), None
        for cases in self._case_batches():
            here, places = [], Places(cases.column("case_id"))
            while (batch := waiting if waiting is not None else next(facts, None)) is not None:
                waiting, place = None, places.of(batch.column("case_id").dictionary)
                n = self._n_here(batch, place)
                here.append((batch.slice(0, n), place))
                if n < len(batch):
                    waiting = batch.slice(n)
                    break
            yield cases, places, here
        self._refuse_orphans([b for b in (waiting, *facts) if b is not None and len(b)])

    def _n_here(self, batch: pa.RecordBatch, place: Ints) -> int:
        """How many facts of a batch belong to the cases at hand; the others must all come after them."""
        if (place >= 0).all():
            return len(batch)
        later = np.flatnonzero((place < 0)[batch.column("case_id").indices.to_numpy()])
        n = int(later[0]) if len(later) else len(batch)
        if len(later) != len(batch) - n:
            raise RegisterError(
                f"{self.folder}: the facts do not stand in the order of the cases, though register.json says "
                "so; make the register again with 'risk intake'"
            )
        return n

    def _dealt(self) -> Iterator[Found]:
        """Cases and facts dealt out to piles by the same mark of their case id, then pile by pile."""
        n = int(np.clip(-(-self.n_cases // self.rows), 1, MOST_PILES))
        with TemporaryDirectory(dir=self.scratch, prefix=".risk-") as folder:
            place = Path(folder)
            deal(self._case_batches(), place, "cases", n)
            deal(self._fact_batches(), place, "facts", n)
            for i in range(n):
                for cases in pile(place / f"cases-{i}"):
                    places = Places(cases.column("case_id"))
                    batches = [(b, places.of(b.column("case_id").dictionary)) for b in pile(place / f"facts-{i}")]
                    self._refuse_orphans([_without_case(b, at) for b, at in batches])
                    yield cases, places, batches

    def _refuse_orphans(self, left: list[pa.RecordBatch]) -> None:
        rows = [r for batch in left for r in batch.column(ROW).to_pylist()]
        if rows:
            raise CaseDataError(f"facts: case_id is not among the cases in {rows_named(rows)}")


def _without_case(batch: pa.RecordBatch, place: Ints) -> pa.RecordBatch:
    return batch.filter(pa.array((place < 0)[batch.column("case_id").indices.to_numpy()]))


def _check_kind(what: str, field: pa.Field) -> None:
    """Refuse a column whose type cannot hold what is declared."""
    name, empty = f"{what}: column {field.name!r}", pa.array([], type=field.type)
    if field.name in schema.case_attributes():
        values_of(empty, schema.case_attributes()[field.name], name)
    elif field.name.endswith("_on"):
        days_of(empty, name)
    elif not is_text(field.type) and not pa.types.is_null(field.type):
        raise CaseDataError(f"{name} is of type {field.type}; it must hold text")
