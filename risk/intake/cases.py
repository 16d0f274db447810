"""Cases out of the rows of the cases files: keys, dates, end reasons, attributes, and facts that stand beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from risk import schema
from risk.errors import IntakeError
from risk.intake import checks
from risk.intake.columns import UNKNOWN_CODE, Log, as_dates, attribute_reader, code_of, fact_text, read
from risk.intake.mapping import Key, Mapping, normal_code
from risk.intake.pseudonym import looks_like_cpr, pseudonym
from risk.intake.report import Finding
from risk.intake.rows import Rows
from risk.intake.values import Read, code_reader, days_of, number_reader, read_date, read_person, read_text
from risk.weeks import Dates

NOTHING = np.array(None, dtype=object)
GOLDEN = 0.6180339887498949  # multiples of it, without their whole part, fall evenly between 0 and 1


@dataclass
class CaseLoad:
    """Cases as read: ``frame`` has one row per row read (n), to be chosen from by ``rows.kept`` when all checks are done."""

    rows: Rows
    frame: pd.DataFrame
    person: np.ndarray
    extract_on: date
    wide_facts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(schema.FACT_KEYS)))
    left_out: list[Finding] = field(default_factory=list)
    odd_orders: list[Finding] = field(default_factory=list)


def read_cases(rows: Rows, mapping: Mapping, key: bytes | None, extract_on: date | None, log: Log) -> CaseLoad:
    """Read every column of the cases and settle the rows that cannot be cases.

    Raises
    ------
    IntakeError
        When the extract date is neither given nor in the extract.
    """
    checks.settle_unreadable(rows, mapping)
    ids = _ids(rows, mapping, log)
    extract_on = extract_on or _extract_day(rows, mapping, log)
    person = _persons(rows, mapping, key, log, ids)
    dates = _dates_from_durations(rows, mapping, log) if mapping.durations else _dates(rows, mapping, log)
    opened, registered, closed, reason = dates
    _settle_orders(rows, mapping, np.datetime64(extract_on), opened, registered, closed)
    still_open = closed >= np.datetime64(extract_on)
    columns: dict[str, object] = {
        "case_id": ids,
        "person_key": person,
        "opened_on": opened,
        "registered_on": registered,
        "closed_on": np.where(still_open, np.datetime64("NaT"), closed),
        "close_reason": np.where(still_open, NOTHING, reason),
        "office": _names(rows, "office", mapping, log),
    }
    same = mapping.keys["team"].same_as == "office"
    columns["team"] = columns["office"] if same else _names(rows, "team", mapping, log)
    for name in schema.case_attributes():
        if name in mapping.attributes and rows.has(name):
            source = mapping.attributes[name]
            columns[name] = read(rows, name, attribute_reader(name, source, mapping), mapping, log, source.headings[0])
    load = CaseLoad(rows, pd.DataFrame(columns), person, extract_on)
    _wide_facts(load, mapping, log)
    reopened = rows.kept & still_open
    if reopened.any() and not mapping.durations:
        load.odd_orders.append(Finding.of("closed on or after the extract date (kept as open)", rows, reopened))
    early = rows.kept & (closed < registered) & ~still_open
    if early.any():
        load.odd_orders.append(Finding.of(checks.CLOSED_BEFORE_REGISTERED, rows, early))
    return load


# ---- keys ---------------------------------------------------------------------------------------------------------------


def _ids(rows: Rows, mapping: Mapping, log: Log) -> np.ndarray:
    key = mapping.keys["case_id"]
    if key.row_prefix:
        return _row_names(rows, key)
    checks.settle_duplicates(rows)
    ids = read(rows, "case_id", read_text, mapping, log, key.headings[0])
    rows.settle(_none(ids), "rejected", f"{key.headings[0]} is empty")
    rows.settle(_longer(ids, 64), "rejected", f"{key.headings[0]} is longer than 64 signs")
    checks.settle_shared_ids(rows, ids)
    return ids


def _row_names(rows: Rows, key: Key) -> np.ndarray:
    return np.array([f"{key.row_prefix}{r - 1:0{key.row_digits}d}" for r in rows.row], dtype=object)


def _persons(rows: Rows, mapping: Mapping, key: bytes | None, log: Log, ids: np.ndarray) -> np.ndarray:
    """Each row's person as it goes into the register: a keyed hash when the source gives CPR numbers."""
    source = mapping.keys["person_key"]
    if source.row_prefix:
        return _row_names(rows, source)
    label = source.headings[0]
    identity = read(rows, "person_key", read_person if source.kind == "cpr" else read_text, mapping, log, label)
    rows.settle(_none(identity), "rejected", f"{label} is empty")
    if source.kind != "cpr":
        rows.settle(_longer(identity, 128), "rejected", f"{label} is longer than 128 signs")
        return identity
    assert key is not None  # checked at the door
    numbers = {i for i in identity if i is not None}
    is_cpr = np.array([i is not None and (i in numbers or ("-" in i and looks_like_cpr(i))) for i in ids], dtype=bool)
    rows.settle(is_cpr, "rejected", "the case id is a CPR number")
    hashed = {i: pseudonym(i, key) for i in numbers}
    rows.made_up = np.array([i is not None and i.startswith("SYN") for i in identity], dtype=bool)
    return np.array([hashed.get(i) for i in identity], dtype=object)


def _names(rows: Rows, role: str, mapping: Mapping, log: Log) -> np.ndarray:
    """Office or team of each row."""
    source = mapping.keys[role]
    if source.constant:
        return np.full(len(rows), source.constant, dtype=object)
    label = source.headings[0]
    levels = {normal_code(c): level for level, codes in source.codes.items() for c in codes}
    plain = code_reader(levels, None) if levels else read_text

    def reader(text: str) -> Read:
        return Read(problem="a CPR number") if looks_like_cpr(text) else plain(text)

    names = read(rows, role, reader, mapping, log, label)
    if source.blank is None:
        rows.settle(_none(names), "rejected", f"{label} is empty")
        return names
    filled = _none(names)
    log.reads[-1].column.notes[filled] = f"blank read as {source.blank!r}"
    return np.where(filled, source.blank, names)


def _extract_day(rows: Rows, mapping: Mapping, log: Log) -> date:
    if rows.has("@extract"):
        days = read(rows, "@extract", read_date, mapping, log, mapping.extract.headings[0])
        found = sorted({d for d in days[rows.kept] if d is not None})
        if len(found) > 1:
            raise IntakeError(
                f"column {mapping.extract.headings[0]!r} holds {len(found)} different extract dates; "
                "load one extract at a time, or say --extract-on"
            )
        if found:
            day: date = found[0]
            return day
    if mapping.extract.on is None:
        raise IntakeError("the extract does not say when it was made; say --extract-on yyyy-mm-dd")
    return mapping.extract.on


# ---- dates and end reasons ------------------------------------------------------------------------------------------------

_FourColumns = tuple[Dates, Dates, Dates, np.ndarray]


def _dates(rows: Rows, mapping: Mapping, log: Log) -> _FourColumns:
    """Opening, registration, closing and close reason of each row, from their columns."""
    read_days: dict[str, Dates] = {}
    for role in ("opened_on", "registered_on", "closed_on"):
        source = mapping.keys[role]
        if source.same_as:
            read_days[role] = read_days["opened_on"]
            continue
        values = read(rows, role, read_date, mapping, log, source.headings[0])
        if role != "closed_on":
            rows.settle(_none(values), "rejected", f"{source.headings[0]} is empty")
        read_days[role] = as_dates(values)
    closed = read_days["closed_on"]
    return read_days["opened_on"], read_days["registered_on"], closed, _close_reasons(rows, closed, mapping, log)


def _close_reasons(rows: Rows, closed: Dates, mapping: Mapping, log: Log) -> np.ndarray:
    """The close reason of each row, None for an open case; a code counts only between the dates it was in use."""
    source, table = mapping.keys["close_reason"], mapping.close_reasons
    if source.constant:
        return np.where(np.isnat(closed), NOTHING, source.constant)
    label = source.headings[0]
    codes = read(rows, "close_reason", read_text, mapping, log, label)
    notes, problems = log.reads[-1].column.notes, log.reads[-1].column.problems
    open_codes = {code_of(c) for c in source.open_codes}
    code = np.array([None if c is None else code_of(c) for c in codes], dtype=object)
    says_open = np.array([c in open_codes for c in code], dtype=bool)
    ended, blank = ~np.isnat(closed), _none(code)
    rows.settle(~ended & ~blank & ~says_open, "rejected", f"{label} without an end date")
    rows.settle(ended & says_open, "rejected", f"end date, but {label} says the case is open")
    reason = np.full(len(rows), None, dtype=object)
    reason[ended & blank] = table.blank
    if table.blank is None:
        rows.settle(ended & blank, "rejected", f"end date without {label}")
    else:
        notes[ended & blank] = f"missing end reason read as {table.blank!r}"
    for entry in table.table:
        of_entry = ended & np.isin(code.astype(str), [code_of(c) for c in entry.codes]) & ~blank
        with np.errstate(invalid="ignore"):
            in_force = np.ones(len(rows), dtype=bool)
            if entry.from_:
                in_force &= closed >= np.datetime64(entry.from_)
            if entry.to:
                in_force &= closed <= np.datetime64(entry.to)
        reason[of_entry & in_force] = entry.reason
    unknown = ended & ~blank & ~says_open & _none(reason)
    if table.unknown_code is None:
        problems[unknown] = UNKNOWN_CODE
        rows.settle(unknown, "rejected", f"{UNKNOWN_CODE} in {label}")
    else:
        notes[unknown] = UNKNOWN_CODE
        reason[unknown] = table.unknown_code
        log.reads[-1].column.values[unknown] = table.unknown_code
    return reason


def _dates_from_durations(rows: Rows, mapping: Mapping, log: Log) -> _FourColumns:
    """Dates made by the mapping's rule, for a source that has durations only (see :class:`Durations`)."""
    rule = mapping.durations
    assert rule is not None
    label, period_label = rule.headings[0], rule.period[0]
    lengths = read(rows, "@duration", number_reader(mapping.reading, 0, 10_000), mapping, log, label)
    rows.settle(_none(lengths), "rejected", f"{label} is empty")
    periods = read(rows, "@period", code_reader({code_of(c): c for c in rule.starts}, None), mapping, log, period_label)
    rows.settle(_none(periods), "rejected", f"{period_label} is empty")
    opened = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[D]")
    for period, spread in rule.starts.items():
        of_period = periods == period
        day = np.floor(spread.days * np.mod(rows.row[of_period] * GOLDEN, 1.0)).astype("timedelta64[D]")
        opened[of_period] = np.datetime64(spread.from_) + day
    days = np.array([0 if w is None else days_of(w, rule.unit) for w in lengths], dtype="timedelta64[D]")
    return opened, opened, opened + days, np.full(len(rows), rule.close_reason, dtype=object)


def _settle_orders(
    rows: Rows, mapping: Mapping, extract_on: np.datetime64, opened: Dates, registered: Dates, closed: Dates
) -> None:
    rows.settle(closed < opened, "rejected", checks.CLOSED_BEFORE_OPENED)
    rows.settle(registered < opened, "rejected", checks.REGISTERED_BEFORE_OPENED)
    later = mapping.extract.later_rows == "leave_out"
    rows.settle(registered >= extract_on, "later" if later else "rejected", checks.LATER)


# ---- facts in columns of the cases file -------------------------------------------------------------------------------------


def _wide_facts(load: CaseLoad, mapping: Mapping, log: Log) -> None:
    """Facts that stand in the cases file, each with the day it was recorded in a column of its own."""
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
    given = load.rows.kept & ~_none(values)
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


def _none(values: np.ndarray) -> np.ndarray:
    return np.array([v is None for v in values], dtype=bool)


def _longer(values: np.ndarray, most: int) -> np.ndarray:
    return np.array([v is not None and len(v) > most for v in values], dtype=bool)
