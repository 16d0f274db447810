"""Fitting the map of log-odds that recalibrates: knots drawn together, what scatter is left, and how well it is known.

Used by :mod:`models.calibration`, whose text has the model and its sources.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from models.arrays import FloatArray as Floats

SHIFT_SD, SLOPE_SD = 1.0, 0.5  # how far the common map may lie from the identity before data
LEAST_SLOPE = 0.05
BINS = 10


def posterior(Z: Floats, x: Floats, outcome: Floats, w: Floats, deviation: float) -> tuple[float, Floats, Floats]:
    """Log evidence (Laplace), mode (2K,) and prior precision for one standard deviation between knots."""
    k = Z.shape[1] // 2
    common = np.ones((k, k))
    prior = np.zeros((2 * k, 2 * k))
    prior[:k, :k] = deviation**2 * np.eye(k) + SHIFT_SD**2 * common
    prior[k:, k:] = deviation**2 * np.eye(k) + SLOPE_SD**2 * common
    precision = np.linalg.inv(prior)

    def loss(theta: Floats) -> tuple[float, Floats]:
        eta = x + Z @ theta
        pull = precision @ theta
        value = -(w * (outcome * log_expit(eta) + (1 - outcome) * log_expit(-eta))).sum() + theta @ pull / 2
        return float(value), pull - Z.T @ (w * (outcome - expit(eta)))

    def curvature(theta: Floats) -> Floats:
        mu = expit(x + Z @ theta)
        return np.asarray((Z * (w * mu * (1 - mu))[:, None]).T @ Z + precision)

    theta = np.zeros(2 * k)
    value, slope = loss(theta)
    for _ in range(50):
        step = -np.linalg.solve(curvature(theta), slope)
        share = 1.0
        while share > 1e-6 and loss(theta + share * step)[0] > value:
            share /= 2
        theta = theta + share * step
        value, slope = loss(theta)
        if np.abs(share * step).max() < 1e-9:
            break
    if theta[k:].min() < LEAST_SLOPE - 1:  # a score that points the wrong way here: flatten it, never turn it round
        bounds = [(None, None)] * k + [(LEAST_SLOPE - 1, None)] * k
        found = minimize(
            loss, np.where(np.arange(2 * k) < k, theta, np.maximum(theta, LEAST_SLOPE - 1)), jac=True, bounds=bounds
        )
        theta, value = found.x, float(found.fun)
    _, log_information = np.linalg.slogdet(curvature(theta))
    _, log_prior = np.linalg.slogdet(prior)
    return -value - (log_information + log_prior) / 2, theta, precision


def robust_covariance(
    Z: Floats, residual: Floats, information: Floats, precision: Floats, person: npt.NDArray[np.intp]
) -> Floats:
    """Sandwich over persons, with the prior as one more source of scatter, (2K, 2K).

    The limit of a bootstrap over persons (infinitesimal jackknife, Efron 1982). Adding the prior's precision in the middle
    makes it the posterior covariance when rows are independent, so that shrinkage is not mistaken for knowledge.
    """
    curvature = (Z * information[:, None]).T @ Z + precision
    code = np.unique(person, return_inverse=True)[1]
    scores = np.column_stack([np.bincount(code, weights=column * residual) for column in Z.T])
    bread = np.linalg.inv(curvature)
    covariance = bread @ (scores.T @ scores + precision) @ bread
    return np.asarray((covariance + covariance.T) / 2)


def misfit(eta: Floats, outcome: Floats, mu: Floats, w: Floats, person: npt.NDArray[np.intp]) -> float:
    """Scatter of observed log-odds around the map over bins of the score, beyond sampling (DerSimonian and Laird 1986)."""
    bins = np.unique(np.searchsorted(np.quantile(eta, np.arange(1, BINS) / BINS), eta), return_inverse=True)[1]
    if bins.max() < 3:
        return 0.0
    information = np.bincount(bins, weights=w * mu * (1 - mu))
    scores = np.bincount(bins, weights=w * (outcome - mu))
    cell, at = np.unique(np.stack([bins, person]), axis=1, return_inverse=True)
    by_person = np.bincount(at, weights=w * (outcome - mu))
    # Bins with a handful of cases that exceeded show too little spread by luck: never below what the map itself implies.
    implied = np.bincount(bins, weights=w**2 * mu * (1 - mu))
    spread = np.maximum(np.bincount(cell[0], weights=by_person**2), implied)
    known = spread > 0
    off, precision = scores[known] / information[known], information[known] ** 2 / spread[known]
    excess = (precision * off**2).sum() - (known.sum() - 2)
    scale = precision.sum() - (precision**2).sum() / precision.sum()
    return float(np.sqrt(max(excess / scale, 0.0)))
