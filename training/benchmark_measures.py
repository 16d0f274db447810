"""The measures of the Slagelse table, from an office's own register, for one period.

A case is *on benefit* from the day after its waiting days (:func:`risk.rates.paid_from`) to the day it closed. Ages and the
horizon of 52 weeks run on the clock of the outcome definition, from the first day of absence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.baseline import product_limit
from models.rows import Rows
from risk.errors import AsOfError, ConfigError
from risk.outcomes import OutcomeDefinition
from risk.rates import Rates, cost, paid_from
from risk.register import Register
from risk.weeks import DAYS_PER_WEEK, Dates, Floats, weeks_survived

FEWEST = 5  # smaller counts are not shown
AFTER_DAYS = 92  # three months, as Jobindsats counts them: status 92 days after the last day
HEARD_DAYS = 56  # a new case is often known only weeks after it began; within eight weeks nearly every one is
NOT_FOLLOWED = ("moved_away", "death")  # nobody can come back to this register after these


@dataclass(frozen=True)
class Period:
    """From one day to another, both included."""

    since: date
    until: date

    @property
    def label(self) -> str:
        """``2025`` for a calendar year, else both days."""
        whole_year = (self.since.month, self.since.day, self.until.month, self.until.day) == (1, 1, 12, 31)
        if whole_year and self.since.year == self.until.year:
            return str(self.since.year)
        return f"{self.since} to {self.until}"

    @property
    def n_days(self) -> int:
        return (self.until - self.since).days + 1


@dataclass(frozen=True)
class Cell:
    """One number: ``value`` is None when it is not known or rests on fewer than five; ``note`` then says why.

    ``n`` is what it is a share or a mean of.
    """

    value: float | None
    n: int | None = None
    note: str = ""


@dataclass(frozen=True)
class _Spells:
    """The register's cases as spells of benefit up to the last day of a period; n cases."""

    paid_from: Dates
    end: Dates
    is_closed: npt.NDArray[np.bool_]
    days: Floats


def measure(
    register: Register,
    period: Period,
    outcome: OutcomeDefinition,
    rates: Rates,
    workforce: int | None = None,
) -> dict[str, Cell]:
    """Every measure of a period by name.

    Raises
    ------
    AsOfError
        When the period ends on or after the extract date: its last days are not known yet.
    ConfigError
        When the period ends before it begins, or the workforce is not above 0.
    """
    if period.until < period.since:
        raise ConfigError(
            f"the period ends on {period.until}, before it begins on {period.since}; turn the dates round"
        )
    if period.until >= register.extract_on:
        raise AsOfError(
            f"the period ends on {period.until}, but the extract of {register.extract_on} knows nothing of that day; "
            f"end it on {register.extract_on - timedelta(days=1)} or earlier"
        )
    if workforce is not None and workforce < 1:
        raise ConfigError(f"a workforce of {workforce} cannot be; give the number of persons")
    spells = _spells(register, period, rates)
    return {
        **_volume(register, spells, period, workforce),
        **_duration(register, spells, period),
        "begun_past": _begun_past(register, period, outcome),
        "running_past": _running_past(register, spells, period, outcome),
        "in_work": Cell(None, None, "not known in this register: it holds no employment after a case has closed"),
        "no_new_spell": _no_new_spell(register, period),
        **_costs(register, spells, period, rates, workforce),
    }


def _spells(register: Register, period: Period, rates: Rates) -> _Spells:
    start, closed_on = paid_from(register, rates), register.encoded.closed_on
    last = np.datetime64(period.until, "D")
    is_closed = ~np.isnat(closed_on) & (closed_on <= last)
    end = np.where(is_closed, closed_on, last)
    before = np.datetime64(period.since, "D") - 1
    days = np.maximum((end - np.maximum(start, before)).astype(np.float64), 0.0)
    return _Spells(start, end, is_closed, days)


def _volume(register: Register, spells: _Spells, period: Period, workforce: int | None) -> dict[str, Cell]:
    """Persons on benefit at some time, and on average, as shares of the workforce."""
    on_benefit = spells.days > 0
    n_persons = len(np.unique(register.encoded.person[on_benefit]))
    average = float(spells.days.sum()) / period.n_days
    out = {"n_spells": _count(int(on_benefit.sum())), "n_persons": _count(n_persons)}
    if workforce is None:
        missing = Cell(None, None, "not known: give the office's workforce with --workforce")
        return out | {"persons_share": missing, "average_share": missing}
    small = Cell(None, None, f"fewer than {FEWEST}")
    return out | {
        "persons_share": small if n_persons < FEWEST else Cell(n_persons / workforce, workforce),
        "average_share": small if n_persons < FEWEST else Cell(average / workforce, workforce),
    }


def _count(n: int) -> Cell:
    return Cell(None, None, f"fewer than {FEWEST}") if 0 < n < FEWEST else Cell(float(n), n)


def _mean(values: Floats) -> Cell:
    if len(values) < FEWEST:
        return Cell(None, None, f"fewer than {FEWEST} spells")
    return Cell(float(values.mean()), len(values))


def _share(is_so: npt.NDArray[np.bool_], of_what: str) -> Cell:
    """A share, hidden when it or its complement counts fewer than five (but not none)."""
    n, part = len(is_so), int(is_so.sum())
    if n < FEWEST or 0 < part < FEWEST or 0 < n - part < FEWEST:
        return Cell(None, None, f"fewer than {FEWEST} {of_what}")
    return Cell(part / n, n)


def _duration(register: Register, spells: _Spells, period: Period) -> dict[str, Cell]:
    on_benefit = spells.days > 0
    ended = on_benefit & spells.is_closed & (spells.end >= np.datetime64(period.since, "D"))
    ended &= ~np.isin(register.cases["close_reason"].astype(object).to_numpy(), ["moved_away"])
    whole = (spells.end - spells.paid_from).astype(np.float64) / DAYS_PER_WEEK
    return {
        "weeks_in_period": _mean(spells.days[on_benefit] / DAYS_PER_WEEK),
        "weeks_completed": _mean(whole[ended]),
    }


def _begun_past(register: Register, period: Period, outcome: OutcomeDefinition) -> Cell:
    """Chance that a spell registered in the period passes the horizon, if closings go on at the period's pace.

    A period life table: each case is watched only while it is open, registered and inside the period (late entry, censored
    at the period's end); the curve is the product-limit estimate, and each spell begun in the period starts on it at the age at
    which the office learned of it.
    """
    encoded, horizon = register.encoded, float(outcome.horizon_weeks)
    clock = encoded.opened_on if outcome.clock == "absence" else encoded.registered_on
    after = np.datetime64(period.until, "D") + 1
    first_seen = np.maximum(encoded.registered_on + 1, np.datetime64(period.since, "D"))
    # Seen open at 00:00 of the first day; watched to the day it closed, or to the end of the period.
    is_closed = ~np.isnat(encoded.closed_on) & (encoded.closed_on < after)
    reason = register.cases["close_reason"].astype(object).to_numpy()
    entry = weeks_survived(clock, first_seen)
    to_close = np.maximum((encoded.closed_on - clock).astype(np.float64), 0.0) / DAYS_PER_WEEK
    weeks = np.where(is_closed, to_close, weeks_survived(clock, after))
    watched = (first_seen < after) & (weeks > entry)
    closed = is_closed & ~np.isin(reason, outcome.reasons.censoring)
    begun = watched & (encoded.registered_on >= np.datetime64(period.since, "D") - 1)
    if int(begun.sum()) < FEWEST or int((watched & closed).sum()) < FEWEST:
        return Cell(None, None, f"fewer than {FEWEST} spells")
    if not np.any(watched & (entry < horizon) & (weeks >= horizon)):
        return Cell(None, None, f"not known: no spell of the period was followed past week {horizon:g}")
    n = int(watched.sum())
    rows = Rows(
        np.empty((n, 0)), closed[watched], weeks[watched], entry[watched], np.ones(n), np.arange(n, dtype=np.int64)
    )
    at, log_open = product_limit(rows)
    curve = np.concatenate([[0.0], log_open])
    to_horizon = curve[np.searchsorted(at, horizon, side="right")]
    from_entry = curve[np.searchsorted(at, entry[begun], side="right")]
    p = np.exp(np.where(entry[begun] >= horizon, 0.0, to_horizon - from_entry))
    return Cell(float(p.mean()), int(begun.sum()))


def _running_past(register: Register, spells: _Spells, period: Period, outcome: OutcomeDefinition) -> Cell:
    """Of the spells on benefit at the end of the period, the share past the horizon."""
    encoded, after = register.encoded, np.datetime64(period.until, "D") + 1
    clock = encoded.opened_on if outcome.clock == "absence" else encoded.registered_on
    runs = (encoded.registered_on < after) & ~spells.is_closed & (spells.paid_from < after - 1)
    return _share(
        weeks_survived(clock[runs], after) >= outcome.horizon_weeks, "running spells past or within the horizon"
    )


def _no_new_spell(register: Register, period: Period) -> Cell:
    """Of the spells closed in the period, the share whose person had no new case within three months."""
    encoded = register.encoded
    heard = np.datetime64(register.extract_on, "D") - np.timedelta64(AFTER_DAYS + HEARD_DAYS, "D")
    last = min(np.datetime64(period.until, "D"), heard)
    closed_on = encoded.closed_on
    ours = ~np.isnat(closed_on) & (closed_on >= np.datetime64(period.since, "D")) & (closed_on <= last)
    ours &= ~np.isin(register.cases["close_reason"].astype(object).to_numpy(), NOT_FOLLOWED)
    if not ours.any():
        return Cell(None, None, "not known yet: three months, and eight weeks to hear of it, have not passed since")
    left = pd.DataFrame({"person": encoded.person[ours], "on": closed_on[ours].astype("M8[us]")}).sort_values("on")
    new = pd.DataFrame({"person": encoded.person, "on": encoded.opened_on.astype("M8[us]")}).sort_values("on")
    nxt = pd.merge_asof(
        left, new.assign(opened=new["on"]), on="on", by="person", direction="forward", allow_exact_matches=False
    )
    came_back = (nxt["opened"] - left["on"].to_numpy()) <= pd.Timedelta(days=AFTER_DAYS)
    return _share(~came_back.to_numpy(dtype=bool), "spells with or without a new one")


def _costs(register: Register, spells: _Spells, period: Period, rates: Rates, workforce: int | None) -> dict[str, Cell]:
    own = register.encoded.columns["weekly_benefit"]
    priced = cost(spells.paid_from, spells.end, period.since, period.until, rates, own)
    on_benefit = spells.days > 0
    note = ""
    if priced.carried:
        years = ", ".join(str(y) for y in priced.carried)
        note = f"{years} at an earlier year's rate, {priced.carried_from} the last"
    gross = _priced(priced.gross[on_benefit], note, "no rate for these days in the rates file")
    net = _priced(priced.net[on_benefit], note, "no rate, or no state share for all weeks, in the rates file")
    out = {"gross_per_spell": gross, "net_per_spell": net}
    if workforce is None or net.value is None or net.n is None:
        why = net.note if net.value is None else "not known: give the office's workforce with --workforce"
        return out | {"net_per_workforce": Cell(None, None, why)}
    return out | {"net_per_workforce": Cell(net.value * net.n / workforce, workforce, note)}


def _priced(amounts: Floats, note: str, why_not: str) -> Cell:
    if len(amounts) < FEWEST:
        return Cell(None, None, f"fewer than {FEWEST} spells")
    if np.isnan(amounts).any():
        return Cell(None, None, f"not known: {why_not}")
    return Cell(float(amounts.mean()), len(amounts), note)
