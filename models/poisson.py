r"""Penalised Poisson regression on periods, by Newton steps on sums over rows.

Row ``i`` has log hazard :math:`\eta_{ik} = \alpha_k + d_i^\top\beta + g_k\, d_{i,T}^\top\gamma` in period ``k``: a
baseline, effects that are the same in all periods, and for the terms ``T`` effects that change with the slow clock
``g``. The log-likelihood :math:`\sum_{ik} e_{ik}\eta_{ik} - f_{ik} e^{\eta_{ik}}` needs (n, K) arrays of hazards but the
terms only once per row: the person-period table, K times as long, is never written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.contract import FloatArray, IntArray
from models.periods import Watched

BLOCK = 8192
LARGEST_LOG_HAZARD = 30.0


@dataclass(frozen=True)
class Data:
    """Rows ready for fitting: terms (n, q), what was watched, weights (n,), slow clock (K,), changing terms."""

    terms: np.ndarray
    seen: Watched
    weight: FloatArray
    clock: FloatArray
    changing: IntArray

    def take(self, rows: np.ndarray) -> Data:
        seen = Watched(self.seen.exposure[rows], self.seen.closed[rows], self.seen.period[rows])
        return Data(self.terms[rows], seen, self.weight[rows], self.clock, self.changing)

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
        closing = np.where(seen.closed[at], eta[np.arange(len(eta)), seen.period[at]], 0.0)
        out[at] = data.weight[at] * (closing - (seen.exposure[at] * np.exp(eta)).sum(axis=1))
    return out


def derivatives(data: Data, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient (m,) and information (m, m), which is minus the second derivative."""
    k, q, t = data.n_periods, data.terms.shape[1], len(data.changing)
    gradient, information = np.zeros(k + q + t), np.zeros((k + q + t,) * 2)
    for at in _blocks(len(data.weight)):
        terms = data.terms[at].astype(np.float64, copy=False)
        weight = data.weight[at, None]
        mean = weight * data.seen.exposure[at] * np.exp(log_hazard(data, theta, at))
        residual = -mean
        residual[np.arange(len(mean)), data.seen.period[at]] += data.weight[at] * data.seen.closed[at]
        changing = terms[:, data.changing]
        gradient[:k] += residual.sum(axis=0)
        gradient[k : k + q] += residual.sum(axis=1) @ terms
        information[np.arange(k), np.arange(k)] += mean.sum(axis=0)
        information[:k, k : k + q] += mean.T @ terms
        information[k : k + q, k : k + q] += (terms * mean.sum(axis=1)[:, None]).T @ terms
        if t:
            first, second = mean @ data.clock, mean @ data.clock**2
            gradient[k + q :] += (residual @ data.clock) @ changing
            information[:k, k + q :] += (mean * data.clock).T @ changing
            information[k : k + q, k + q :] += (terms * first[:, None]).T @ changing
            information[k + q :, k + q :] += (changing * second[:, None]).T @ changing
    lower = np.tril_indices(k + q + t, -1)
    information[lower] = information.T[lower]
    return gradient, information


def maximise(
    data: Data, penalty: Penalty, theta: FloatArray, *, max_steps: int = 30, tolerance: float = 1e-6
) -> FloatArray:
    """The penalised maximum, from ``theta`` on.

    Newton steps, halved until the penalised likelihood rises. Stops when a step promises less than ``tolerance`` of
    log-likelihood per unit of weight, or after ``max_steps``.
    """
    total = float(data.weight.sum())
    value = _penalised(data, penalty, theta)
    for _ in range(max_steps):
        gradient, information = derivatives(data, theta)
        gradient -= penalty.precision @ (theta - penalty.start)
        step = solve(information + penalty.precision, gradient)
        promised = float(gradient @ step) / 2
        if promised < tolerance * total:
            return theta + step if promised >= 0 and _penalised(data, penalty, theta + step) >= value else theta
        size = 1.0
        while (reached := _penalised(data, penalty, theta + size * step)) < value and size > 1e-4:
            size /= 2
        if reached < value:
            return theta
        theta, value = theta + size * step, reached
    return theta


def solve(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """The Newton step."""
    ridge = 1e-10 * np.trace(information) / len(information)
    return cho_solve(cho_factor(information + ridge * np.eye(len(information)), lower=True), gradient)


def _penalised(data: Data, penalty: Penalty, theta: FloatArray) -> float:
    pull = theta - penalty.start
    return float(log_likelihood(data, theta).sum()) - 0.5 * float(pull @ penalty.precision @ pull)


def _blocks(n: int) -> list[slice]:
    return [slice(a, min(a + BLOCK, n)) for a in range(0, n, BLOCK)]
