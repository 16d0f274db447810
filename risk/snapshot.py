"""What is known when: the cases open on a day, as they were known at 00:00 of that day.

A snapshot holds plain numpy columns, so the same code serves one case in a request and a million in a batch. Categories
are positions in the schema's levels, flags 0 and 1, and nan where nothing is known; every fact carries the day it was
recorded. The latest fact recorded before the as-of date counts; of two recorded on one day, the larger value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from risk import schema
from risk.encoded import Encoded
from risk.errors import AsOfError
from risk.stacked import Stacked
from risk.weeks import Dates, Floats, as_days, weeks_survived

_NEVER = np.datetime64("NaT", "D")
_FEW = 64  # facts that are sorted sooner than counted


class Recorded(Protocol):
    """What a snapshot is taken of: a register, or the cases of one request."""

    @property
    def encoded(self) -> Encoded: ...

    @property
    def extract_on(self) -> date: ...


@dataclass(frozen=True)
class Snapshot:
    """Cases as known on their as-of dates, one row each.

    Attributes
    ----------
    position : (n,) int
        The case's row in the register.
    case_id : (n,) str, numpy's or Python's own
    person : (n,) int
        The person's number within the register, for grouping.
    as_of : (n,) datetime64[D]
    opened_on, registered_on : (n,) datetime64[D]
    age_weeks : (n,) float
        Weeks survived since ``opened_on`` (:func:`risk.weeks.weeks_survived`).
    columns : by name, (n,) float
        Value of every attribute: number, position of the level, or 0/1; nan where not known yet.
    known_on : by name, (n,) datetime64[D]
        For fact attributes, the day the value was recorded; NaT where not known yet.
    """

    position: npt.NDArray[np.int64]
    case_id: npt.NDArray[Any]
    person: npt.NDArray[np.int64]
    as_of: Dates
    opened_on: Dates
    registered_on: Dates
    age_weeks: Floats
    columns: Mapping[str, Floats]
    known_on: Mapping[str, Dates]

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def day_of_year(self) -> Floats:
        """Days from New Year to ``opened_on``, (n,)."""
        return (self.opened_on - self.opened_on.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)


def is_open(register: Recorded, as_of: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which cases were known and open at 00:00 of ``as_of`` (one date, or one per case), (n,)."""
    encoded, day = register.encoded, as_days(as_of)
    closed_on = encoded.closed_on
    return (encoded.registered_on < day) & (np.isnat(closed_on) | (closed_on >= day))


def check_as_of(register: Recorded, as_of: date) -> None:
    """Refuse to look at a day the extract knows nothing of.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    """
    if as_of > register.extract_on:
        raise AsOfError(
            f"the as-of date {as_of} lies after the extract date {register.extract_on}; "
            "choose an earlier date or read a newer extract"
        )


def take_snapshot(register: Recorded, as_of: date) -> Snapshot:
    """The cases open on ``as_of``, as known then, one row per case in the register's order.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    """
    check_as_of(register, as_of)
    position = np.flatnonzero(is_open(register, np.datetime64(as_of, "D")))
    return snapshot_rows(register, position, np.full(len(position), np.datetime64(as_of, "D")))


def snapshot_rows(register: Recorded, position: npt.NDArray[np.int64], as_of: Dates) -> Snapshot:
    """Chosen cases, each as known on its own as-of date; the caller sees to it that they were open then.

    Parameters
    ----------
    position : (n,) int
        Rows of the register; a case may stand there several times with different dates.
    as_of : (n,) datetime64[D]
    """
    encoded = register.encoded
    unknown, never = np.full(len(position), np.nan), np.full(len(position), _NEVER)
    unknown.flags.writeable = never.flags.writeable = False  # shared by all that nobody has recorded
    columns = {
        name: encoded.columns[name][position] if name in encoded.columns else unknown
        for name in schema.case_attributes()
    }
    known_on: dict[str, Dates] = {}
    for name in schema.fact_attributes():
        fact = encoded.facts.get(name)
        columns[name], known_on[name] = (unknown, never) if fact is None else fact.known(position, as_of)
    opened_on = encoded.opened_on[position]
    return Snapshot(
        position=position,
        case_id=encoded.case_id[position],
        person=encoded.person[position],
        as_of=as_of,
        opened_on=opened_on,
        registered_on=encoded.registered_on[position],
        age_weeks=weeks_survived(opened_on, as_of),
        columns=columns,
        known_on=known_on,
    )


@dataclass(frozen=True)
class Told:
    """Facts as they were told, (m,) each: whose, which (a place in :func:`risk.schema.fact_attributes`), when, what."""

    row: npt.NDArray[np.int64]
    name: npt.NDArray[np.int64]
    known_on: Dates
    value: Floats


def snapshot_of(
    case_id: Sequence[str], opened_on: Dates, registered_on: Dates, as_of: Dates, attributes: Floats, told: Told
) -> Snapshot:
    """Cases that come without a register, each as known on its own as-of date; all of them open then.

    Parameters
    ----------
    attributes : (a, n) float
        One row per attribute of :func:`risk.schema.case_attributes`, in that order; nan where not known.
    told : Told
        Of several facts of one name the latest counts; those recorded on or after the as-of date do not.
    """
    n, names = len(case_id), tuple(schema.fact_attributes())
    known_on = np.empty((len(names), n), dtype="datetime64[D]")
    known_on.fill(_NEVER)
    table = np.concatenate([attributes, np.full((len(names), n), np.nan)])
    cell = told.name * n + told.row
    order = _as_they_count(told, cell)
    order = order[(told.known_on < as_of[told.row])[order]]
    at = cell[order]
    table.ravel()[attributes.size + at], known_on.ravel()[at] = told.value[order], told.known_on[order]
    number = np.arange(n)
    return Snapshot(
        position=number,
        case_id=np.array(case_id, dtype=object),  # as they are: to lay them out letter by letter takes longer
        person=number,
        as_of=as_of,
        opened_on=opened_on,
        registered_on=registered_on,
        age_weeks=weeks_survived(opened_on, as_of),
        columns=Stacked((*schema.case_attributes(), *names), table),
        known_on=Stacked(names, known_on),
    )


def _as_they_count(told: Told, cell: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places of the facts in an order in which, of those of one cell, the one that counts is last: the latest, and of one
    day the largest. Where a cell is written several times, that one stays."""
    if len(cell) <= _FEW:
        return np.lexsort((told.value, told.known_on))
    is_again = np.bincount(cell)[cell] > 1  # most are told once and need no sorting
    if not is_again.any():
        return np.arange(len(cell))
    again = np.flatnonzero(is_again)
    return np.concatenate([np.flatnonzero(~is_again), again[np.lexsort((told.value[again], told.known_on[again]))]])
