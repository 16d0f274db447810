"""Does a score only know who was followed up? The trap of the calendar, as a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models import censoring
from models.judged import check_score, judge, ranked_auc

_FOLLOWED_APART = 0.1  # an honest score drifts a little with the mix of cases; this is far more
_APPLAUSE = 0.03  # AUC that disappears when cohorts are judged whole


@dataclass(frozen=True)
class CalendarCheck:
    """What a score owes to the calendar.

    Attributes
    ----------
    auc_marginal : float
        Censored AUC with one marginal censoring curve for all: what a calendar column can win.
    auc_cohorts : float
        Censored AUC on cohorts followed whole: what is left.
    auc_followed : float
        P(a case of a cohort followed whole has a higher p than one of a younger cohort): 0.5 when p ignores the calendar.
    noise : float
        Standard error of ``auc_cohorts`` (Hanley and McNeil 1982).
    n_whole, n_younger : int
        Rows in cohorts followed whole, and in cohorts that were not.
    """

    auc_marginal: float
    auc_cohorts: float
    auc_followed: float
    noise: float
    n_whole: int
    n_younger: int

    @property
    def applauded(self) -> bool | None:
        """Whether the marginal metric rewards p for predicting who was censored; None when it cannot be told."""
        if not np.isfinite([self.auc_marginal, self.auc_cohorts, self.auc_followed]).all():
            return None
        surplus = self.auc_marginal - self.auc_cohorts
        return abs(self.auc_followed - 0.5) > _FOLLOWED_APART and surplus > max(_APPLAUSE, 2 * self.noise)


def calendar_check(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    week: float,
    *,
    opened: npt.ArrayLike,
    entry: npt.ArrayLike | None = None,
    cut_on: Any = None,
) -> CalendarCheck:
    """Compare a score's marginal AUC with its AUC on whole cohorts, and with how well it tells the cohorts apart.

    Parameters
    ----------
    y, p, week, entry, opened, cut_on
        As everywhere in ``models.metrics``; rows of all cohorts, the young ones too.

    Raises
    ------
    CaseDataError
        When shapes differ, or a score or date is missing.
    """
    _, weeks, start = censoring.check_outcomes(y, entry)
    score = check_score(p, len(weeks), probability=False)
    at_risk = start < week
    whole = at_risk & censoring.judged_rows(y, week, opened, cut_on)
    younger = at_risk & ~whole
    marginal = judge(y, p, week, entry=entry)
    cohorts = judge(y, p, week, entry=entry, opened=opened, cut_on=cut_on)
    auc = ranked_auc(cohorts.p, cohorts.w * cohorts.outcome, cohorts.w * (1 - cohorts.outcome))
    return CalendarCheck(
        auc_marginal=ranked_auc(marginal.p, marginal.w * marginal.outcome, marginal.w * (1 - marginal.outcome)),
        auc_cohorts=auc,
        auc_followed=ranked_auc(score, whole.astype(float), younger.astype(float)),
        noise=_auc_noise(auc, float(((cohorts.w > 0) * cohorts.outcome).sum()), float((cohorts.w > 0).sum())),
        n_whole=int(whole.sum()),
        n_younger=int(younger.sum()),
    )


def _auc_noise(auc: float, n_long: float, n_known: float) -> float:
    n_short = n_known - n_long
    if not np.isfinite(auc) or n_long < 1 or n_short < 1:
        return float("nan")
    q_long, q_short = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_long - 1) * (q_long - auc**2) + (n_short - 1) * (q_short - auc**2)
    return float(np.sqrt(max(spread, 0.0) / (n_long * n_short)))
