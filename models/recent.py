r"""Moving a fitted hazard to what the newest weeks show: a period life table laid over a learner.

A change of law or pace reaches every case open on that day, whatever its age. Effects of features are learned from the
whole history, where there are many cases; the level of the hazard is then set by the closings of a window of the newest
calendar weeks, to which cases of every age bring the time that they were watched in it:

.. math:: \eta_k \leftarrow \eta_k + \log\frac{O + c}{E + c} + \log\frac{O_k + c}{\rho E_k + c}, \qquad
          \rho = \frac{O + c}{E + c}

``O`` closings were seen in the window and ``E`` expected by the learner, ``O_k`` and ``E_k`` of them in period ``k``. This
is indirect standardisation (the ratio of observed to expected, as in a standardised mortality ratio: Breslow and Day 1987,
Statistical Methods in Cancer Research II, chapter 2), drawn to 1 by ``c`` closings, first for all ages together and then
for each period. An outcome at week 52 known for whole cohorts says what happened during the year before; the window says
what happens now (period against cohort analysis: Brenner and Gefeller 1996, Cancer 78:2004).
"""

from __future__ import annotations

import numpy as np

from models.contract import BoolArray, FloatArray, Rows
from models.periods import Periods, watch

PULL = 10.0  # closings of persons


def baseline_shift(rows: Rows, eta: FloatArray, periods: Periods, since: FloatArray) -> FloatArray:
    """What to add to the log hazard of each period, (K,); 0 when nobody was watched in the window.

    Parameters
    ----------
    rows : training rows, in any order
    eta : (n, K) their log hazards by the learner
    since : (n,) weeks from opening at which the window starts
    """
    start = np.maximum(rows.entry, since)
    inside: BoolArray = rows.weeks > start
    if not inside.any():
        return np.zeros(periods.count)
    late = Rows(rows.matrix, rows.closed, rows.weeks, start, rows.weight, rows.group).take(inside)
    seen = watch(late, periods)
    # Sorted sums: the same bytes whatever order the rows came in.
    expected = np.sort(late.weight[:, None] * seen.exposure * np.exp(eta[inside]), axis=0).sum(axis=0)
    at = np.arange(periods.count) == seen.period[:, None]
    closings = np.sort(late.weight[:, None] * (at & seen.closed[:, None]), axis=0).sum(axis=0)
    # Rows of one person repeat one another, so the pull is repeated as often.
    pull = PULL * len(late) / len(np.unique(late.group))
    level = (closings.sum() + pull) / (expected.sum() + pull)
    shift: FloatArray = np.log(level) + np.log((closings + pull) / (level * expected + pull))
    return shift
