r"""How far apart the risks of cases really lie, by the age at which they were looked at.

A model that is linear on the whole spreads cases too widely at one age and too narrowly at another: facts that come late
were learned from few cases, and a law that ends cases whatever their risk leaves less for risk to tell. One factor per age
mends this where a coefficient per feature and age would cost more than it gains:

.. math:: \eta_k(x, e) \leftarrow \alpha_k + l^\top a(e) + \bigl(1 + r^\top a(e)\bigr) z_k(x, e)

``z`` is what the features say, by coefficients fitted without the person; ``a`` are a constant and the terms of age. It is the linear
shrinkage of van Houwelingen and le Cessie (1990, Statistics in Medicine 9:1303) with a factor that depends on the landmark
(van Houwelingen 2007, Scandinavian Journal of Statistics 34:70). Factors far from 1 need evidence: ``r`` has a prior of
deviation 0.2.
"""

from __future__ import annotations

import numpy as np

from models.contract import FloatArray
from models.periods import Watched

PRECISION = 1.0 / 0.2**2
MOST_STEPS = 12


def spread_by_age(
    said: FloatArray, start: FloatArray, age: FloatArray, seen: Watched, weight: FloatArray, repeats: float
) -> FloatArray:
    """What to add to the level and to the factor 1, for a constant and each term of age, (2, 1 + a).

    Parameters
    ----------
    said : (n, K) what features say of each period's log hazard, by coefficients that have not seen the row
    start : (n, K) log hazard without it
    age : (n, a) terms of the age at which the row was looked at
    repeats : rows per person; they repeat one another, so the prior is repeated as often
    """
    by_age = np.column_stack([np.ones(len(age)), age])
    a = by_age.shape[1]
    # The level by age moves along, so that a factor does not have to mend it.
    theta, precision = np.zeros(2 * a), repeats * np.repeat([1.0, PRECISION], a)
    closings = np.zeros_like(said)
    closings[np.arange(len(said)), seen.period] = seen.closed
    for _ in range(MOST_STEPS):
        eta = start + (by_age @ theta[:a])[:, None] + (1.0 + by_age @ theta[a:])[:, None] * said
        mean = weight[:, None] * seen.exposure * np.exp(np.clip(eta, -30.0, 30.0))
        left = weight[:, None] * closings - mean
        gradient = np.concatenate([by_age.T @ left.sum(axis=1), by_age.T @ (left * said).sum(axis=1)])
        level, tilt, both = mean.sum(axis=1), (mean * said**2).sum(axis=1), (mean * said).sum(axis=1)
        second = np.diag(precision)
        second[:a, :a] += (by_age * level[:, None]).T @ by_age
        second[a:, a:] += (by_age * tilt[:, None]).T @ by_age
        cross = (by_age * both[:, None]).T @ by_age
        second[:a, a:] += cross
        second[a:, :a] += cross.T
        step = np.linalg.solve(second, gradient - precision * theta)
        theta = theta + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-8:
            break
    return theta.reshape(2, a)
