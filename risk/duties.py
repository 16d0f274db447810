"""Duties: which statutory follow-up falls due next in each open case, and what share was met in time.

A case's follow-ups form a chain: the first falls due so many weeks after the first day of absence, each later one so many
weeks after the last that was held. A follow-up counts from the day it was *recorded* (a register knows no other day).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import schema
from risk.encoded import FactColumn
from risk.milestones import next_milestones
from risk.policy import Policy, RuleSet
from risk.register import Register
from risk.snapshot import Snapshot, check_as_of, take_snapshot
from risk.weeks import DAYS_PER_WEEK, Dates, as_days, monday_of

_NEVER = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Duties:
    """Where the open cases stand with their duties.

    Attributes
    ----------
    frame : DataFrame
        One row per open case: ``case_id, office, team, opened_on, duty`` (``first_interview``, ``fast_track``,
        ``follow_up`` or empty), ``due_on``, ``overdue_days``, ``is_due`` (by the Sunday of the week), ``is_planned``,
        ``may_be_written`` (the rules accept a follow-up in writing), ``contacted_on``, ``exclusion`` (name of the flag or empty), ``milestone``, ``milestone_on``,
        ``milestone_state`` (``ahead``, ``missed`` or empty) and ``lift``.
    timeliness : DataFrame
        One row per team: ``office, team, n_fell_due`` in the last weeks, ``n_met`` in time, ``has_follow_ups``
        (whether any follow-up was ever recorded for the team).
    as_of : date
    rules : RuleSet
        The rule set in force on ``as_of``.
    """

    frame: pd.DataFrame
    timeliness: pd.DataFrame
    as_of: date
    rules: RuleSet


def take_duties(register: Register, as_of: date, policy: Policy) -> Duties:
    """Duties, milestones and exclusions of every case open on ``as_of``, as known then.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    ConfigError
        When no rule set covers the date, or the policy names a team the register does not have.
    """
    check_as_of(register, as_of)
    policy.check_teams(register.cases["team"])
    rules = policy.rules_on(as_of)
    snapshot = take_snapshot(register, as_of)
    chain = _chain(register, as_of, policy, rules)
    frame = register.cases.loc[snapshot.position, ["case_id", "office", "team", "opened_on"]].reset_index(drop=True)
    timeliness = _timeliness(register, chain, as_of, policy)
    frame = frame.assign(**_next_duty(snapshot, chain, as_of))
    _forget_unrecorded(frame, timeliness, as_of)
    frame["may_be_written"] = may_be_written(snapshot, rules)
    frame["contacted_on"] = _later(snapshot.known_on["contact"], snapshot.known_on["follow_up_held"])
    frame["exclusion"] = _exclusions(snapshot, policy)
    return Duties(
        frame=frame.assign(**next_milestones(register, snapshot, as_of, policy)),
        timeliness=timeliness,
        as_of=as_of,
        rules=rules,
    )


@dataclass(frozen=True)
class _Chain:
    """Follow-ups asked for, k of them: of which case, from when, due when, met when (NaT = not yet)."""

    position: npt.NDArray[np.int64]
    is_first: npt.NDArray[np.bool_]
    is_fast: npt.NDArray[np.bool_]
    due_on: Dates
    met_on: Dates


def _chain(register: Register, as_of: date, policy: Policy, rules: RuleSet) -> _Chain:
    """Every follow-up asked for in cases that were open within the timeliness window, sorted by case and day."""
    encoded, day = register.encoded, np.datetime64(as_of, "D")
    since = day - policy.timeliness.weeks * DAYS_PER_WEEK
    if rules.first_weeks is None:
        none = np.empty(0, dtype=np.int64)
        return _Chain(none, none.astype(bool), none.astype(bool), none.astype("M8[D]"), none.astype("M8[D]"))
    alive = (encoded.registered_on < day) & (np.isnat(encoded.closed_on) | (encoded.closed_on >= since))
    starts = np.flatnonzero(alive)
    category = _latest(encoded.facts.get("visitation_category"), len(encoded.case_id), day)
    on_standby = _latest(encoded.facts.get("standby"), len(encoded.case_id), day) == 1
    held_case, held_on = _held(encoded.facts.get("follow_up_held"), alive, category, on_standby, day, rules)
    position = np.concatenate([starts, held_case])
    base = np.concatenate([encoded.opened_on[starts], held_on])
    is_first = np.arange(len(position)) < len(starts)
    # A follow-up recorded before the case's own first day (an early hand-over) still comes after the start of the chain.
    order = np.lexsort((base, ~is_first, position))
    position, base, is_first = position[order], base[order], is_first[order]
    by_rule = as_days(base + _span_days(position, is_first, category, rules))
    due_on, is_fast = _fast_track(register, position, is_first, by_rule, day, rules)
    follows = np.append(position[1:] == position[:-1], False)
    met_on = np.where(follows, np.append(base[1:], _NEVER), _NEVER)
    return _Chain(position, is_first, is_fast, due_on, met_on)


def _latest(fact: FactColumn | None, n: int, day: np.datetime64) -> npt.NDArray[np.int64]:
    """Position of the latest level known before ``day`` per case, (n,); -1 where none is."""
    out = np.full(n, -1, dtype=np.int64)
    if fact is not None:
        known = fact.known_on < day
        out[fact.position[known]] = fact.values[known].astype(np.int64)  # sorted by day: the last one stays
    return out


def _accepted(rules: RuleSet) -> npt.NDArray[np.bool_]:
    """Which kinds of follow-up meet the duty of each visitation category, (categories + 1, kinds); the last: not known."""
    kinds = schema.fact_attributes()["follow_up_held"].levels
    categories = schema.fact_attributes()["visitation_category"].levels
    accepted = np.zeros((len(categories) + 1, len(kinds)), dtype=bool)
    accepted[:, [kinds.index(k) for k in rules.accepts]] = True
    for name, rule in rules.by_category.items():
        if rule.accepts is not None:
            accepted[categories.index(name)] = [k in rule.accepts for k in kinds]
    return accepted


def may_be_written(snapshot: Snapshot, rules: RuleSet) -> npt.NDArray[np.bool_]:
    """Whether the rules accept a follow-up in writing for each case, by its category or because it is on standby, (n,)."""
    written = schema.fact_attributes()["follow_up_held"].levels.index("written")
    category = snapshot.columns["visitation_category"]
    row = np.where(np.isnan(category), -1, category).astype(np.int64)
    return np.asarray(_accepted(rules)[row, written] | (snapshot.columns["standby"] == 1.0))


def _held(
    fact: FactColumn | None,
    alive: npt.NDArray[np.bool_],
    category: npt.NDArray[np.int64],
    on_standby: npt.NDArray[np.bool_],
    day: np.datetime64,
    rules: RuleSet,
) -> tuple[npt.NDArray[np.int64], Dates]:
    """Follow-ups held that meet the duty of their case's category: rows of the cases and days."""
    if fact is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype="M8[D]")
    accepted = _accepted(rules)
    position = fact.position
    # On standby the doctor or hospital is asked instead of the person: any kind of follow-up meets the duty.
    meets = on_standby[position] | accepted[category[position], fact.values.astype(np.int64)]
    counts = alive[position] & (fact.known_on < day) & meets
    once = np.flatnonzero(counts)[np.unique(fact.keys[counts], return_index=True)[1]]  # two on one day are one
    return position[once], fact.known_on[once]


def _span_days(
    position: npt.NDArray[np.int64],
    is_first: npt.NDArray[np.bool_],
    category: npt.NDArray[np.int64],
    rules: RuleSet,
) -> npt.NDArray[np.int64]:
    """Days from the start or the last follow-up to the next due date, (k,)."""
    assert rules.first_weeks is not None
    repeat = rules.repeat_weeks or rules.first_weeks
    levels = schema.fact_attributes()["visitation_category"].levels
    by_level = np.full(len(levels) + 1, repeat)
    for name, rule in rules.by_category.items():
        if rule.repeat_weeks is not None:
            by_level[levels.index(name)] = rule.repeat_weeks
    weeks = np.where(is_first, rules.first_weeks, by_level[category[position]])
    return np.asarray(weeks * DAYS_PER_WEEK, dtype=np.int64)


def _fast_track(
    register: Register,
    position: npt.NDArray[np.int64],
    is_first: npt.NDArray[np.bool_],
    due_on: Dates,
    day: np.datetime64,
    rules: RuleSet,
) -> tuple[Dates, npt.NDArray[np.bool_]]:
    """Bring the first due date forward where someone asked for an early interview."""
    asked = register.encoded.facts.get("fast_track")
    if asked is None or rules.fast_track_weeks is None:
        return due_on, np.zeros(len(due_on), dtype=bool)
    asked_on = np.full(len(register), _NEVER)
    known = asked.known_on < day
    # Reversed, so that the earliest request of a case is the one that stays.
    asked_on[asked.position[known][::-1]] = asked.known_on[known][::-1]
    early = asked_on[position] + np.timedelta64(rules.fast_track_weeks * DAYS_PER_WEEK, "D")
    is_fast = is_first & (early < due_on)
    return np.where(is_fast, early, due_on), is_fast


def _next_duty(snapshot: Snapshot, chain: _Chain, as_of: date) -> dict[str, np.ndarray]:
    """The one unmet follow-up of each open case."""
    waiting = np.isnat(chain.met_on)
    place = np.full(int(snapshot.position.max(initial=-1)) + 1, -1, dtype=np.int64)
    ours = waiting & np.isin(chain.position, snapshot.position)
    place[chain.position[ours]] = np.flatnonzero(ours)
    row = place[snapshot.position]
    due_on = np.append(chain.due_on, _NEVER)[row]
    kind = np.where(chain.is_fast, "fast_track", np.where(chain.is_first, "first_interview", "follow_up"))
    day = np.datetime64(as_of, "D")
    late = np.where(np.isnat(due_on), 0, (day - due_on).astype(np.int64))
    planned_on, held_on = snapshot.known_on["follow_up_planned"], snapshot.known_on["follow_up_held"]
    return {
        "duty": np.append(kind.astype(object), "")[row],
        "due_on": due_on.astype("M8[us]"),
        "overdue_days": np.maximum(late, 0),
        "is_due": due_on <= np.datetime64(monday_of(as_of) + timedelta(days=6), "D"),
        "is_planned": ~np.isnat(planned_on) & (np.isnat(held_on) | (planned_on > held_on)),
    }


def _forget_unrecorded(frame: pd.DataFrame, timeliness: pd.DataFrame, as_of: date) -> None:
    """Take back past due dates, in place, in teams that never recorded a follow-up: nobody knows whether they were met.

    To call every case of such a team overdue would be untrue and would fill the list; the list says what is missing.
    """
    has_any = frame.merge(timeliness, on=["office", "team"], how="left")["has_follow_ups"].to_numpy(dtype=bool)
    unknown = ~has_any & (frame["due_on"] < pd.Timestamp(as_of)).to_numpy()
    frame.loc[unknown, "duty"] = ""
    frame.loc[unknown, "due_on"] = pd.NaT
    frame.loc[unknown, "overdue_days"] = 0
    frame.loc[unknown, "is_due"] = False


def _later(a: Dates, b: Dates) -> npt.NDArray[np.datetime64]:
    return np.fmax(a, b).astype("M8[us]")


def _exclusions(snapshot: Snapshot, policy: Policy) -> npt.NDArray[np.object_]:
    """Name of the first exclusion of the policy that holds for each case, empty when none does."""
    out = np.full(len(snapshot), "", dtype=object)
    for exclusion in reversed(policy.exclusions):
        out[snapshot.columns[exclusion.fact] == 1.0] = exclusion.fact
    return out


def _timeliness(register: Register, chain: _Chain, as_of: date, policy: Policy) -> pd.DataFrame:
    """Per team, the duties that fell due in the last weeks while the case was open, and those met by their date."""
    encoded, day = register.encoded, np.datetime64(as_of, "D")
    closed_on = encoded.closed_on[chain.position]
    fell_due = (chain.due_on < day) & (chain.due_on >= day - policy.timeliness.weeks * DAYS_PER_WEEK)
    fell_due &= np.isnat(closed_on) | (closed_on > chain.due_on)
    # A case registered after its date could not be met in time by anyone; it is not counted.
    fell_due &= encoded.registered_on[chain.position] <= chain.due_on
    of_team = register.cases[["office", "team"]]
    counts = of_team.iloc[chain.position].assign(
        n_fell_due=fell_due.astype(np.int64), n_met=(fell_due & (chain.met_on <= chain.due_on)).astype(np.int64)
    )
    held = encoded.facts.get("follow_up_held")
    has_any = np.zeros(len(register), dtype=bool)
    if held is not None:
        has_any[held.position[held.known_on < day]] = True
    teams = of_team.assign(has_follow_ups=has_any).groupby(["office", "team"], sort=True).any().reset_index()
    summed = counts.groupby(["office", "team"], sort=True)[["n_fell_due", "n_met"]].sum().reset_index()
    out = teams.merge(summed, on=["office", "team"], how="left")
    return out.assign(**{c: out[c].fillna(0).astype(np.int64) for c in ("n_fell_due", "n_met")})
