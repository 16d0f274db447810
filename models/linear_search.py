"""Choosing the penalties of the linear hazard, and which of its terms pay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cho_solve

from models.arrays import FloatArray, IntArray
from models.design import Design, Number
from models.folds import fold_of_group, sample_groups
from models.linear_choice import (
    Choice,
    age_terms_of,
    assemble,
    kinds,
    left_out,
    owning,
    shares,
)
from models.linear_evidence import by_evidence, repeats_of
from models.periods import Periods, Watched, baseline_log_hazard
from models.poisson import Data, Penalty, derivatives, factorise, log_likelihood, maximise
from models.rows import Rows

MARGIN = 1.0  # held-out log-likelihood per row of a person that a further group of terms must gain
DOUBT = 2.0  # standard errors of their gain that penalties by evidence must gain on sets of one row per person


@dataclass(frozen=True)
class Trial:
    """A choice, the held-out log-likelihood of each row, (n,), and its coefficients on all rows of the search."""

    choice: Choice
    of_rows: FloatArray
    theta: FloatArray

    @property
    def held_out(self) -> float:
        return float(self.of_rows.sum())


def search(
    rows: Rows,
    seen: Watched,
    design: Design,
    age: Number | None,
    periods: Periods,
    penalties: Sequence[float],
    ratios: Sequence[float],
    n_changing: int,
    search_rows: int,
    random_state: int,
) -> tuple[Choice, FloatArray | None]:
    """The choice with the best held-out likelihood, found group by group, and coefficients to start from.

    First the penalty of the straight terms, then bends, changing and ageing effects in turn, each kept when it gains
    a margin of held-out log-likelihood, then the penalty once more.
    """
    straight = tuple(np.flatnonzero(~design.bent).tolist())
    every = tuple(range(design.n_terms))
    if len(penalties) == 1:
        bent = Choice(float(penalties[0]), every if ratios else straight, bend=float(ratios[-1]) if ratios else 1.0)
        return bent, None
    bench = _Bench(rows, seen, design, age, periods, search_rows, random_state)
    path = sorted((float(p) for p in penalties), reverse=True)
    best = bench.path(Choice(path[0], straight), path)
    strongest = _strongest(best, straight, periods.count, n_changing)
    groups: list[list[dict[str, Any]]] = []
    if len(every) > len(straight):
        groups.append([{"steady": every, "bend": r} for r in ratios])
    groups.append([{"changing": strongest, "change": r} for r in ratios])
    if age is not None:
        groups.append([{"ageing": strongest, "ageing_ratio": r} for r in ratios])
    for group in groups if ratios else []:
        best = bench.better(best, [bench.trial(replace(best.choice, **change)) for change in group])
    nearby = [p for p in path if p != best.choice.penalty and 0.2 < p / best.choice.penalty < 5]
    best = max(
        [best, *(bench.trial(replace(best.choice, penalty=p), best.theta) for p in nearby)], key=lambda t: t.held_out
    )
    if ratios:
        own = bench.own(best, kinds(design, best.choice, bench.age_terms.shape[1]))
        best = own if own.held_out > best.held_out + bench.doubt(own, best) else best
    return best.choice, best.theta


class _Bench:
    """Held-out likelihoods on one sample of persons and one set of folds."""

    def __init__(
        self,
        rows: Rows,
        seen: Watched,
        design: Design,
        age: Number | None,
        periods: Periods,
        search_rows: int,
        random_state: int,
    ) -> None:
        n_all = len(rows)
        sample = sample_groups(rows.group, search_rows, random_state)
        rows = rows.take(sample)
        self.rows, self.design, self.periods = rows, design, periods
        self.seen = Watched(seen.exposure[sample], seen.closed[sample], seen.period[sample])
        self.terms, self.age_terms = design.terms(rows.matrix), age_terms_of(rows, age)
        self.baseline = baseline_log_hazard(rows, self.seen, periods)
        self.share = shares(rows, self.seen)
        n_folds = 10 if len(rows) < 1000 else 5
        self.fold = fold_of_group(rows.group, n_folds, random_state)
        # A person's rows repeat one another: a unit of likelihood per person is one per row times their number.
        # On a sample of a much larger register a group is not asked to prove itself: what it can learn grows with the
        # rows, what its penalised coefficients cost does not.
        self.margin = MARGIN * len(rows) / len(np.unique(rows.group)) if n_all < 2 * len(rows) else -np.inf

    def trial(self, choice: Choice, start: FloatArray | None = None) -> Trial:
        data, penalty = self._problem(choice)
        theta = maximise(data, penalty, penalty.start if start is None else start, tolerance=1e-6)
        parts = self._parts(data)
        pieces = [derivatives(part, theta) for part in parts]
        return Trial(choice, self._held_out(parts, left_out(pieces, penalty, theta)), theta)

    def own(self, trial: Trial, kind: IntArray) -> Trial:
        """The trial with penalties by evidence; for what is held out they are found without it."""
        choice, theta = trial.choice, trial.theta
        data, penalty = self._problem(choice)
        parts, away = self._parts(data), theta - penalty.start
        pieces = [derivatives(part, theta) for part in parts]
        repeats = repeats_of(data, penalty, theta, self.rows.group)
        second = np.sum([h for _, h in pieces], axis=0)
        towards = np.sum([g for g, _ in pieces], axis=0) + second @ away
        precision = by_evidence(second, towards, penalty.precision, kind, repeats)
        without = []
        for own_gradient, own_second in pieces:
            rest, there = second - own_second, towards - own_gradient - own_second @ away
            found = by_evidence(rest, there, penalty.precision, kind, repeats)
            without.append(penalty.start + cho_solve(factorise(rest + found), there))
        best = penalty.start + cho_solve(factorise(second + precision), towards)
        return Trial(owning(choice, precision, self.periods), self._held_out(parts, without), best)

    def doubt(self, one: Trial, other: Trial) -> float:
        """What one trial must gain on another, in the light of the standard error of its gain over persons.

        On small public sets, where a person is one row, gains below two standard errors were luck as often as not. On made-up registers
        of cases looked at at several ages, whose truth is known, any gain was one; and on a sample of a much larger register, where
        more will be known of each feature, it may be a loss of one standard error.
        """
        _, person = np.unique(self.rows.group, return_inverse=True)
        gain = np.bincount(person, one.of_rows - other.of_rows)
        error = float(np.sqrt(len(gain)) * gain.std())
        if self.margin < 0:
            return -error
        return DOUBT * error if self.share is None else 0.0

    def _parts(self, data: Data) -> list[Data]:
        return [data.take(self.fold == fold) for fold in range(int(self.fold.max()) + 1)]

    def _held_out(self, parts: Sequence[Data], without: Iterable[FloatArray]) -> FloatArray:
        """Log-likelihood of each row by coefficients found without its fold, (n,)."""
        told = np.empty(len(self.fold))
        for fold, (part, theta) in enumerate(zip(parts, without, strict=True)):
            told[self.fold == fold] = log_likelihood(part, theta)
        return told

    def _problem(self, choice: Choice) -> tuple[Data, Penalty]:
        parts = (self.rows.weight, self.seen, self.periods, self.design, choice, self.baseline, self.share)
        return assemble(self.terms, self.age_terms, *parts)

    def path(self, choice: Choice, penalties: Sequence[float]) -> Trial:
        """The best along falling penalties; stops when two in a row were worse."""
        trials: list[Trial] = []
        for penalty in penalties:
            start = trials[-1].theta if trials else None
            trials.append(self.trial(replace(choice, penalty=penalty), start))
            if len(trials) > 2 and max(t.held_out for t in trials[-2:]) < max(t.held_out for t in trials[:-2]):
                break
        return max(trials, key=lambda t: t.held_out)

    def better(self, current: Trial, trials: Sequence[Trial]) -> Trial:
        """The best of the trials where it gains more than the margin on the current one."""
        found = max(trials, key=lambda t: t.held_out)
        return found if found.held_out > current.held_out + self.margin else current


def _strongest(trial: Trial, straight: tuple[int, ...], n_periods: int, n: int) -> tuple[int, ...]:
    """The straight terms with the largest coefficients, ascending by position."""
    size = np.abs(trial.theta[n_periods : n_periods + len(straight)])
    top: IntArray = np.sort(np.argsort(-size, kind="stable")[:n])
    return tuple(int(straight[t]) for t in top)
