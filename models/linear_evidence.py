r"""Penalties that the data choose: one for each feature and the way it acts, by evidence.

One penalty for all features is too weak for those that say nothing and too strong for those that say much. The
coefficients of a feature are taken to be drawn from :math:`N(0, \tau_g^2)`, and the marginal likelihood of those variances
is raised by the fixed point of MacKay (1992, Neural Computation 4:415; one variance for each feature is his and Neal's
automatic relevance determination),

.. math:: \tau_g^2 \leftarrow \frac{|\beta_g|^2}{n_g - \mathrm{tr}\,[P (H + P)^{-1}]_{gg}}, \qquad P_{gg} = c / \tau_g^2

on the quadratic approximation at the penalised maximum, with :math:`H` the information and :math:`P` the penalties. Rows of
one person repeat one another, so the likelihood says that it knows more than it does: :math:`c` is by how much the
variance of its gradient over persons exceeds its information (Varin, Reid and Firth 2011, Statistica Sinica 21:5).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotri

from models.arrays import FloatArray, IntArray
from models.folds import sample_groups
from models.poisson import Data, Penalty, derivatives, factorise, scores

STEPS = 15
ENOUGH = 0.05  # of the logarithm of every penalty, in one step
VARIANCES = (1e-5, 1.0)  # of a coefficient: at the least a feature is as good as out, at the most nearly unpenalised
ROWS_FOR_REPEATS = 10_000


def by_evidence(
    second: FloatArray, towards: FloatArray, precision: FloatArray, kind: IntArray, repeats: float
) -> FloatArray:
    """The precision (m, m) with a value found for each kind of coefficient.

    Parameters
    ----------
    second, towards : (m, m), (m,) information, and its product with where the likelihood alone would go from the start
    precision : (m, m) to begin with
    kind : for each of the last coefficients the kind it belongs to; -1 keeps its precision
    repeats : how often persons tell the same (:func:`repeats_of`)
    """
    precision, free = precision.copy(), np.flatnonzero(kind >= 0)
    at, kind = len(second) - len(kind) + free, kind[free]
    size = np.bincount(kind)
    for _ in range(STEPS if len(at) else 0):
        factor = factorise(second + precision)
        pull, unknown = cho_solve(factor, towards)[at], np.diag(dpotri(*factor)[0])[at]
        known = size - np.bincount(kind, precision[at, at] * unknown)
        spread = np.bincount(kind, pull**2) / np.maximum(known, 1e-12)
        new = (repeats / np.clip(spread, *VARIANCES))[kind]
        moved = np.abs(np.log(new / precision[at, at])).max()
        precision[at, at] = new
        if moved < ENOUGH:
            break
    return precision


def repeats_of(data: Data, penalty: Penalty, theta: FloatArray, group: IntArray) -> float:
    """How often persons tell the same, on average over coefficients; 1 where each has one row."""
    if len(np.unique(group)) == len(group):
        return 1.0
    sample = sample_groups(group, ROWS_FOR_REPEATS, 0)
    some = data.take(sample)
    persons, code = np.unique(group[sample], return_inverse=True)
    order = np.argsort(code, kind="stable")
    first = np.searchsorted(code[order], np.arange(len(persons)))
    by_person = np.add.reduceat(scores(some, theta)[order], first, axis=0)
    _, second = derivatives(some, theta)
    factor = factorise(second + penalty.precision * (len(code) / len(group)))
    told = float((by_person * cho_solve(factor, by_person.T).T).sum())
    return max(told / float(np.trace(cho_solve(factor, second))), 1.0)
