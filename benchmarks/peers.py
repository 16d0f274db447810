"""Peers behind the manner of our learners: ``fit(X, y, entry, groups)`` and ``survival(X, [week], entry)``.

None of the peers knows late entry. Each is given the usual landmark way instead: its clock starts at the entry, and the
age of the case at entry is one more column (or a few, bent). All know the horizon as our learners do: follow-up ends there. Settings come
from a small grid, chosen by the censored Brier score on held-out persons inside the training rows. One thread each.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

from models import censoring, metrics
from models.folds import fold_of_group, sample_groups

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RARE = 5  # rows of a level before it gets a column of its own
CHUNK = 2000


@dataclass(frozen=True)
class Training:
    """Rows as a peer sees them: encoded, closed and remaining weeks cut at the horizon; and as they were."""

    matrix: Floats
    closed: Bools
    remaining: Floats
    y: npt.NDArray[np.void]
    entry: Floats


class Peer:
    """What all peers share: the clock that starts at entry, the choice of settings, the encoding of the table.

    Parameters
    ----------
    week : float
        The horizon.
    params : dict or None
        Settings to use; chosen from ``grid`` when None.
    random_state : int
    """

    title: ClassVar[str]
    package: ClassVar[str]
    grid: ClassVar[Sequence[dict[str, Any]]] = ({},)
    tuning_folds: ClassVar[int] = 3  # held out in turn when settings are chosen
    tune_once: ClassVar[bool] = False  # on the first training fold of a set only, because one fit takes so long
    most_rows: ClassVar[int | None] = None  # whole persons drawn until about so many rows are left
    tuning_rows: ClassVar[int] = 6000  # the same, for the choice of settings
    impute: ClassVar[bool] = True
    model_: Any

    def __init__(self, week: float, params: dict[str, Any] | None = None, random_state: int = 0) -> None:
        self.week, self.params, self.random_state = week, params, random_state

    def fit(self, X: pd.DataFrame, y: npt.NDArray[np.void], entry: Floats, groups: npt.NDArray[np.int64]) -> Self:
        """Learn from rows that are open before the horizon; settings chosen stand in ``chosen_``."""
        used = (entry < self.week) & (y["weeks"] > entry)
        if self.most_rows is not None:
            used &= sample_groups(groups, self.most_rows, self.random_state)
        X, y, entry, groups = X[used].reset_index(drop=True), y[used], entry[used], groups[used]
        self.chosen_ = self.params if self.params is not None else self._choose(X, y, entry, groups)
        # Bends of the age at entry, for those that cannot bend by themselves; trees take it as it is.
        self.ages_ = SplineTransformer(5, 2, knots="quantile").fit(entry[:, None]) if np.ptp(entry) > 0 else None
        self.encoder_ = encoder(X, self.impute)
        matrix = self._with_age(self.encoder_.fit_transform(X), entry)
        # Follow-up ends at the horizon: what happens later says nothing about it under changing hazards.
        closed = y["closed"] & (y["weeks"] <= self.week)
        remaining = np.minimum(y["weeks"], self.week) - entry
        self._learn(Training(matrix, closed, remaining, y, entry), self.chosen_)
        return self

    def survival(self, X: pd.DataFrame, weeks: Sequence[float], entry: Floats) -> Floats:
        """P(open after each of ``weeks`` | open at entry), (n, k)."""
        matrix = self._with_age(self.encoder_.transform(X), entry)
        found = [self._open(matrix, np.maximum(week - entry, 0.0)) for week in weeks]
        return np.clip(np.column_stack(found), 0.0, 1.0)

    def _choose(
        self, X: pd.DataFrame, y: npt.NDArray[np.void], entry: Floats, groups: npt.NDArray[np.int64]
    ) -> dict[str, Any]:
        if len(self.grid) == 1:
            return dict(self.grid[0])
        some = sample_groups(groups, self.tuning_rows, self.random_state)
        X, y, entry, groups = X[some], y[some], entry[some], groups[some]
        fold = fold_of_group(groups, 3, self.random_state)
        weights = censoring.weights(y, self.week, entry)
        loss = np.zeros(len(self.grid))
        for f in range(self.tuning_folds):
            inside, outside = fold != f, fold == f
            for j, params in enumerate(self.grid):
                trial = type(self)(self.week, dict(params), self.random_state)
                trial.fit(X[inside], y[inside], entry[inside], groups[inside])
                p = trial.survival(X[outside], [self.week], entry[outside])[:, 0]
                loss[j] += metrics.brier(y[outside], p, self.week, entry=entry[outside], weights=weights[outside])
        return dict(self.grid[int(np.argmin(loss))])

    def _with_age(self, matrix: Floats, entry: Floats) -> Floats:
        if self.ages_ is None:
            return np.asarray(matrix)
        return np.column_stack([matrix, self.ages_.transform(entry[:, None]) if self.impute else entry])

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        raise NotImplementedError

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        """P(still open ``remaining`` after entry), (n,)."""
        raise NotImplementedError


class Cox(Peer):
    """Cox's proportional hazards with a ridge penalty."""

    title, package = "Cox, ridge", "sksurv"
    grid = tuple({"alpha": a} for a in (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0))

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        from sksurv.linear_model import CoxPHSurvivalAnalysis

        self.model_ = CoxPHSurvivalAnalysis(n_iter=50, **params).fit(
            rows.matrix, survival_outcome(rows.closed, rows.remaining)
        )

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        steps = self.model_.cum_baseline_hazard_
        cumulative = np.concatenate([[0.0], steps.y])[np.searchsorted(steps.x, remaining, side="right")]
        return np.exp(-cumulative * np.exp(np.clip(self.model_.predict(matrix), -30, 30)))


class _Stepped(Peer):
    """scikit-survival models that answer with a step function per row."""

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        at = np.searchsorted(self.model_.unique_times_, remaining, side="right")
        out = np.ones(len(matrix))
        for a in range(0, len(matrix), CHUNK):
            part = slice(a, a + CHUNK)
            curves = self.model_.predict_survival_function(matrix[part], return_array=True)
            curves = np.column_stack([np.ones(len(curves)), curves])
            out[part] = curves[np.arange(len(curves)), at[part]]
        return out


class RandomSurvivalForest(_Stepped):
    """200 trees of log-rank splits; durations are rounded up to at most 100 distinct ones, or its leaves fill the memory."""

    title, package = "random survival forest", "sksurv"
    grid = ({"min_samples_leaf": 10}, {"min_samples_leaf": 30})
    tuning_folds, tune_once, most_rows = 1, True, 6000

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        from sksurv.ensemble import RandomSurvivalForest as Forest

        self.model_ = Forest(n_estimators=200, random_state=self.random_state, n_jobs=1, **params).fit(
            rows.matrix, survival_outcome(rows.closed, coarse(rows.remaining))
        )


class BoostedCox(_Stepped):
    """Gradient boosting of Cox's partial likelihood."""

    title, package = "boosted Cox", "sksurv"
    grid = (
        {"n_estimators": 100, "learning_rate": 0.05, "max_depth": 3},
        {"n_estimators": 100, "learning_rate": 0.1, "max_depth": 2},
        {"n_estimators": 200, "learning_rate": 0.1, "max_depth": 3},
    )
    tuning_folds, tune_once, most_rows = 1, True, 6000

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        from sksurv.ensemble import GradientBoostingSurvivalAnalysis

        model = GradientBoostingSurvivalAnalysis(
            min_samples_leaf=10, subsample=0.7, random_state=self.random_state, **params
        )
        self.model_ = model.fit(rows.matrix, survival_outcome(rows.closed, rows.remaining))


class SurvivalBoost(Peer):
    """hazardous ``SurvivalBoost``: boosting of sampled times with censoring weights."""

    title, package = "SurvivalBoost", "hazardous"
    grid = (
        {},
        {"n_iter": 50, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 100},
        {"n_iter": 100, "learning_rate": 0.03, "max_leaf_nodes": 4, "min_samples_leaf": 50},
    )
    tuning_folds, tune_once, impute, most_rows, tuning_rows = 1, True, False, 12000, 2000

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        import hazardous

        model = hazardous.SurvivalBoost(random_state=self.random_state, show_progressbar=False, **params)
        seen = pd.DataFrame({"event": rows.closed.astype(int), "duration": rows.remaining})
        self.model_ = model.fit(rows.matrix, seen)

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        if np.ptp(remaining) == 0:
            return np.asarray(self.model_.predict_survival_function(matrix, times=remaining[:1]))[:, 0]
        times = np.linspace(0.0, remaining.max(), 53)
        out = np.empty(len(matrix))
        for a in range(0, len(matrix), CHUNK):
            part = slice(a, a + CHUNK)
            curves = np.asarray(self.model_.predict_survival_function(matrix[part], times=times))
            for i, curve in enumerate(curves):
                out[a + i] = np.interp(remaining[a + i], times, curve)
        return out


class BoostedAft(Peer):
    """XGBoost's accelerated failure time."""

    title, package = "XGBoost AFT", "xgboost"
    grid = tuple(
        {"aft_loss_distribution": d, "aft_loss_distribution_scale": s, "rounds": r}
        for d in ("normal", "logistic")
        for s in (0.8, 1.6)
        for r in (60, 180)
    )
    tuning_folds, impute = 1, False

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        import xgboost

        params = dict(params)
        rounds = params.pop("rounds")
        data = xgboost.DMatrix(rows.matrix)
        data.set_float_info("label_lower_bound", rows.remaining)
        data.set_float_info("label_upper_bound", np.where(rows.closed, rows.remaining, np.inf))
        settings = {"objective": "survival:aft", "eta": 0.05, "max_depth": 3, "min_child_weight": 5, "subsample": 0.7}
        settings |= {"nthread": 1, "seed": self.random_state, "verbosity": 0} | params
        self.model_ = xgboost.train(settings, data, rounds)

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        import xgboost
        from scipy.stats import logistic, norm

        middle = np.log(np.maximum(self.model_.predict(xgboost.DMatrix(matrix)).astype(np.float64), 1e-12))
        law = {"normal": norm, "logistic": logistic}[self.chosen_["aft_loss_distribution"]]
        z = (np.log(np.maximum(remaining, 1e-12)) - middle) / self.chosen_["aft_loss_distribution_scale"]
        return np.asarray(law.sf(z))


class WeightedBoosting(Peer):
    """A LightGBM classifier on known outcomes with inverse-probability-of-censoring weights."""

    title, package = "LightGBM, IPCW", "lightgbm"
    grid = tuple({"n_estimators": n, "num_leaves": leaves} for n in (50, 100, 200) for leaves in (4, 15))
    tuning_folds, impute = 1, False

    def _learn(self, rows: Training, params: dict[str, Any]) -> None:
        import lightgbm

        w = censoring.weights(rows.y, self.week, rows.entry)
        known = w > 0
        data = lightgbm.Dataset(rows.matrix[known], label=~rows.closed[known], weight=w[known])
        settings = {"objective": "binary", "learning_rate": 0.05, "min_data_in_leaf": 20, "feature_fraction": 0.7}
        settings |= {"lambda_l2": 5.0, "verbosity": -1, "num_threads": 1, "seed": self.random_state}
        settings["num_leaves"] = params["num_leaves"]
        self.model_ = lightgbm.train(settings, data, params["n_estimators"])

    def _open(self, matrix: Floats, remaining: Floats) -> Floats:
        return np.asarray(self.model_.predict(matrix, num_threads=1))


PEERS: dict[str, type[Peer]] = {
    "cox": Cox,
    "forest": RandomSurvivalForest,
    "boosted_cox": BoostedCox,
    "survivalboost": SurvivalBoost,
    "xgboost_aft": BoostedAft,
    "lightgbm_ipcw": WeightedBoosting,
}


def is_installed(name: str) -> bool:
    """Whether the package of a peer is there."""
    return importlib.util.find_spec(PEERS[name].package) is not None


def encoder(X: pd.DataFrame, impute: bool) -> Any:
    """Table to standardised floats: one column per level, missing as the median beside a flag (or left as nan)."""
    is_category = [isinstance(t, pd.CategoricalDtype) for t in X.dtypes]
    numbers = [c for c, cat in zip(X.columns, is_category, strict=True) if not cat]
    levels = [c for c, cat in zip(X.columns, is_category, strict=True) if cat]
    # Columns without any value in these rows teach nothing, and an imputer cannot fill them.
    numbers = [c for c in numbers if X[c].notna().any()]
    fill = SimpleImputer(strategy="median", add_indicator=True) if impute else "passthrough"
    number = make_pipeline(fill, StandardScaler())
    level = make_pipeline(
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False), StandardScaler()
    )
    return make_column_transformer((number, numbers), (level, levels), sparse_threshold=0.0)


def survival_outcome(closed: Bools, weeks: Floats) -> npt.NDArray[np.void]:
    """Outcomes as scikit-survival wants them."""
    made = np.empty(len(closed), dtype=[("closed", bool), ("weeks", float)])
    made["closed"], made["weeks"] = closed, weeks
    return made


def coarse(weeks: Floats, most: int = 100) -> Floats:
    """Durations rounded up to at most ``most`` distinct values of about equal numbers of rows; the largest stays."""
    values = np.unique(np.quantile(weeks, np.linspace(0, 1, most + 1)[1:], method="higher"))
    return values[np.searchsorted(values, weeks, side="left")] if len(np.unique(weeks)) > most else weeks
