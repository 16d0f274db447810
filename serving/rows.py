"""From messages to a register's columns: each case checked on its own, then all of them encoded at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from pydantic import ValidationError

from risk import schema
from risk.schema import OTHER, Attribute
from risk.snapshot import Encoded, fact_column
from risk.weeks import Dates
from serving.messages import (
    Fact,
    Note,
    Row,
    accepted_attributes,
    accepted_facts,
    case_id_of,
    case_message,
    expected,
    flaws_of,
)
from serving.problems import Flaw


def read_rows(cases: Sequence[Any], as_of: date, max_facts: int) -> list[Row]:
    """Check the cases of a request one by one; a case that does not fit has flaws and harms no other."""
    rows = [_read_row(place, given, as_of, max_facts) for place, given in enumerate(cases)]
    times = Counter(row.case_id for row in rows if row.case_id)
    for row in rows:
        if row.case_id and times[row.case_id] > 1:
            row.flaws.append(
                Flaw(pointer=f"/cases/{row.place}/case_id", code="twice", detail="each case once in a request")
            )
    return rows


def _read_row(place: int, given: Any, as_of: date, max_facts: int) -> Row:
    row, prefix = Row(place, case_id_of(given)), f"/cases/{place}"
    if isinstance(given, dict) and isinstance(given.get("facts"), list) and len(given["facts"]) > max_facts:
        row.flaws = [Flaw(pointer=f"{prefix}/facts", code="too-many", detail=f"at most {max_facts} facts of one case")]
        return row
    try:
        row.case = case = case_message().model_validate(given)
    except ValidationError as broken:
        row.flaws = flaws_of(broken, prefix)
        return row
    _check_order(row, as_of, prefix)
    for name, attribute in accepted_attributes().items():
        value = getattr(case.attributes, name)  # type: ignore[attr-defined]
        if value is not None:
            row.columns[name] = _number(row, attribute, value, f"/attributes/{name}")
    for i, fact in enumerate(case.facts):  # type: ignore[attr-defined]
        _read_fact(row, fact, f"/facts/{i}", as_of, prefix)
    return row


def _check_order(row: Row, as_of: date, prefix: str) -> None:
    if row.case.registered_on < row.case.opened_on:
        flaw = "a day on or after opened_on"
        row.flaws.append(Flaw(pointer=f"{prefix}/registered_on", code="impossible-order", detail=flaw))
    if row.case.registered_on >= as_of:
        flaw = "a day before as_of: of a case registered today, ask with tomorrow's date"
        row.flaws.append(Flaw(pointer=f"{prefix}/registered_on", code="not-known-yet", detail=flaw))


def _read_fact(row: Row, fact: Fact, pointer: str, as_of: date, prefix: str) -> None:
    declared = schema.fact_attributes().get(fact.name)
    if declared is None:
        detail = "the name of a fact in /v1/dictionary"
        row.flaws.append(Flaw(pointer=f"{prefix}{pointer}/name", code="unknown-name", detail=detail))
        return
    if declared.name not in accepted_facts():
        note = (f"{declared.label[0]} indgår ikke i scoren", f"{declared.label[1]} is not used for the score")
        row.notes.append(Note(code="not-used", pointer=pointer, text_da=note[0], text_en=note[1]))
        return
    if not _has_kind(declared, fact.value):
        where = f"{prefix}{pointer}/value"
        row.flaws.append(Flaw(pointer=where, code="wrong-value", detail=expected(declared)))
        return
    if fact.known_on >= as_of:
        row.notes.append(
            Note(
                code="known-later",
                pointer=pointer,
                text_da=f"{declared.label[0]} er registreret på eller efter skæringsdagen og er ikke brugt",
                text_en=f"{declared.label[1]} was recorded on or after the as-of date and is not used",
            )
        )
        return
    if fact.known_on < row.case.registered_on:
        row.notes.append(
            Note(
                code="known-early",
                pointer=pointer,
                text_da=f"{declared.label[0]} er registreret, før kommunen fik besked om sagen; er datoen rigtig?",
                text_en=f"{declared.label[1]} was recorded before the office learned of the case; is the date right?",
            )
        )
    row.facts.append((declared.name, fact.known_on, _number(row, declared, fact.value, f"{pointer}/value")))


def _has_kind(attribute: Attribute, value: bool | float | str) -> bool:
    if attribute.kind == "category":
        return isinstance(value, str)
    if attribute.kind == "flag":
        return isinstance(value, bool)
    return isinstance(value, float) and attribute.low <= value <= attribute.high


def _number(row: Row, attribute: Attribute, value: bool | float | str, pointer: str) -> float:
    """A value as a snapshot holds it; a level that is not known counts as ``other``, with a note."""
    if not isinstance(value, str):
        return float(value)
    if value not in attribute.labels:
        row.notes.append(
            Note(
                code="unknown-level",
                pointer=pointer,
                text_da=f"{attribute.label[0]}: koden kendes ikke og tæller som 'andet'",
                text_en=f"{attribute.label[1]}: the code is not known and counts as 'other'",
            )
        )
        value = OTHER
    return float(attribute.levels.index(value))


@dataclass(frozen=True)
class Arrived:
    """Cases of one request, in the form a snapshot is taken of (:class:`risk.snapshot.Recorded`)."""

    encoded: Encoded
    extract_on: date


def arrived(rows: Sequence[Row], as_of: date) -> Arrived:
    """Encode the rows that fit as a register does; what was recorded before ``as_of`` is all there is."""
    n = len(rows)
    unknown = np.full(n, np.nan)
    given = {name for row in rows for name in row.columns}
    columns = {name: unknown.copy() if name in given else unknown for name in schema.case_attributes()}
    by_name: dict[str, list[tuple[int, date, float]]] = {}
    for i, row in enumerate(rows):
        for name, value in row.columns.items():
            columns[name][i] = value
        for name, known_on, value in row.facts:
            by_name.setdefault(name, []).append((i, known_on, value))
    facts = {
        name: fact_column(
            np.array([p for p, _, _ in told], dtype=np.int64),
            _days([d for _, d, _ in told]),
            np.array([v for _, _, v in told], dtype=np.float64),
        )
        for name, told in by_name.items()
    }
    encoded = Encoded(
        case_id=np.array([row.case_id for row in rows], dtype=str),
        person=np.arange(n, dtype=np.int64),
        opened_on=_days([row.case.opened_on for row in rows]),
        registered_on=_days([row.case.registered_on for row in rows]),
        closed_on=np.full(n, np.datetime64("NaT", "D")),
        columns=columns,
        facts=facts,
    )
    return Arrived(encoded, as_of)


def _days(days: Sequence[date]) -> Dates:
    return np.array(days, dtype="datetime64[D]")
