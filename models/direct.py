r"""One ensemble for P(open past the horizon | open now), fitted on every case, closed or not.

A closed case, and one seen past the horizon, has its outcome :math:`Y`. A case lost from sight at ``c`` before the
horizon is given the chance that it passes, :math:`Q(c) = P(T > \tau \mid T > c, x)`, by a hazard learner that was fitted
without its person. Two transformations are offered:

``conditional``
    :math:`Y^* = Y` where known, else :math:`Q(c)` (Buckley and James 1979, Biometrika 66:429, for a survival chance). Its
    mean given ``x`` is right when the hazard learner is right, whatever drives censoring that ``x`` knows of. It has the
    least noise.
``doubly_robust``
    adds inverse-probability terms,

    .. math:: Y^* = \frac{\Delta Y}{G(\tilde T)} + \int \frac{Q(u)}{G(u)}\, dM^c(u),

    so that its mean is right when *either* the hazard learner *or* the censoring curve ``G`` is right (Rubin and van der
    Laan 2007, Int. J. Biostatistics 3(1):4; Steingrimsson, Diao, Strawderman 2019, JASA 114:370). It is noisier, leaves
    [0, 1], and its ``G`` is one curve for all, which the age of the register makes wrong when cases come unevenly.

One outcome per case is little to learn from, and a tree that searches for the best threshold finds chance ones. So
thresholds are drawn: at each node one per column, of which the best is taken (extremely randomised trees: Geurts, Ernst
and Wehenkel 2006, Machine Learning 63:3). Many such trees add up to smooth effects. They are drawn between bins of many
rows, or most would lie far out in the tail of a skewed column, where few rows are.

Of few persons the trees of another sample would be others: there each tree learns from rows drawn anew
(:func:`models.folds.drawn_share`), and leaves and bins may be smaller (:func:`models.boosting.leaf_rows`), for a leaf of
twenty rows is a coarse thing among three hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from models import catalogue
from models.arrays import BoolArray, FloatArray, IntArray
from models.baseline import product_limit
from models.boosting import bagged, leaf_rows, offered
from models.contract import Learner
from models.folds import fold_of_group
from models.horizon import HorizonLearner
from models.naive import open_past
from models.periods import Periods
from models.rows import Rows
from risk.errors import ConfigError

CENSORING_STEPS = 26
LEAST_SEEN = 0.05  # of the censoring curve; below it few rows would outweigh all others
BINS = 63  # to draw a threshold between; further ones are of about equal numbers of rows


class Direct(HorizonLearner):
    """LightGBM on censoring-unbiased outcomes; the module text says which.

    Parameters
    ----------
    horizon : weeks from opening
    transformation : ``conditional`` or ``doubly_robust``
    nuisance : the hazard learner that judges cases lost from sight, ``linear`` or ``hazard``
    n_folds : parts of persons that the hazard learner is fitted without in turn
    n_estimators, learning_rate, num_leaves, min_rows, reg_lambda, feature_fraction : as in LightGBM; ``min_rows`` is
        the least number of rows in a leaf, where persons are not few
    patience : trees without gain on held-out persons before boosting stops; 0 uses all
    random_state : seed
    n_jobs : threads
    """

    name: ClassVar[str] = "direct"
    tuned_nuisance_: Learner | None = None
    lent_: Learner | None = None

    def __init__(
        self,
        horizon: float = 52.0,
        transformation: str = "conditional",
        nuisance: str = "linear",
        n_folds: int = 3,
        n_estimators: int = 400,
        learning_rate: float = 0.07,
        num_leaves: int = 8,
        min_rows: int = 20,
        reg_lambda: float = 5.0,
        feature_fraction: float = 0.5,
        patience: int = 20,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.horizon = horizon
        self.transformation = transformation
        self.nuisance = nuisance
        self.n_folds = n_folds
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_rows = min_rows
        self.reg_lambda = reg_lambda
        self.feature_fraction = feature_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _outcomes(self, rows: Rows) -> tuple[Rows, FloatArray]:
        if self.transformation not in {"conditional", "doubly_robust"}:
            raise ConfigError(f"transformation {self.transformation!r}; choose conditional or doubly_robust")
        if self.nuisance not in {"linear", "hazard"}:
            raise ConfigError(f"nuisance {self.nuisance!r}; choose linear or hazard")
        known = rows.closed | (rows.weeks >= self.horizon)
        if known.all():
            return rows, open_past(rows, self.horizon)
        judge = _Judge(rows, self._judges(rows), self.horizon)
        if self.transformation == "conditional":
            return rows, np.where(known, open_past(rows, self.horizon), judge.passing(rows.weeks))
        return rows, doubly_robust(rows, known, judge, self.horizon)

    def _tree_params(self, rows: Rows) -> dict[str, Any]:
        n_persons = len(np.unique(rows.group))
        least = leaf_rows(self.min_rows, n_persons)
        return bagged(n_persons) | {
            "extra_trees": True,
            "max_bin": BINS,
            "min_data_in_bin": least,
            "min_data_in_leaf": least,
            "feature_fraction": offered(self.feature_fraction, rows.matrix.shape[1]),
        }

    def borrow(self, fitted: Sequence[Learner]) -> None:
        self.lent_ = next((m for m in fitted if m.name == self.nuisance), None)

    def _begin(self) -> None:
        self.tuned_nuisance_, self.lent_ = self.lent_, None

    def _tuned_as(self, other: Self) -> None:
        self.tuned_nuisance_ = other.tuned_nuisance_

    def _judges(self, rows: Rows) -> list[tuple[IntArray, Periods, FloatArray]]:
        """Positions, periods and log hazards of each fold, by a learner fitted without it (only tuned with it)."""
        fold = fold_of_group(rows.group, self.n_folds, self.random_state)
        if self.tuned_nuisance_ is None:
            tuned = catalogue.make(self.nuisance, horizons=(self.horizon,), random_state=self.random_state)
            self.tuned_nuisance_ = tuned.fit_rows(self.columns_, rows)
        made = []
        for f in range(self.n_folds):
            others, learner = rows.take(fold != f), self.tuned_nuisance_
            # The only closing cannot be left out: nothing would be left to learn from.
            if (others.closed & (others.weeks <= self.horizon)).any():
                learner = learner.refitted(others)
            at = np.flatnonzero(fold == f).astype(np.int64)
            eta = learner.log_hazards(rows.matrix[at], rows.entry[at], self.horizon)
            made.append((at, learner.periods_, eta))
        return made


class _Judge:
    """The chance that a row passes the horizon, given that it was still open at some week after its entry."""

    def __init__(self, rows: Rows, judges: list[tuple[IntArray, Periods, FloatArray]], horizon: float) -> None:
        self.rows, self.judges, self.horizon = rows, judges, horizon

    def passing(self, weeks: FloatArray) -> FloatArray:
        """(n,) for a week per row."""
        out = np.empty(len(self.rows))
        for at, periods, eta in self.judges:
            start = np.minimum(weeks[at], self.horizon)
            ahead = periods.exposure(start, np.full(len(at), self.horizon))
            out[at] = np.exp(-(ahead * np.exp(eta)).sum(axis=1))
        return out


def doubly_robust(rows: Rows, known: BoolArray, judge: _Judge, horizon: float) -> FloatArray:
    """The second transformation of the module text, (n,); not confined to [0, 1].

    The censoring curve is the product-limit estimator with the roles of closing and censoring exchanged, on a grid of
    weeks; everyone censored inside a step of the grid is taken to be so at its end.
    """
    lost = Rows(rows.matrix, ~known, np.minimum(rows.weeks, horizon), rows.entry, rows.weight, rows.group)
    weeks, log_seen = product_limit(lost)
    curve = np.concatenate([[0.0], log_seen])

    def seen_until(at: FloatArray) -> FloatArray:
        log_share = curve[np.searchsorted(weeks, at, "right")] - curve[np.searchsorted(weeks, rows.entry, "right")]
        return np.exp(np.maximum(log_share, np.log(LEAST_SEEN)))

    stop = np.minimum(rows.weeks, horizon)
    outcome = np.where(known, open_past(rows, horizon) / seen_until(stop), judge.passing(stop) / seen_until(stop))
    grid = np.linspace(0.0, horizon, CENSORING_STEPS + 1)
    for low, high in pairwise(grid):
        # Minus the compensator of being lost: what each step's chance of it was worth while the row was watched.
        a, b = np.clip(low, rows.entry, stop), np.clip(high, rows.entry, stop)
        lost_here = np.log(seen_until(a)) - np.log(seen_until(b))
        outcome -= np.where(b > a, lost_here * judge.passing((a + b) / 2) / seen_until((a + b) / 2), 0.0)
    return outcome
