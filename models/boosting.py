"""LightGBM, kept on a short lead: same bytes for the same rows, lean in memory, plain text in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from models.contract import FloatArray, IntArray

BIN_SAMPLE = 50_000
# Without `deterministic` and a fixed layout the same rows can give other trees from one run to the next.
FIXED: dict[str, Any] = {"deterministic": True, "force_row_wise": True, "verbosity": -1, "boost_from_average": False}


class Repeated(lgb.Sequence):
    """Rows of a matrix repeated by position, with further columns: read in batches, never written out as a whole.

    LightGBM bins what it reads into a byte per cell, so a case that is watched over four bands of weeks costs four
    rows of bytes and not four rows of floats.
    """

    batch_size = 8192

    def __init__(self, matrix: FloatArray, rows: IntArray, extra: FloatArray) -> None:
        self.matrix, self.rows, self.extra = matrix, rows, extra

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Any) -> FloatArray:
        if isinstance(at, int | np.integer):
            return np.concatenate([self.matrix[self.rows[at]], self.extra[at]])
        return np.concatenate([self.matrix[self.rows[at]], self.extra[at]], axis=1)


def make_dataset(
    matrix: FloatArray,
    rows: IntArray,
    extra: FloatArray,
    label: FloatArray,
    weight: FloatArray,
    init_score: FloatArray | None,
    categories: Sequence[int],
    params: dict[str, Any],
) -> lgb.Dataset:
    """A binned data set of repeated rows; the extra columns come last and are numbers."""
    n_columns = matrix.shape[1] + extra.shape[1]
    data = lgb.Dataset(
        Repeated(matrix, rows, extra),
        label=label,
        weight=None if np.all(weight == 1.0) else weight,
        init_score=init_score,
        feature_name=[f"f{j}" for j in range(n_columns)],
        categorical_feature=list(categories),
        params=FIXED | params | {"bin_construct_sample_cnt": BIN_SAMPLE},
    )
    return data.construct()


def boost(
    data: lgb.Dataset,
    params: dict[str, Any],
    n_trees: int,
    folds: Sequence[tuple[IntArray, IntArray]] = (),
    patience: int = 0,
    objective: Callable[..., Any] | str | None = None,
) -> tuple[lgb.Booster, int]:
    """Boost at most ``n_trees`` trees; with folds, stop where held-out rows no longer gain.

    With one fold the trees learned beside it are kept (the held-out share is small); with several, the best number of
    trees over them is learned anew on all rows.

    Returns
    -------
    The booster and its number of trees.
    """
    settings = FIXED | params
    if not folds or not patience:
        return lgb.train(settings, data, num_boost_round=n_trees), n_trees
    quiet: list[Callable[..., Any]] = [lgb.early_stopping(patience, verbose=False)]
    if len(folds) == 1:
        inside, outside = (data.subset(np.sort(part).tolist()) for part in folds[0])
        booster = lgb.train(settings, inside, n_trees, valid_sets=[outside], callbacks=quiet)
        return booster, max(booster.best_iteration, 1)
    history = lgb.cv(settings, data, n_trees, folds=list(folds), callbacks=quiet, stratified=False)
    best = max(len(np.atleast_1d(np.asarray(next(iter(history.values()))))), 1)
    return lgb.train(settings, data, num_boost_round=best), best


def to_text(booster: lgb.Booster, n_trees: int) -> str:
    """The trees as LightGBM text, without what follows them and scoring does not need (parameters, importances)."""
    trees, end, _ = booster.model_to_string(num_iteration=n_trees).partition("end of trees\n")
    return trees + end


def from_text(text: str) -> lgb.Booster:
    """A booster read back from text that has been checked (LightGBM itself does not check: see bundle)."""
    return lgb.Booster(model_str=text)


def raw_score(booster: lgb.Booster, matrix: FloatArray, n_jobs: int) -> FloatArray:
    """Sum of trees per row, (n,)."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=n_jobs), dtype=np.float64).reshape(-1)


def tree_shap(booster: lgb.Booster, matrix: FloatArray, n_jobs: int) -> FloatArray:
    """Exact path-dependent Shapley values (Lundberg et al. 2020, Nat. Mach. Intell. 2:56), (n, columns + 1)."""
    values = booster.predict(matrix, pred_contrib=True, num_threads=n_jobs)
    return np.asarray(values, dtype=np.float64).reshape(len(matrix), -1)
