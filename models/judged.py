"""The rows a metric judges: one door that checks, orders and weights them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models import censoring
from models.censoring import Floats
from risk.errors import CaseDataError, rows_named


@dataclass(frozen=True)
class Judged:
    """Rows at risk of exceeding, in whole cohorts when opening dates are given.

    Attributes
    ----------
    p : array (m,)
        Predicted P(open past the week), or any score that rises with it.
    outcome : array (m,)
        1 exceeded, 0 closed by then; 0 where unknown, which then has no weight.
    w : array (m,)
        Censoring weight times sample weight; 0 where the outcome is unknown.
    places : array (m,)
        How many places of a list the row takes: its sample weight, known or not.
    """

    p: Floats
    outcome: Floats
    w: Floats
    places: Floats

    @property
    def prevalence(self) -> float:
        """Estimated share that exceeds; nan when nothing is known."""
        total = self.w.sum()
        return float((self.w * self.outcome).sum() / total) if total > 0 else float("nan")


def judge(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    week: float,
    *,
    entry: npt.ArrayLike | None = None,
    opened: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    cut_on: Any = None,
    probability: bool = False,
) -> Judged:
    """Check the arguments every metric takes, and keep the rows that can be judged at ``week``.

    Raises
    ------
    CaseDataError
        When shapes differ, a value is missing or negative, or ``probability`` is asked for and p leaves [0, 1].
    """
    _, weeks, start = censoring.check_outcomes(y, entry)
    n = len(weeks)
    score = check_score(p, n, probability)
    m = np.ones(n) if sample_weight is None else not_negative(sample_weight, n, "sample_weight")
    keep = (start < week) & (m > 0) & censoring.judged_rows(y, week, opened, cut_on)
    if weights is None:
        ipcw = censoring.weights(y, week, entry, opened, cut_on=cut_on, sample_weight=sample_weight)
    else:
        ipcw = not_negative(weights, n, "weights")
    outcome = censoring.exceeds(y, week)
    w = np.where(np.isfinite(outcome), ipcw * m, 0.0)
    return Judged(score[keep], np.nan_to_num(outcome)[keep], w[keep], m[keep])


def ranked_auc(p: Floats, w_long: Floats, w_short: Floats) -> float:
    """Weighted P(a long row has a higher p than a short one), ties half; nan when either side has no weight."""
    if not (w_long.sum() > 0 and w_short.sum() > 0):
        return float("nan")
    order = np.argsort(p, kind="stable")
    starts = tie_groups(p[order])
    long = np.add.reduceat(w_long[order], starts)
    short = np.add.reduceat(w_short[order], starts)
    below = np.cumsum(short) - short
    return float((long * (below + short / 2)).sum() / (long.sum() * short.sum()))


def check_score(p: npt.ArrayLike, n: int, probability: bool) -> Floats:
    """A score (n,), within [0, 1] when it must be a probability."""
    score = np.asarray(p, dtype=np.float64)
    if score.shape != (n,):
        raise CaseDataError(f"p has shape {score.shape}, expected ({n},): one prediction per row")
    bad = ~np.isfinite(score) | (probability & ((score < 0) | (score > 1)))
    if bad.any():
        wish = "lie between 0 and 1" if probability else "be finite"
        raise CaseDataError(f"p must {wish}: {rows_named(np.flatnonzero(bad).tolist())}")
    return score


def not_negative(values: npt.ArrayLike, n: int, name: str) -> Floats:
    """A finite column (n,) of numbers that are at least 0."""
    column = censoring.check_column(values, n, name)
    if (column < 0).any():
        raise CaseDataError(f"{name} must be at least 0: {rows_named(np.flatnonzero(column < 0).tolist())}")
    return column


def tie_groups(sorted_scores: Floats) -> npt.NDArray[np.intp]:
    """Where each run of equal scores starts, in sorted scores (n,)."""
    return np.flatnonzero(np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])[: len(sorted_scores)])
