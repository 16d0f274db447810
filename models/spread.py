r"""How far apart the risks of cases really lie, by the age at which they were looked at and by period.

A model that is linear on the whole spreads cases too widely here and too narrowly there: facts that come late were learned
from few cases, and a law that ends cases in certain weeks whatever their risk leaves less for risk to tell in those weeks.
One factor per age and one per period mend this where a coefficient per feature would cost more than it gains:

.. math:: \eta_k(x, e) \leftarrow \alpha_k + l^\top a(e) + m_k + \bigl(1 + r^\top a(e) + s_k\bigr) z_k(x, e)

``z`` is what the features say, by coefficients fitted without the person; ``a`` are a constant and the terms of age. It is the linear
shrinkage of van Houwelingen and le Cessie (1990, Statistics in Medicine 9:1303) with a factor that depends on the landmark
(van Houwelingen 2007, Scandinavian Journal of Statistics 34:70) and on the period, as effects of a reduced rank do (Perperoglou,
le Cessie and van Houwelingen 2006, Statistics in Medicine 25:2831). Factors far from 1 need evidence: ``r`` and ``s`` have a
prior of deviation 0.2.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray
from models.periods import Watched

LEVEL_PRECISION = 1.0
FACTOR_PRECISION = 1.0 / 0.2**2
MOST_STEPS = 12


def spread(
    said: FloatArray, start: FloatArray, age: FloatArray, seen: Watched, weight: FloatArray, repeats: float
) -> FloatArray:
    """What to add to the level and to the factor 1, for a constant, each term of age and each period, (2, 1 + a + K).

    Parameters
    ----------
    said : (n, K) what features say of each period's log hazard, by coefficients that have not seen the row
    start : (n, K) log hazard without it
    age : (n, a) terms of the age at which the row was looked at
    repeats : rows per person; they repeat one another, so the prior is repeated as often
    """
    by_age = np.column_stack([np.ones(len(age)), age])
    a, k = by_age.shape[1], said.shape[1]
    m = a + k
    # Levels move along, so that a factor does not have to mend them.
    theta, precision = np.zeros(2 * m), repeats * np.repeat([LEVEL_PRECISION, FACTOR_PRECISION], m)
    closings = np.zeros_like(said)
    closings[np.arange(len(said)), seen.period] = seen.closed
    for _ in range(MOST_STEPS):
        level, factor = theta[:m], theta[m:]
        eta = start + (by_age @ level[:a])[:, None] + level[a:]
        eta = eta + ((1.0 + by_age @ factor[:a])[:, None] + factor[a:]) * said
        mean = weight[:, None] * seen.exposure * np.exp(np.clip(eta, -30.0, 30.0))
        left = weight[:, None] * closings - mean
        gradient = np.concatenate([_sums(by_age, left), _sums(by_age, left * said)])
        second = np.diag(precision)
        second[:m, :m] += _products(by_age, mean)
        second[m:, m:] += _products(by_age, mean * said**2)
        cross = _products(by_age, mean * said)
        second[:m, m:] += cross
        second[m:, :m] += cross.T
        step = np.linalg.solve(second, gradient - precision * theta)
        theta = theta + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-8:
            break
    return theta.reshape(2, m)


def _sums(by_age: FloatArray, values: FloatArray) -> FloatArray:
    """Values (n, K) summed against each column of age and for each period, (a + K,)."""
    return np.concatenate([by_age.T @ values.sum(axis=1), values.sum(axis=0)])


def _products(by_age: FloatArray, mean: FloatArray) -> FloatArray:
    """Weighted products of those columns, (a + K, a + K)."""
    a, k = by_age.shape[1], mean.shape[1]
    out = np.zeros((a + k, a + k))
    out[:a, :a] = (by_age * mean.sum(axis=1)[:, None]).T @ by_age
    out[:a, a:] = by_age.T @ mean
    out[a:, :a] = out[:a, a:].T
    out[np.arange(a, a + k), np.arange(a, a + k)] = mean.sum(axis=0)
    return out
