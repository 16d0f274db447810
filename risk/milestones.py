"""Milestones: the weeks an office steers by, and which comes next in each open case."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

from risk import schema
from risk.policy import Milestone, Policy
from risk.register import Register
from risk.snapshot import Snapshot
from risk.weeks import DAYS_PER_WEEK, Dates


def next_milestones(register: Register, snapshot: Snapshot, as_of: date, policy: Policy) -> dict[str, np.ndarray]:
    """The milestone each open case has missed, else the next one ahead of it.

    A milestone can only be missed when it is recorded: it has ``done_by``, and the team has recorded some milestone before.

    Returns
    -------
    dict of (n,) arrays: ``milestone`` (name or empty), ``milestone_on``, ``milestone_state`` (``ahead``, ``missed`` or
    empty) and ``lift`` (added to the risk in the order, 0 unless missed)
    """
    day = np.datetime64(as_of, "D")
    n = len(snapshot)
    name, state = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    when, lift = np.full(n, np.datetime64("NaT", "D")), np.zeros(n)
    records = _team_records(register, snapshot, day)
    for milestone in policy.milestones:
        if not (milestone.valid_from <= as_of and (milestone.valid_until is None or as_of <= milestone.valid_until)):
            continue
        due_on = milestone_on(milestone, snapshot)
        done = _done(register, snapshot, milestone, day)
        missed = ~done & (due_on < day) & records if milestone.done_by else np.zeros(n, dtype=bool)
        ahead = ~done & (due_on >= day)
        first_missed = missed & (state != "missed")
        sooner = ahead & (state != "missed") & (np.isnat(when) | (due_on < when))
        for chosen, as_what in ((first_missed, "missed"), (sooner, "ahead")):
            name[chosen], state[chosen], when[chosen] = milestone.name, as_what, due_on[chosen]
        lift += np.where(missed, milestone.lift, 0.0)
    return {"milestone": name, "milestone_on": when.astype("M8[us]"), "milestone_state": state, "lift": lift}


def milestone_on(milestone: Milestone, snapshot: Snapshot) -> Dates:
    """The day each case reaches the milestone, (n,): the end of the week, or of the month."""
    if milestone.week is not None:
        return snapshot.opened_on + np.timedelta64(milestone.week * DAYS_PER_WEEK, "D")
    assert milestone.month_end_after_weeks is not None
    uncounted = np.full(len(snapshot), milestone.uncounted_days["default"])
    levels = schema.case_attributes()["employment_status"].levels
    for status, days in milestone.uncounted_days.items():
        if status in levels:
            uncounted[snapshot.columns["employment_status"] == levels.index(status)] = days
    # More than so many weeks: the first day after them decides the month.
    passed = snapshot.opened_on + (uncounted + milestone.month_end_after_weeks * DAYS_PER_WEEK + 1).astype("m8[D]")
    next_month = passed.astype("M8[M]") + np.timedelta64(1, "M")
    return next_month.astype("M8[D]") - np.timedelta64(1, "D")


def _done(register: Register, snapshot: Snapshot, milestone: Milestone, day: np.datetime64) -> npt.NDArray[np.bool_]:
    fact = register.encoded.facts.get("milestone_done")
    done = np.zeros(len(register), dtype=bool)
    if fact is not None and milestone.done_by:
        levels = schema.fact_attributes()["milestone_done"].levels
        counts = np.isin(fact.values, [levels.index(v) for v in milestone.done_by]) & (fact.known_on < day)
        done[fact.position[counts]] = True
    return done[snapshot.position]


def _team_records(register: Register, snapshot: Snapshot, day: np.datetime64) -> npt.NDArray[np.bool_]:
    """Whether the case's team has recorded any milestone before ``day``, (n,)."""
    fact = register.encoded.facts.get("milestone_done")
    if fact is None:
        return np.zeros(len(snapshot), dtype=bool)
    recorded = np.unique(fact.position[fact.known_on < day])
    teams = register.cases["office"].astype(str) + "\x1f" + register.cases["team"].astype(str)
    return teams.iloc[snapshot.position].isin(teams.iloc[recorded].unique()).to_numpy()
