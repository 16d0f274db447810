"""Is the simulation to be believed? It is held against the register's own weeks and against Copenhagen in 2008."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from risk.capacity.results import asked_per_worker, share, summed, with_minutes, work_of
from risk.capacity.simulation import Draws, Week, simulate
from risk.capacity.start import RECENT_WEEKS, TeamStart
from risk.policy import Policy, RuleSet

COPENHAGEN_NORM, COPENHAGEN_DAY, COPENHAGEN_TIMELINESS = 90, date(2008, 6, 1), (0.90, 0.95)
WRITTEN_MINUTES = 15  # our assumption: to read an answer and note it in the file; no source gives it
COPENHAGEN_SOURCE = "Copenhagen's answer on caseload norm and timeliness: about 90-95 % from early summer 2008"


def with_rules(policy: Policy, rules: RuleSet) -> Policy:
    """The same policy with one rule set in force on every day."""
    always = rules.model_copy(update={"valid_from": date(1900, 1, 1), "valid_until": None})
    return policy.model_copy(update={"rules": (always,)})


@dataclass(frozen=True)
class AtNinety:
    """Ninety cases a worker under one rule set: what is asked of a worker, and what comes of it.

    ``asked`` are follow-ups per worker and week and ``asked_hours`` their hours, of which there are ``hours``;
    ``timeliness`` is the mean over runs, nan without duties; ``timeliness_written`` is the same if every follow-up that
    the rules let an office hold in writing took :data:`WRITTEN_MINUTES`.
    """

    rules: RuleSet
    asked: float
    asked_hours: float
    hours: float
    timeliness: float
    timeliness_written: float


def at_ninety(
    starts: Sequence[TeamStart], draws: Sequence[Draws], policy: Policy, rules: RuleSet, hours: float
) -> AtNinety:
    """Simulate Copenhagen's caseload with these teams."""
    shorter = with_minutes(policy, written=min(WRITTEN_MINUTES, policy.capacity.minutes.written))
    plain, written = (_timeliness(starts, draws, p, hours) for p in (policy, shorter))
    asked, asked_hours = asked_per_worker(starts, COPENHAGEN_NORM, work_of(starts[0], COPENHAGEN_NORM, policy, hours))
    return AtNinety(rules, asked, asked_hours, hours, plain, written)


def _timeliness(starts: Sequence[TeamStart], draws: Sequence[Draws], policy: Policy, hours: float) -> float:
    week = summed(
        [simulate(s, d, work_of(s, COPENHAGEN_NORM, policy, hours)) for s, d in zip(starts, draws, strict=True)]
    )
    return float(share(week.met.sum(), week.counted.sum()))


@dataclass(frozen=True)
class OwnWeeks:
    """The register's last 13 weeks beside the first simulated ones: closings per week, and timeliness achieved."""

    closed_register: float
    closed_simulated: float
    closed_low: float
    closed_high: float
    timeliness_register: float


def own_weeks(starts: Sequence[TeamStart], week: Week) -> OwnWeeks:
    """Hold the simulated closings against those the register saw; the range holds 95 of 100 runs."""
    closed = week.closed[:, :RECENT_WEEKS].mean(axis=1)
    low, high = np.percentile(closed, (2.5, 97.5))
    fell_due = sum(s.n_fell_due for s in starts)
    return OwnWeeks(
        sum(s.n_closed_recently for s in starts) / RECENT_WEEKS,
        float(closed.mean()),
        float(low),
        float(high),
        sum(s.n_met for s in starts) / fell_due if fell_due else float("nan"),
    )
