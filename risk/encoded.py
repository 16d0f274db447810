"""A register's tables as plain numpy columns, made once, so that snapshots of any day are cheap.

Categories are positions in the schema's levels, flags 0 and 1, and nan where nothing is known; every fact carries the day
it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import schema
from risk.weeks import Dates, Floats, as_days

# (case, day) sorts as one integer: 18 bits hold any day from 1611 to 2328, counted from the middle.
_DAY_BITS = 18
_DAY_ZERO = 1 << 17
_NEVER = np.datetime64("NaT", "D")
# For each case so many facts can be looked at in the time it takes to search for the one that counts.
_FEW = 16


def case_and_day(position: npt.NDArray[np.int64], day: Dates) -> npt.NDArray[np.int64]:
    """The case's row and a day as one integer that sorts by both, (m,)."""
    return (position.astype(np.int64) << _DAY_BITS) + day.astype(np.int64) + _DAY_ZERO


@dataclass(frozen=True)
class FactColumn:
    """All facts of one name, sorted by case, day and value."""

    keys: npt.NDArray[np.int64]
    values: Floats
    known_on: Dates

    @property
    def position(self) -> npt.NDArray[np.int64]:
        """The case's row in the register, (m,)."""
        return self.keys >> _DAY_BITS

    def known(self, position: npt.NDArray[np.int64], as_of: Dates) -> tuple[Floats, Dates]:
        """What was known of each case at 00:00 of its day, and since when: the last fact recorded before.

        Parameters
        ----------
        position : (n,) int
            The case's row in the register.
        as_of : (n,) datetime64[D]

        Returns
        -------
        values, known_on : (n,)
            nan and NaT where nothing was known.
        """
        if len(position) * _FEW < len(self.keys) or (as_of != as_of[0]).any():
            return self._searched(position, as_of)
        whose = self.position
        n = max(int(position.max()), int(whose[-1])) + 1
        is_before = self.known_on < as_of[0]
        before = slice(None) if is_before.all() else is_before
        # Where a place is written several times the last one stays: the latest.
        values, known_on = np.full(n, np.nan), np.full(n, _NEVER)
        values[whose[before]], known_on[whose[before]] = self.values[before], self.known_on[before]
        return values[position], known_on[position]

    def _searched(self, position: npt.NDArray[np.int64], as_of: Dates) -> tuple[Floats, Dates]:
        asked = case_and_day(position, as_of)
        place = np.searchsorted(self.keys, asked, side="left") - 1
        there = np.flatnonzero((place >= 0) & (self.keys[place] >> _DAY_BITS == position))
        values, known_on = np.full(len(position), np.nan), np.full(len(position), _NEVER)
        values[there], known_on[there] = self.values[place[there]], self.known_on[place[there]]
        return values, known_on


@dataclass(frozen=True)
class Encoded:
    """A register as numpy columns: n cases in the register's order, and its facts by name; what is not there is not known."""

    case_id: npt.NDArray[np.str_]
    person: npt.NDArray[np.int64]
    opened_on: Dates
    registered_on: Dates
    closed_on: Dates
    columns: dict[str, Floats]
    facts: dict[str, FactColumn]


def fact_column(position: npt.NDArray[np.int64], day: Dates, values: Floats) -> FactColumn:
    """The facts of one name as a column: the case's row, the day each was recorded and its value, (m,) each, any order."""
    keys = case_and_day(position, day)
    if (keys[1:] > keys[:-1]).all():  # a register that is kept in order, as most are, need not be sorted
        return FactColumn(keys, values, day)
    sort = np.lexsort((values, keys))
    return FactColumn(keys[sort], values[sort], day[sort])


def encode(cases: pd.DataFrame, facts: pd.DataFrame) -> Encoded:
    """Cases and facts, checked against :mod:`risk.schema`, as numpy columns."""
    columns = {}
    for name, attribute in schema.case_attributes().items():
        # What is only known at closing is never part of a snapshot of open cases, whatever the table holds.
        if name not in cases.columns or attribute.known == "closing":
            columns[name] = np.full(len(cases), np.nan)
        elif attribute.kind == "category":
            codes = dict(zip(attribute.levels, np.arange(len(attribute.levels), dtype=np.float64), strict=True))
            columns[name] = cases[name].map(codes).to_numpy(dtype=np.float64)
        else:
            columns[name] = cases[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    case_id = cases["case_id"].to_numpy(dtype=str)
    order = np.argsort(case_id)
    fact_case = facts["case_id"].to_numpy(dtype=str)
    position = order[np.searchsorted(case_id, fact_case, sorter=order)] if len(facts) else np.empty(0, dtype=np.int64)
    day = as_days(facts["known_on"])
    by_name = {}
    for fact_name, rows in facts.groupby("name", sort=True).indices.items():
        values = schema.fact_numbers(schema.fact_attributes()[str(fact_name)], facts["value"].iloc[rows])
        by_name[str(fact_name)] = fact_column(position[rows], day[rows], values)
    return Encoded(
        case_id=case_id,
        person=np.unique(cases["person_key"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64),
        opened_on=as_days(cases["opened_on"]),
        registered_on=as_days(cases["registered_on"]),
        closed_on=as_days(cases["closed_on"]),
        columns=columns,
        facts=by_name,
    )
