"""A study of caseloads: the same weeks at every norm, what a talk might do, and whether it is to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from risk.capacity import Draws, NormResult, TeamStart, Week, draw, hours_per_worker, outcome_at, take_start
from risk.capacity.assumptions import Assumption, assumptions
from risk.capacity.plausible import (
    COPENHAGEN_DAY,
    COPENHAGEN_TIMELINESS,
    AtNinety,
    OwnWeeks,
    at_ninety,
    own_weeks,
    with_rules,
)
from risk.capacity.results import Measure, first_runs, longest_talk, summed
from risk.capacity.start import team_names
from risk.errors import ConfigError
from risk.policy import Policy, RuleSet
from risk.register import Register
from risk.scoring import ScoringModel

_SEARCH_RUNS = 25  # enough for a mean to the percent; the search asks six to eight times


@dataclass(frozen=True)
class Question:
    """What is asked: see ``risk capacity --help``."""

    as_of: date
    norms: tuple[float, ...] = (45.0, 75.0, 90.0)
    n_weeks: int = 52
    n_runs: int = 200
    seed: int = 1
    team: str | None = None
    effect: tuple[float, float] | None = None
    hours: float | None = None
    rules_of: date | None = None

    def check(self) -> None:
        """Refuse what cannot be simulated, before anything is read.

        Raises
        ------
        ConfigError
            When a norm, the hours or the effect is not above 0, or the effect's ends are turned round.
        """
        for what, value in [("norm", n) for n in self.norms] + [("hours", h) for h in (self.hours,) if h is not None]:
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"--{what} {value:g} cannot be simulated; give a number above 0")
        if self.effect is not None and not 0 < self.effect[0] <= self.effect[1] < np.inf:
            raise ConfigError(
                f"--effect {self.effect[0]:g} {self.effect[1]:g} is no range of hazard ratios; give LOW and HIGH above 0, "
                "e.g. 0.80 1.51"
            )


@dataclass(frozen=True)
class AtNorm:
    """One norm: the result without effect, the same when overdue follow-ups wait, with the low and high effect, per team.

    ``longest_minutes`` is the most a follow-up may take for timeliness to reach Copenhagen's 90 %; None when 5 are too many.
    """

    result: NormResult
    overdue_last: NormResult
    with_effect: tuple[NormResult, ...]
    teams: dict[str, Measure]
    longest_minutes: int | None


@dataclass(frozen=True)
class Study:
    """Everything a page says."""

    question: Question
    hours: float
    rules: RuleSet
    policy: Policy
    starts: Sequence[TeamStart]
    norms: tuple[AtNorm, ...]
    own: OwnWeeks
    ninety: tuple[AtNinety, ...]
    passed_by_curves: float
    assumptions: tuple[Assumption, ...]
    model_version: str
    is_synthetic: bool

    @property
    def n_open(self) -> int:
        return sum(s.n_open for s in self.starts)

    @property
    def n_past(self) -> int:
        """Open cases past the horizon on the first day."""
        return sum(int((s.curves.age[: s.n_open] >= s.curves.horizon_weeks).sum()) for s in self.starts)

    @property
    def horizon(self) -> int:
        return self.starts[0].curves.horizon_weeks


def study(register: Register, model: ScoringModel, policy: Policy, question: Question) -> Study:
    """Simulate.

    Raises
    ------
    AsOfError, ConfigError, TooFewCasesError
        See :meth:`Question.check` and :func:`risk.capacity.take_start`.
    """
    question.check()
    rules = policy.rules_on(question.rules_of or question.as_of)
    under = with_rules(policy, rules)
    starts, draws = _ready(register, model, under, question)
    hours = question.hours or hours_per_worker(policy)
    norms: list[AtNorm] = []
    weeks: list[Week] = []
    for norm in question.norms:
        found, accounts = _at_norm(starts, draws, norm, under, hours, question.effect)
        norms.append(found)
        weeks = accounts  # without effect, cases come and close alike at every norm
    few = [first_runs(d, _SEARCH_RUNS) for d in draws]
    ninety = [at_ninety(starts, few, under, rules, hours)]
    then = policy.rules_on(COPENHAGEN_DAY)
    if then.name != rules.name:
        before = with_rules(policy, then)
        fewer = replace(question, n_runs=min(question.n_runs, _SEARCH_RUNS))
        ninety.append(at_ninety(*_ready(register, model, before, fewer), before, then, hours))
    return Study(
        question=question,
        hours=hours,
        rules=rules,
        policy=policy,
        starts=starts,
        norms=tuple(norms),
        own=own_weeks(starts, summed(weeks)),
        ninety=tuple(ninety),
        passed_by_curves=_passed_by_curves(starts, question.n_weeks),
        assumptions=tuple(assumptions(starts, policy, rules, question.hours, model.version)),
        model_version=model.version,
        is_synthetic=register.is_synthetic,
    )


def _ready(
    register: Register, model: ScoringModel, policy: Policy, question: Question
) -> tuple[list[TeamStart], list[Draws]]:
    starts = take_start(register, question.as_of, model, policy, question.n_weeks, team=question.team)
    return starts, [draw(s, question.n_runs, question.n_weeks, question.seed) for s in starts]


def _at_norm(
    starts: Sequence[TeamStart],
    draws: Sequence[Draws],
    norm: float,
    policy: Policy,
    hours: float,
    effect: tuple[float, float] | None,
) -> tuple[AtNorm, list[Week]]:
    plain, accounts = outcome_at(starts, draws, norm, policy, hours)
    other, _ = outcome_at(starts, draws, norm, policy, hours, is_overdue_last=True)
    teams = {
        name: Measure.of(np.where((n := a.counted.sum(axis=1)) > 0, a.met.sum(axis=1) / np.maximum(n, 1), np.nan))
        for name, a in zip(team_names(starts), accounts, strict=True)
    }
    few = [first_runs(d, _SEARCH_RUNS) for d in draws]
    found = AtNorm(
        result=plain,
        overdue_last=other,
        with_effect=tuple(outcome_at(starts, draws, norm, policy, hours, e)[0] for e in effect or ()),
        teams=teams,
        longest_minutes=longest_talk(starts, few, norm, policy, hours, COPENHAGEN_TIMELINESS[0]),
    )
    return found, accounts


def _passed_by_curves(starts: Sequence[TeamStart], n_weeks: int) -> float:
    """Of the cases open today, how many the curves alone expect past the horizon within the weeks."""
    total = 0.0
    for s in starts:
        age = s.curves.age[: s.n_open]
        turns = (age < s.curves.horizon_weeks) & (age + n_weeks >= s.curves.horizon_weeks)
        total += float(s.curves.p_exceed[: s.n_open][turns].sum())
    return total
