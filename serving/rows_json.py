"""The cases of a small request in JSON: those that are plain are read straight from fixed fields, the others one by one.

What makes a case plain is what does so in columns (:mod:`serving.columns_json`): nothing would be said of it. Every other case,
for whatever reason, is read by :func:`serving.rows.read_row`, which alone has words for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache, lru_cache
from typing import Any, NamedTuple

from msgspec import UNSET
from msgspec.structs import astuple

from risk.schema import Attribute
from serving.messages import (
    CASE_ID_PATTERN,
    DAY_PATTERN,
    LONGEST_CASE_ID,
    Row,
    accepted_attributes,
    accepted_facts,
    could_name_a_person,
)
from serving.rows import read_row, refuse_repeated
from serving.structs import as_given, could_hide_a_name, whole_request

_DAY, _CASE_ID, _DAY_LENGTH = re.compile(DAY_PATTERN), re.compile(CASE_ID_PATTERN), 10


def read_body_rows(body: bytes, max_cases: int, max_facts: int) -> tuple[date, list[Row]] | None:
    """The as-of date and the cases of a whole request, when its names and kinds are all as declared and no name stands twice.

    As many colons as names and case ids account for leave none for a name that was read over.
    """
    asked = None if could_hide_a_name(body) else whole_request(body)
    if asked is None or not 1 <= len(asked.cases) <= max_cases or (as_of := _day(asked.as_of)) is None:
        return None
    n_colons, rows = len(("as_of", "cases")), list[Row]()
    for place, case in enumerate(asked.cases):
        row = Row(place, as_of, case.case_id)
        if not _is_read(case, row, max_facts):
            row = read_row(place, as_given(case), as_of, max_facts)
        rows.append(row)
        n_colons += _n_names(case) + case.case_id.count(":")
    if body.count(b":") != n_colons:
        return None
    if len(rows) > 1:
        refuse_repeated(rows)
    return as_of, rows


def _n_names(case: Any) -> int:
    """How many names a case has, with those of its attributes and facts."""
    n = len(("case_id", "opened_on", "registered_on"))
    if case.attributes is not UNSET:
        attributes = astuple(case.attributes)
        n += 1 + len(attributes) - attributes.count(UNSET)
    return n if case.facts is UNSET else n + 1 + len(("known_on", "name", "value")) * len(case.facts)


def _is_read(case: Any, row: Row, max_facts: int) -> bool:
    """Whether a case is plain; then ``row`` holds it."""
    opened_on, registered_on = _day(case.opened_on), _day(case.registered_on)
    if opened_on is None or registered_on is None or not opened_on <= registered_on < row.as_of:
        return False
    if len(case.case_id) > LONGEST_CASE_ID or not _CASE_ID.fullmatch(case.case_id) or could_name_a_person(case.case_id):
        return False
    row.opened_on, row.registered_on = opened_on, registered_on
    if case.attributes is not UNSET:
        columns = row.columns
        for (name, codes, low, high), value in zip(_attributes(), astuple(case.attributes), strict=True):
            if value is None or value is UNSET:
                continue
            if codes is not None:
                value = codes.get(value)
                if value is None:
                    return False
            elif not low <= value <= high:
                return False
            columns[name] = value
    facts = () if case.facts is UNSET else case.facts
    return len(facts) <= max_facts and all(_is_fact_read(fact, row) for fact in facts)


def _is_fact_read(fact: Any, row: Row) -> bool:
    value: Any = fact.value
    declared, known_on = _facts().get(fact.name), _day(fact.known_on)
    if declared is None or known_on is None or not row.registered_on <= known_on < row.as_of:
        return False
    kind, (_, codes, low, high) = declared
    if type(value) is not kind:
        return False
    if codes is not None:
        value = codes.get(value)
        if value is None:
            return False
    elif not low <= value <= high:
        return False
    row.facts.append((fact.name, known_on, value))
    return True


class _Fits(NamedTuple):
    """How the value of an attribute is read: by its code, or as it is within bounds."""

    name: str
    codes: Mapping[Any, float] | None
    low: float
    high: float


def _fits(attribute: Attribute) -> _Fits:
    codes: dict[str, Mapping[Any, float] | None] = {
        "category": {level: float(i) for i, level in enumerate(attribute.levels)},
        "flag": {True: 1.0, False: 0.0},
        "number": None,
    }
    return _Fits(attribute.name, codes[attribute.kind], attribute.low, attribute.high)


@cache
def _attributes() -> list[_Fits]:
    return [_fits(attribute) for attribute in accepted_attributes().values()]


@cache
def _facts() -> dict[str, tuple[type[Any], _Fits]]:
    """By name, what a fact's value must be: of several kinds that could stand there, and how it is read."""
    kinds: dict[str, type[Any]] = {"category": str, "flag": bool, "number": float}
    return {name: (kinds[attribute.kind], _fits(attribute)) for name, attribute in accepted_facts().items()}


def _day(text: str) -> date | None:
    """A day written as it should be; None for anything else."""
    return _known_day(text) if len(text) == _DAY_LENGTH else None


@lru_cache(maxsize=4096)  # some years of days, which stand in nearly every request
def _known_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:  # no such day in that month
        return None
