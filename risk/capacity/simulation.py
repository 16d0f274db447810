r"""The weeks of a team, many times over: who comes, whom there is time to talk to, and who closes.

In every week, in this order: new cases come; follow-ups that are due are held, earliest due first, as far as the hours
reach; hours that are left go to talks beyond duties, in the policy's order of risk; cases close.

A case closes when its cumulative hazard, :math:`\Lambda(t)` from the model's curve, passes a number drawn once from the
exponential distribution with mean 1. Equal seeds give equal draws at every caseload, so caseloads are compared on the same
cases, not on luck. After a talk beyond duties the weekly hazard is multiplied by ``effect``; with 1 a talk changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from risk.capacity.start import NEVER_DUE, NEVER_TALKED, Ints, TeamStart
from risk.places import draw_seed
from risk.policy import Minutes
from risk.weeks import DAYS_PER_WEEK, Floats

REACH_WEEK = 13  # the broad assessment falls due after three months: DUKH, Sygedagpenge; week 13 in Slagelse
_PAIRS_AT_ONCE = 1_500_000  # open cases times runs held in memory together


@dataclass(frozen=True)
class Work:
    """What a week holds.

    Attributes
    ----------
    hours : float
        Hours of talks the team has in a week.
    minutes : Minutes
        What each kind of follow-up and a talk beyond duties take.
    reserve : int
        Talks beyond duties for which time is kept even when duties fill the week.
    cool_down_weeks : int
        Nobody is called for risk within so many weeks of a talk.
    first_until_week : float
        Older cases queue for risk behind the younger, whatever their chance.
    is_overdue_last : bool
        Hold what can still be met in time before what is overdue; the list does the opposite.
    """

    hours: float
    minutes: Minutes
    reserve: int = 0
    cool_down_weeks: int = 2
    first_until_week: float = np.inf
    is_overdue_last: bool = False

    @property
    def reserved(self) -> int:
        """Minutes kept for talks beyond duties."""
        return self.reserve * self.minutes.risk

    def of_duties(self, is_first: npt.NDArray[np.bool_], may_be_written: npt.NDArray[np.bool_]) -> Floats:
        """Minutes of follow-ups, (n,): the first of a case, or a later one; in writing where the rules accept that."""
        m = self.minutes
        talk = np.where(is_first, m.first_interview, m.follow_up)
        return np.where(may_be_written, np.minimum(talk, m.written), talk).astype(np.float64)

    def kept_over(self, minutes: Floats) -> Floats:
        """What is kept of the minutes left at the end of a week, (n,): a rest too short for a talk goes into the next."""
        longest = max(self.minutes.first_interview, self.minutes.follow_up, self.minutes.risk)
        return np.where(minutes < longest, minutes, 0.0)


@dataclass(frozen=True)
class Draws:
    """What chance decides, m cases: the same at every caseload.

    Attributes
    ----------
    run : (m,) int, in rising order
    row : (m,) int, the case's row of :class:`TeamStart`
    came : (m,) int, the week it comes; -1 for the cases open today
    until : (m,) float, the cumulative hazard at which it closes
    """

    n_runs: int
    n_weeks: int
    run: Ints
    row: Ints
    came: Ints
    until: Floats


@dataclass(frozen=True)
class Week:
    """The account of every run and week, (runs, weeks) each; runs of several teams are added up.

    Attributes
    ----------
    open_start, came, closed, open_end : cases; the first two minus the third are the fourth
    due_start, fell_due, held, dropped, backlog : follow-ups waiting at the start, newly due, held, no longer needed as
        the case closed, and waiting at the end
    counted, met : follow-ups due this week that could be met in time, and those that were
    weeks_late : weeks the held ones were late, summed; ``duty_minutes`` what they took
    extra : talks beyond duties held
    passed : cases that passed the horizon, and ``past`` those running past it at the end
    high : recent high-risk cases that came to week 13 still open; ``high_talked`` of them had any talk by then,
        ``high_extra`` one beyond duties
    """

    open_start: Ints
    came: Ints
    closed: Ints
    open_end: Ints
    due_start: Ints
    fell_due: Ints
    held: Ints
    dropped: Ints
    backlog: Ints
    counted: Ints
    met: Ints
    weeks_late: Ints
    duty_minutes: Ints
    extra: Ints
    passed: Ints
    past: Ints
    high: Ints
    high_talked: Ints
    high_extra: Ints


def draw(start: TeamStart, n_runs: int, n_weeks: int, seed: int) -> Draws:
    """Draw arrivals and closings of every run; each run has a stream of its own, whatever other teams and runs do.

    The next weeks bring the cases of the last year again, week by week, each a Poisson number of times with mean 1: the
    register's own rate, mix and season.
    """
    base = draw_seed(seed, "capacity", start.office, start.team)
    parts = []
    order = np.argsort(start.came_week, kind="stable")
    first = np.searchsorted(start.came_week[order], np.arange(start.cycle_weeks + 1))
    for run in range(n_runs):
        rng = np.random.default_rng([base, run])
        until_open = rng.exponential(size=start.n_open)
        rows, came = [np.arange(start.n_open)], [np.full(start.n_open, -1)]
        for week in range(n_weeks):
            here = order[first[week % start.cycle_weeks] : first[week % start.cycle_weeks + 1]]
            again = np.repeat(here, rng.poisson(1.0, len(here)))
            rows.append(start.n_open + again)
            came.append(np.full(len(again), week))
        row = np.concatenate(rows)
        until = np.concatenate([until_open, rng.exponential(size=len(row) - start.n_open)])
        parts.append((np.full(len(row), run), row, np.concatenate(came), until))
    run_of, row, when, until = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Draws(n_runs, n_weeks, run_of, row, when, until)


def simulate(start: TeamStart, draws: Draws, work: Work, effect: float = 1.0) -> Week:
    """Work through the weeks.

    Parameters
    ----------
    effect : float
        What a talk beyond duties multiplies the weekly closing hazard by, from that week to the end of the case.
    """
    n_cases = max(1, len(draws.run) // draws.n_runs)
    block = max(1, _PAIRS_AT_ONCE // n_cases)
    parts = [
        _simulate_runs(start, draws, work, effect, first, min(first + block, draws.n_runs))
        for first in range(0, draws.n_runs, block)
    ]
    return Week(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Week)})


@dataclass
class _Cases:
    """The open cases of some runs, flat: one entry per run and case."""

    run: Ints
    row: Ints
    came: Ints
    left: Floats  # cumulative hazard still to go until it closes
    due: Ints
    is_first: npt.NDArray[np.bool_]  # whether its next follow-up is the first of the case
    is_counted: npt.NDArray[np.bool_]  # whether its next follow-up can be met in time
    talked: Ints
    has_talked: npt.NDArray[np.bool_]
    has_extra: npt.NDArray[np.bool_]

    def keep(self, chosen: npt.NDArray[np.bool_]) -> _Cases:
        return _Cases(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def joined(self, others: _Cases) -> _Cases:
        return _Cases(*(np.concatenate([getattr(self, f.name), getattr(others, f.name)]) for f in fields(self)))


def _simulate_runs(start: TeamStart, draws: Draws, work: Work, effect: float, first: int, last: int) -> Week:
    bounds = np.searchsorted(draws.run, [first, last])
    ours = slice(bounds[0], bounds[1])
    run, row, came, until = draws.run[ours] - first, draws.row[ours], draws.came[ours], draws.until[ours]
    by_week = np.argsort(came, kind="stable")
    cut = np.searchsorted(came[by_week], np.arange(-1, draws.n_weeks + 1))
    n_runs = last - first
    account: dict[str, list[Ints]] = {f.name: [] for f in fields(Week)}
    cases = _entering(start, run, row, came, until, by_week[cut[0] : cut[1]])
    minutes = np.zeros(n_runs)
    for week in range(draws.n_weeks):
        fresh = _entering(start, run, row, came, until, by_week[cut[week + 1] : cut[week + 2]])
        told = {"open_start": _per_run(cases.run, n_runs), "came": _per_run(fresh.run, n_runs)}
        # What was due before today is the backlog the team starts with; afterwards it is what the last week left.
        told["due_start"] = account["backlog"][-1] if week else _per_run(cases.run[cases.due < 0], n_runs)
        cases = cases.joined(fresh)
        talks, minutes = _talks(start, cases, work, week, work.kept_over(minutes) + work.hours * 60)
        told |= talks
        cases, closings = _closings(start, cases, effect, week, n_runs)
        told |= closings
        for name, counts in told.items():
            account[name].append(counts)
    return Week(**{name: np.stack(counts, axis=1) for name, counts in account.items()})


def _entering(
    start: TeamStart, run: Ints, row: Ints, came: Ints, until: Floats, chosen: npt.NDArray[np.int64]
) -> _Cases:
    row, came = row[chosen], came[chosen]
    begins = np.maximum(came, 0)
    due = np.where(start.due_week[row] >= NEVER_DUE, NEVER_DUE, start.due_week[row] + begins)
    never = np.zeros(len(row), dtype=bool)
    return _Cases(
        run=run[chosen],
        row=row,
        came=begins,
        left=until[chosen],
        due=due,
        is_first=start.is_first[row],
        # What fell due before the case came, or before today, nobody here can meet in time.
        is_counted=due >= begins,
        talked=start.talked_week[row],
        has_talked=never,
        has_extra=never.copy(),
    )


def _per_run(run: Ints, n_runs: int, weights: Floats | None = None) -> Ints:
    return np.bincount(run, weights, minlength=n_runs).astype(np.int64)


def _as_far_as(run: Ints, minutes: Floats, takes: Floats, key: Ints) -> npt.NDArray[np.int64]:
    """Positions of the talks held: in each run by a key in 0 ... 2**32 - 1, up to the first that no longer fits.

    Parameters
    ----------
    minutes : (runs,) there are
    takes : (n,) each talk; it is held whole or not at all
    """
    order = np.argsort((run << 32) | key, kind="stable")
    in_order, until = run[order], np.concatenate([[0.0], np.cumsum(takes[order])])
    begins = np.searchsorted(in_order, np.arange(len(minutes)))
    return order[until[1:] - until[begins[in_order]] <= minutes[in_order] + 1e-6]


def _by_due(due: Ints, age: Floats, goes_last: npt.NDArray[np.bool_]) -> Ints:
    """A key that puts earlier due weeks first, of one week the older case, and all that ``goes_last`` behind."""
    days = np.clip(np.round(age * DAYS_PER_WEEK), 0, 0xFFFF).astype(np.int64)
    return (goes_last.astype(np.int64) << 31) | (np.clip(due + 0x4000, 0, 0x7FFF) << 16) | (0xFFFF - days)


def _by_risk(hazard_left: Floats, is_behind: npt.NDArray[np.bool_]) -> Ints:
    """A key that puts the least hazard left up to the horizon first: the highest chance of passing it."""
    # The bits of a float that is not negative rise with it.
    bits = np.maximum(hazard_left, 0.0).astype(np.float32).view(np.int32).astype(np.int64)
    return (is_behind.astype(np.int64) << 31) | bits


def _talks(start: TeamStart, cases: _Cases, work: Work, week: int, minutes: Floats) -> tuple[dict[str, Ints], Floats]:
    """Hold follow-ups, then talks beyond duties, in place; the counts, and the minutes left per run."""
    n_runs = len(minutes)
    age = start.curves.age[cases.row] + (week - cases.came)
    is_due = cases.due <= week
    due = np.flatnonzero(is_due)
    goes_last = (cases.due[due] < week) & work.is_overdue_last
    key = _by_due(cases.due[due], age[due], goes_last)
    takes = work.of_duties(cases.is_first[due], start.may_be_written[cases.row[due]])
    chosen = _as_far_as(cases.run[due], minutes - work.reserved, takes, key)
    held, taken = due[chosen], _per_run(cases.run[due[chosen]], n_runs, takes[chosen])
    now = due[cases.is_counted[due] & (cases.due[due] == week)]
    met = held[cases.is_counted[held] & (cases.due[held] == week)]
    # A case that comes with a follow-up already overdue brings it along as newly due.
    just_came = (cases.came[due] == week) & (cases.row[due] >= start.n_open)
    newly = due[(cases.due[due] == week) | ((cases.due[due] < week) & just_came)]
    n_held = _per_run(cases.run[held], n_runs)
    left = minutes - taken
    told = {
        "fell_due": _per_run(cases.run[newly], n_runs),
        "counted": _per_run(cases.run[now], n_runs),
        "met": _per_run(cases.run[met], n_runs),
        "held": n_held,
        "weeks_late": _per_run(cases.run[held], n_runs, (week - cases.due[held]).astype(np.float64)),
        "duty_minutes": taken,
    }
    cases.due[held] = week + start.repeat_weeks[cases.row[held]]
    cases.is_counted[held], cases.is_first[held] = True, False
    called = _called(start, cases, work, week, left, ~is_due, age)
    cases.talked[held], cases.talked[called] = week, week
    cases.has_talked[held], cases.has_talked[called], cases.has_extra[called] = True, True, True
    n_called = _per_run(cases.run[called], n_runs)
    return told | {"extra": n_called}, left - n_called * work.minutes.risk


def _called(
    start: TeamStart,
    cases: _Cases,
    work: Work,
    week: int,
    minutes: Floats,
    is_free: npt.NDArray[np.bool_],
    age: Floats,
) -> npt.NDArray[np.int64]:
    """Positions of the cases called for risk: scored, not excluded, not talked to of late, highest chance first."""
    has_time = minutes + 1e-6 >= work.minutes.risk
    if not has_time.any():
        return np.empty(0, dtype=np.int64)
    rested = (cases.talked == NEVER_TALKED) | (week - cases.talked >= work.cool_down_weeks)
    can = is_free & rested & start.may_be_called[cases.row] & (age < start.curves.horizon_weeks)
    waiting = np.flatnonzero(can & has_time[cases.run])
    row = cases.row[waiting]
    hazard_left = start.curves.to_horizon[row] - start.curves.steps[row, week - cases.came[waiting]]
    key = _by_risk(hazard_left, age[waiting] > work.first_until_week)
    takes = np.full(len(waiting), float(work.minutes.risk))
    return waiting[_as_far_as(cases.run[waiting], minutes, takes, key)]


def _closings(start: TeamStart, cases: _Cases, effect: float, week: int, n_runs: int) -> tuple[_Cases, dict[str, Ints]]:
    """Let the week pass; the cases that stay, and the counts."""
    curves, so_far = start.curves, week - cases.came
    age = curves.age[cases.row] + so_far
    pace = np.where(cases.has_extra, effect, 1.0)
    done = curves.steps[cases.row, so_far]
    turns = (age < curves.horizon_weeks) & (age + 1 >= curves.horizon_weeks)
    # Held against the hazard up to the very day of the horizon, not to the end of the week it lies in.
    passed = turns & (cases.left > pace * np.maximum(curves.to_horizon[cases.row] - done, 0.0))
    cases.left = cases.left - pace * (curves.steps[cases.row, so_far + 1] - done)
    stays = cases.left > 0
    high = start.is_high[cases.row] & (cases.row >= start.n_open) & stays & (age < REACH_WEEK) & (age + 1 >= REACH_WEEK)
    waits = cases.due <= week
    told = {
        "closed": _per_run(cases.run[~stays], n_runs),
        "open_end": _per_run(cases.run[stays], n_runs),
        "dropped": _per_run(cases.run[waits & ~stays], n_runs),
        "backlog": _per_run(cases.run[waits & stays], n_runs),
        "passed": _per_run(cases.run[passed], n_runs),
        "past": _per_run(cases.run[stays & (age + 1 >= curves.horizon_weeks)], n_runs),
        "high": _per_run(cases.run[high], n_runs),
        "high_talked": _per_run(cases.run[high & cases.has_talked], n_runs),
        "high_extra": _per_run(cases.run[high & cases.has_extra], n_runs),
    }
    return cases.keep(stays), told
