"""What a training run leaves behind: plain tables and numbers that the report, the tracking and the registry read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    from models.bundle import Bundle
    from training.plan import Plan

Status = Literal["passed", "failed", "not applicable", "reported"]

# Which way each metric is better: 1 higher, -1 lower, 0 neither (nearer to its partner or to 1).
METRICS: dict[str, int] = {
    "auc": 1,
    "brier": -1,
    "brier_skill": 1,
    "precision_at_capacity": 1,
    "recall_at_capacity": 1,
    "lift_over_rule": 1,
    "observed": 0,
    "expected": 0,
    "observed_minus_expected": 0,
    "calibration_slope": 0,
    "calibration_intercept": 0,
    "calibration_ici": -1,
}


@dataclass(frozen=True)
class GateResult:
    """One numbered check between a challenger and the service.

    Attributes
    ----------
    number : int
        The gate's number, stable over versions.
    name : str
        Its name in the plan and the registry, e.g. ``"beats_baseline"``.
    title : str
        What it asks, as a sentence.
    status : {"passed", "failed", "not applicable", "reported"}
        "not applicable" when it could not be asked (and the text says why); "reported" for a number without a limit.
    value, limit : float or None
        The number that decided, and what it was held against.
    text : str
        The answer in words: what was found, where, and what to do when it failed.
    """

    number: int
    name: str
    title: str
    status: Status
    value: float | None
    limit: float | None
    text: str

    @property
    def stops(self) -> bool:
        """Whether a challenger with this result may not be promoted."""
        return self.status == "failed"


@dataclass(frozen=True)
class Backtest:
    """What each learner would have told the office, had it been in service.

    Attributes
    ----------
    metrics : DataFrame
        Long: ``origin`` (date; NaT for the mean over origins), ``landmark`` (text: ``registration``, ``4``, ...; ``list``
        for simulated Mondays), ``learner``, ``metric`` (a key of ``METRICS``), ``value``, ``low``, ``high`` (95 %,
        bootstrap over persons; for the mean over origins: persons drawn within each origin), ``n`` (cases judged),
        ``n_exceed`` (of them known to exceed).
    calibration : DataFrame
        Origins together: ``landmark, learner, bin`` (0, 1, ...), ``p_mean, observed, low, high, n``.
    lists : DataFrame
        One row per simulated Monday and learner: ``origin, monday, learner, n_open, n_listed, precision, recall,
        rule_precision`` (precision of the rule used today on the same Monday and places).
    splits : DataFrame
        One row per origin: ``origin`` (= trained until), ``train_from, judged_from, judged_to, followed_to, n_train_rows,
        n_train_cases, n_judged_rows, n_judged_exceeded, is_whole`` (every judged row followed to the horizon).
    note : str
        Empty, or why there is no backtest.
    comparisons : DataFrame
        The candidates in pairs, by Brier score (:func:`training.comparison.compare`).
    """

    metrics: pd.DataFrame
    calibration: pd.DataFrame
    lists: pd.DataFrame
    splits: pd.DataFrame
    note: str = ""
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def is_empty(self) -> bool:
        """Whether the register was too young to judge anything."""
        return self.metrics.empty


@dataclass(frozen=True)
class TrainingRun:
    """One training run, whole.

    Attributes
    ----------
    plan : Plan
    as_of : date
        The day the run looks from; its outcomes are cut there.
    bundle : Bundle
        The model of the run: learner, calibration and what scoring needs to know.
    learner_name : str
        The learner inside it, by its name in the catalogue.
    choice : str
        Why this learner, in words.
    backtest : Backtest
    gates : list of GateResult
        In the order of their numbers.
    fairness : DataFrame
        One row per attribute and group (:func:`training.fairness.fairness`).
    rows : DataFrame
        Landmark rows by landmark: ``landmark, n_rows, n_cases, n_closed, n_open, n_exceeded`` and ``thinned_to``.
    register_facts : dict
        ``fingerprint, n_cases, n_facts, extract_on, is_synthetic, source``.
    environment : dict
        Versions of Python and of the libraries that learned.
    seconds : dict
        Seconds per step, in order.
    warnings : list of str
    """

    plan: Plan
    as_of: date
    bundle: Bundle
    learner_name: str
    choice: str
    backtest: Backtest
    gates: list[GateResult]
    fairness: pd.DataFrame
    rows: pd.DataFrame
    register_facts: dict[str, Any]
    environment: dict[str, str]
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[GateResult]:
        """The gates this run did not pass."""
        return [g for g in self.gates if g.stops]
