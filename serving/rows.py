"""From messages to a snapshot: each case checked on its own, then all of them encoded at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import numpy as np
from pydantic import ValidationError

from risk import schema
from risk.schema import OTHER, Attribute
from risk.snapshot import Snapshot, Told, snapshot_of
from serving.messages import Fact, Note, Row, accepted_facts, case_id_of, case_message, expected, flaws_of
from serving.problems import Flaw

_DAY_0, _NAN = date(1970, 1, 1).toordinal(), float("nan")


def read_rows(cases: Sequence[Any], as_of: date, max_facts: int) -> list[Row]:
    """Check the cases of a request one by one; a case that does not fit has flaws and harms no other."""
    rows = [read_row(place, given, as_of, max_facts) for place, given in enumerate(cases)]
    refuse_repeated(rows)
    return rows


def refuse_repeated(rows: Sequence[Row]) -> None:
    """A case that stands twice in a request has a flaw in each place."""
    seen: dict[str, Row] = {}
    for row in rows:
        if row.case_id and (first := seen.setdefault(row.case_id, row)) is not row:
            _twice(row)
            if not any(flaw.code == "twice" for flaw in first.flaws):
                _twice(first)


def _twice(row: Row) -> None:
    row.flaws.append(Flaw(pointer=f"/cases/{row.place}/case_id", code="twice", detail="each case once in a request"))


def read_row(place: int, given: Any, as_of: date, max_facts: int) -> Row:
    """One case, checked: what does not fit are its flaws."""
    row = Row(place, as_of)
    if isinstance(given, dict) and isinstance(given.get("facts"), list) and len(given["facts"]) > max_facts:
        row.case_id = case_id_of(given)
        detail = f"at most {max_facts} facts of one case"
        row.flaws = [Flaw(pointer=f"/cases/{place}/facts", code="too-many", detail=detail)]
        return row
    try:
        case = case_message().__pydantic_validator__.validate_python(given)
    except ValidationError as broken:
        row.case_id = case_id_of(given)
        row.flaws = flaws_of(broken, f"/cases/{place}")
        return row
    row.case_id, row.opened_on, row.registered_on = case.case_id, case.opened_on, case.registered_on
    _check_order(row)
    codes, columns = _codes(), row.columns
    for name, value in vars(case.attributes).items():
        if value is None:
            continue
        if isinstance(value, str):
            code = codes[name].get(value)
            columns[name] = _other(row, name, f"/attributes/{name}") if code is None else code
        else:
            columns[name] = float(value)
    for i, fact in enumerate(case.facts):
        _read_fact(row, i, fact)
    return row


def _check_order(row: Row) -> None:
    prefix = f"/cases/{row.place}"
    if row.registered_on < row.opened_on:
        flaw = "a day on or after opened_on"
        row.flaws.append(Flaw(pointer=f"{prefix}/registered_on", code="impossible-order", detail=flaw))
    if row.registered_on >= row.as_of:
        flaw = "a day before as_of: of a case registered today, ask with tomorrow's date"
        row.flaws.append(Flaw(pointer=f"{prefix}/registered_on", code="not-known-yet", detail=flaw))


def _read_fact(row: Row, i: int, fact: Fact) -> None:
    declared = accepted_facts().get(fact.name)
    if declared is None:
        _not_used(row, i, fact)
        return
    if not _has_kind(declared, fact.value):
        where = f"/cases/{row.place}/facts/{i}/value"
        row.flaws.append(Flaw(pointer=where, code="wrong-value", detail=expected(declared)))
        return
    if fact.known_on >= row.as_of:
        row.notes.append(
            Note(
                code="known-later",
                pointer=f"/facts/{i}",
                text_da=f"{declared.label[0]} er registreret på eller efter skæringsdagen og er ikke brugt",
                text_en=f"{declared.label[1]} was recorded on or after the as-of date and is not used",
            )
        )
        return
    if fact.known_on < row.registered_on:
        row.notes.append(
            Note(
                code="known-early",
                pointer=f"/facts/{i}",
                text_da=f"{declared.label[0]} er registreret, før kommunen fik besked om sagen; er datoen rigtig?",
                text_en=f"{declared.label[1]} was recorded before the office learned of the case; is the date right?",
            )
        )
    if isinstance(fact.value, str):
        code = _codes()[fact.name].get(fact.value)
        value = _other(row, fact.name, f"/facts/{i}/value") if code is None else code
    else:
        value = float(fact.value)
    row.facts.append((fact.name, fact.known_on, value))


def _not_used(row: Row, i: int, fact: Fact) -> None:
    declared = schema.fact_attributes().get(fact.name)
    if declared is None:
        detail = "the name of a fact in /v1/dictionary"
        where = f"/cases/{row.place}/facts/{i}/name"
        row.flaws.append(Flaw(pointer=where, code="unknown-name", detail=detail))
        return
    note = (f"{declared.label[0]} indgår ikke i scoren", f"{declared.label[1]} is not used for the score")
    row.notes.append(Note(code="not-used", pointer=f"/facts/{i}", text_da=note[0], text_en=note[1]))


def _has_kind(attribute: Attribute, value: bool | float | str) -> bool:
    if attribute.kind == "category":
        return isinstance(value, str)
    if attribute.kind == "flag":
        return isinstance(value, bool)
    return isinstance(value, float) and attribute.low <= value <= attribute.high


def _other(row: Row, name: str, pointer: str) -> float:
    """What a level that is not known counts as, with a note."""
    da, en = schema.attributes()[name].label
    row.notes.append(
        Note(
            code="unknown-level",
            pointer=pointer,
            text_da=f"{da}: koden kendes ikke og tæller som 'andet'",
            text_en=f"{en}: the code is not known and counts as 'other'",
        )
    )
    return _codes()[name][OTHER]


@cache
def _codes() -> dict[str, dict[str, float]]:
    """The position of each level, by attribute."""
    categories = {n: a for n, a in schema.attributes().items() if a.kind == "category"}
    return {n: {level: float(i) for i, level in enumerate(a.levels)} for n, a in categories.items()}


@cache
def _places() -> tuple[dict[str, int], dict[str, int]]:
    """Where each case attribute and each fact stands in a snapshot."""
    return tuple({n: i for i, n in enumerate(names)} for names in (schema.case_attributes(), schema.fact_attributes()))  # type: ignore[return-value]  # two names, so two dicts


def taken(rows: Sequence[Row]) -> Snapshot:
    """The snapshot of rows that fit, each on the as-of date of its request; of several requests, if so."""
    attribute, fact = _places()
    columns, dates, facts, values = [], [], [], []
    for i, row in enumerate(rows):
        held = [_NAN] * len(attribute)
        for name, number in row.columns.items():
            held[attribute[name]] = number
        columns.append(held)
        dates += [row.opened_on.toordinal(), row.registered_on.toordinal(), row.as_of.toordinal()]
        for name, known_on, value in row.facts:
            facts += [i, fact[name], known_on.toordinal()]
            values.append(value)
    days, told = np.array(dates, dtype=np.int64).reshape(-1, 3).T, np.array(facts, dtype=np.int64).reshape(-1, 3).T
    opened_on, registered_on, as_of = (days - _DAY_0).view("datetime64[D]")
    return snapshot_of(
        [str(row.case_id) for row in rows],
        opened_on,
        registered_on,
        as_of,
        np.array(columns).reshape(-1, len(attribute)).T,
        Told(told[0], told[1], (told[2] - _DAY_0).view("datetime64[D]"), np.array(values, dtype=np.float64)),
    )
