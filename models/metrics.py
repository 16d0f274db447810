"""Metrics under censoring: how well ``p``, the chance of being open past ``week``, ranks and hits.

Every metric takes outcomes ``y`` (closed, weeks from opening), predictions ``p`` (n,) and a ``week``; high p means a long
case. Known outcomes are weighted by inverse probability of censoring; give ``opened`` (and ``cut_on``) wherever there is an
extract date, so that whole cohorts are judged and the calendar is not applauded (``models.censoring``, ``calendar_check``).
Averages divide by the sum of weights. Judge one landmark at a time: rows of one case at several ages are not independent.

Keywords shared by all
    entry : weeks already open when judged, (n,); rows with ``entry >= week`` are left out.
    opened, cut_on : opening dates (n,) and the day before which outcomes are known.
    weights : censoring weights (n,) computed before; with ``opened`` too, cohorts not followed whole stay left out.
    sample_weight : how often each row counts, (n,).

Undefined values (no known case that exceeded, or none that did not) are ``nan``, never a number that looks like one.
Wrong shapes, missing scores and probabilities outside [0, 1] raise ``CaseDataError``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.agreement import Calibration, calibration, calibration_numbers
from models.calendar import CalendarCheck, calendar_check
from models.censoring import Floats
from models.concordance import c_index
from models.intervals import Interval, interval
from models.judged import Judged, judge, ranked_auc, tie_groups
from risk.errors import CaseDataError

__all__ = [
    "CalendarCheck",
    "Calibration",
    "Interval",
    "auc",
    "brier",
    "brier_skill",
    "c_index",
    "calendar_check",
    "calibration",
    "calibration_numbers",
    "interval",
    "lift_at",
    "precision_at",
    "prevalence",
    "recall_at",
]

Ties = Literal["expected", "best", "worst"]


def auc(y: npt.ArrayLike, p: npt.ArrayLike, week: float, **judging: Any) -> float:
    """P(a case that exceeds ``week`` has a higher p than one that does not), ties counting half.

    The cumulative/dynamic AUC of Uno et al. (2007) and Hung and Chiang (2010), both sides weighted.

    >>> y = np.array([(True, 9.0), (True, 60.0), (False, 55.0)], [("closed", bool), ("weeks", float)])
    >>> auc(y, np.array([0.2, 0.9, 0.2]), 52)
    0.75
    """
    rows = judge(y, p, week, **judging)
    return ranked_auc(rows.p, rows.w * rows.outcome, rows.w * (1 - rows.outcome))


def brier(y: npt.ArrayLike, p: npt.ArrayLike, week: float, **judging: Any) -> float:
    """Weighted mean squared distance of p from what happened (Graf et al. 1999); 0 is perfect.

    With one marginal censoring curve the weights sum to n, so this is the usual estimator that divides by n.
    """
    rows = judge(y, p, week, probability=True, **judging)
    total = rows.w.sum()
    return float((rows.w * (rows.outcome - rows.p) ** 2).sum() / total) if total > 0 else float("nan")


def brier_skill(
    y: npt.ArrayLike, p: npt.ArrayLike, week: float, *, reference: npt.ArrayLike | None = None, **judging: Any
) -> float:
    """Share of a reference's Brier score that p saves: 1 perfect, 0 no better, below 0 worse.

    ``reference`` (n,) are the probabilities to beat; when not given, everyone gets the estimated share that exceeds.
    """
    rows = judge(y, p, week, probability=True, **judging)
    everyone = rows.prevalence * (1 - rows.prevalence)
    worst = everyone if reference is None else brier(y, reference, week, **judging)
    return 1.0 - brier(y, p, week, **judging) / worst if worst > 0 else float("nan")


def prevalence(y: npt.ArrayLike, week: float, **judging: Any) -> float:
    """Estimated share of the judged cases that exceeds ``week``."""
    return judge(y, np.zeros(len(np.asarray(y))), week, **judging).prevalence


def precision_at(
    y: npt.ArrayLike, p: npt.ArrayLike, week: float, k: float, *, ties: Ties = "expected", **judging: Any
) -> float:
    """Share of the k highest p that exceeds ``week``.

    Parameters
    ----------
    k : int or float
        An int counts places of the list, a float in (0, 1] is a share of the judged cases (2.5 places are allowed: the
        third case then counts half). A list longer than the cases holds them all.
    ties : {"expected", "best", "worst"}
        Where the list ends among equal p: the expectation over a random order in closed form (a ratio of expectations when
        censoring weights differ within the tie), or the best and worst any order could give. Cases whose outcome is
        unknown take places but no weight.

    Returns
    -------
    float; nan when the list is empty or no outcome on it is known.

    Raises
    ------
    CaseDataError
        When k is negative, or a share outside (0, 1].
    """
    rows = judge(y, p, week, **judging)
    held = _held(rows, k, ties)
    known = (held * rows.w).sum()
    return float((held * rows.w * rows.outcome).sum() / known) if known > 0 else float("nan")


def recall_at(
    y: npt.ArrayLike, p: npt.ArrayLike, week: float, k: float, *, ties: Ties = "expected", **judging: Any
) -> float:
    """Share of all cases that exceed ``week`` found among the k highest p; arguments as ``precision_at``."""
    rows = judge(y, p, week, **judging)
    long = rows.w * rows.outcome
    return float((_held(rows, k, ties) * long).sum() / long.sum()) if long.sum() > 0 else float("nan")


def lift_at(
    y: npt.ArrayLike, p: npt.ArrayLike, week: float, k: float, *, ties: Ties = "expected", **judging: Any
) -> float:
    """Precision among the k highest p over the share that exceeds among all; arguments as ``precision_at``."""
    share = judge(y, p, week, **judging).prevalence
    return precision_at(y, p, week, k, ties=ties, **judging) / share if share > 0 else float("nan")


def _held(rows: Judged, k: float, ties: Ties) -> Floats:
    """Share of each row that is on the list of k places, (m,) in [0, 1]."""
    if ties not in ("expected", "best", "worst"):
        raise CaseDataError(f"ties must be 'expected', 'best' or 'worst', not {ties!r}")
    if isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 0:
        places = float(k)
    elif isinstance(k, (float, np.floating)) and 0 < k <= 1:
        places = float(k) * rows.places.sum()
    else:
        raise CaseDataError(f"k must be a count (int, at least 0) or a share (float in (0, 1]), not {k!r}")
    if len(rows.p) == 0:
        return np.zeros(0)
    if ties == "expected":
        order = np.argsort(-rows.p, kind="stable")
        starts = tie_groups(-rows.p[order])
        taken = np.add.reduceat(rows.places[order], starts)
        share = np.clip((places - (np.cumsum(taken) - taken)) / taken, 0.0, 1.0)
        sorted_share = np.repeat(share, np.diff(np.append(starts, len(order))))
    else:
        # Among equals the heaviest that exceeded first, then the unknown, then the lightest that closed: the most of one
        # and the least of the other, so the bound is exact. The worst order is the reverse.
        pull = rows.w / rows.places * np.where(rows.outcome > 0, 1.0, -1.0)
        order = np.lexsort((-pull if ties == "best" else pull, -rows.p))
        taken = rows.places[order]
        sorted_share = np.clip((places - (np.cumsum(taken) - taken)) / taken, 0.0, 1.0)
    held = np.empty(len(order))
    held[order] = sorted_share
    return held
