r"""Looking for a day since which cases close otherwise than a fitted hazard says, and moving it to what they do now.

A change of law or pace reaches either every case open on that day, whatever its age, or only cases opened from then on.
Effects of features are learned from the whole history, where there are many cases; the level of the hazard is set by
what happened since the change. Candidates are pairs of a day and a kind. Each divides the time that cases were watched
in two, and each part has a level of its own and a rate by period around it:

.. math:: O_k \sim \mathrm{Poisson}(e^b\, r_k\, E_k), \qquad b \sim N(0, \sigma^2), \quad r_k \sim \mathrm{Gamma}(c, c)

``O_k`` closings were seen in period ``k`` and ``E_k`` expected by the learner. This is indirect standardisation (observed
over expected, as in a standardised mortality ratio: Breslow and Day 1987, Statistical Methods in Cancer Research II, chapter
2), drawn to 1 by the priors: rates are gamma-Poisson with a known mean, the level is integrated by Laplace's method.
The evidence for two levels against one (Kass and Raftery 1995, JASA 90:773) must outweigh the number of candidates looked
at. Where it does, the newest part moves the hazard by :math:`b + \log E[r_k \mid O_k]`; where not, nothing moves.

An outcome at week 52 known for whole cohorts says what happened during the year before; these closings say what happens
now (period against cohort analysis: Brenner and Gefeller 1996, Cancer 78:2004).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import gammaln

from models.arrays import FloatArray
from models.periods import Periods, clock_step
from models.rows import Rows

WEEKS_LOOKED_AT = (
    *(4.0, 6.0, 8.0, 10.0, 13.0, 17.0, 21.0, 26.0, 30.0, 34.0, 39.0, 43.0, 47.0, 52.0),
    *(60.0, 69.0, 78.0, 91.0, 104.0, 117.0, 130.0, 156.0, 182.0, 208.0, 260.0),
)
PULL = 10.0  # closings that hold the rate of a period to the level of all
DEVIATION = 0.5  # of the level's prior, on the log scale
ODDS = 19.0  # for some change against none, after odds of 1 before data shared by all candidates: 95 %


@dataclass(frozen=True)
class Change:
    """A change that was found, and what to add to log hazards because of it.

    Attributes
    ----------
    weeks_ago : how long before the day that outcomes are known to
    only_new : whether it holds for cases opened since, not for those open then
    evidence : natural logarithm of the Bayes factor against no change
    newest : (K,) for the cases it holds for, by period
    older : (K,) for the others; empty where it holds for all
    """

    weeks_ago: float
    only_new: bool
    evidence: float
    newest: FloatArray
    older: FloatArray

    def shift(self, entry: FloatArray) -> FloatArray:
        """What to add to the log hazards of cases looked at after ``entry`` weeks, (n, K).

        Whether a case opened before the change is read from its age, as if it were scored on the day that outcomes are
        known to; one scored a month later counts as opened before while it is up to a month too old for that day.
        """
        if not self.only_new:
            return np.broadcast_to(self.newest, (len(entry), len(self.newest)))
        return np.where((entry < self.weeks_ago)[:, None], self.newest, self.older)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "newest": self.newest.tolist(), "older": self.older.tolist()}


def change_from_dict(stored: dict[str, Any] | None) -> Change | None:
    """The opposite of :meth:`Change.to_dict`; None stays None."""
    if stored is None:
        return None
    arrays = {name: np.array(stored[name], dtype=np.float64) for name in ("newest", "older")}
    return Change(**{**stored, **arrays})


def find_change(
    rows: Rows, eta: FloatArray, periods: Periods, age: FloatArray, within: float, known: Change | None = None
) -> Change | None:
    """The change that the closings speak for most; None when they speak for none.

    Parameters
    ----------
    rows : rows watched, in any order; several rows of a case are told by its person and age
    eta : (n, K) their log hazards by the learner
    age : (n,) weeks from opening to the day that outcomes are known to
    within : how many weeks before that day a change is looked for
    known : a change found before, of which only the size is measured again
    """
    days, kinds = [w for w in WEEKS_LOOKED_AT if w <= within], [False, True]
    if known is not None:
        days, kinds = [known.weeks_ago], [known.only_new]
    weeks_ago = np.array(days, dtype=np.float64)
    if not len(weeks_ago):
        return None
    seen = _Seen(rows, eta, periods, age)
    everything = seen.counts(np.zeros(len(age)), np.full(len(age), np.inf))
    one_level = _level(*everything)[0]
    best: Change | None = None
    for only_new in kinds:
        counts = seen.opened_since(weeks_ago) if only_new else seen.since(weeks_ago)
        for weeks, (closed, expected) in zip(weeks_ago, counts, strict=True):
            new, newest = _level(closed, expected)
            old, older = _level(everything[0] - closed, np.maximum(everything[1] - expected, 0.0))
            evidence = new + old - one_level
            if best is None or evidence > best.evidence:
                best = Change(float(weeks), only_new, evidence, newest, older if only_new else np.empty(0))
    assert best is not None
    return best if known is not None or best.evidence > np.log(2 * len(weeks_ago) * ODDS) else None


Counts = tuple[FloatArray, FloatArray]  # closings seen and expected, (K,) each


class _Seen:
    """Closings seen and expected by period, in slices of time; a case is counted once, by its newest row of the moment."""

    def __init__(self, rows: Rows, eta: FloatArray, periods: Periods, age: FloatArray) -> None:
        last = periods.edges[-1]
        until = _until_next_row(rows, age)
        closed = rows.closed & (rows.weeks <= np.minimum(until, last))
        # A closing happened somewhere during its day, see models.periods.watch.
        half = np.maximum(rows.weeks - clock_step(rows) / 2, (rows.entry + rows.weeks) / 2)
        self.stop = np.where(closed, half, np.minimum(np.minimum(rows.weeks, until), last))
        self.start = np.minimum(rows.entry, last)
        self.closing = np.where(closed, rows.weeks, np.inf)
        self.period, self.hazard = periods.index(np.minimum(rows.weeks, last)), np.exp(eta)
        self.periods, self.age = periods, age

    def counts(self, after: FloatArray, until: FloatArray) -> Counts:
        """Inside ``(after, until]``, (n,) weeks from opening."""
        here = np.flatnonzero((self.stop > after) & (self.start < until))
        start, stop = np.maximum(self.start[here], after[here]), np.minimum(self.stop[here], until[here])
        expected = self.periods.exposure(start, np.maximum(start, stop)) * self.hazard[here]
        closing = self.closing[here]
        inside = np.isfinite(closing) & (closing > after[here]) & (closing <= until[here])
        closed = np.bincount(self.period[here][inside], minlength=self.periods.count).astype(np.float64)
        # Sorted sums: the same bytes whatever order the rows came in.
        return closed, np.sort(expected, axis=0).sum(axis=0)

    def since(self, weeks_ago: FloatArray) -> list[Counts]:
        """In the last so many weeks before today, whatever the age of the case; ``weeks_ago`` rises."""
        bounds = np.concatenate([[-np.inf], weeks_ago])
        return _running([self.counts(self.age - far, self.age - near) for near, far in pairwise(bounds)])

    def opened_since(self, weeks_ago: FloatArray) -> list[Counts]:
        """Of the cases opened in the last so many weeks; ``weeks_ago`` rises."""
        group = np.searchsorted(weeks_ago, self.age, side="right")
        never, always = np.full(len(self.age), np.inf), np.zeros(len(self.age))
        return _running([self.counts(np.where(group == g, always, never), never) for g in range(len(weeks_ago))])


def _running(slices: list[Counts]) -> list[Counts]:
    """Sums of each slice and those before it."""
    closed, expected = (np.cumsum([s[i] for s in slices], axis=0) for i in range(2))
    return list(zip(closed, expected, strict=True))


def _until_next_row(rows: Rows, age: FloatArray) -> FloatArray:
    """Weeks at which the next row of the same case begins, (n,); infinite for its last row."""
    order = np.lexsort((rows.entry, age, rows.group))
    group, own_age = rows.group[order], age[order]
    same = (group[1:] == group[:-1]) & (own_age[1:] == own_age[:-1])
    until = np.full(len(order), np.inf)
    until[order[:-1][same]] = rows.entry[order[1:][same]]
    return until


def _level(closed: FloatArray, expected: FloatArray) -> tuple[float, FloatArray]:
    """Log evidence of one level with rates by period around it, up to what all divisions share; and the shift, (K,)."""
    b, information = 0.0, 1.0
    for _ in range(50):
        mean = np.exp(b) * expected
        share = mean / (mean + PULL)
        gradient = float((closed - (closed + PULL) * share).sum()) - b / DEVIATION**2
        information = float(((closed + PULL) * share * (1.0 - share)).sum()) + 1.0 / DEVIATION**2
        step = float(np.clip(gradient / information, -0.5, 0.5))
        b += step
        if abs(step) < 1e-10:
            break
    mean = np.exp(b) * expected
    of_periods = gammaln(closed + PULL) - gammaln(PULL) + PULL * np.log(PULL) - (closed + PULL) * np.log(mean + PULL)
    evidence = float((of_periods + closed * b).sum()) - 0.5 * b**2 / DEVIATION**2
    shift: FloatArray = b + np.log((closed + PULL) / (mean + PULL))
    return evidence - 0.5 * float(np.log(information * DEVIATION**2)), shift
