"""The cases of a request in columns, however they came: most of them need nothing said and are never made into rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from risk import schema
from risk.snapshot import Snapshot, Told, snapshot_of
from risk.weeks import Dates, Floats
from serving.messages import Note, Row, accepted_attributes
from serving.store.blocks import Ints


@dataclass(frozen=True, eq=False)
class Columns:
    """Cases that fit, in the order of the request, and the rows that do not.

    Attributes
    ----------
    place : (n,) their places in the request
    attributes : (a, n) one row for each of :func:`serving.messages.accepted_attributes`, as a snapshot holds them
    told : facts of the cases, those of one case together and in the order they came
    notes : by row here, what is worth saying of a case
    rejected : the rows that have flaws
    """

    as_of: date
    place: Ints
    case_id: list[str]
    opened_on: Dates
    registered_on: Dates
    attributes: Floats
    told: Told
    notes: Mapping[int, Sequence[Note]]
    rejected: Sequence[Row]

    def __len__(self) -> int:
        return len(self.case_id)

    def snapshot(self) -> Snapshot:
        """All of them as known on the as-of date."""
        every = np.full((len(schema.case_attributes()), len(self)), np.nan)
        every[_places()] = self.attributes
        as_of = np.full(len(self), np.datetime64(self.as_of, "D"))
        return snapshot_of(self.case_id, self.opened_on, self.registered_on, as_of, every, self.told)


@cache
def _places() -> list[int]:
    """Where the attributes that are asked for stand in a snapshot."""
    every = list(schema.case_attributes())
    return [every.index(name) for name in accepted_attributes()]


def columns_of(
    as_of: date,
    case_id: list[str],
    opened_on: Dates,
    registered_on: Dates,
    attributes: Floats,
    told: Told,
    odd: Mapping[int, Row],
) -> Columns:
    """The cases of a whole request, of which some had to be read one by one.

    Parameters
    ----------
    case_id, opened_on, registered_on, attributes, told : of every case of the request; what they hold of odd ones is not used
    odd : by place, the cases that something has to be said of
    """
    n, rejected = len(case_id), sorted((row for row in odd.values() if row.flaws), key=lambda row: row.place)
    fit = {place: row for place, row in odd.items() if not row.flaws}
    for place, row in fit.items():
        opened_on[place], registered_on[place] = row.opened_on, row.registered_on
        attributes[:, place] = [row.columns.get(name, np.nan) for name in accepted_attributes()]
    if odd:
        told = _with_facts_of(told, odd, fit, n)
    if not rejected:
        notes = {place: row.notes for place, row in fit.items() if row.notes}
        return Columns(as_of, np.arange(n), case_id, opened_on, registered_on, attributes, told, notes, ())
    stays = np.ones(n, dtype=np.bool_)
    stays[[row.place for row in rejected]] = False
    places, number = np.flatnonzero(stays), np.cumsum(stays) - 1
    notes = {int(number[i]): row.notes for i, row in fit.items() if row.notes}
    told = Told(number[told.row], told.name, told.known_on, told.value)
    ids = [case_id[i] for i in places.tolist()]
    days = opened_on[places], registered_on[places]
    return Columns(as_of, places, ids, *days, attributes[:, places], told, notes, rejected)


def _with_facts_of(told: Told, odd: Mapping[int, Row], fit: Mapping[int, Row], n: int) -> Told:
    """The facts of the plain cases and those of the odd ones that fit, case by case."""
    is_odd = np.zeros(n, dtype=np.bool_)
    is_odd[list(odd)] = True
    stays = ~is_odd[told.row]
    which = {name: i for i, name in enumerate(schema.fact_attributes())}
    more = [
        (place, which[name], np.datetime64(day, "D"), value)
        for place, row in fit.items()
        for name, day, value in row.facts
    ]
    whose, names, days, values = zip(*more, strict=True) if more else ((), (), (), ())
    row = np.concatenate([told.row[stays], np.array(whose, dtype=np.int64)])
    order = np.argsort(row, kind="stable")
    return Told(
        row[order],
        np.concatenate([told.name[stays], np.array(names, dtype=np.int64)])[order],
        np.concatenate([told.known_on[stays], np.array(days, dtype="datetime64[D]")])[order],
        np.concatenate([told.value[stays], np.array(values, dtype=np.float64)])[order],
    )
