"""The dates of a case and why it ended: from date columns and a dated code table, or made from durations by a stated rule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.intake import checks
from risk.intake.columns import NOTHING, UNKNOWN_CODE, Log, as_dates, code_of, is_none, read
from risk.intake.mapping import Mapping
from risk.intake.rows import Rows
from risk.intake.values import code_reader, days_of, number_reader, read_date, read_text
from risk.weeks import Dates

GOLDEN = 0.6180339887498949  # multiples of it, without their whole part, fall evenly between 0 and 1
CaseDates = tuple[Dates, Dates, Dates, np.ndarray]  # opened, registered, closed, close reason


def read_dates(rows: Rows, mapping: Mapping, log: Log) -> CaseDates:
    """Opening, registration, closing and close reason of each row, (n,) each; rows whose dates cannot be read are settled."""
    return _from_durations(rows, mapping, log) if mapping.durations else _from_columns(rows, mapping, log)


def settle_orders(rows: Rows, mapping: Mapping, extract_on: np.datetime64, dates: CaseDates) -> None:
    """Settle rows whose dates cannot be, and cases that were not known on the extract date."""
    opened, registered, closed, _ = dates
    rows.settle(closed < opened, "rejected", checks.CLOSED_BEFORE_OPENED)
    rows.settle(registered < opened, "rejected", checks.REGISTERED_BEFORE_OPENED)
    later = mapping.extract.later_rows == "leave_out"
    rows.settle(registered >= extract_on, "later" if later else "rejected", checks.LATER)


def _from_columns(rows: Rows, mapping: Mapping, log: Log) -> CaseDates:
    """Opening, registration, closing and close reason of each row, from their columns."""
    read_days: dict[str, Dates] = {}
    for role in ("opened_on", "registered_on", "closed_on"):
        source = mapping.keys[role]
        if source.same_as:
            read_days[role] = read_days["opened_on"]
            continue
        values = read(rows, role, read_date, mapping, log, source.headings[0])
        if role != "closed_on":
            rows.settle(is_none(values), "rejected", f"{source.headings[0]} is empty")
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
    ended, blank = ~np.isnat(closed), is_none(code)
    rows.settle(~ended & ~blank & ~says_open, "rejected", f"{label} without an end date")
    rows.settle(ended & says_open, "rejected", f"end date, but {label} says the case is open")
    reason = np.full(len(rows), None, dtype=object)
    reason[ended & blank] = table.blank
    if table.blank is None:
        rows.settle(ended & blank, "rejected", f"end date without {label}")
    else:
        notes[ended & blank] = f"missing end reason read as {table.blank!r}"
    for entry in table.table:
        in_force = ended & pd.Series(code, dtype=object).isin([code_of(c) for c in entry.codes]).to_numpy()
        if entry.from_:
            in_force &= closed >= np.datetime64(entry.from_)
        if entry.to:
            in_force &= closed <= np.datetime64(entry.to)
        reason[in_force] = entry.reason
    unknown = ended & ~blank & ~says_open & is_none(reason)
    if table.unknown_code is None:
        problems[unknown] = UNKNOWN_CODE
        rows.settle(unknown, "rejected", f"{UNKNOWN_CODE} in {label}")
    else:
        notes[unknown] = UNKNOWN_CODE
        reason[unknown] = table.unknown_code
        log.reads[-1].column.values[unknown] = table.unknown_code
    return reason


def _from_durations(rows: Rows, mapping: Mapping, log: Log) -> CaseDates:
    """Dates made by the mapping's rule, for a source that has durations only (see :class:`Durations`)."""
    rule = mapping.durations
    assert rule is not None
    label, period_label = rule.headings[0], rule.period[0]
    lengths = read(rows, "@duration", number_reader(mapping.reading, 0, 10_000), mapping, log, label)
    rows.settle(is_none(lengths), "rejected", f"{label} is empty")
    periods = read(rows, "@period", code_reader({code_of(c): c for c in rule.starts}, None), mapping, log, period_label)
    rows.settle(is_none(periods), "rejected", f"{period_label} is empty")
    opened = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[D]")
    for period, spread in rule.starts.items():
        of_period = periods == period
        day = np.floor(spread.days * np.mod(rows.row[of_period] * GOLDEN, 1.0)).astype("timedelta64[D]")
        opened[of_period] = np.datetime64(spread.from_) + day
    days = np.array([0 if w is None else days_of(w, rule.unit) for w in lengths], dtype="timedelta64[D]")
    return opened, opened, opened + days, np.full(len(rows), rule.close_reason, dtype=object)
