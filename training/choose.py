"""Which learner goes into the bundle: the first in the plan's order that no other clearly beats."""

from __future__ import annotations

import pandas as pd

from training.plan import Plan
from training.results import Backtest


def choose(backtest: Backtest, plan: Plan) -> tuple[str, str]:
    """Name of the learner, and why, in words.

    Candidates stand in the order of preference. The first is taken that no other beats by more than one standard error of
    the paired difference in Brier score (the one-standard-error rule of Breiman et al. 1984; the error is that of
    :mod:`training.comparison`). The one with the lowest mean is beaten by none, so there always is one.
    """
    candidates = plan.learners.candidates
    if plan.champion != "auto":
        return plan.champion, f"{plan.champion}, as the plan says"
    if len(candidates) == 1:
        return candidates[0], f"{candidates[0]} is the only candidate"
    if backtest.comparisons.empty:
        what = "there was nothing" if backtest.is_empty else "no landmark had enough rows"
        return candidates[0], f"{candidates[0]}, the first in the plan's order: {what} to compare the candidates on"
    passed_over: list[str] = []
    for name in candidates:
        ahead = beaten_by(backtest.comparisons, name)
        if ahead.empty:
            return name, _why(backtest.comparisons, name, passed_over)
        passed_over.append(said(ahead.iloc[0]))
    raise AssertionError("the learner with the lowest mean is beaten by none")


def beaten_by(comparisons: pd.DataFrame, name: str) -> pd.DataFrame:
    """The comparisons in which another learner is ahead of ``name`` by more than one standard error, furthest ahead first."""
    rows = comparisons[(comparisons["learner"] == name) & (comparisons["ahead"] > comparisons["error"])]
    return rows.sort_values(["ahead", "other"], ascending=[False, True])


def nearest(comparisons: pd.DataFrame, name: str) -> pd.Series:
    """The comparison of ``name`` with the best of the others."""
    return comparisons[comparisons["learner"] == name].sort_values(["other_brier", "other"]).iloc[0]


def said(row: pd.Series) -> str:
    """One comparison in words."""
    way = "ahead of" if row["ahead"] > 0 else "behind" if row["ahead"] < 0 else "level with"
    return (
        f"{row['other']} is {way} {row['learner']} by {abs(row['ahead']):.4f} in mean Brier score "
        f"({row['other_brier']:.4f} against {row['brier']:.4f}), standard error {row['error']:.4f}"
    )


def _why(comparisons: pd.DataFrame, name: str, passed_over: list[str]) -> str:
    if passed_over:
        return f"{name}: no other beats it by more than one standard error, and {'; '.join(passed_over)}"
    best = said(nearest(comparisons, name))
    return f"{name}, the first in the plan's order: no other beats it by more than one standard error ({best})"
