"""Where each team stands on the as-of date: its open cases, their duties, and the cases that came in the last year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import schema
from risk.curves import Curves, weekly_curves
from risk.duties import Duties, may_be_written, take_duties
from risk.errors import ConfigError, TooFewCasesError
from risk.policy import Policy, RuleSet
from risk.register import Register
from risk.scoring import ScoringModel
from risk.snapshot import Snapshot, is_open, snapshot_rows, take_snapshot
from risk.weeks import DAYS_PER_WEEK, Dates, as_days

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
NEVER_DUE, NEVER_TALKED = 1_000_000, -1_000_000  # weeks that do not come, and did not
YEAR_WEEKS = 52
RECENT_WEEKS = 13
_APART = "\x1f"  # stands in no name
FEWEST_OPEN = 5  # with fewer, a table would speak of single persons


@dataclass(frozen=True)
class TeamStart:
    """One team on the as-of date; the first ``n_open`` rows are its open cases, the others came in the last year.

    Attributes
    ----------
    office, team : str
    n_open : int
    curves : Curves
        (n,) open cases from today, recent cases from the day after their registration.
    repeat_weeks : (n,) int
        Weeks from one follow-up to the next.
    is_first : (n,) bool
        Whether the next follow-up is the first of the case.
    may_be_written : (n,) bool
        Whether the rules accept a follow-up in writing.
    may_be_called : (n,) bool
        Has a score and is under no exclusion: can be called for risk.
    is_high : (n,) bool
        A recent case among the highest scores at registration in the register; False for open cases.
    due_week : (n,) int
        Week of the next follow-up: from today for open cases (negative: overdue), from registration for the others.
    talked_week : (n,) int
        Week of the last talk, negative.
    came_week : (n - n_open,) int
        Which week of the last year a recent case was registered in, 0 the earliest.
    cycle_weeks : int
        How many weeks that year has.
    n_unscored : int
        Open cases without a score.
    n_overdue : int
        Follow-ups overdue today.
    n_closed_recently : int
        Cases of the team closed in the last 13 weeks, to hold the simulation against.
    n_fell_due, n_met : int
        Follow-ups that fell due in the policy's last weeks, and those met in time; 0 when the team records none.
    """

    office: str
    team: str
    n_open: int
    curves: Curves
    repeat_weeks: Ints
    is_first: Bools
    may_be_written: Bools
    may_be_called: Bools
    is_high: Bools
    due_week: Ints
    talked_week: Ints
    came_week: Ints
    cycle_weeks: int
    n_unscored: int
    n_overdue: int
    n_closed_recently: int
    n_fell_due: int
    n_met: int


def take_start(
    register: Register,
    as_of: date,
    model: ScoringModel,
    policy: Policy,
    n_weeks: int,
    *,
    team: str | None = None,
) -> list[TeamStart]:
    """Where every team stands, or the teams of one name; teams with fewer than five open cases are left out.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    ConfigError
        When the register has no team of that name, or no rule set covers the date.
    TooFewCasesError
        When no team has at least five open cases.
    """
    teams = register.cases["team"].astype(str)
    if team is not None and team not in set(teams):
        known = sorted(set(teams))
        raise ConfigError(f"team {team!r} is not in the register; known are {', '.join(known[:10])}")
    duties = take_duties(register, as_of, policy)
    now = take_snapshot(register, as_of)
    is_ours = np.ones(len(register), dtype=bool) if team is None else (teams == team).to_numpy()
    if int(is_ours[now.position].sum()) < FEWEST_OPEN:
        what = "the register" if team is None else f"team {team!r}"
        raise TooFewCasesError(
            f"{what} has fewer than {FEWEST_OPEN} open cases on {as_of}; choose another date or team"
        )
    came, cycle_weeks = _recent(register, as_of)
    later = snapshot_rows(register, came, register.encoded.registered_on[came] + np.timedelta64(1, "D"))
    open_curves = weekly_curves(now, model, n_weeks)
    new_curves = weekly_curves(later, model, n_weeks) if len(later) else open_curves.of_rows(np.empty(0, np.int64))
    open_table = _open_table(duties, now, open_curves, as_of)
    new_table = _new_table(register, later, new_curves, policy, duties.rules, as_of, cycle_weeks)
    told = duties.timeliness[duties.timeliness["has_follow_ups"].astype(bool)]
    counts = told[["n_fell_due", "n_met"]].to_numpy(dtype=np.int64).tolist()
    names = (told["office"].astype(str) + _APART + told["team"].astype(str)).tolist()
    in_time: dict[str, tuple[int, int]] = {n: (due, met) for n, (due, met) in zip(names, counts, strict=True)}
    unit = register.cases["office"].astype(str) + _APART + teams
    out = []
    for name in sorted(set(unit[is_ours])):
        here = (unit == name).to_numpy()
        open_rows, new_rows = np.flatnonzero(here[now.position]), np.flatnonzero(here[later.position])
        if len(open_rows) < FEWEST_OPEN:
            continue
        table = pd.concat(
            [_with_spread_dues(open_table.iloc[open_rows], duties.rules), new_table.iloc[new_rows]], ignore_index=True
        )
        curves = _joined(open_curves.of_rows(open_rows), new_curves.of_rows(new_rows))
        n_closed = _closed_recently(register, here, as_of)
        out.append(_team_start(name, table, curves, len(open_rows), cycle_weeks, in_time.get(name, (0, 0)), n_closed))
    if not out:
        raise TooFewCasesError(f"no team has at least {FEWEST_OPEN} open cases on {as_of}; choose another date")
    return out


def _team_start(
    unit: str,
    table: pd.DataFrame,
    curves: Curves,
    n_open: int,
    cycle_weeks: int,
    in_time: tuple[int, int],
    n_closed: int,
) -> TeamStart:
    """Put the parts of one team together; ``table`` has its open cases first."""
    office, team = unit.split(_APART)
    numbers = {n: table[n].to_numpy(dtype=np.int64) for n in ("repeat_weeks", "due_week", "talked_week")}
    return TeamStart(
        office=office,
        team=team,
        n_open=n_open,
        curves=curves,
        is_first=table["is_first"].to_numpy(dtype=bool),
        may_be_written=table["may_be_written"].to_numpy(dtype=bool),
        may_be_called=table["may_be_called"].to_numpy(dtype=bool),
        is_high=table["is_high"].to_numpy(dtype=bool),
        came_week=table["came_week"].to_numpy()[n_open:].astype(np.int64),
        cycle_weeks=cycle_weeks,
        n_unscored=int((~curves.is_scored & (curves.age < curves.horizon_weeks))[:n_open].sum()),
        n_overdue=int((numbers["due_week"][:n_open] < 0).sum()),
        n_closed_recently=n_closed,
        n_fell_due=in_time[0],
        n_met=in_time[1],
        **numbers,
    )


def _recent(register: Register, as_of: date) -> tuple[Ints, int]:
    """Cases registered in the last year's whole weeks and open the day after, and how many weeks those are."""
    registered_on, day = register.encoded.registered_on, np.datetime64(as_of, "D")
    known = registered_on < day
    weeks = min(YEAR_WEEKS, int((day - registered_on[known].min()).astype(int)) // DAYS_PER_WEEK)
    since = day - np.timedelta64(weeks * DAYS_PER_WEEK, "D")
    came = known & (registered_on >= since) & is_open(register, registered_on + np.timedelta64(1, "D"))
    return np.flatnonzero(came), max(weeks, 1)


def _open_table(duties: Duties, now: Snapshot, curves: Curves, as_of: date) -> pd.DataFrame:
    """What the simulation needs of each open case; ``due_week`` is missing where no due date is known."""
    due, talked = (_weeks_from(as_days(duties.frame[c]), as_of) for c in ("due_on", "contacted_on"))
    return pd.DataFrame(
        {
            "repeat_weeks": _repeat_weeks(now, duties.rules),
            "is_first": duties.frame["duty"].isin(["first_interview", "fast_track"]).to_numpy(),
            "may_be_written": duties.frame["may_be_written"].to_numpy(),
            "may_be_called": curves.is_scored & (duties.frame["exclusion"] == "").to_numpy(),
            "is_high": False,
            "due_week": due,
            "talked_week": np.where(np.isnan(talked), NEVER_TALKED, talked),
        }
    )


def _new_table(
    register: Register,
    later: Snapshot,
    curves: Curves,
    policy: Policy,
    rules: RuleSet,
    as_of: date,
    cycle_weeks: int,
) -> pd.DataFrame:
    """The same of each recent case, as it would stand when it comes again."""
    # Category and exclusions are often recorded after registration: the latest known today is what such a case gets.
    known_now = snapshot_rows(register, later.position, np.full(len(later), np.datetime64(as_of, "D")))
    excluded = np.zeros(len(later), dtype=bool)
    for exclusion in policy.exclusions:
        excluded |= known_now.columns[exclusion.fact] == 1.0
    wait = (later.registered_on - later.opened_on).astype(np.int64)
    first = np.full(len(later), NEVER_DUE)
    if rules.first_weeks is not None:
        first = np.floor((rules.first_weeks * DAYS_PER_WEEK - wait) / DAYS_PER_WEEK).astype(np.int64)
    back = (np.datetime64(as_of, "D") - later.registered_on).astype(np.int64)
    return pd.DataFrame(
        {
            "repeat_weeks": _repeat_weeks(known_now, rules),
            "is_first": True,
            "may_be_written": may_be_written(known_now, rules),
            "may_be_called": curves.is_scored & ~excluded,
            "is_high": curves.is_scored & _highest(curves.p_exceed, policy.bands.most_share),
            "due_week": first,
            "talked_week": NEVER_TALKED,
            "came_week": cycle_weeks - 1 - (back - 1) // DAYS_PER_WEEK,
        }
    )


def _highest(p: npt.NDArray[np.float64], share: float) -> Bools:
    """The given share of the cases with the highest p, ties all in, (n,)."""
    if not len(p):
        return np.zeros(0, dtype=bool)
    return np.asarray(p >= np.sort(p)[::-1][int(np.ceil(share * len(p))) - 1])


def _repeat_weeks(snapshot: Snapshot, rules: RuleSet) -> Ints:
    """Weeks between follow-ups of each case by its visitation category, (n,)."""
    usual = rules.repeat_weeks or rules.first_weeks or NEVER_DUE
    out = np.full(len(snapshot), usual)
    levels = schema.fact_attributes()["visitation_category"].levels
    for name, rule in rules.by_category.items():
        if rule.repeat_weeks is not None:
            out[snapshot.columns["visitation_category"] == levels.index(name)] = rule.repeat_weeks
    return out


def _with_spread_dues(table: pd.DataFrame, rules: RuleSet) -> pd.DataFrame:
    """Where no due date is known, spread the next one evenly over the coming round of follow-ups."""
    due = table["due_week"].to_numpy()
    spread = np.arange(len(due)) % table["repeat_weeks"].to_numpy()
    missing = np.full(len(due), NEVER_DUE) if rules.first_weeks is None else spread
    return table.assign(due_week=np.where(np.isnan(due), missing, due))


def _weeks_from(days: Dates, as_of: date) -> npt.NDArray[np.float64]:
    """Whole weeks from ``as_of`` to each day, rounded down, (n,); nan where there is no day."""
    apart = (days - np.datetime64(as_of, "D")).astype(np.float64)
    return np.where(np.isnat(days), np.nan, np.floor(apart / DAYS_PER_WEEK))


def _joined(first: Curves, then: Curves) -> Curves:
    parts = [np.concatenate([getattr(first, n), getattr(then, n)]) for n in ("age", "steps", "to_horizon", "is_scored")]
    return Curves(parts[0], parts[1], parts[2], parts[3], first.horizon_weeks)


def _closed_recently(register: Register, here: Bools, as_of: date) -> int:
    day = np.datetime64(as_of, "D")
    closed_on = register.encoded.closed_on[here]
    return int(((closed_on >= day - np.timedelta64(RECENT_WEEKS * DAYS_PER_WEEK, "D")) & (closed_on < day)).sum())


def team_names(starts: Sequence[TeamStart]) -> list[str]:
    """Names to show: the team's, with its office where two teams share a name."""
    names = [s.team for s in starts]
    return [f"{s.office}: {s.team}" if names.count(s.team) > 1 else s.team for s in starts]
