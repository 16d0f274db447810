"""Fit and recalibrate: from landmark rows to a bundle that scores. The backtest and the final model come through here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import catalogue
from models.baseline import KaplanMeierByAge
from models.bundle import Bundle
from models.calibration import Calibrator
from models.contract import Learner
from models.folds import fold_of_group
from models.rows import canonical_rows
from risk import features, schema
from risk.errors import TooFewCasesError
from risk.outcomes import OutcomeDefinition
from risk.register import Register
from risk.weeks import DAYS_PER_WEEK, Floats
from training.landmarks import REGISTRATION, LandmarkRows, landmark_rows, training_rows, week_before
from training.plan import Plan


@dataclass(frozen=True)
class Material:
    """What every learner of one run or origin is fitted on, made once.

    Attributes
    ----------
    rows : LandmarkRows
    X : DataFrame (n, p)
        Features that are known of at least one row.
    names : tuple of str
        Columns of X.
    counts : DataFrame
        Rows by landmark, before and after thinning (:func:`training.landmarks.count_rows`).
    base_rate : dict
        ``ages`` (weeks) and ``p``, the share of cases open at that age that exceeds the horizon.
    register_fingerprint, is_synthetic
        Of the register that was cut at ``cut_on``.
    cut_on : date
    """

    rows: LandmarkRows
    X: pd.DataFrame
    names: tuple[str, ...]
    counts: pd.DataFrame
    base_rate: dict[str, list[float]]
    register_fingerprint: str
    is_synthetic: bool
    cut_on: date

    @property
    def n_rows(self) -> int:
        """Rows before thinning."""
        return int(self.counts["n_rows"].sum())


def prepare(known: Register, plan: Plan, cut_on: date) -> Material:
    """Rows and features of a register cut at ``cut_on``.

    Raises
    ------
    TooFewCasesError
        When no case has closed, or no planned feature is known of any row.
    """
    rows, counts = training_rows(known, plan, cut_on)
    X = rows.table(plan.features.names())
    names = tuple(n for n in X.columns if _is_known(X[n]).any())
    if not names:
        raise TooFewCasesError("none of the planned features is known of any case; check the mapping of the extract")
    return Material(
        rows,
        X[list(names)],
        names,
        counts,
        base_rate(known, plan.outcome, cut_on),
        known.fingerprint,
        known.is_synthetic,
        cut_on,
    )


def fit(name: str, material: Material, plan: Plan) -> Bundle:
    """Fit a learner, recalibrate it if it may come into service, and wrap it up.

    Raises
    ------
    ConfigError
        When the catalogue has no such learner, or the plan gives it a parameter it does not have.
    """
    rows, X = material.rows, material.X
    learner = make(name, plan).fit(X, rows.y, rows.entry, groups=rows.snapshot.person)
    if plan.recent.weeks and learner.refreshes:
        refresh(learner, rows, X, plan.recent.weeks)
    # Rules and naive ways are shown as people use them, without the mending.
    calibrator = calibrate(learner, material, plan) if catalogue.can_be_champion(name) else None
    return Bundle(learner, calibrator, meta=meta(name, material, plan) | {"change": change_followed(learner, material)})


def change_followed(learner: Learner, material: Material) -> dict[str, Any] | None:
    """The change of level that a learner follows: ``on``, the day about which it came, and ``only_new``; None without one."""
    if learner.change_ is None:
        return None
    on = week_before(material.cut_on, learner.change_.weeks_ago)
    return {"on": on.isoformat(), "only_new": learner.change_.only_new}


def make(name: str, plan: Plan) -> Learner:
    """A learner of the catalogue, told the horizons of the outcome and the seed of the plan."""
    known = catalogue.learner_class(name)._get_param_names()
    given: dict[str, Any] = {
        "horizons": tuple(float(w) for w in plan.outcome.horizons_weeks),
        "horizon": float(plan.outcome.horizon_weeks),
        "random_state": plan.seed,
    }
    return catalogue.make(name, **{k: v for k, v in given.items() if k in known} | plan.learners.params.get(name, {}))


def refresh(learner: Learner, rows: LandmarkRows, X: pd.DataFrame, weeks: float) -> None:
    """Let a fitted hazard follow a change of level in the ``weeks`` before the rows' cut date, if there was one."""
    learner.refresh(X, rows.y, rows.entry, weeks_to_cut(rows), within=weeks, groups=rows.snapshot.person)


def weeks_to_cut(rows: LandmarkRows) -> Floats:
    """Weeks from the start of each row's clock to the cut date, (n,), whether the case is still open or not."""
    return (np.datetime64(rows.cut_on, "D") - rows.started_on).astype(np.float64) / DAYS_PER_WEEK


def calibrate(learner: Learner, material: Material, plan: Plan) -> Calibrator:
    """Learn what the newest whole cohorts say of the learner's probabilities.

    Each person's rows are predicted by a copy of the learner fitted without that person (cross-fitting, what was tuned
    kept), so that the map mends what is wrong with new cases, not what was learned by heart. Only cohorts opened in the newest
    ``plan.calibration.weeks`` that could be followed to the horizon count; those that moved away are weighted for. Where the
    learner follows a change, only cohorts opened since: the others lived under what is no more, and would mend a second
    time what the learner has mended. Until enough of them are followed to the horizon, probabilities stay as learned.
    """
    rows, horizon, change = material.rows, float(plan.outcome.horizon_weeks), learner.change_
    weeks_back = horizon + plan.calibration.weeks
    if change is not None:
        weeks_back = min(weeks_back, max(change.weeks_ago, horizon))
    oldest = np.datetime64(week_before(material.cut_on, weeks_back), "D")
    youngest = np.datetime64(week_before(material.cut_on, horizon), "D")
    newest = np.flatnonzero((rows.started_on >= oldest) & (rows.started_on < youngest) & (rows.entry < horizon))
    calibrator = Calibrator(min_cases=plan.calibration.least_each)
    group = rows.snapshot.person
    fold = fold_of_group(group, plan.calibration.folds, plan.seed)
    p = np.full(len(newest), np.nan)
    for k in range(plan.calibration.folds if _has_both(rows, newest, horizon, plan) else 0):
        learn, judge = fold != k, np.flatnonzero(fold[newest] == k)
        if not len(judge) or not rows.y["closed"][learn].any():
            continue
        others = canonical_rows(
            learner.columns_, material.X[learn], rows.y[learn], rows.entry[learn], groups=group[learn]
        )
        at = newest[judge]
        copy = learner.refitted(others)
        if change is not None:
            parts = material.X[learn], rows.y[learn], rows.entry[learn], weeks_to_cut(rows)[learn]
            copy.refresh(*parts, known=change, groups=group[learn])
        p[judge] = copy.survival(material.X.iloc[at], [horizon], rows.entry[at])[:, 0]
    used = newest[np.isfinite(p)]
    return calibrator.fit(
        p[np.isfinite(p)],
        rows.y[used],
        horizon,
        rows.entry[used],
        opened=rows.started_on[used],
        cut_on=material.cut_on,
        groups=group[used],
    )


def _has_both(rows: LandmarkRows, newest: npt.NDArray[np.int64], horizon: float, plan: Plan) -> bool:
    """Whether enough rows exceeded and enough closed for the map to be learned; saves the fits when not."""
    y = rows.y[newest]
    exceeded = np.where(y["closed"], y["weeks"] > horizon, y["weeks"] >= horizon)
    closed = y["closed"] & (y["weeks"] <= horizon)
    return min(int(exceeded.sum()), int(closed.sum())) >= plan.calibration.least_each


def base_rate(known: Register, definition: OutcomeDefinition, cut_on: date) -> dict[str, list[float]]:
    """Share of all cases open at an age that exceeds the horizon: Kaplan-Meier with late entry, one row per case."""
    cases = landmark_rows(known, (REGISTRATION,), definition, cut_on)
    ages = np.arange(definition.horizon_weeks + 1, dtype=np.float64)
    blank = pd.DataFrame({"none": np.zeros(len(cases))})
    curve = KaplanMeierByAge().fit(blank, cases.y, cases.entry)
    p = curve.survival(pd.DataFrame({"none": np.zeros(len(ages))}), [float(definition.horizon_weeks)], ages)[:, 0]
    return {"ages": ages.tolist(), "p": p.tolist()}


def meta(name: str, material: Material, plan: Plan) -> dict[str, Any]:
    """What scoring, the report and the next run need to know of the model; plain JSON."""
    rows = material.rows
    days = rows.snapshot.as_of
    return {
        "features": list(material.names),
        "outcome": plan.outcome.model_dump(mode="json"),
        "required": required(material.X),
        "base_rate": material.base_rate,
        "ranges": ranges(material.X),
        "learner": name,
        "plan": plan.model_dump(mode="json"),
        "trained_as_of": material.cut_on.isoformat(),
        "training_window": [str(days.min()), str(days.max())],
        "register_fingerprint": material.register_fingerprint,
        "is_synthetic": material.is_synthetic,
        "schema_version": schema.SCHEMA_VERSION,
        "n_rows": material.n_rows,
        "n_rows_fitted": len(rows),
        "n_cases": len(np.unique(rows.snapshot.position)),
        "created_by": f"risk52 {version('risk52')}",
    }


def required(X: pd.DataFrame) -> list[str]:
    """Features from attributes known at registration that were never missing: a case without one is not scored."""
    known, attributes = features.catalogue(), schema.case_attributes()
    return [
        n
        for n in X.columns
        if known[n].sources and all(s in attributes for s in known[n].sources) and _is_known(X[n]).all()
    ]


def ranges(X: pd.DataFrame) -> dict[str, list[float]]:
    """Lowest and highest value of each numeric feature in training, for "outside the training range" warnings."""
    numeric = [n for n in X.columns if not isinstance(X[n].dtype, pd.CategoricalDtype)]
    return {n: [float(X[n].min()), float(X[n].max())] for n in numeric}


def _is_known(column: pd.Series) -> npt.NDArray[np.bool_]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.notna() & (column != schema.UNKNOWN))
    return np.asarray(column.notna())
