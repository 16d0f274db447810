"""Everything the simulation takes for granted, each with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.capacity.results import hours_per_worker
from risk.capacity.start import TeamStart
from risk.policy import Policy, RuleSet

OURS = "our assumption"
TRIALS = (0.80, 1.12, 1.51)
TRIALS_SOURCE = (
    "Danish trials of intensified case management, three municipalities (Poulsen 2014, Scand J Work Environ Health 40:47): "
    "hazard ratios of recovery 1.51 (significant), 1.12 and 0.80 (not significant); for self-support one arm did harm (0.72)"
)


@dataclass(frozen=True)
class Assumption:
    """What is assumed, its value, and its source."""

    what: str
    value: str
    source: str


def assumptions(
    starts: Sequence[TeamStart], policy: Policy, rules: RuleSet, hours: float | None, model_version: str
) -> list[Assumption]:
    """The assumptions of a run; ``hours`` when the user gave hours per worker instead of the policy."""
    capacity, mine = policy.capacity, f"policy {policy.version}"
    basis = "as the source says" if rules.basis == "law" else "an office setting that nobody checked against the law"
    n_open = sum(s.n_open for s in starts)
    n_came, weeks = sum(len(s.came_week) for s in starts), starts[0].cycle_weeks
    n_unscored = sum(s.n_unscored for s in starts)
    many = _repeats(starts)
    minutes = capacity.minutes
    written = sum(int(s.may_be_written[: s.n_open].sum()) for s in starts) / n_open
    out = [
        Assumption(
            "workers",
            "open cases on the first day over the norm, parts of a worker included; they stay the same while cases come "
            "and go, and do not help another team",
            OURS,
        ),
        Assumption(
            "hours of talks per worker and week",
            f"{hours if hours is not None else hours_per_worker(policy):g}",
            "given on the command line" if hours is not None else f"{mine}, capacity.per_worker: an office setting",
        ),
        Assumption(
            "minutes of a follow-up",
            f"{minutes.first_interview} the first, {minutes.follow_up} a later one, at most {minutes.written} where the rules "
            f"accept it in writing ({100 * written:.0f} % of the open cases); the same at every norm",
            f"{mine}, office settings; that what may be written is written is {OURS}",
        ),
        Assumption("minutes of a talk beyond duties", f"{minutes.risk}", f"{mine}, an office setting"),
        Assumption(
            "follow-up rules",
            f"{rules.name}: "
            + ("no duty" if rules.first_weeks is None else f"first by week {rules.first_weeks}, then {many}"),
            f"{rules.source[1]}; {basis}",
        ),
        Assumption(
            "order of work",
            "duties before risk, earliest due first, overdue ones before all; then the highest chance of passing the "
            f"horizon, cases past week {policy.order.first_until_week:g} behind the younger, nobody within "
            f"{policy.order.cool_down_days} days of a talk",
            f"{mine}; milestones, the audit places, cases about to close, an order by cost and a team's own capacity "
            f"in the policy are left out: {OURS}",
        ),
        Assumption(
            "how long cases last",
            f"the curves of model {model_version}, as known on the first day; a score moves with age alone, as no new facts come",
            "the model; its gates and calibration stand in its training report",
        ),
        Assumption(
            "new cases",
            f"those of the last {weeks} weeks come again, {n_came / weeks:.1f} a week, each a Poisson number of times "
            "with mean 1, in its week of the year",
            f"the register; that next year is like the last is {OURS}",
        ),
        Assumption("effect of a talk", "none, unless --effect is given", f"not known. {TRIALS_SOURCE}"),
        Assumption(
            "a high-risk case",
            f"among the {100 * policy.bands.most_share:.0f} % of the register's recent cases with the highest score at registration",
            f"{mine}, bands.most_share",
        ),
        Assumption(
            "not simulated",
            "cases that move away, talks that fail, illness and holidays of workers, work other than talks",
            OURS,
        ),
    ]
    if n_unscored:
        out.append(
            Assumption(
                "cases without a score",
                f"{n_unscored:,} of {n_open:,} open cases: they last as the scored case nearest in age and are never called for risk",
                OURS,
            )
        )
    return out


def _repeats(starts: Sequence[TeamStart]) -> str:
    """How often follow-ups come, in words, with the share of the open cases where it differs."""
    every = np.concatenate([s.repeat_weeks[: s.n_open] for s in starts])
    weeks, n = np.unique(every, return_counts=True)
    if len(weeks) == 1:
        return f"every {weeks[0]} weeks"
    return ", ".join(
        f"every {w} weeks ({100 * c / len(every):.0f} % of the open cases)" for w, c in zip(weeks, n, strict=True)
    )
