r"""Time cut into periods, with a hazard that is constant inside each: the arithmetic under every hazard learner.

Period ``k`` is ``(edges[k], edges[k + 1]]``, in weeks from opening. A case has cumulative hazard ``exp(eta_k)`` over the
whole of period ``k`` and a share of it over a part, so that entry and weeks need not fall on an edge:

.. math:: S(w \mid e) = \exp\Bigl(-\sum_k f_k(e, w)\, e^{\eta_k}\Bigr), \qquad
          f_k(e, w) = \frac{|(e, w] \cap (a_k, a_{k+1}]|}{a_{k+1} - a_k}

Its likelihood is that of a Poisson count with mean ``f_k exp(eta_k)`` (Holford 1980, Biometrics 36:299; Laird and
Olivier 1981, JASA 76:231), which is what the learners maximise. A case that enters in the middle of a period simply
brings less exposure: left truncation costs no row and no approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.arrays import FEW_ROWS, BoolArray, FloatArray, IntArray
from models.rows import Rows
from risk.errors import TooFewCasesError

FEWEST_CLOSINGS = 10  # in a period
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
NODES, NODE_WEIGHTS = (NODES + 1) / 2, NODE_WEIGHTS / 2


@dataclass(frozen=True)
class Periods:
    """Edges of the periods, (K + 1,) weeks, the first 0."""

    edges: FloatArray

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @cached_property
    def widths(self) -> FloatArray:
        """(K,) weeks."""
        return np.diff(self.edges)

    @cached_property
    def log_middle(self) -> FloatArray:
        """(K,) logarithm of each period's middle, centred and scaled to about -1..1: the clock of slow changes."""
        middle = np.log((self.edges[1:] + self.edges[:-1]) / 2)
        return (middle - middle.mean()) / max(np.abs(middle - middle.mean()).max(), 1e-12)

    def exposure(self, start: FloatArray, stop: FloatArray) -> FloatArray:
        """The share of each period that lies in ``(start, stop]``, (n, K).

        Beyond the last edge the last period is thought to go on, so its share may exceed 1: the last hazard is the
        best that is known about later weeks.

        >>> Periods(np.array([0.0, 4.0, 8.0])).exposure(np.array([2.0]), np.array([12.0]))
        array([[0.5, 2. ]])
        """
        inside = np.minimum(stop[:, None], self._ends)
        inside -= np.maximum(start[:, None], self.edges[:-1])
        np.maximum(inside, 0.0, out=inside)
        inside /= self.widths
        return inside

    def cumulative(self, hazard: FloatArray, entry: FloatArray, weeks: FloatArray) -> FloatArray:
        """Cumulative hazard from ``entry`` (n,) to each of ``weeks`` (k,), (n, k), of hazards (n, K) per whole period."""
        if len(hazard) > FEW_ROWS:
            # Cases looked at on one day have few ages: what lies ahead is worked out once for each.
            ages, which = np.unique(entry, return_inverse=True)
            stops = (np.full(len(ages), week) for week in weeks)
            return np.column_stack([(self.exposure(ages, stop)[which] * hazard).sum(axis=1) for stop in stops])
        inside = np.minimum(weeks[:, None], self._ends) - np.maximum(entry[:, None], self.edges[:-1])[:, None, :]
        found: FloatArray = (np.maximum(inside, 0.0) / self.widths * hazard[:, None, :]).sum(axis=2)
        return found

    @cached_property
    def _ends(self) -> FloatArray:
        """(K,) the last weeks; the last period has none."""
        return np.append(self.edges[1:-1], np.inf)

    def index(self, weeks: FloatArray) -> IntArray:
        """The period in which a week falls, (n,); an edge belongs to the period that it ends.

        >>> Periods(np.array([0.0, 4.0, 8.0])).index(np.array([0.1, 4.0, 4.1, 30.0])).tolist()
        [0, 0, 1, 1]
        """
        return np.clip(np.searchsorted(self.edges, weeks, side="left") - 1, 0, self.count - 1).astype(np.int64)


@dataclass(frozen=True)
class Watched:
    """What rows say about each period.

    Attributes
    ----------
    exposure : (n, K) share of the period during which the case was watched
    closed : (n,) whether it closed before the last edge
    period : (n,) the period in which it closed or was lost from sight
    """

    exposure: FloatArray
    closed: BoolArray
    period: IntArray


def choose_periods(rows: Rows, horizons: Sequence[float], n_periods: int, follow_up: float = 1.0) -> Periods:
    """Edges at every horizon and at quantiles of the closing weeks, so that each period sees about as many closings.

    Parameters
    ----------
    rows : training rows
    horizons : weeks that will be asked for
    follow_up : the last edge, in multiples of the last horizon; cases seen beyond a horizon still tell who stays, and
        an edge beyond it is set where at least ten cases closed between the two
    n_periods : about how many periods, fewer when few cases closed (at least ten closings are wanted for each)
    """
    fixed = np.unique(np.asarray(horizons, dtype=np.float64))
    end = follow_up * fixed[-1]
    if end > fixed[-1] and np.sum(rows.closed & (rows.weeks > fixed[-1]) & (rows.weeks <= end)) >= FEWEST_CLOSINGS:
        fixed = np.append(fixed, end)
    last = fixed[-1]
    closings = rows.weeks[rows.closed & (rows.weeks < last)]
    wanted = int(min(n_periods, len(closings) // FEWEST_CLOSINGS))
    edges = np.concatenate([[0.0], fixed])
    if wanted > 1:
        # An observed quantile, not one between two weeks: edges must lie on days that exist.
        inner = np.quantile(closings, np.arange(1, wanted) / wanted, method="inverted_cdf")
        nearest = np.abs(inner[:, None] - edges[None, :]).min(axis=1)
        spacing = 0.02 * max(horizons)
        edges = np.union1d(edges, _spread(inner[nearest > spacing], spacing / 2))
    return Periods(edges)


def watch(rows: Rows, periods: Periods) -> Watched:
    """Exposure and closing of each row, followed to the last edge at most.

    A closing on day ``d`` happened somewhere during that day, so half a step of the data's clock is taken from its
    exposure. Without it hazards of coarse data (whole weeks) come out too low, by half their size per step.
    """
    last = periods.edges[-1]
    closed = rows.closed & (rows.weeks <= last)
    stop = np.minimum(rows.weeks, last)
    stop = np.where(closed, np.maximum(stop - clock_step(rows) / 2, (rows.entry + stop) / 2), stop)
    exposure = periods.exposure(np.minimum(rows.entry, last), stop)
    return Watched(exposure, closed, periods.index(np.minimum(rows.weeks, last)))


def clock_step(rows: Rows) -> float:
    """The smallest difference between two closing weeks: 1/7 for days, 1 for whole weeks."""
    distinct = np.unique(rows.weeks[rows.closed])
    gaps = np.diff(np.concatenate([[0.0], distinct]))
    gaps = gaps[gaps > 1e-9]
    return float(min(gaps.min(), 1.0)) if len(gaps) else 0.0


def baseline_log_hazard(rows: Rows, seen: Watched, periods: Periods) -> FloatArray:
    """Log of closings over exposure per period, (K,), drawn a little towards one common weekly hazard.

    The pull is worth half a closing, so that a period in which nobody closed has a low hazard and not none.
    """
    exposure = rows.weight @ seen.exposure
    closings = np.bincount(seen.period, rows.weight * seen.closed, minlength=periods.count)
    weekly = max(closings.sum(), 0.5) / max(float(exposure @ periods.widths), 1e-9)
    expected = weekly * periods.widths
    return np.log(expected) + np.log((closings + 0.5) / (exposure * expected + 0.5))


def require_closings(closed: BoolArray, periods: Periods) -> None:
    """Refuse rows among which nobody closed before follow-up ends.

    Raises
    ------
    TooFewCasesError
        No closing up to the last edge.
    """
    if not closed.any():
        raise TooFewCasesError(
            f"no case closed by week {periods.edges[-1]:g} among {len(closed)} rows: nothing can be learned; "
            "extend the period or ask for later horizons"
        )


def cumulative_hazard(eta: FloatArray, exposure: FloatArray) -> FloatArray:
    """Cumulative hazard, (n,), of log hazards ``eta`` (n, K) over exposures (n, K)."""
    return (exposure * np.exp(eta)).sum(axis=1)


def survival_at(eta: FloatArray, periods: Periods, weeks: FloatArray, entry: FloatArray) -> FloatArray:
    """P(open after each week | open at entry), (n, k), of log hazards ``eta`` (n, K)."""
    return np.exp(-periods.cumulative(np.exp(eta), entry, weeks))


def log_odds_open(cumulative: FloatArray) -> FloatArray:
    """Log-odds of ``exp(-cumulative)``, exact also where the probability is close to 0 or 1."""
    return -cumulative - np.log(-np.expm1(-cumulative))


def period_weights(eta: FloatArray, start: FloatArray, exposure: FloatArray) -> FloatArray:
    r"""How much a step of each period's log hazard moves the log-odds of being open, (n, K).

    The log-odds :math:`g(\eta)` of the survival above is not additive over periods. Moving on the straight line from
    ``start`` to ``eta``, the change it makes is shared out by the values of Aumann and Shapley (1974), also known as
    integrated gradients (Sundararajan, Taly and Yan 2017):

    .. math:: g(\eta) - g(\eta^0) = \sum_k (\eta_k - \eta^0_k) \int_0^1 \partial_k g(\eta^0 + t(\eta - \eta^0))\,dt

    The integral is taken with 16 Gauss-Legendre nodes; what they miss (below 1e-10) is left to the caller's base.
    """
    weights, step = np.zeros_like(eta), eta - start
    if len(eta) <= FEW_ROWS:  # all nodes at once, added up in the same order
        hazard = exposure * np.exp(start + NODES[:, None, None] * step)
        total = hazard.sum(axis=2, keepdims=True)
        # One by one: a sum of numpy's along the axis would add in another order where there is one row and one period.
        for term in (NODE_WEIGHTS[:, None, None] / np.expm1(-total)) * hazard:
            weights += term
        return weights
    for node, share in zip(NODES, NODE_WEIGHTS, strict=True):
        hazard = exposure * np.exp(start + node * step)
        total = hazard.sum(axis=1, keepdims=True)
        weights += (share / np.expm1(-total)) * hazard
    return weights


def _spread(edges: FloatArray, spacing: float) -> FloatArray:
    """Sorted edges, dropping each that follows the one before by less than ``spacing``."""
    kept: list[float] = []
    for edge in np.unique(edges):
        if not kept or edge - kept[-1] >= spacing:
            kept.append(float(edge))
    return np.asarray(kept, dtype=np.float64)


def as_periods(edges: npt.ArrayLike) -> Periods:
    """Periods read back from a file."""
    return Periods(np.asarray(edges, dtype=np.float64))
