r"""Penalised Poisson regression on periods, by Newton steps on sums over rows.

Row ``i`` has log hazard :math:`\eta_{ik} = \alpha_k + d_i^\top\beta + g_k\, d_{i,T}^\top\gamma` in period ``k``: a
baseline, effects that are the same in all periods, and for the terms ``T`` effects that change with the slow clock
``g``. The log-likelihood :math:`\sum_{ik} e_{ik}\eta_{ik} - f_{ik} e^{\eta_{ik}}` needs (n, K) arrays of hazards but the
terms only once per row: the person-period table, K times as long, is never written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from models.arrays import BoolArray, FloatArray, IntArray
from models.periods import Watched

BLOCK = 8192
LARGEST_LOG_HAZARD = 30.0


@dataclass(frozen=True)
class Data:
    """Rows ready for fitting: terms (n, q), what was watched, weights (n,), slow clock (K,), changing terms.

    ``share`` (n, K) is how much each period of a row counts beside its weight; all of it when None.
    """

    terms: npt.NDArray[np.floating]
    seen: Watched
    weight: FloatArray
    clock: FloatArray
    changing: IntArray
    share: FloatArray | None = None

    def take(self, rows: BoolArray) -> Data:
        seen = Watched(self.seen.exposure[rows], self.seen.closed[rows], self.seen.period[rows])
        share = None if self.share is None else self.share[rows]
        return Data(self.terms[rows], seen, self.weight[rows], self.clock, self.changing, share)

    def counts(self, rows: slice) -> FloatArray:
        """How much each period of these rows counts, (rows, K) or (rows, 1)."""
        weight = self.weight[rows, None]
        return weight if self.share is None else weight * self.share[rows]

    @property
    def n_periods(self) -> int:
        return len(self.clock)

    @property
    def n_parameters(self) -> int:
        return self.n_periods + self.terms.shape[1] + len(self.changing)


@dataclass(frozen=True)
class Penalty:
    """``start`` is where the penalty pulls to, (m,); ``precision`` how hard, (m, m)."""

    start: FloatArray
    precision: FloatArray


def make_penalty(baseline: FloatArray, of_terms: FloatArray) -> Penalty:
    """A light pull of the baseline towards its marginal estimate, and ``of_terms`` (q + changing,) on the terms.

    The pull (half a closing on differences between neighbours, a twentieth on each) settles periods that nobody was
    watched in, or closed in, by their neighbours; where cases closed it is not felt.
    """
    k = len(baseline)
    steps = np.diff(np.eye(k), axis=0)
    precision = np.zeros((k + len(of_terms),) * 2)
    precision[:k, :k] = 0.5 * steps.T @ steps + 0.05 * np.eye(k)
    precision[np.arange(k, len(precision)), np.arange(k, len(precision))] = of_terms
    return Penalty(np.concatenate([baseline, np.zeros(len(of_terms))]), precision)


def log_hazard(data: Data, theta: FloatArray, rows: slice) -> FloatArray:
    """(rows, K)."""
    k, q = data.n_periods, data.terms.shape[1]
    terms = data.terms[rows].astype(np.float64, copy=False)
    eta = theta[:k] + (terms @ theta[k : k + q])[:, None]
    if len(data.changing):
        eta = eta + (terms[:, data.changing] @ theta[k + q :])[:, None] * data.clock
    return np.clip(eta, -LARGEST_LOG_HAZARD, LARGEST_LOG_HAZARD)


def log_likelihood(data: Data, theta: FloatArray) -> FloatArray:
    """Per row, (n,), weighted."""
    out = np.empty(len(data.weight))
    for at in _blocks(len(out)):
        eta = log_hazard(data, theta, at)
        seen = data.seen
        told = -seen.exposure[at] * np.exp(eta)
        told[np.arange(len(eta)), seen.period[at]] += np.where(
            seen.closed[at], eta[np.arange(len(eta)), seen.period[at]], 0.0
        )
        out[at] = (data.counts(at) * told).sum(axis=1)
    return out


def derivatives(data: Data, theta: FloatArray, *, information: bool = True) -> tuple[FloatArray, FloatArray]:
    """Gradient (m,) and information (m, m), which is minus the second derivative; (0, 0) when not asked for.

    Products of the information are taken in single precision inside a block and summed in double: it only steers the
    steps, while the gradient, which decides where they end, is in double throughout.
    """
    k, q, t = data.n_periods, data.terms.shape[1], len(data.changing)
    gradient = np.zeros(k + q + t)
    second = np.zeros((k + q + t,) * 2) if information else np.zeros((0, 0))
    for at in _blocks(len(data.weight)):
        terms = data.terms[at].astype(np.float64, copy=False)
        mean, residual = _residuals(data, theta, at)
        gradient[:k] += residual.sum(axis=0)
        gradient[k : k + q] += residual.sum(axis=1) @ terms
        if t:
            gradient[k + q :] += (residual @ data.clock) @ terms[:, data.changing]
        if information:
            _add_information(second, data, terms.astype(np.float32), mean.astype(np.float32))
    lower = np.tril_indices(len(second), -1)
    second[lower] = second.T[lower]
    return gradient, second


def scores(data: Data, theta: FloatArray) -> FloatArray:
    """Each row's share of the gradient, (n, m)."""
    terms = data.terms.astype(np.float64, copy=False)
    _, residual = _residuals(data, theta, slice(0, len(terms)))
    changing = (residual @ data.clock)[:, None] * terms[:, data.changing]
    return np.concatenate([residual, residual.sum(axis=1)[:, None] * terms, changing], axis=1)


def _residuals(data: Data, theta: FloatArray, at: slice) -> tuple[FloatArray, FloatArray]:
    """Closings expected, and those seen less those expected, (rows, K) twice."""
    counts = data.counts(at)
    mean = counts * data.seen.exposure[at] * np.exp(log_hazard(data, theta, at))
    closed, where = np.zeros_like(mean), np.arange(len(mean))
    closed[where, data.seen.period[at]] = data.seen.closed[at]
    return mean, counts * closed - mean


def _add_information(
    second: FloatArray, data: Data, terms: npt.NDArray[np.float32], mean: npt.NDArray[np.float32]
) -> None:
    """Add one block to the upper triangle."""
    k, q = data.n_periods, terms.shape[1]
    second[np.arange(k), np.arange(k)] += mean.sum(axis=0)
    second[:k, k : k + q] += mean.T @ terms
    root = terms * np.sqrt(mean.sum(axis=1))[:, None]
    second[k : k + q, k : k + q] += root.T @ root
    if len(data.changing):
        clock = data.clock.astype(np.float32)
        changing = terms[:, data.changing]
        second[:k, k + q :] += (mean * clock).T @ changing
        second[k : k + q, k + q :] += (terms * (mean @ clock)[:, None]).T @ changing
        root = changing * np.sqrt(mean @ clock**2)[:, None]
        second[k + q :, k + q :] += root.T @ root


def maximise(
    data: Data, penalty: Penalty, theta: FloatArray, *, max_steps: int = 60, tolerance: float = 1e-7
) -> FloatArray:
    """The penalised maximum, from ``theta`` on.

    Newton steps whose information is kept while it serves (chord steps cost only a gradient), halved until the
    penalised likelihood rises. Stops when a step promises less than ``tolerance`` of log-likelihood per unit of weight.
    """
    enough = tolerance * float(data.weight.sum())
    value, factor, before = _penalised(data, penalty, theta), None, np.inf
    for _ in range(max_steps):
        fresh = factor is None
        gradient, second = derivatives(data, theta, information=fresh)
        gradient -= penalty.precision @ (theta - penalty.start)
        if factor is None:
            factor = factorise(second + penalty.precision)
        step = cho_solve(factor, gradient)
        promised = float(gradient @ step) / 2
        if promised < enough:
            return theta + step
        size = 1.0
        while (reached := _penalised(data, penalty, theta + size * step)) < value and size > 1e-4:
            size /= 2
        if reached >= value:
            theta, value = theta + size * step, reached
        elif fresh:
            return theta
        # Kept while each step is much smaller than the one before; otherwise the next step starts afresh.
        if size < 1.0 or promised > 0.1 * before or reached < value:
            factor = None
        before = promised
    return theta


def factorise(matrix: FloatArray) -> tuple[FloatArray, bool]:
    """Cholesky factor of a penalised information, for ``cho_solve``."""
    ridge = 1e-8 * np.trace(matrix) / len(matrix)
    factor, lower = cho_factor(matrix + ridge * np.eye(len(matrix)), lower=True)
    return factor, bool(lower)


def _penalised(data: Data, penalty: Penalty, theta: FloatArray) -> float:
    pull = theta - penalty.start
    return float(log_likelihood(data, theta).sum()) - 0.5 * float(pull @ penalty.precision @ pull)


def _blocks(n: int) -> list[slice]:
    return [slice(a, min(a + BLOCK, n)) for a in range(0, n, BLOCK)]
