"""LightGBM, kept on a short lead: same bytes for the same rows, lean in memory, plain text in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.arrays import BoolArray, FloatArray, IntArray, expit
from models.columns import Columns
from models.contract import Learner
from models.folds import drawn_share
from models.rows import Rows

BIN_SAMPLE = 50_000
LITTLE = 2_000_000  # cells
SMALLEST_LEAF, LEAF_SHARE = 5, 0.01  # rows, and of persons
FEWEST_COLUMNS = 4  # offered to a tree, or of a narrow table no tree would see two columns together
# Without `deterministic` and a fixed layout the same rows can give other trees from one run to the next.
FIXED: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "boost_from_average": False,
    # Columns that cannot be split in a few rows stay: LightGBM stops when it has put all of them aside.
    "feature_pre_filter": False,
}


class BoostedLearner(Learner):
    """What learners of one sum of trees share; they fill in ``_grow``."""

    uses_boosting: ClassVar[bool] = True
    learning_rate: float
    num_leaves: int
    reg_lambda: float
    feature_fraction: float
    patience: int
    random_state: int
    n_jobs: int
    booster_: lgb.Booster

    def _grow(self, rows: Rows, fold: IntArray, held_out: Sequence[int]) -> list[tuple[int, lgb.Booster]]:
        """Fit; boosting stops where rows of the folds held out no longer gain. The trees grown without each of them."""
        raise NotImplementedError

    def fit_left_out(
        self, columns: Columns, rows: Rows, fold: IntArray, held_out: Sequence[int]
    ) -> list[tuple[int, Learner]]:
        """As every learner's, at no further cost: the copies are the trees that early stopping grew anyway."""
        if not self.patience:
            return super().fit_left_out(columns, rows, fold, held_out)
        self._adopt(columns)
        with threadpool_limits(limits=1, user_api="blas"):
            without = self._grow(rows, fold, held_out)
        return [(f, self._with_trees(booster)) for f, booster in without]

    def _with_trees(self, booster: lgb.Booster) -> Self:
        other = copy(self)
        other.booster_ = booster
        return other

    def _settings(self) -> dict[str, Any]:
        """The settings of LightGBM that do not depend on what is fitted."""
        return {
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "lambda_l2": self.reg_lambda,
            "feature_fraction": self.feature_fraction,
            "min_data_per_group": 50,
            "cat_smooth": 20,
            "seed": self.random_state,
            "num_threads": self.n_jobs,
        }


def offered(fraction: float, n_columns: int) -> float:
    """The share of columns that a tree is offered: ``fraction`` of many, at least four of few.

    >>> [offered(0.5, n) for n in (3, 5, 40)]
    [1.0, 0.8, 0.5]
    """
    return max(fraction, min(1.0, FEWEST_COLUMNS / n_columns))


def bagged(n_persons: int) -> dict[str, Any]:
    """The settings of LightGBM by which the rows of each tree are drawn anew; none where all are used."""
    share = drawn_share(n_persons)
    return {"bagging_fraction": share, "bagging_freq": 1} if share < 1.0 else {}


def leaf_rows(most: int, n_persons: int) -> int:
    """The least number of rows in a leaf: ``most``, of few persons one in a hundred and never under five.

    >>> [leaf_rows(20, n) for n in (100, 700, 1500, 2000, 50_000)]
    [5, 7, 15, 20, 20]
    """
    return min(most, max(SMALLEST_LEAF, int(LEAF_SHARE * n_persons)))


class Repeated(lgb.Sequence):
    """Rows of a matrix repeated by position, with their ages and bands: read in batches, never written out as a whole.

    LightGBM bins what it reads into a byte per cell, so a case that is watched over four bands of weeks costs four
    rows of bytes and not four rows of floats.

    Parameters
    ----------
    matrix : (n, p)
    rows : (m,) which of them
    entry : (n,) the column after those of the matrix
    band : (m,) small whole numbers, the last column; there is none when not given
    """

    batch_size = 8192

    def __init__(
        self, matrix: FloatArray, rows: IntArray, entry: FloatArray, band: npt.NDArray[np.int16] | None = None
    ) -> None:
        self.matrix, self.rows, self.entry = matrix, rows, entry
        self.band = np.empty((len(rows), 0), dtype=np.int16) if band is None else band[:, None]

    @property
    def n_columns(self) -> int:
        return int(self.matrix.shape[1] + 1 + self.band.shape[1])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Any) -> FloatArray:
        if isinstance(at, int | np.integer):
            return np.concatenate([self.matrix[self.rows[at]], [self.entry[self.rows[at]]], self.band[at]])
        here = self.rows[at]
        return np.concatenate([self.matrix[here], self.entry[here, None], self.band[at]], axis=1)


def make_dataset(
    rows: Repeated,
    label: FloatArray,
    weight: FloatArray,
    init_score: FloatArray | None,
    categories: Sequence[int],
    params: dict[str, Any],
) -> lgb.Dataset:
    """A binned data set of repeated rows; the extra columns come last and are numbers."""
    n_columns = rows.n_columns
    # Read row by row to save memory, or, where there is little to save, at once; the bins are the same.
    data = lgb.Dataset(
        rows if len(rows) * n_columns > LITTLE else rows[:],
        label=label,
        weight=None if np.all(weight == 1.0) else weight,
        init_score=init_score,
        feature_name=[f"f{j}" for j in range(n_columns)],
        categorical_feature=list(categories),
        params=FIXED | {k: v for k, v in params.items() if k != "objective"} | {"bin_construct_sample_cnt": BIN_SAMPLE},
    )
    return data.construct()


@dataclass(frozen=True)
class Boosted:
    """Trees, how many of them count, and those grown without each fold (empty when nothing was held out)."""

    booster: lgb.Booster
    n_trees: int
    without_fold: Sequence[lgb.Booster]


def boost(
    data: lgb.Dataset,
    params: dict[str, Any],
    n_trees: int,
    folds: Sequence[tuple[IntArray, IntArray]] = (),
    patience: int = 0,
) -> Boosted:
    """Boost at most ``n_trees`` trees; with folds, stop where held-out rows no longer gain.

    With one fold the trees grown beside it are kept (the held-out share is small); with several, the best number of
    trees over them is grown anew on all rows.
    """
    settings = FIXED | params
    loss = soft_loss if settings["objective"] is soft_outcomes else None
    if not folds or not patience:
        return Boosted(lgb.train(settings, data, num_boost_round=n_trees), n_trees, ())
    quiet: list[Callable[..., Any]] = [lgb.early_stopping(patience, verbose=False)]
    if len(folds) == 1:
        inside, outside = (data.subset(np.sort(part).tolist()) for part in folds[0])
        booster = lgb.train(settings, inside, n_trees, valid_sets=[outside], feval=loss, callbacks=quiet)
        return Boosted(booster, max(booster.best_iteration, 1), (booster,))
    result = lgb.cv(
        settings, data, n_trees, folds=list(folds), callbacks=quiet, stratified=False, feval=loss, return_cvbooster=True
    )
    without: Any = result["cvbooster"]
    best = max(int(without.best_iteration), 1)
    return Boosted(lgb.train(settings, data, num_boost_round=best), best, tuple(without.boosters))


def split(fold: IntArray, held_out: Sequence[int], closed: BoolArray) -> dict[int, tuple[IntArray, IntArray]]:
    """Positions inside and outside of each fold held out; one without which nobody closed cannot be, and is left out."""
    inside = {f: fold != f for f in held_out}
    return {
        f: (np.flatnonzero(stays), np.flatnonzero(~stays))
        for f, stays in inside.items()
        if closed[stays].any() and not stays.all()
    }


def held_out_scores(
    boosted: Boosted, rows: Repeated, folds: Sequence[tuple[IntArray, IntArray]], n_jobs: int
) -> tuple[IntArray, FloatArray]:
    """Held-out positions and what the trees that never saw them say, (m,) twice."""
    at = [np.sort(outside) for _, outside in folds]
    scores = [
        np.asarray(b.predict(rows[part], raw_score=True, num_iteration=boosted.n_trees, num_threads=n_jobs))
        for b, part in zip(boosted.without_fold, at, strict=True)
    ]
    return np.concatenate(at), np.concatenate(scores).astype(np.float64)


def settle(
    score: FloatArray,
    offset: FloatArray,
    seen: FloatArray,
    weight: FloatArray,
    mean: Callable[[FloatArray], FloatArray],
) -> tuple[float, float]:
    """Level and slope that fit held-out rows best: ``mean(offset + level + slope * score)`` against what was seen.

    Trees fitted closely spread their scores too widely and so expect too many closings. A level and a slope learned
    where they were not fitted set both right (the linear shrinkage of van Houwelingen and le Cessie 1990, Statistics in
    Medicine 9:1303). Slopes far from 1 and levels far from 0 need evidence: priors have deviations of 0.3 and 0.1.
    """
    terms = np.column_stack([np.ones_like(score), score])
    prior, precision = np.array([0.0, 1.0]), np.array([100.0, 1.0 / 0.09])
    theta = prior.copy()
    for _ in range(25):
        fitted = mean(offset + terms @ theta)
        spread = fitted * (1.0 - fitted) if mean is expit else fitted
        gradient = terms.T @ (weight * (seen - fitted)) - precision * (theta - prior)
        second = (terms * (weight * spread)[:, None]).T @ terms + np.diag(precision)
        theta = theta + np.clip(np.linalg.solve(second, gradient), -0.5, 0.5)
    return float(theta[0]), float(max(theta[1], 0.05))


def soft_outcomes(score: FloatArray, data: lgb.Dataset) -> tuple[FloatArray, FloatArray]:
    """Gradient and curvature of the cross-entropy for outcomes that leave [0, 1], which LightGBM's own refuses."""
    p, weight = expit(score), _weight_of(data)
    return weight * (p - np.asarray(data.get_label())), weight * np.maximum(p * (1.0 - p), 1e-6)


def soft_loss(score: FloatArray, data: lgb.Dataset) -> tuple[str, float, bool]:
    """The mean cross-entropy that goes with :func:`soft_outcomes`."""
    loss = np.logaddexp(0.0, score) - np.asarray(data.get_label()) * score
    return "soft_loss", float(np.average(loss, weights=_weight_of(data))), False


def _weight_of(data: lgb.Dataset) -> FloatArray:
    weight = data.get_weight()
    return np.ones(data.num_data()) if weight is None else np.asarray(weight, dtype=np.float64)


def to_text(booster: lgb.Booster, n_trees: int) -> str:
    """The trees as LightGBM text, without what follows them and scoring does not need (parameters, importances)."""
    trees, end, _ = booster.model_to_string(num_iteration=n_trees).partition("end of trees\n")
    return trees + end


def from_text(text: str) -> lgb.Booster:
    """A booster read back from text that has been checked (LightGBM itself does not check: see bundle)."""
    return lgb.Booster(model_str=text)
