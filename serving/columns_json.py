"""The cases of a JSON request in columns: checked many at once as far as they are plain (:mod:`serving.plain`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType

from risk import schema
from risk.schema import Attribute
from risk.snapshot import Told
from risk.weeks import Dates, Floats
from serving.columns import Columns, columns_of
from serving.messages import DAY_PATTERN, Row, accepted_attributes, accepted_facts
from serving.plain import Bools, odd_days, odd_facts, odd_ids, odd_rows
from serving.rows import read_row
from serving.structs import as_given, could_hide_a_name, nobody, nothing_known, one_case, whole_request

_DAY, _DAY_0 = re.compile(DAY_PATTERN), date(1970, 1, 1).toordinal()
_NO_DAY = int(np.datetime64("NaT", "D").astype(np.int64))


def read_body_columns(body: bytes, max_cases: int, max_facts: int) -> Columns | None:
    """The cases of a whole request, when its names and kinds are all as declared and no name stands twice in one object.

    As many colons as names and case ids account for leave none for a name that was read over.
    """
    asked = None if could_hide_a_name(body) else whole_request(body)
    if asked is None or not 1 <= len(asked.cases) <= max_cases or (day := _day(asked.as_of)) == _NO_DAY:
        return None
    cases = asked.cases
    found = _Found(cases)
    columns = _columns(found, date.fromordinal(day + _DAY_0), max_facts, lambda place: as_given(cases[place]))
    colons = len(("as_of", "cases")) + found.n_names() + "".join(found.case_id).count(":")
    return columns if body.count(b":") == colons else None


def read_columns(cases: Sequence[Any], as_of: date, max_facts: int) -> Columns:
    """Check cases that were read already; what does not fit has flaws and harms no other case."""
    return _columns(_Found(list(map(one_case, cases))), as_of, max_facts, cases.__getitem__)


def _columns(found: _Found, as_of: date, max_facts: int, given: Callable[[int], Any]) -> Columns:
    """
    Parameters
    ----------
    given : the case at a place of the request, as objects of names
    """

    def read(places: list[int]) -> list[Row]:
        return [read_row(place, given(place), as_of, max_facts) for place in places]

    opened_on, registered_on = _days(found.opened_on), _days(found.registered_on)
    odd = found.odd | odd_ids(found.case_id) | odd_days(opened_on, registered_on, as_of)
    attributes = found.attributes(odd)
    told = found.facts(odd, max_facts)
    odd |= odd_facts(told, registered_on, as_of)
    ids = found.case_id
    return columns_of(as_of, ids, opened_on, registered_on, attributes, told, odd_rows(ids, odd, read))


class _Found:
    """What stands where in the cases of a request.

    Attributes
    ----------
    odd : (n,) those that did not fit the fields; nothing is known of them here
    """

    def __init__(self, cases: list[Any]) -> None:
        self.odd: Bools = np.array([c is None for c in cases], dtype=np.bool_)
        if self.odd.any():
            cases = [nobody() if c is None else c for c in cases]
        self.case_id = [c.case_id for c in cases]
        self.opened_on, self.registered_on = [c.opened_on for c in cases], [c.registered_on for c in cases]
        attributes, facts = [c.attributes for c in cases], [c.facts for c in cases]
        self._is_bare = [attributes.count(UNSET), facts.count(UNSET)]
        if self._is_bare[0]:
            attributes = [nothing_known() if a is UNSET else a for a in attributes]
        self._facts = [() if f is UNSET else f for f in facts] if self._is_bare[1] else facts
        values = [list(map(value_of, attributes)) for value_of in _values_of()]
        self._values = [(column, set(map(type, column))) for column in values]

    def n_names(self) -> int:
        """How many names all of the cases have."""
        n = len(self.case_id)
        n_unset = sum(list(map(type, column)).count(UnsetType) for column, kinds in self._values if UnsetType in kinds)
        n_attributes = n * len(self._values) - n_unset
        return n * len(_PARTS_OF_A_CASE) - sum(self._is_bare) + n_attributes + 3 * sum(map(len, self._facts))

    def attributes(self, odd: Bools) -> Floats:
        """Values of the accepted attributes, (a, n); what is not plain is marked in ``odd``."""
        declared = accepted_attributes().values()
        found = [_values(a, column, kinds, odd) for a, (column, kinds) in zip(declared, self._values, strict=True)]
        return np.array(found).reshape(len(declared), -1)

    def facts(self, odd: Bools, max_facts: int) -> Told:
        """All facts; one that is not plain has no value, and a case with too many is marked in ``odd``."""
        given, many = self._facts, list(map(len, self._facts))
        if max(many, default=0) > max_facts:
            odd |= np.array(many) > max_facts
            given = [() if n > max_facts else g for g, n in zip(given, many, strict=True)]
            many = list(map(len, given))
        facts = list(chain.from_iterable(given))
        names, which = [f.name for f in facts], _which()
        name = np.array([which.get(n, 0) for n in names], dtype=np.int64)
        value = np.array(list(map(_fact_value, names, [f.value for f in facts])), dtype=np.float64)
        return Told(np.repeat(np.arange(len(given)), many), name, _days([f.known_on for f in facts]), value)


_PARTS_OF_A_CASE = ("case_id", "opened_on", "registered_on", "attributes", "facts")


@cache
def _values_of() -> list[Callable[[Any], Any]]:
    return list(map(attrgetter, accepted_attributes()))


@cache
def _which() -> dict[str, int]:
    return {name: i for i, name in enumerate(schema.fact_attributes())}


_NOTHING: set[type] = {type(None), UnsetType}


def _values(attribute: Attribute, given: Sequence[Any], kinds: set[type], odd: Bools) -> Floats:
    """Values of one attribute, nan where there is none; those that are not plain are marked in ``odd``."""
    if kinds <= _NOTHING:
        return np.full(len(given), np.nan)
    if attribute.kind == "category":
        codes = _codes(attribute.name)
        values = np.array([codes.get(v, -1.0) for v in given])
        odd |= values == -1.0
        return values
    if UnsetType in kinds:
        given = [None if v is UNSET else v for v in given]
    values = np.array(given, dtype=np.float64)
    if attribute.kind == "number":
        odd |= (values < attribute.low) | (values > attribute.high)
    return values


@cache
def _codes(name: str) -> dict[Any, float]:
    return {None: np.nan, UNSET: np.nan} | {level: float(i) for i, level in enumerate(schema.attributes()[name].levels)}


def _fact_value(name: str, value: bool | float | str) -> float:
    """A fact's value as a snapshot holds it; nan when there is anything to say of it."""
    plain = _plain_facts().get(name)
    if plain is None or type(value) is not plain.kind:
        return np.nan
    if plain.codes is None:
        return float(value) if plain.low <= value <= plain.high else np.nan  # type: ignore[operator]  # no text, by its kind
    return plain.codes.get(value, np.nan)


class _PlainFact(NamedTuple):
    kind: type
    low: float
    high: float
    codes: Mapping[Any, float] | None


@cache
def _plain_facts() -> dict[str, _PlainFact]:
    kinds = {"category": str, "flag": bool, "number": float}
    return {
        name: _PlainFact(
            kinds[a.kind],
            a.low,
            a.high,
            None if a.kind == "number" else _codes(name) if a.kind == "category" else {True: 1.0, False: 0.0},
        )
        for name, a in accepted_facts().items()
    }


def _days(given: Sequence[str]) -> Dates:
    """Days written as they should be; NaT for anything else."""
    known = {text: _day(text) for text in set(given)}
    return np.array(list(map(known.__getitem__, given)), dtype=np.int64).view("datetime64[D]")


def _day(text: str) -> int:
    if not _DAY.fullmatch(text):
        return _NO_DAY
    try:
        return date.fromisoformat(text).toordinal() - _DAY_0
    except ValueError:  # no such day in that month
        return _NO_DAY
