"""From the Arrow rows of a part of a register to numpy columns, each rule of :mod:`risk.schema` checked on the way.

Facts nobody asked for are let go first: of a whole register they are more than half.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from risk import schema
from risk.arrow import FactValues, as_dictionary, days_of, moments_of, values_of
from risk.encoded import Encoded, FactColumn, fact_column
from risk.errors import AsOfError, CaseDataError, rows_named
from risk.grouping import ROW, Ints, Placed
from risk.weeks import Dates, Floats

DATES = ("opened_on", "registered_on", "closed_on")


class PartColumns:
    """Encodes parts of one register.

    Parameters
    ----------
    attributes, facts : names of what is asked for, of cases and of facts
    extract_on : what is dated on or after this day is refused
    """

    def __init__(self, attributes: Sequence[str], facts: Sequence[str], extract_on: date) -> None:
        self._attributes, self._wanted, self._extract_on = attributes, list(facts), extract_on
        self._values = FactValues(facts)

    def encode(self, cases: pa.RecordBatch, facts: Placed) -> Encoded:
        """The columns of some cases and of all their facts.

        Raises
        ------
        CaseDataError
            A row breaks a rule; names column, rule and rows, never a value.
        AsOfError
            A case was registered or closed, or a fact recorded, on or after the extract date.
        """
        dates = {name: days_of(cases.column(name), name) for name in DATES}
        self._check_dates(dates, cases.column(ROW))
        columns: dict[str, Floats] = {}
        for name in self._attributes:
            attribute = schema.case_attributes()[name]
            values, bad = values_of(cases.column(name), attribute, f"cases: column {name!r}")
            _refuse(bad, cases.column(ROW), f"cases: column {name!r} has a value outside its levels or range")
            # What is only known at closing is never part of a snapshot of open cases, whatever the table holds.
            columns[name] = np.full(len(values), np.nan) if attribute.known == "closing" else values
        return Encoded(
            case_id=cases.column("case_id").to_numpy(zero_copy_only=False),
            person=np.arange(len(cases), dtype=np.int64),
            **dates,
            columns=columns,
            facts=self._fact_columns(facts),
        )

    def _check_dates(self, dates: dict[str, Dates], row: pa.Array) -> None:
        opened, registered, closed = (dates[name] for name in DATES)
        _refuse(registered < opened, row, "cases: registered_on lies before opened_on")
        _refuse(closed < opened, row, "cases: closed_on lies before opened_on")
        self._check_extract(registered, "registered_on")
        self._check_extract(closed, "closed_on")

    def _check_extract(self, days: npt.NDArray[np.datetime64], name: str) -> None:
        late = int((days >= np.datetime64(self._extract_on, "D")).sum())
        if late:
            raise AsOfError(
                f"{late} rows have {name} on or after the extract date {self._extract_on}; is that date right?"
            )

    def _fact_columns(self, batches: Placed) -> dict[str, FactColumn]:
        """The facts that are wanted, by name."""
        found = [self._wanted_of(batch, place) for batch, place in batches]
        if not found:
            return {}
        which, place, days, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(which, kind="stable")  # of small integers: they are counted, not compared
        place, days, values = place[order], days[order], values[order]
        ends = np.cumsum(np.bincount(which, minlength=len(self._wanted))).tolist()
        rows = {name: slice(a, b) for name, a, b in zip(self._wanted, [0, *ends[:-1]], ends, strict=True) if a < b}
        return {name: fact_column(place[at], days[at], values[at]) for name, at in rows.items()}

    def _wanted_of(self, batch: pa.RecordBatch, place: Ints) -> tuple[npt.NDArray[np.int16], Ints, Dates, Floats]:
        """Of facts that are wanted: which it is, its case's place, the day and the value, (m,) each."""
        moments = moments_of(batch.column("known_on"), "facts: column 'known_on'")
        self._check_extract(moments, "known_on")
        codes, names = as_dictionary(batch.column("name"))
        strange = np.array([n not in schema.fact_attributes() for n in names], dtype=np.bool_)
        if strange.any():
            _refuse(strange[codes], batch.column(ROW), "facts: column 'name' holds names that are not declared")
        of = np.array([self._wanted.index(n) if n in self._wanted else -1 for n in names], dtype=np.int16)
        which = of[codes]
        rows = np.flatnonzero(which >= 0)
        which = which[rows]
        words, texts = as_dictionary(batch.column("value"))
        values = self._values.table(texts)[which, words[rows]]
        bad = np.isnan(values)
        if bad.any():
            name = self._wanted[which[bad][0]]
            rows = rows[bad & (which == which[bad][0])]
            what = f"facts: {name} has a value outside its levels or range"
            raise CaseDataError(f"{what} in {rows_named(batch.column(ROW).take(pa.array(rows)).to_pylist())}")
        whose = place[batch.column("case_id").indices.to_numpy()[rows]]
        return which, whose, moments[rows].astype("datetime64[D]"), values


def _refuse(is_bad: npt.NDArray[np.bool_], row: pa.Array, what: str) -> None:
    if is_bad.any():
        raise CaseDataError(f"{what} in {rows_named(row.filter(pa.array(is_bad)).to_pylist())}")
