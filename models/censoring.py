"""Censoring: which outcomes are known, and how much each known one must count.

A row is *known* at ``week`` when its case closed by then (outcome 0) or was seen open at the end of it (outcome 1). Known
rows stand in for the unknown ones through inverse-probability-of-censoring weights (IPCW; Robins and Rotnitzky 1992;
Graf et al. 1999), one over the probability of still being followed when the outcome became known, given followed at entry.

**The trap of the calendar.** At an extract date the censoring time is a function of the opening date: a marginal
Kaplan-Meier of censoring is then wrong for anything that knows the calendar. With ``opened`` the weights are conditional
on it: a row counts only if its whole cohort was followed to ``week`` (``whole_cohort``), and only loss to follow-up
before the cut date (moved away) is weighted for, inside cohorts of neighbouring opening dates.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from risk.errors import CaseDataError, rows_named

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAYS_PER_WEEK = 7.0
_JUST_BEFORE = 1e-9  # weeks; far below a day, far above rounding of a multiple of 1/7
_LOST_PER_COHORT = 20  # a censoring curve from fewer lost cases is mostly noise
_MOST_COHORTS = 12


class CensoringModel(Protocol):
    """Anything that knows the chance of still being followed."""

    def survival(self, X: Any, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Floats:
        """P(not censored by ``weeks[j]`` | followed at entry), (n, k)."""


def check_outcomes(y: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> tuple[Bools, Floats, Floats]:
    """Outcomes and entry as plain arrays ``(closed, weeks, entry)``, each (n,).

    Raises
    ------
    CaseDataError
        When a field is missing, weeks are not finite or negative, or a case ends before it enters.
    """
    y = np.asarray(y)
    if y.ndim != 1 or y.dtype.names is None or not {"closed", "weeks"} <= set(y.dtype.names):
        raise CaseDataError("outcomes must be a structured array (n,) with the fields 'closed' and 'weeks'")
    closed, weeks = y["closed"].astype(bool), y["weeks"].astype(np.float64)
    start = np.zeros(len(y)) if entry is None else check_column(entry, len(y), "entry")
    _refuse(~np.isfinite(weeks) | (weeks < 0), "weeks must be finite and at least 0")
    _refuse(start < 0, "entry must be at least 0 weeks")
    _refuse(weeks < start - _JUST_BEFORE, "weeks must not end before entry; leave out cases that were never at risk")
    return closed, weeks, start


def check_column(values: npt.ArrayLike, n: int, name: str) -> Floats:
    """A finite float column (n,); a single number is repeated.

    Raises
    ------
    CaseDataError
        When the length differs or a value is not finite.
    """
    column = np.asarray(values, dtype=np.float64)
    column = np.full(n, float(column)) if column.ndim == 0 else column
    if column.shape != (n,):
        raise CaseDataError(f"{name} has shape {column.shape}, expected ({n},): one value per row")
    _refuse(~np.isfinite(column), f"{name} must be finite")
    return column


def exceeds(y: npt.ArrayLike, week: float) -> Floats:
    """What is known of "open past ``week``", (n,): 1 open at its end, 0 closed by then, nan unknown.

    >>> y = np.array([(True, 52.0), (True, 52.2), (False, 52.0), (False, 51.9)], [("closed", bool), ("weeks", float)])
    >>> exceeds(y, 52)
    array([ 0.,  1.,  1., nan])
    """
    closed, weeks, _ = check_outcomes(y)
    return np.where(closed & (weeks <= week), 0.0, np.where(weeks >= week, 1.0, np.nan))


def follow_up(opened: npt.ArrayLike, cut_on: Any) -> Floats:
    """Weeks of whole days between opening and 00:00 of the cut date: how long a case could have been followed, (n,)."""
    return (day_numbers(cut_on) - day_numbers(opened) - 1.0) / DAYS_PER_WEEK


def whole_cohort(opened: npt.ArrayLike, cut_on: Any, week: float) -> Bools:
    """Whether every case opened that day was followed to the end of ``week``, (n,), however long it lasted.

    Parameters
    ----------
    opened : array (n,)
        Opening dates (datetime64) or day numbers.
    cut_on : date, or array (n,) of dates
        Outcomes recorded before 00:00 of this day are known.

    >>> whole_cohort(np.array(["2025-01-01", "2025-06-01"], "M8[D]"), "2026-01-05", 52)
    array([ True, False])
    """
    return follow_up(opened, cut_on) >= week - _JUST_BEFORE


def last_seen(y: npt.ArrayLike, opened: npt.ArrayLike) -> float:
    """The cut date as far as the outcomes tell: the day after the last day any censored case was seen open (day number).

    Closed cases are left out, so that one closing date in the future does not move it; ``inf`` when nothing is censored.
    Give the true cut date where it is known.
    """
    closed, weeks, _ = check_outcomes(y)
    days = day_numbers(opened) + np.rint(weeks * DAYS_PER_WEEK)
    return float(days[~closed].max()) + 1.0 if (~closed).any() else np.inf


def day_numbers(dates: Any) -> Floats:
    """Dates as days since 1970-01-01; numbers pass unchanged.

    Raises
    ------
    CaseDataError
        When a date is missing.
    """
    values = np.asarray(dates)
    if values.dtype.kind not in "iuf":
        values = values.astype("datetime64[D]")
        _refuse(np.atleast_1d(np.isnat(values)), "opening and cut dates must not be missing")
        values = values.astype(np.int64)
    return values.astype(np.float64)


class KaplanMeier:
    """Product-limit estimate of the censoring distribution, with left truncation and multiplicities.

    A case that closes on a day can no longer be censored on it (closing comes first), and a case that enters on a day can
    be: it was seen open at the end of it. Rows are at risk of censoring from entry to their last day (Lai and Ying 1991).
    """

    def fit(self, y: npt.ArrayLike, entry: npt.ArrayLike | None = None, n_rows: Floats | None = None) -> KaplanMeier:
        """Estimate from outcomes (n,), entry weeks (n,) and how often each row counts (n,)."""
        closed, weeks, start = check_outcomes(y, entry)
        m = np.ones(len(weeks)) if n_rows is None else n_rows
        self.weeks_ = np.unique(weeks[~closed & (m > 0)])
        lost = _sum_at(self.weeks_, weeks[~closed], m[~closed])
        gone = _sum_at(self.weeks_, weeks[closed], m[closed])
        entered = _sum_up_to(self.weeks_, start, m, "right")
        left = _sum_up_to(self.weeks_, weeks, m, "left")
        at_risk = entered - left - gone
        # Where censoring empties the risk set nobody followed before is followed after: no row's ratio spans that day.
        emptied = lost >= at_risk * (1 - 1e-12)
        still_later = self.weeks_ < weeks.max(initial=0.0)
        steps = np.where(emptied & still_later, 1.0, 1.0 - lost / np.where(at_risk > 0, at_risk, 1.0))
        self.followed_ = np.concatenate([[1.0], np.cumprod(np.where(emptied & ~still_later, 0.0, steps))])
        return self

    def until(self, weeks: Floats) -> Floats:
        """P(still followed just before the end of ``weeks``): censored that day or later, (n,)."""
        return self.followed_[np.searchsorted(self.weeks_, weeks - _JUST_BEFORE, side="left")]

    def survival(self, X: Any, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Floats:
        """P(not censored by ``weeks[j]`` | followed at entry), (n, k); X only gives the number of rows."""
        at = self.followed_[np.searchsorted(self.weeks_, np.atleast_1d(weeks), side="right")]
        start = np.zeros(len(X)) if entry is None else check_column(entry, len(X), "entry")
        return np.minimum(at[None, :] / self.until(start)[:, None], 1.0)


def weights(
    y: npt.ArrayLike,
    week: float,
    entry: npt.ArrayLike | None = None,
    opened: npt.ArrayLike | None = None,
    model: CensoringModel | None = None,
    *,
    cut_on: Any = None,
    X: Any = None,
    sample_weight: npt.ArrayLike | None = None,
) -> Floats:
    """How much each known outcome counts at ``week``, (n,): 0 when unknown, not at risk, or outside a whole cohort.

    Parameters
    ----------
    y : structured array (n,)
        Fields closed (bool) and weeks (float, from opening).
    week : float
        Horizon in weeks from opening.
    entry : array (n,)
        Weeks already open when the row is judged; rows with ``entry >= week`` have nothing left to judge.
    opened : array (n,)
        Opening dates or day numbers. With them, whole cohorts only, and loss to follow-up inside cohorts; without them
        one marginal Kaplan-Meier, right only if censoring has nothing to do with the rows.
    model : CensoringModel
        Conditional chance of still being followed, used instead of Kaplan-Meier; asked with the rows of ``X``.
    cut_on : date, or array (n,)
        Only with ``opened``; taken from the outcomes (``last_seen``) when not given.
    sample_weight : array (n,)
        How often each row counts when censoring is estimated (not multiplied into the answer).

    Raises
    ------
    CaseDataError
        When shapes differ, a case is followed past ``cut_on``, or a known outcome had no chance of being followed.
    """
    _, weeks, start = check_outcomes(y, entry)
    n = len(weeks)
    m = np.ones(n) if sample_weight is None else check_column(sample_weight, n, "sample_weight")
    judged = (start < week) & judged_rows(y, week, opened, cut_on)
    known = judged & np.isfinite(exceeds(y, week))
    until = np.minimum(weeks, week)
    followed = np.ones(n)
    if model is not None:
        followed[known] = _ask(model, X if X is not None else np.empty((n, 0)), until, start, known)
    elif (judged & ~known).any():
        for cohort in _cohorts(opened, judged, known, m):
            curve = KaplanMeier().fit(np.asarray(y)[cohort], start[cohort], m[cohort])
            followed[cohort] = curve.until(until[cohort]) / curve.until(start[cohort])
    _refuse(
        known & (m > 0) & ~(followed > 0), "a known outcome has no chance of being followed under this censoring model"
    )
    return np.where(known & (followed > 0), 1.0 / np.where(followed > 0, followed, 1.0), 0.0)


def judged_rows(y: npt.ArrayLike, week: float, opened: npt.ArrayLike | None, cut_on: Any = None) -> Bools:
    """Rows of cohorts followed whole to ``week``, (n,); all rows when no opening date is given."""
    _, weeks, _ = check_outcomes(y)
    if opened is None:
        return np.ones(len(weeks), dtype=bool)
    days = day_numbers(opened)
    if days.shape != weeks.shape:
        raise CaseDataError(f"opened has shape {days.shape}, expected ({len(weeks)},): one date per row")
    cut = last_seen(y, days) if cut_on is None else day_numbers(cut_on)
    # One day of grace: an extract may hold what was recorded on the cut date itself.
    late = weeks > follow_up(days, cut) + (1.0 + 1e-6) / DAYS_PER_WEEK
    if cut_on is not None:
        _refuse(late, "cases are followed past the cut date: outcomes from the future, or a wrong cut_on")
    return whole_cohort(days, cut, week)


def _cohorts(opened: npt.ArrayLike | None, judged: Bools, known: Bools, m: Floats) -> list[npt.NDArray[np.intp]]:
    """Judged rows in runs of neighbouring opening dates, each with enough lost cases for a curve of its own."""
    rows = np.flatnonzero(judged & (m > 0))
    if opened is None:
        return [rows]
    n_cohorts = int(np.clip(m[judged & ~known].sum() // _LOST_PER_COHORT, 1, _MOST_COHORTS))
    days = day_numbers(opened)[rows]
    order = np.argsort(days, kind="stable")
    reached = np.cumsum(m[rows][order])
    # The first day of each later cohort; a day is never split.
    first_days = days[order][np.searchsorted(reached, reached[-1:] * np.arange(1, n_cohorts) / n_cohorts)]
    code = np.searchsorted(np.unique(first_days), days, side="right")
    return [rows[code == c] for c in np.unique(code)]


def _ask(model: CensoringModel, X: Any, until: Floats, start: Floats, known: Bools) -> Floats:
    """The model's chance of being followed until each known row's own day; one question per distinct day."""
    rows = np.flatnonzero(known)
    take = X.iloc.__getitem__ if hasattr(X, "iloc") else np.asarray(X).__getitem__
    days, code = np.unique(until[rows], return_inverse=True)
    out = np.ones(len(rows))
    for c, day in enumerate(days):
        mine = rows[code == c]
        # Just before: a case that closes on a day was seen if censoring would have come that day or later.
        out[code == c] = np.asarray(model.survival(take(mine), [day - _JUST_BEFORE], start[mine]))[:, 0]
    return out


def _sum_at(at: Floats, values: Floats, m: Floats) -> Floats:
    return _sum_up_to(at, values, m, "right") - _sum_up_to(at, values, m, "left")


def _sum_up_to(at: Floats, values: Floats, m: Floats, side: Any) -> Floats:
    order = np.argsort(values, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(m[order])])
    return total[np.searchsorted(values[order], at, side=side)]


def _refuse(bad: npt.NDArray[np.bool_], message: str) -> None:
    if bad.any():
        raise CaseDataError(f"{message}: {rows_named(np.flatnonzero(bad).tolist())}")
