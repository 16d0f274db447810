"""Facts out of the rows of a long facts file: one row per dated piece of knowledge."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk import schema
from risk.intake import checks
from risk.intake.cases import CaseLoad
from risk.intake.columns import Log, as_dates, attribute_reader, fact_text, read
from risk.intake.mapping import Mapping, normal_heading
from risk.intake.report import Finding
from risk.intake.rows import Rows
from risk.intake.values import Read, Reader, read_date, read_text


def read_facts(rows: Rows, load: CaseLoad, mapping: Mapping, log: Log) -> pd.DataFrame:
    """The facts of kept cases, columns of the fact schema, one row per row read; rows that cannot be facts are settled."""
    if not len(rows):
        return pd.DataFrame(columns=list(schema.FACT_KEYS))
    assert mapping.facts is not None
    checks.settle_unreadable(rows, mapping)
    checks.settle_duplicates(rows)
    ids = read(rows, "case_id", read_text, mapping, log, mapping.facts.case_id[0])
    days = as_dates(read(rows, "known_on", read_date, mapping, log, mapping.facts.known_on[0]))
    names = read(rows, "name", _name_reader(mapping), mapping, log, mapping.facts.name[0])
    blank = np.array([i is None or n is None for i, n in zip(ids, names, strict=True)], dtype=bool)
    rows.settle(blank | np.isnat(days), "rejected", "case id, date or name of the fact is empty")
    values = _values(rows, names, mapping, log)
    rows.settle(np.array([v is None for v in values], dtype=bool), "rejected", "fact without a value")
    _settle_cases(rows, ids, days, load, mapping)
    return pd.DataFrame({"case_id": ids, "known_on": days, "name": names, "value": values})


def _name_reader(mapping: Mapping) -> Reader:
    facts = schema.fact_attributes()
    known = {normal_heading(h): n for n, c in mapping.attributes.items() if n in facts for h in c.headings}

    def reader(text: str) -> Read:
        name = known.get(normal_heading(text))
        return Read(problem="unknown code") if name is None else Read(name)

    return reader


def _values(rows: Rows, names: np.ndarray, mapping: Mapping, log: Log) -> np.ndarray:
    """The value of each fact as the register writes it; None where it is blank or cannot be read."""
    values = np.full(len(rows), None, dtype=object)
    for name in sorted({n for n in names if n is not None}):
        index = np.flatnonzero(names == name)
        source = mapping.attributes[name]
        found = read(rows, "value", attribute_reader(name, source, mapping), mapping, log, source.headings[0], index)
        values[index] = [None if v is None else fact_text(v) for v in found]
    return values


def _settle_cases(rows: Rows, ids: np.ndarray, days: np.ndarray, load: CaseLoad, mapping: Mapping) -> None:
    """Settle facts whose case is unknown or was not kept, and facts on days that cannot be."""
    kept = load.frame[load.rows.kept].set_index("case_id")
    index = kept.index.get_indexer(pd.Index(ids, dtype=object))
    has_case = index >= 0
    later = np.isin(ids.astype(str), load.frame["case_id"][load.rows.fate == "later"].astype(str))
    seen = np.isin(ids.astype(str), load.frame["case_id"].astype(str))
    leaves_out = mapping.extract.later_rows == "leave_out"
    rows.settle(later & ~has_case, "later", "fact of a case registered on or after the extract date")
    rows.settle(seen & ~has_case, "rejected", "fact of a rejected case")
    rows.settle(~has_case, "rejected", "fact of an unknown case")
    never = np.datetime64("NaT")

    def of_case(column: str) -> np.ndarray:
        if not len(kept):
            return np.full(len(rows), never, dtype="datetime64[D]")
        return np.where(has_case, kept[column].to_numpy().astype("datetime64[D]")[index], never)

    rows.settle(days < of_case("opened_on"), "rejected", checks.FACT_BEFORE_OPENING)
    too_late = days >= np.datetime64(load.extract_on)
    rows.settle(too_late, "later" if leaves_out else "rejected", "fact recorded on or after the extract date")
    odd = rows.kept & (days < of_case("registered_on"))
    if odd.any():
        load.odd_orders.append(Finding.of(checks.FACT_BEFORE_REGISTRATION, rows, odd))
