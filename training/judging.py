"""All metrics of one learner on the rows of one landmark, with intervals over persons, in one pass.

The estimates are those of :mod:`models.metrics` (a test holds the two together). They are written again in matrix form
because a backtest asks for hundreds of them with hundreds of draws each: a draw is a row of counts, and every metric is
a few products with that matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import censoring
from models.agreement import fit_logistic, spline
from models.arrays import expit, logit
from models.judged import tie_groups
from risk.weeks import Floats

BY_ERROR = ("calibration_slope", "calibration_intercept")
REFLECTED = ("calibration_ici",)
_WALD = 1.959963984540054
_CLIP = 1e-6


@dataclass(frozen=True)
class Cell:
    """Rows judged together: one origin, one landmark.

    Attributes
    ----------
    at : (m,) int
        Which of the rows handed in can be judged: at risk at the horizon, and of a cohort followed whole.
    outcome, w : (m,) 1 exceeded, 0 not or not known; censoring weight, 0 where not known
    counts : (B, m) how often each row is drawn; the first draw is the sample itself
    person : (m,) int
    """

    at: npt.NDArray[np.int64]
    outcome: Floats
    w: Floats
    counts: Floats
    person: npt.NDArray[np.int64]

    @property
    def n_exceeded(self) -> int:
        """Rows known to have exceeded."""
        return int(((self.w > 0) & (self.outcome > 0)).sum())


def make_cell(
    y: npt.NDArray[np.void],
    entry: Floats,
    started_on: npt.ArrayLike,
    cut_on: object,
    horizon: float,
    person: npt.NDArray[np.int64],
    draws: int,
    seed: int,
) -> Cell:
    """Weigh the rows of one landmark for censoring, inside cohorts of neighbouring opening dates, and draw persons."""
    at = np.flatnonzero((entry < horizon) & censoring.judged_rows(y, horizon, started_on, cut_on))
    started = np.asarray(started_on)[at]
    w = censoring.weights(y[at], horizon, entry[at], started, cut_on=cut_on) if len(at) else np.zeros(0)
    code = np.unique(person[at], return_inverse=True)[1].astype(np.int64)
    outcome = np.nan_to_num(censoring.exceeds(y[at], horizon)) if len(at) else np.zeros(0)
    return Cell(at, outcome, w, draw_counts(code, draws, seed), code)


def draw_counts(code: npt.NDArray[np.int64], draws: int, seed: int) -> Floats:
    """How often each row is drawn when persons are drawn anew, (draws + 1, m); the first row is the sample itself."""
    n = int(code.max()) + 1 if len(code) else 0
    rng = np.random.default_rng(seed)
    out = np.ones((draws + 1, len(code)))
    for b in range(draws if n else 0):
        out[b + 1] = np.bincount(rng.integers(0, n, n), minlength=n)[code]
    return out


def draw_metrics(cell: Cell, p: Floats, p_baseline: Floats, p_rule: Floats, share: float) -> dict[str, Floats]:
    """Every drawn metric, for the sample and each draw, (B,) each.

    Parameters
    ----------
    p : (m,) P(exceeds) by the learner
    p_baseline : (m,) by age of the case alone: what ``brier_skill`` is measured against
    p_rule : (m,) any score of the rule used today: what ``lift_over_rule`` is measured against
    share : share of the rows that a list of today's capacity holds
    """
    o, w, C = cell.outcome, cell.w, cell.counts
    total = C @ w
    with np.errstate(invalid="ignore", divide="ignore"):
        brier = (C @ (w * (o - p) ** 2)) / total
        reference = (C @ (w * (o - p_baseline) ** 2)) / total
        observed, expected = (C @ (w * o)) / total, (C @ (w * p)) / total
        precision, recall = _on_the_list(cell, p, share)
        rule, _ = _on_the_list(cell, p_rule, share)
        return {
            "auc": _auc(cell, p),
            "brier": brier,
            "brier_skill": 1.0 - brier / reference,
            "precision_at_capacity": precision,
            "recall_at_capacity": recall,
            "lift_over_rule": precision / rule,
            "observed": observed,
            "expected": expected,
            "observed_minus_expected": observed - expected,
        }


def _auc(cell: Cell, p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    starts = tie_groups(p[order])
    if not len(starts):
        return np.full(len(cell.counts), np.nan)
    C, o, w = cell.counts[:, order], cell.outcome[order], cell.w[order]
    long = np.add.reduceat(C * (w * o), starts, axis=1)
    short = np.add.reduceat(C * (w * (1 - o)), starts, axis=1)
    below = np.cumsum(short, axis=1) - short
    return np.asarray((long * (below + short / 2)).sum(axis=1) / (long.sum(axis=1) * short.sum(axis=1)))


def _on_the_list(cell: Cell, score: Floats, share: float) -> tuple[Floats, Floats]:
    """Precision and recall of the ``share`` with the highest score in each draw; equal scores share the last places."""
    order = np.argsort(-score, kind="stable")
    starts = tie_groups(-score[order])
    if not len(starts):
        return np.full(len(cell.counts), np.nan), np.full(len(cell.counts), np.nan)
    C, o, w = cell.counts[:, order], cell.outcome[order], cell.w[order]
    places = np.add.reduceat(C, starts, axis=1)
    known = np.add.reduceat(C * w, starts, axis=1)
    long = np.add.reduceat(C * (w * o), starts, axis=1)
    room = share * places.sum(axis=1, keepdims=True) - (np.cumsum(places, axis=1) - places)
    held = np.clip(room / np.where(places > 0, places, 1.0), 0.0, 1.0)
    found = (held * long).sum(axis=1)
    return found / (held * known).sum(axis=1), found / long.sum(axis=1)


def places_held(score: Floats, places: float) -> Floats:
    """Share of each row that is on a list of so many places, (n,) in [0, 1]; equal scores share the last places.

    >>> places_held(np.array([0.9, 0.5, 0.5, 0.1]), 2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    order = np.argsort(-score, kind="stable")
    starts = tie_groups(-score[order])
    held = np.empty(len(score))
    if len(score):
        size = np.diff(np.append(starts, len(score)))
        held[order] = np.repeat(np.clip((places - starts) / size, 0.0, 1.0), size)
    return held


def calibration_errors(cell: Cell, p: Floats) -> tuple[float, float]:
    """Standard errors of calibration slope and intercept over persons (sandwich: the limit of the bootstrap over persons).

    The intercept is the shift at slope 1, as in :func:`models.metrics.calibration`.
    """
    known = cell.w > 0
    o, w, person = cell.outcome[known], cell.w[known], cell.person[known]
    if not len(w) or not 0 < np.average(o, weights=w) < 1:
        return float("nan"), float("nan")
    x = logit(np.clip(p[known], _CLIP, 1 - _CLIP))
    ones = np.ones((len(x), 1))
    shift = float(fit_logistic(ones, o, w, offset=x)[0])
    mu = expit(x + shift)
    by_person = np.bincount(person, weights=w * (o - mu))
    intercept = float(np.sqrt((by_person**2).sum()) / (w * mu * (1 - mu)).sum())
    if np.ptp(x) < 1e-12:
        return float("nan"), intercept
    Z = np.column_stack([ones, x])
    mu = expit(Z @ fit_logistic(Z, o, w))
    bread = np.linalg.inv((Z * (w * mu * (1 - mu))[:, None]).T @ Z)
    scores = np.column_stack([np.bincount(person, weights=w * (o - mu) * z) for z in Z.T])
    return float(np.sqrt((bread @ (scores.T @ scores) @ bread)[1, 1])), intercept


def ici_draws(cell: Cell, p: Floats, ici: float, seed: int) -> Floats:
    """The integrated calibration index followed by one draw of it for each draw of the cell, (B,); nan where undefined.

    The smooth curve of :func:`models.metrics.calibration` is drawn from its sandwich covariance over persons, the limit of
    drawing persons anew, at a small part of the price of fitting it again.
    """
    known, draws = cell.w > 0, len(cell.counts) - 1
    o, w, person = cell.outcome[known], cell.w[known], cell.person[known]
    if not np.isfinite(ici):
        return np.full(draws + 1, np.nan)
    x = logit(np.clip(p[known], _CLIP, 1 - _CLIP))
    if np.ptp(x) < 1e-12:
        return np.concatenate([[ici], np.full(draws, np.nan)])
    Z = np.column_stack([np.ones(len(x)), spline(x, w)])
    theta = fit_logistic(Z, o, w)
    mu = expit(Z @ theta)
    bread = np.linalg.pinv((Z * (w * mu * (1 - mu))[:, None]).T @ Z, hermitian=True)
    scores = np.column_stack([np.bincount(person, weights=w * (o - mu) * z) for z in Z.T])
    root = np.linalg.qr(scores, mode="r") @ bread
    drawn = theta + np.random.default_rng(seed).normal(size=(draws, len(root))) @ root
    curves = expit(Z @ drawn.T)
    return np.concatenate([[ici], (w @ np.abs(curves - p[known][:, None])) / w.sum()])


def list_draws(
    listed: pd.DataFrame, rule: pd.DataFrame, draws: int, seed: int
) -> tuple[dict[str, Floats], dict[str, int]]:
    """Precision, recall and lift of weekly lists over a sample and draws of persons, (B,) each, and ``n``, ``n_exceed``.

    The lists stay as they were; only who is counted is drawn. ``listed`` and ``rule`` are the same cases on the same
    Mondays, each with its own ``held``.
    """
    person = np.unique(listed["person"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    counts = draw_counts(person, draws, seed)
    w, o, p = (listed[c].to_numpy(dtype=np.float64) for c in ("w", "outcome", "p"))
    held, by_rule = listed["held"].to_numpy(dtype=np.float64), rule["held"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        total, long, found = counts @ w, counts @ (w * o), counts @ (held * w * o)
        precision = found / (counts @ (held * w))
        out = {
            "precision_at_capacity": precision,
            "recall_at_capacity": found / long,
            "lift_over_rule": precision / ((counts @ (by_rule * w * o)) / (counts @ (by_rule * w))),
            "observed": long / total,
            "expected": (counts @ (w * p)) / total,
        }
        out["observed_minus_expected"] = out["observed"] - out["expected"]
    return out, {"n": int((w > 0).sum()), "n_exceed": int(((w > 0) & (o > 0)).sum())}


def summary(draws: dict[str, Floats]) -> pd.DataFrame:
    """Estimate and 95 % interval of each metric: ``metric, value, low, high``."""
    return pd.DataFrame([{"metric": m, **mean_of(m, [v])} for m, v in draws.items()])


def mean_of(metric: str, draws: list[Floats]) -> dict[str, float]:
    """Mean over origins of a metric, and its 95 % interval: the origins' draws are independent of each other.

    ``draws`` holds per origin the estimate followed by draws; for slope and intercept, the estimate and its standard error.
    """
    defined = [d for d in draws if np.isfinite(d[0])]
    if not defined:
        return {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    value = float(np.mean([d[0] for d in defined]))
    if metric in BY_ERROR:
        error = float(np.sqrt(sum(d[1] ** 2 for d in defined))) / len(defined)
        return {"value": value, "low": value - _WALD * error, "high": value + _WALD * error}
    drawn = np.mean([d[1:] for d in defined], axis=0)
    inside = drawn[np.isfinite(drawn)]
    if 2 * len(inside) <= len(drawn):
        return {"value": value, "low": float("nan"), "high": float("nan")}
    low, high = np.quantile(inside, [0.025, 0.975])
    if metric in REFLECTED:
        # A mean of distances: noise makes the estimate too large, and its draws too large once more.
        low, high = max(2 * value - high, 0.0), max(2 * value - low, value)
    return {"value": value, "low": float(low), "high": float(high)}
