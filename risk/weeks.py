"""Dates, ages and weeks: the one place where days become weeks.

Day 1 of a case is the day after ``opened_on``; week k holds days 7(k-1)+1 to 7k. A case closed ``d`` days after it
opened is *open at the end of day n* when ``d > n``, so it exceeds 52 weeks when ``d > 364``. Looking on ``as_of`` we see
what was recorded before 00:00 of that day: a case open then has survived ``as_of - opened_on - 1`` whole days.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

DAYS_PER_WEEK = 7
Dates = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


def as_days(dates: npt.ArrayLike) -> Dates:
    """Dates as ``datetime64[D]``, missing as NaT, whatever resolution they came in."""
    return np.asarray(dates).astype("datetime64[D]")


def weeks_to_close(opened_on: npt.ArrayLike, closed_on: npt.ArrayLike) -> Floats:
    """Weeks from opening to closing, (n,), multiples of 1/7; nan while open.

    >>> weeks_to_close(["2026-01-01"], ["2026-12-31"])  # 364 days: week 52 to its last day, not past it
    array([52.])
    """
    days = as_days(closed_on) - as_days(opened_on)
    return np.where(np.isnat(days), np.nan, days.astype(np.float64)) / DAYS_PER_WEEK


def weeks_survived(opened_on: npt.ArrayLike, as_of: npt.ArrayLike) -> Floats:
    """Whole days an open case has been open at 00:00 of ``as_of``, in weeks, (n,); never below 0.

    >>> weeks_survived(["2026-01-01"], "2026-01-30")
    array([4.])
    """
    days = (as_days(as_of) - as_days(opened_on)).astype(np.float64) - 1.0
    return np.maximum(days, 0.0) / DAYS_PER_WEEK


def date_at_age(opened_on: npt.ArrayLike, weeks: float) -> Dates:
    """The as-of date on which a case has survived ``weeks`` weeks: the inverse of :func:`weeks_survived`."""
    return as_days(opened_on) + np.timedelta64(round(weeks * DAYS_PER_WEEK) + 1, "D")


def iso_week(day: date) -> str:
    """ISO week, Monday first.

    >>> iso_week(date(2026, 12, 31))
    '2026-W53'
    """
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def monday_of(day: date) -> date:
    """The Monday of the ISO week that ``day`` lies in."""
    return day - timedelta(days=day.weekday())


def parse_day(text: str) -> date:
    """An ISO date from a command line or a file.

    Raises
    ------
    ValueError
        When the text is not ``yyyy-mm-dd``.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("not a date; write it as yyyy-mm-dd, e.g. 2026-11-23") from None
