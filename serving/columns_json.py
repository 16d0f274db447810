"""The cases of a JSON request in columns: checked many at once as far as they are plain (:mod:`serving.plain`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from itertools import chain
from typing import Any

import numpy as np

from risk import schema
from risk.schema import Attribute
from risk.snapshot import Told
from risk.weeks import Dates, Floats
from serving.columns import Columns, columns_of
from serving.messages import DAY_PATTERN, Row, accepted_attributes, accepted_facts
from serving.plain import Bools, odd_days, odd_facts, odd_ids, odd_rows
from serving.rows import read_row

NAMES = frozenset({"case_id", "opened_on", "registered_on", "attributes", "facts"})
_DAY, _DAY_0 = re.compile(DAY_PATTERN), date(1970, 1, 1).toordinal()
_NO_DAY = int(np.datetime64("NaT", "D").astype(np.int64))


def read_columns(cases: Sequence[Any], as_of: date, max_facts: int) -> Columns:
    """Check the cases of a request; what does not fit has flaws and harms no other case."""

    def read(places: list[int]) -> list[Row]:
        return [read_row(place, cases[place], as_of, max_facts) for place in places]

    found, odd = _Found(cases), np.zeros(len(cases), dtype=np.bool_)
    opened_on, registered_on = (_days(found.of(name)) for name in ("opened_on", "registered_on"))
    odd |= found.odd | odd_ids(found.of("case_id")) | odd_days(opened_on, registered_on, as_of)
    attributes = found.attributes(odd)
    told = found.facts(odd, max_facts)
    odd |= odd_facts(told, registered_on, as_of)
    ids = found.of("case_id")
    return columns_of(as_of, ids, opened_on, registered_on, attributes, told, odd_rows(ids, odd, read))


class _Found:
    """What stands where in the cases of a request; ``odd`` marks those whose parts have other names or kinds."""

    def __init__(self, cases: Sequence[Any]) -> None:
        self.odd: Bools = np.array([type(c) is not dict or not c.keys() <= NAMES for c in cases], dtype=np.bool_)
        self._cases: Sequence[Mapping[str, Any]] = cases
        if self.odd.any():
            self._cases = [{} if is_odd else c for c, is_odd in zip(cases, self.odd.tolist(), strict=True)]

    def of(self, name: str) -> list[Any]:
        return [c.get(name) for c in self._cases]

    def attributes(self, odd: Bools) -> Floats:
        """Values of the accepted attributes, (a, n); whatever is not plain is marked in ``odd``."""
        declared = accepted_attributes()
        given = [c.get("attributes", _NONE) for c in self._cases]
        is_odd = [type(g) is not dict or not g.keys() <= declared.keys() for g in given]
        if any(is_odd):
            odd |= is_odd
            given = [_NONE if strange else g for g, strange in zip(given, is_odd, strict=True)]
        values, named = np.full((len(declared), len(given)), np.nan), set[str]().union(*given)
        for i, (name, attribute) in enumerate(declared.items()):
            if name in named:
                values[i] = _values(attribute, [g.get(name) for g in given], odd)
        return values

    def facts(self, odd: Bools, max_facts: int) -> Told:
        """All facts; one that is not plain has no value, and what is no list of facts is marked in ``odd``."""
        given = [c.get("facts", ()) for c in self._cases]
        is_odd = [(type(g) is not list and g != ()) or len(g) > max_facts for g in given]
        if any(is_odd):
            odd |= is_odd
            given = [() if strange else g for g, strange in zip(given, is_odd, strict=True)]
        row = np.repeat(np.arange(len(given)), list(map(len, given)))
        flat = list(chain.from_iterable(given))
        facts = [f if type(f) is dict and len(f) == 3 else _NONE for f in flat]
        names = [f.get("name") for f in facts]
        which = schema.fact_attributes()
        place = {name: i for i, name in enumerate(which)}
        name = np.array([place.get(n, 0) if type(n) is str else 0 for n in names], dtype=np.int64)
        value = [_fact_value(n, f.get("value")) for n, f in zip(names, facts, strict=True)]
        return Told(row, name, _days([f.get("known_on") for f in facts]), np.array(value, dtype=np.float64))


_NONE: dict[str, Any] = {}


def _values(attribute: Attribute, given: list[Any], odd: Bools) -> Floats:
    """Values of one attribute, nan where there is none; those that are not plain are marked in ``odd``."""
    kinds = set(map(type, given))
    if kinds == {type(None)}:
        return np.full(len(given), np.nan)
    plain = _PLAIN_KINDS[attribute.kind]
    if not kinds <= plain:
        strange = [type(v) not in plain for v in given]
        odd |= strange
        given = [None if is_strange else v for v, is_strange in zip(given, strange, strict=True)]
    if attribute.kind == "category":
        codes = _codes(attribute.name)
        values = np.array([codes.get(v, -1.0) for v in given])
        odd |= values == -1.0
        return values
    if int in kinds and attribute.kind == "number":  # one of any length may stand there
        given = [v if type(v) is not int or attribute.low <= v <= attribute.high else np.inf for v in given]
    values = np.array(given, dtype=np.float64)
    if attribute.kind == "number":
        odd |= (values < attribute.low) | (values > attribute.high) | np.isinf(values)
    return values


_PLAIN_KINDS: dict[str, set[type]] = {
    "category": {str, type(None)},
    "flag": {bool, type(None)},
    "number": {float, int, type(None)},
}


@cache
def _codes(name: str) -> dict[str | None, float]:
    return {None: np.nan} | {level: float(i) for i, level in enumerate(schema.attributes()[name].levels)}


def _fact_value(name: Any, value: Any) -> float:
    """A fact's value as a snapshot holds it; nan when there is anything to say of it."""
    declared = accepted_facts().get(name) if type(name) is str else None
    if declared is None:
        return np.nan
    kind = declared.kind
    if type(value) is str:
        return _codes(name).get(value, np.nan) if kind == "category" else np.nan
    if type(value) is bool:
        return float(value) if kind == "flag" else np.nan
    if type(value) not in (float, int) or kind != "number":
        return np.nan
    return float(value) if declared.low <= value <= declared.high else np.nan


def _days(given: list[Any]) -> Dates:
    """Days written as they should be; NaT for anything else."""
    texts = given if set(map(type, given)) <= {str} else [text if type(text) is str else "" for text in given]
    known = {text: _day(text) for text in set(texts)}
    return np.array(list(map(known.__getitem__, texts)), dtype=np.int64).view("datetime64[D]")


def _day(text: str) -> int:
    if not _DAY.fullmatch(text):
        return _NO_DAY
    try:
        return date.fromisoformat(text).toordinal() - _DAY_0
    except ValueError:  # no such day in that month
        return _NO_DAY
