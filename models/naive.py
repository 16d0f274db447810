"""The two usual mistakes, kept to show what they cost. Never a model to use: the catalogue bars them from service."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from models.arrays import FloatArray
from models.contract import Learner
from models.horizon import HorizonLearner
from models.rows import Rows
from risk.errors import TooFewCasesError


class _Naive(HorizonLearner):
    """A plain LightGBM classifier of ``open past the horizon``.

    Parameters
    ----------
    horizon : weeks from opening
    n_estimators, learning_rate, num_leaves, min_rows, reg_lambda, feature_fraction : as in LightGBM; ``min_rows`` is
        the least number of rows in a leaf
    patience : trees without gain on held-out persons before boosting stops; 0 uses all
    random_state : seed
    n_jobs : threads
    """

    def __init__(
        self,
        horizon: float = 52.0,
        n_estimators: int = 300,
        learning_rate: float = 0.06,
        num_leaves: int = 15,
        min_rows: int = 20,
        reg_lambda: float = 5.0,
        feature_fraction: float = 0.5,
        patience: int = 20,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.horizon = horizon
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_rows = min_rows
        self.reg_lambda = reg_lambda
        self.feature_fraction = feature_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs

    fit_left_out = Learner.fit_left_out  # rows may be left aside, so folds of all rows are not those of the trees


class MaturedOnly(_Naive):
    """Drops every case whose outcome is not known yet.

    Short cases become known sooner than long ones, so those that are left close too early: the share past week 52 comes
    out too low, the more so the younger the register.
    """

    name: ClassVar[str] = "matured_only"

    def _outcomes(self, rows: Rows) -> tuple[Rows, FloatArray]:
        known = rows.take(rows.closed | (rows.weeks >= self.horizon))
        if not len(known):
            raise TooFewCasesError("no case has a known outcome; extend the period or the cut date")
        return known, open_past(known, self.horizon)


class CensoredAsNegative(_Naive):
    """Counts every case whose outcome is not known yet as one that closed the day it was last seen."""

    name: ClassVar[str] = "censored_as_negative"

    def _outcomes(self, rows: Rows) -> tuple[Rows, FloatArray]:
        lost = ~rows.closed & (rows.weeks < self.horizon)
        return replace(rows, closed=rows.closed | lost), open_past(rows, self.horizon)


def open_past(rows: Rows, horizon: float) -> FloatArray:
    """1 for a case known to be open past the horizon, else 0, (n,): a closing on its last day is not past it."""
    return np.where(rows.closed, rows.weeks > horizon, rows.weeks >= horizon).astype(np.float64)
