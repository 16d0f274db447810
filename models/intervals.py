"""Intervals for metrics by a bootstrap over persons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models import censoring
from models.judged import check_score
from risk.errors import CaseDataError


class Interval(NamedTuple):
    """Low end, estimate and high end; floats, or arrays (d,) when the metric gives d numbers."""

    low: Any
    estimate: Any
    high: Any


def interval(
    metric: Callable[..., Any],
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    week: float,
    *,
    groups: npt.ArrayLike | None = None,
    n_boot: int = 200,
    seed: int = 0,
    coverage: float = 0.95,
    entry: npt.ArrayLike | None = None,
    opened: npt.ArrayLike | None = None,
    cut_on: Any = None,
    weights: npt.ArrayLike | None = None,
    **arguments: Any,
) -> Interval:
    """Percentile interval of a metric when persons are drawn anew (cluster bootstrap; Davison and Hinkley 1997, 3.8).

    Persons are counted, not copied: a draw is a ``sample_weight``. Censoring weights are estimated once and kept, which makes
    the interval a little too wide rather than too narrow (estimated weights reduce the variance of an IPCW mean).

    Parameters
    ----------
    metric : callable
        ``metric(y, p, week, entry=, weights=, sample_weight=, **arguments)`` giving a number or d numbers.
    groups : array (n,)
        Person of each row; every row is a person of its own when None.
    n_boot : int
        Number of draws.
    coverage : float
        Share of draws inside the interval.
    arguments
        Passed on to the metric, e.g. ``k=0.1``.

    Returns
    -------
    Interval; nan ends when the metric is undefined in more than half of the draws.

    Raises
    ------
    CaseDataError
        When shapes differ, or ``n_boot`` or ``coverage`` make no interval.
    """
    if n_boot < 2 or not 0 < coverage < 1:
        raise CaseDataError(f"n_boot must be at least 2 and coverage in (0, 1), not {n_boot} and {coverage}")
    y = np.asarray(y)
    _, weeks, start = censoring.check_outcomes(y, entry)
    score = check_score(p, len(weeks), probability=False)
    if weights is None:
        weights = censoring.weights(y, week, entry, opened, cut_on=cut_on)
    keep = np.flatnonzero((start < week) & censoring.judged_rows(y, week, opened, cut_on))
    keep = keep[np.argsort(score[keep], kind="stable")]  # sorted once: every draw then sorts in linear time
    person = person_codes(groups, len(weeks))[keep]
    person = np.unique(person, return_inverse=True)[1]
    n_persons = int(person.max()) + 1 if len(person) else 0
    given = {"entry": start[keep], "weights": np.asarray(weights, dtype=np.float64)[keep], **arguments}

    def judged(rows: npt.NDArray[np.intp], counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(metric(y[rows], score[rows], week, sample_weight=counts, **given), dtype=np.float64)

    estimate = judged(keep, np.ones(len(keep)))
    rng = np.random.default_rng(seed)
    draws = np.full((n_boot, *estimate.shape), np.nan)
    for b in range(n_boot if n_persons else 0):
        counts = np.bincount(rng.integers(0, n_persons, n_persons), minlength=n_persons).astype(np.float64)
        draws[b] = judged(keep, counts[person])
    low, high = _ends(draws.reshape(n_boot, -1), coverage)
    if estimate.ndim == 0:
        return Interval(float(low[0]), float(estimate), float(high[0]))
    return Interval(low, estimate, high)


def person_codes(groups: npt.ArrayLike | None, n: int) -> npt.NDArray[np.intp]:
    """Persons as 0, 1, 2, ..., (n,); one per row when None.

    Raises
    ------
    CaseDataError
        When there is not one person per row.
    """
    if groups is None:
        return np.arange(n)
    persons = np.asarray(groups)
    if persons.shape != (n,):
        raise CaseDataError(f"groups has shape {persons.shape}, expected ({n},): one person per row")
    return np.unique(persons, return_inverse=True)[1]


def _ends(draws: npt.NDArray[np.float64], coverage: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    for j, column in enumerate(draws.T):
        defined = column[np.isfinite(column)]
        if 2 * len(defined) > len(column):
            low[j], high[j] = np.quantile(defined, [(1 - coverage) / 2, (1 + coverage) / 2])
    return low, high
