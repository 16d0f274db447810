"""Cases out of the rows of the cases files: ids, persons, offices, dates and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from risk import schema
from risk.errors import IntakeError
from risk.intake import checks
from risk.intake.columns import NOTHING, Log, attribute_reader, is_none, read
from risk.intake.dates import read_dates, settle_orders
from risk.intake.mapping import Key, Mapping, normal_code
from risk.intake.pseudonym import looks_like_cpr, pseudonym
from risk.intake.report import Finding
from risk.intake.rows import Rows
from risk.intake.values import Read, code_reader, read_date, read_person, read_text


@dataclass
class CaseLoad:
    """Cases as read: ``frame`` has one row per row read (n), to be chosen from by ``rows.kept`` when all checks are done."""

    rows: Rows
    frame: pd.DataFrame
    person: np.ndarray
    extract_on: date
    closes_later: np.ndarray
    wide_facts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(schema.FACT_KEYS)))
    left_out: list[Finding] = field(default_factory=list)
    odd_orders: list[Finding] = field(default_factory=list)


def read_cases(rows: Rows, mapping: Mapping, key: bytes | None, extract_on: date | None, log: Log) -> CaseLoad:
    """Read every column of the cases and settle the rows that cannot be cases.

    Raises
    ------
    IntakeError
        When the extract date is neither given nor in the extract, or a source that numbers cases by rows has two files.
    """
    checks.settle_unreadable(rows, mapping)
    ids = _ids(rows, mapping, log)
    extract_on = extract_on or _extract_day(rows, mapping, log)
    person = _persons(rows, mapping, key, log, ids)
    dates = read_dates(rows, mapping, log)
    settle_orders(rows, mapping, np.datetime64(extract_on), dates)
    opened, registered, closed, reason = dates
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
    return CaseLoad(rows, pd.DataFrame(columns), person, extract_on, closes_later=still_open)


# ---- keys ---------------------------------------------------------------------------------------------------------------


def _ids(rows: Rows, mapping: Mapping, log: Log) -> np.ndarray:
    key = mapping.keys["case_id"]
    if key.row_prefix:
        if len(rows.parts) > 1:
            raise IntakeError(f"mapping {mapping.name!r} numbers cases by their rows; load one file at a time")
        return _row_names(rows, key)
    checks.settle_duplicates(rows)
    ids = read(rows, "case_id", read_text, mapping, log, key.headings[0])
    rows.settle(is_none(ids), "rejected", f"{key.headings[0]} is empty")
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
    rows.settle(is_none(identity), "rejected", f"{label} is empty")
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
        rows.settle(is_none(names), "rejected", f"{label} is empty")
        return names
    filled = is_none(names)
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


def _longer(values: np.ndarray, most: int) -> np.ndarray:
    return np.array([v is not None and len(v) > most for v in values], dtype=bool)
