"""What the weeks say at one caseload norm: shares and hours with the range over runs, and how long a follow-up may take."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from risk.capacity.simulation import Draws, Week, Work, simulate
from risk.capacity.start import NEVER_DUE, TeamStart
from risk.errors import ConfigError
from risk.policy import Policy
from risk.weeks import DAYS_PER_WEEK, Floats

RANGE = (2.5, 97.5)  # the middle 95 of 100 runs


@dataclass(frozen=True)
class Measure:
    """A number and the range that holds 95 of 100 runs; nan where the weeks say nothing of it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, runs: npt.NDArray[np.floating]) -> Measure:
        """Mean and range over runs; runs that say nothing (nan) are left out.

        >>> Measure.of(np.array([1.0, 3.0, np.nan]))
        Measure(value=2.0, low=1.05, high=2.95)
        """
        told = runs[~np.isnan(runs)]
        if not len(told):
            return cls(float("nan"), float("nan"), float("nan"))
        low, high = np.percentile(told, RANGE)
        return cls(float(told.mean()), float(low), float(high))


@dataclass(frozen=True)
class NormResult:
    """What a caseload norm brings.

    Attributes
    ----------
    norm : float, open cases per worker when the weeks begin
    n_workers : float
    effect : float, what a talk beyond duties multiplies the closing hazard by
    timeliness : share of the follow-ups that fell due and were held in the week they were due
    weeks_late : mean weeks a held follow-up was late
    reached, reached_extra : share of the recent high-risk cases that came to week 13 open and had any talk, or one
        beyond duties
    passed : cases that pass the horizon during the weeks
    past : cases running past it at the end, and ``past_share`` of the running cases
    duty_hours, risk_hours, free_hours : per worker and week
    backlog : follow-ups waiting at the end of the last week
    caseload : open cases per worker, mean over the weeks
    by_week : dict of (weeks,) arrays: ``timeliness``, ``low``, ``high``, ``backlog``
    """

    norm: float
    n_workers: float
    effect: float
    timeliness: Measure
    weeks_late: Measure
    reached: Measure
    reached_extra: Measure
    passed: Measure
    past: Measure
    past_share: Measure
    duty_hours: Measure
    risk_hours: Measure
    free_hours: Measure
    backlog: Measure
    caseload: Measure
    by_week: dict[str, Floats]


def hours_per_worker(policy: Policy) -> float:
    """Hours of talks a worker holds in a week, by the policy's capacity; a place is as long as a follow-up."""
    capacity = policy.capacity
    return capacity.per_worker * (1.0 if capacity.unit == "hours" else capacity.minutes.follow_up / 60)


def work_of(start: TeamStart, norm: float, policy: Policy, hours: float, *, is_overdue_last: bool = False) -> Work:
    """A team's week at a caseload norm.

    Raises
    ------
    ConfigError
        When the norm or the hours are not above 0.
    """
    if not norm > 0 or not np.isfinite(norm):
        raise ConfigError(f"a caseload norm of {norm:g} cases per worker cannot be; give a number above 0")
    if not hours > 0:
        raise ConfigError(f"{hours:g} hours of talks per worker cannot be simulated; give a number above 0")
    return Work(
        hours=start.n_open / norm * hours,
        minutes=policy.capacity.minutes,
        reserve=policy.capacity.reserve,
        cool_down_weeks=-(-policy.order.cool_down_days // DAYS_PER_WEEK),
        first_until_week=policy.order.first_until_week,
        is_overdue_last=is_overdue_last,
    )


def summed(weeks: Sequence[Week]) -> Week:
    """The accounts of several teams, added run by run."""
    return Week(**{f.name: np.sum([getattr(w, f.name) for w in weeks], axis=0) for f in fields(Week)})


def outcome_at(
    starts: Sequence[TeamStart],
    draws: Sequence[Draws],
    norm: float,
    policy: Policy,
    hours: float,
    effect: float = 1.0,
    *,
    is_overdue_last: bool = False,
) -> tuple[NormResult, list[Week]]:
    """Simulate every team at a norm: the office as a whole, and each team's account.

    Raises
    ------
    ConfigError
        When the norm or the hours are not above 0.
    """
    accounts = []
    for start, chance in zip(starts, draws, strict=True):
        accounts.append(
            simulate(start, chance, work_of(start, norm, policy, hours, is_overdue_last=is_overdue_last), effect)
        )
    n_workers = sum(s.n_open for s in starts) / norm
    return result(summed(accounts), norm, n_workers, policy, hours, effect), accounts


def result(week: Week, norm: float, n_workers: float, policy: Policy, hours: float, effect: float) -> NormResult:
    """Turn an account into shares, hours and ranges."""
    duty = week.duty_minutes / 60 / n_workers
    risk = week.extra * (policy.capacity.minutes.risk / 60) / n_workers
    counted, met = week.counted.sum(axis=0), week.met.sum(axis=0)
    weekly = share(week.met, week.counted)
    with np.errstate(invalid="ignore"):
        low, high = (np.array([_percentile(c, q) for c in weekly.T]) for q in RANGE)
    return NormResult(
        norm=norm,
        n_workers=n_workers,
        effect=effect,
        timeliness=Measure.of(share(week.met.sum(axis=1), week.counted.sum(axis=1))),
        weeks_late=Measure.of(share(week.weeks_late.sum(axis=1), week.held.sum(axis=1))),
        reached=Measure.of(share(week.high_talked.sum(axis=1), week.high.sum(axis=1))),
        reached_extra=Measure.of(share(week.high_extra.sum(axis=1), week.high.sum(axis=1))),
        passed=Measure.of(week.passed.sum(axis=1).astype(np.float64)),
        past=Measure.of(week.past[:, -1].astype(np.float64)),
        past_share=Measure.of(share(week.past[:, -1], week.open_end[:, -1])),
        duty_hours=Measure.of(duty.mean(axis=1)),
        risk_hours=Measure.of(risk.mean(axis=1)),
        free_hours=Measure.of(hours - duty.mean(axis=1) - risk.mean(axis=1)),
        backlog=Measure.of(week.backlog[:, -1].astype(np.float64)),
        caseload=Measure.of(week.open_start.mean(axis=1) / n_workers),
        by_week={
            "timeliness": share(met, counted),
            "low": low,
            "high": high,
            "backlog": week.backlog.mean(axis=0),
        },
    )


def share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Floats:
    """Part of the whole, nan where the whole is 0.

    >>> share(np.array([1, 0]), np.array([4, 0]))
    array([0.25,  nan])
    """
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def longest_talk(
    starts: Sequence[TeamStart],
    draws: Sequence[Draws],
    norm: float,
    policy: Policy,
    hours: float,
    at_least: float,
) -> int | None:
    """The most minutes a follow-up of any kind may take (5 to 240, to the minute) for mean timeliness to stay at ``at_least``.

    This is what a rise in caseload costs when timeliness is kept at any price. None when five minutes are too many, or
    nothing falls due.
    """
    low, high = 4, 240
    while low < high:
        middle = (low + high + 1) // 2
        policy_at = with_minutes(policy, first_interview=middle, follow_up=middle, written=middle)
        accounts = [simulate(s, d, work_of(s, norm, policy_at, hours)) for s, d in zip(starts, draws, strict=True)]
        both = summed(accounts)
        kept = float(share(both.met.sum(), both.counted.sum()))
        if np.isnan(kept):
            return None
        low, high = (middle, high) if kept >= at_least else (low, middle - 1)
    return low if low >= 5 else None


def with_minutes(policy: Policy, **minutes: int) -> Policy:
    """The same policy with other lengths of talks."""
    capacity = policy.capacity
    changed = capacity.minutes.model_copy(update=minutes)
    return policy.model_copy(update={"capacity": capacity.model_copy(update={"minutes": changed})})


def first_runs(draws: Draws, n_runs: int) -> Draws:
    """The first so many runs of the same draws."""
    here = draws.run < n_runs
    return dataclasses.replace(
        draws, n_runs=min(n_runs, draws.n_runs), run=draws.run[here], row=draws.row[here], came=draws.came[here],
        until=draws.until[here],
    )  # fmt: skip


def asked_per_worker(starts: Sequence[TeamStart], norm: float, work: Work) -> tuple[float, float]:
    """Follow-ups the rules ask of a worker in a week when none is late and every open case has its turn; their hours."""
    n, hours = 0.0, 0.0
    for s in starts:
        here = s.due_week[: s.n_open] < NEVER_DUE
        often = (1.0 / s.repeat_weeks[: s.n_open])[here]
        takes = work.of_duties(np.zeros(len(often), dtype=bool), s.may_be_written[: s.n_open][here])
        n, hours = n + float(often.sum()), hours + float(often @ takes) / 60
    per_worker = norm / sum(s.n_open for s in starts)
    return n * per_worker, hours * per_worker


def _percentile(values: Floats, q: float) -> float:
    told = values[~np.isnan(values)]
    return float(np.percentile(told, q)) if len(told) else float("nan")
