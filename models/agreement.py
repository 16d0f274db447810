"""Calibration as a measurement: does p mean what it says? (``models.calibration`` is the remedy.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from models.censoring import Floats
from models.judged import Judged, judge

_CLIP = 1e-6  # log-odds of 0 and 1 are infinite; p closer than this to either is taken as this close
_WALD = 1.959963984540054
NUMBERS = ("observed_minus_expected", "intercept", "slope", "ici")


@dataclass(frozen=True)
class Calibration:
    """How far predicted and observed shares are apart.

    Attributes
    ----------
    observed, expected : float
        Censoring-weighted share that exceeds, and mean p on the same weights.
    intercept : float
        Calibration-in-the-large on the log-odds: the shift that makes expected equal observed (slope kept at 1); 0 is perfect.
    slope : float
        Logistic slope of the outcome on the log-odds of p; 1 is perfect, below 1 too extreme (Cox 1958).
    ici : float
        Integrated calibration index: mean distance between p and a smooth curve of what is observed (Austin and Steyerberg
        2019), the curve a natural cubic spline of the log-odds. Sampling noise alone makes it larger than 0.
    table : DataFrame
        One row per bin of p: n (rows), n_known, p_mean, observed, low, high (95 %, Wilson on the effective number of rows).
    """

    observed: float
    expected: float
    intercept: float
    slope: float
    ici: float
    table: pd.DataFrame

    @property
    def observed_minus_expected(self) -> float:
        """Probability that p misses on average; above 0 when too few were expected."""
        return self.observed - self.expected


def calibration(y: npt.ArrayLike, p: npt.ArrayLike, week: float, *, bins: int = 10, **judging: Any) -> Calibration:
    """Observed against predicted shares at ``week``, with censoring weights.

    Parameters
    ----------
    bins : int
        Bins of the table, of about equal size in rows; equal p are never split.
    judging
        As everywhere in ``models.metrics``.

    Returns
    -------
    Calibration; intercept, slope and ici are nan without both kinds of outcome, slope also when all p are equal.

    Raises
    ------
    CaseDataError
        When shapes differ or p leaves [0, 1].
    """
    rows = judge(y, p, week, probability=True, **judging)
    observed, expected, intercept, slope, ici = _measure(rows)
    return Calibration(observed, expected, intercept, slope, ici, _table(rows, bins))


def calibration_numbers(y: npt.ArrayLike, p: npt.ArrayLike, week: float, **judging: Any) -> Floats:
    """Observed minus expected, intercept, slope and ICI, (4,): the form ``metrics.interval`` takes."""
    observed, expected, *others = _measure(judge(y, p, week, probability=True, **judging))
    return np.array([observed - expected, *others])


def _measure(rows: Judged) -> tuple[float, float, float, float, float]:
    known = rows.w > 0
    p, outcome, w = rows.p[known], rows.outcome[known], rows.w[known]
    nan = float("nan")
    if not len(w):
        return nan, nan, nan, nan, nan
    observed, expected = float(np.average(outcome, weights=w)), float(np.average(p, weights=w))
    if not 0 < observed < 1:
        return observed, expected, nan, nan, nan
    x = logit(np.clip(p, _CLIP, 1 - _CLIP))
    ones = np.ones((len(x), 1))
    intercept = float(fit_logistic(ones, outcome, w, offset=x)[0])
    if np.ptp(x) < 1e-12:
        return observed, expected, intercept, nan, abs(observed - expected)
    slope = float(fit_logistic(np.column_stack([ones, x]), outcome, w)[1])
    curve = np.column_stack([ones, spline(x, w)])
    smooth = expit(curve @ fit_logistic(curve, outcome, w))
    return observed, expected, intercept, slope, float(np.average(np.abs(smooth - p), weights=w))


def fit_logistic(Z: Floats, outcome: Floats, w: Floats, offset: Floats | float = 0.0) -> Floats:
    """Weighted logistic regression by Newton steps, coefficients (k,).

    A ridge of a millionth of the information keeps separated outcomes finite (large, not infinite).
    """
    theta = np.zeros(Z.shape[1])
    for _ in range(60):
        mu = expit(Z @ theta + offset)
        information = (Z * (w * mu * (1 - mu))[:, None]).T @ Z
        ridge = 1e-6 * (Z * (w / 4)[:, None] * Z).sum(axis=0)
        step = np.linalg.solve(information + np.diag(ridge), Z.T @ (w * (outcome - mu)) - ridge * theta)
        step *= min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        theta = theta + step
        if np.abs(step).max() < 1e-10:
            break
    return theta


def spline(x: Floats, w: Floats) -> Floats:
    """Natural cubic spline of x with knots at the weighted 5, 35, 65 and 95 % points (Harrell 2015, 2.4.6), (n, 1 to 3)."""
    order = np.argsort(x, kind="stable")
    share = np.cumsum(w[order]) / w.sum()
    knots = np.unique(x[order][np.minimum(np.searchsorted(share, [0.05, 0.35, 0.65, 0.95]), len(x) - 1)])
    if len(knots) < 3:
        return x[:, None]
    scale = (knots[-1] - knots[0]) ** 2
    last, before = knots[-1], knots[-2]
    columns = [x]
    for knot in knots[:-2]:
        near = np.maximum(x - knot, 0) ** 3
        end = np.maximum(x - before, 0) ** 3 * (last - knot) - np.maximum(x - last, 0) ** 3 * (before - knot)
        columns.append((near - end / (last - before)) / scale)
    return np.column_stack(columns)


def _table(rows: Judged, bins: int) -> pd.DataFrame:
    names = ["n", "n_known", "p_mean", "observed", "low", "high"]
    if not len(rows.p):
        return pd.DataFrame(columns=names, dtype=np.float64)
    order = np.argsort(rows.p, kind="stable")
    share = np.cumsum(rows.places[order]) / rows.places.sum()
    edges = np.unique(rows.p[order][np.searchsorted(share, np.arange(1, bins) / bins - 1e-12)])
    code = np.unique(np.searchsorted(edges, rows.p, side="left"), return_inverse=True)[1]

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.bincount(code, weights=values).astype(np.float64)

    known, squares = total(rows.w), total(rows.w**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        p_mean, observed = total(rows.w * rows.p) / known, total(rows.w * rows.outcome) / known
        effective = known**2 / squares
        centre = (observed + _WALD**2 / (2 * effective)) / (1 + _WALD**2 / effective)
        half = np.sqrt(observed * (1 - observed) / effective + (_WALD / (2 * effective)) ** 2)
        half *= _WALD / (1 + _WALD**2 / effective)
    columns = [total(np.ones(len(code))).astype(int), total(1.0 * (rows.w > 0)).astype(int), p_mean, observed]
    return pd.DataFrame(dict(zip(names, [*columns, centre - half, centre + half], strict=True)))
