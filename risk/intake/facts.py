"""Facts: rows of a long facts file, or columns of the cases file with the day they were recorded beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk import schema
from risk.intake import checks
from risk.intake.cases import CaseLoad
from risk.intake.columns import NOTHING, Log, as_dates, attribute_reader, fact_text, is_none, read
from risk.intake.mapping import Mapping, normal_heading
from risk.intake.report import Finding
from risk.intake.rows import Rows
from risk.intake.values import Read, Reader, read_date, read_text
from risk.weeks import Dates


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
    rows.settle(
        is_none(ids) | is_none(names) | np.isnat(days), "rejected", "case id, date or name of the fact is empty"
    )
    values = _values(rows, names, mapping, log)
    rows.settle(is_none(values), "rejected", "fact without a value")
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
    given = pd.Series(ids, dtype=object)
    later = given.isin(load.frame["case_id"][load.rows.fate == "later"]).to_numpy()
    seen = given.isin(load.frame["case_id"]).to_numpy()
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


def add_wide_facts(load: CaseLoad, mapping: Mapping, log: Log) -> None:
    """Add the facts that stand in the cases file, each with the day it was recorded in a column of its own."""
    found = []
    for name in schema.fact_attributes():
        if name not in mapping.attributes or not load.rows.has(name):
            continue
        source = mapping.attributes[name]
        label = source.headings[0]
        if source.holds_its_date:
            days = as_dates(read(load.rows, name, read_date, mapping, log, label))
            values = np.where(np.isnat(days), NOTHING, "true")
        elif load.rows.has(f"{name}@date"):
            reader = attribute_reader(name, source, mapping)
            read_values = read(load.rows, name, reader, mapping, log, label)
            values = np.array([None if v is None else fact_text(v) for v in read_values], dtype=object)
            days = as_dates(read(load.rows, f"{name}@date", read_date, mapping, log, source.date_headings[0]))
        else:
            for part in load.rows.parts:
                if name in part.place:
                    part.unused.append(f"{label} (a fact, and its date column is missing)")
            continue
        found.append((name, label, values, days))
    # Only now is it known which rows are kept: a later column may have had one rejected.
    frames = [_of_column(load, name, label, values, days) for name, label, values, days in found]
    load.wide_facts = pd.concat([load.wide_facts, *frames], ignore_index=True)


def _of_column(load: CaseLoad, name: str, label: str, values: np.ndarray, days: Dates) -> pd.DataFrame:
    given = load.rows.kept & ~is_none(values)
    opened, registered = (load.frame[c].to_numpy().astype("datetime64[D]") for c in ("opened_on", "registered_on"))
    undated = given & np.isnat(days)
    early = given & (days < opened)
    late = given & (days >= np.datetime64(load.extract_on))
    for which, why in (
        (undated, f"{label} without a date"),
        (early, f"{label}: {checks.FACT_BEFORE_OPENING}"),
        (late, f"{label}: recorded on or after the extract date"),
    ):
        if which.any():
            load.left_out.append(Finding.of(why, load.rows, which))
    use = given & ~undated & ~early & ~late
    if (odd := use & (days < registered)).any():
        load.odd_orders.append(Finding.of(f"{label}: {checks.FACT_BEFORE_REGISTRATION}", load.rows, odd))
    ids = load.frame["case_id"].to_numpy()[use]
    return pd.DataFrame({"case_id": ids, "known_on": days[use], "name": name, "value": values[use]})
