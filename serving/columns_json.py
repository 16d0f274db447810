"""The cases of a JSON request in columns: checked many at once as far as they are plain (:mod:`serving.plain`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET
from msgspec.structs import astuple

from risk import schema
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
    n_colons = np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == ord(":"))  # a fifth of what bytes.count takes
    return columns if n_colons == colons else None


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
        # A tuple of each and then columns of all: half of what it costs to ask for each value by its name.
        self._values = (
            list(zip(*map(astuple, attributes), strict=True)) if attributes else [()] * len(_accepted().kinds)
        )
        self._n_unset = [column.count(UNSET) for column in self._values]

    def n_names(self) -> int:
        """How many names all of the cases have."""
        n, n_values = len(self.case_id), len(self.case_id) * len(self._values) - sum(self._n_unset)
        return n * len(_PARTS_OF_A_CASE) - sum(self._is_bare) + n_values + 3 * sum(map(len, self._facts))

    def attributes(self, odd: Bools) -> Floats:
        """Values of the accepted attributes, (a, n), nan where there is none; what is not plain is marked in ``odd``."""
        accepted, n = _accepted(), len(self.case_id)
        found = np.full((len(self._values), n), np.nan)
        numbers, columns = list[int](), list[Sequence[Any]]()
        for i, (kind, column, n_unset) in enumerate(zip(accepted.kinds, self._values, self._n_unset, strict=True)):
            if n_unset == n:
                continue
            if kind == "category":
                found[i] = _levels(column, accepted.codes[i])
            else:
                numbers.append(i)
                columns.append([None if v is UNSET else v for v in column] if n_unset else column)
        if numbers:
            found[numbers] = np.array(columns, dtype=np.float64)
        odd |= ((found < accepted.low) | (found > accepted.high)).any(axis=0)
        return found

    def facts(self, odd: Bools, max_facts: int) -> Told:
        """All facts; one that is not plain has no value, and a case with too many is marked in ``odd``."""
        given, many = self._facts, list(map(len, self._facts))
        if max(many, default=0) > max_facts:
            odd |= np.array(many) > max_facts
            given = [() if n > max_facts else g for g, n in zip(given, many, strict=True)]
            many = list(map(len, given))
        facts = list(chain.from_iterable(given))
        names, which, readers = [f.name for f in facts], _which(), _readers()
        name = np.array([which.get(n, 0) for n in names], dtype=np.int64)
        # None becomes nan.
        values = [readers.get(n, _nothing)(f.value) for n, f in zip(names, facts, strict=True)]
        value = np.array(values, dtype=np.float64)
        return Told(np.repeat(np.arange(len(given)), many), name, _days([f.known_on for f in facts]), value)


_PARTS_OF_A_CASE = ("case_id", "opened_on", "registered_on", "attributes", "facts")


@cache
def _which() -> dict[str, int]:
    return {name: i for i, name in enumerate(schema.fact_attributes())}


class _Accepted(NamedTuple):
    """The accepted attributes in their order: kinds, the codes of levels, and the bounds of what is plain, (a, 1) each."""

    kinds: list[str]
    codes: Sequence[Mapping[Any, float]]
    low: Floats
    high: Floats


_STRANGE = -1.0  # stands for a level that is not known, below all bounds


@cache
def _accepted() -> _Accepted:
    declared = accepted_attributes()
    bounds = [(a.low, a.high) if a.kind == "number" else (0.0, np.inf) for a in declared.values()]
    low, high = np.array(bounds).reshape(-1, 2, 1).swapaxes(0, 1)
    codes = [{None: np.nan, UNSET: np.nan} | _codes(name) for name in declared]
    return _Accepted([a.kind for a in declared.values()], codes, low, high)


def _codes(name: str) -> dict[Any, float]:
    return {level: float(i) for i, level in enumerate(schema.attributes()[name].levels)}


def _levels(column: Sequence[Any], codes: Mapping[Any, float]) -> Floats:
    try:
        return np.fromiter(map(codes.__getitem__, column), np.float64, len(column))
    except KeyError:
        return np.array([codes.get(level, _STRANGE) for level in column])


@cache
def _readers() -> dict[str, Callable[[Any], float | None]]:
    """By name of a fact, what a snapshot holds of a value it has; None or nan when there is anything to say of it."""
    readers: dict[str, Callable[[Any], float | None]] = {}
    for name, fact in accepted_facts().items():
        if fact.kind == "category":
            readers[name] = _codes(name).get
        else:
            readers[name] = _flag if fact.kind == "flag" else partial(_number, fact.low, fact.high)
    return readers


def _nothing(_: Any) -> None:
    return None


def _flag(value: Any) -> float | None:
    return 1.0 if value is True else 0.0 if value is False else None


def _number(low: float, high: float, value: Any) -> float | None:
    return value if type(value) is float and low <= value <= high else None


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
