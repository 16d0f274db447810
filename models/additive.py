"""The glass box: every feature may interact with the age of the case and with nothing else.

As :mod:`models.direct`, with trees whose paths are held to one feature and age. They start from a ridge fit of the same
form (:mod:`models.straight`) and are compiled with it to tables (:mod:`models.tables`). The effect of a feature is a curve that can be drawn, its contribution is a look-up, and LightGBM is
not needed to score.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from models.arrays import FloatArray
from models.contract import Learner
from models.direct import Direct
from models.linear import LinearHazard
from models.rows import Rows
from models.straight import straight_tables
from models.tables import compile_tables, round_leaves, tables_from_dict

AGE_BINS = 24


class Additive(Direct):
    """Direct learner without interactions between features; parameters as :class:`models.direct.Direct`.

    Attributes
    ----------
    start_ : what the trees start from (:mod:`models.straight`)
    tables_ : what each feature adds to the log-odds by its value and the age of the case, start and trees together
    """

    name: ClassVar[str] = "additive"
    tuned_start_: LinearHazard | None = None

    def __init__(
        self,
        horizon: float = 52.0,
        transformation: str = "conditional",
        nuisance: str = "linear",
        n_folds: int = 3,
        n_estimators: int = 600,
        learning_rate: float = 0.05,
        num_leaves: int = 6,
        min_rows: int = 20,
        reg_lambda: float = 5.0,
        feature_fraction: float = 0.5,
        max_bin: int = 63,
        patience: int = 20,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(
            horizon=horizon,
            transformation=transformation,
            nuisance=nuisance,
            n_folds=n_folds,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            num_leaves=num_leaves,
            min_rows=min_rows,
            reg_lambda=reg_lambda,
            feature_fraction=feature_fraction,
            patience=patience,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        self.max_bin = max_bin

    fit_left_out = Learner.fit_left_out  # what the trees start from is fitted on all rows, those held out among them

    def _tree_params(self, rows: Rows) -> dict[str, Any]:
        n_features = rows.matrix.shape[1]
        return {
            "interaction_constraints": [[j, n_features] for j in range(n_features)],
            "max_bin": self.max_bin,
            "max_bin_by_feature": [self.max_bin] * n_features + [AGE_BINS],
        }

    def _start(self, rows: Rows, share_open: FloatArray, offset: FloatArray) -> FloatArray:
        if self.tuned_start_ is None:
            found = self.tuned_nuisance_
            if not isinstance(found, LinearHazard):
                found = LinearHazard(horizons=(self.horizon,), random_state=self.random_state)
                found.fit_rows(self.columns_, rows)
            self.tuned_start_ = linear = found
        else:  # tuned with other rows, which these must not hear of
            linear = self.tuned_start_.refitted(rows)
        said = linear.survival_encoded(rows.matrix, [self.horizon], rows.entry)[:, 0]
        self.start_ = straight_tables(rows, share_open, said, offset, linear)
        parts, base = self.start_.parts(rows.matrix, rows.entry)
        return base + parts.sum(axis=1)

    def _fit(self, rows: Rows) -> None:
        self.tuned_start_ = None
        super()._fit(rows)

    def _tuned_as(self, other: Self) -> None:
        super()._tuned_as(other)
        self.tuned_start_ = other.tuned_start_

    def _finish(self, rows: Rows) -> None:
        # The slope goes into the leaves first: then tables and booster are one thing, to the last bit.
        self.booster_ = round_leaves(self.booster_, self.n_trees_, self.slope_)
        self.slope_ = 1.0
        self.tables_ = compile_tables(self.booster_, self.start_, self.columns_.levels, rows.matrix, rows.entry)

    def _trees(self, matrix: FloatArray, entry: FloatArray) -> FloatArray:
        return self.tables_.total(matrix, entry)

    def _tree_parts(self, matrix: FloatArray, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts, base = self.tables_.parts(matrix, entry)
        return parts, base + parts.sum(axis=1)

    def _survival_and_parts(
        self, matrix: FloatArray, weeks: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        if week != self.horizon:
            return super()._survival_and_parts(matrix, weeks, week, entry)
        parts, trees = self._tree_parts(matrix, entry)
        return self._curve(self._score(trees, entry), weeks, entry), parts

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        return self._curve_state(), {"tables.json": json.dumps(self.tables_.to_dict())}

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self._restore_curve(state)
        self.tables_ = tables_from_dict(json.loads(files["tables.json"]))
