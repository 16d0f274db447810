"""Tables of trees against LightGBM itself."""

from __future__ import annotations

import gc

import lightgbm as lgb
import numpy as np
import pytest

from models import leafcells, leafmasks, treescores
from models.arrays import FEW_ROWS, FloatArray
from models.leafcells import LeafCells
from models.leafmasks import LeafMasks
from models.treebins import ROWS, Questions

CODES = 7


def made_up(n: int, seed: int, missing: float = 0.15) -> FloatArray:
    """Numbers with few and many values, a column of codes, and holes in all but the last column."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            rng.normal(size=n),
            rng.integers(-3, 4, n).astype(np.float64),
            rng.exponential(size=n) * (rng.random(n) < 0.5),
            rng.integers(0, CODES, n).astype(np.float64),
            rng.normal(size=n).round(1),
        ]
    )
    matrix[:, :4][rng.random((n, 4)) < missing] = np.nan
    return matrix


def grow(n_leaves: int, n_trees: int = 40, **params: object) -> lgb.Booster:
    matrix = made_up(3_000, 1)
    known = np.nan_to_num(matrix, nan=-0.7)
    score = known[:, 0] * (known[:, 3] % 3 == 1) + known[:, 1] * known[:, 4] + np.abs(known[:, 2] - 1)
    settings = {"num_leaves": n_leaves, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "cat_smooth": 1}
    data = lgb.Dataset(matrix, score, categorical_feature=[3], params={"verbosity": -1})
    return lgb.train(settings | {"min_data_per_group": 5} | params, data, n_trees)


def hard_rows(booster: lgb.Booster) -> FloatArray:
    """Rows on, just below and just above every cut, and values nobody foresaw."""
    questions = Questions.of(booster)
    assert questions is not None
    rows = [made_up(500, 2)]
    for j, cuts in enumerate(questions.cuts):
        odd = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e300, -1e300]
        codes = [-1.0, 6.0, 7.0, 200.0, np.nan]
        for value in codes if j == 3 else [*odd, *cuts, *np.nextafter(cuts, -np.inf), *np.nextafter(cuts, np.inf)]:
            row = made_up(1, 3)
            row[0, j] = value
            rows.append(row)
    return np.concatenate(rows)


@pytest.mark.parametrize("n_leaves", [2, 8, 31, 32])
def test_masks_give_the_bits_of_lightgbm_on_every_side_of_every_cut(n_leaves: int) -> None:
    booster = grow(n_leaves)
    questions = Questions.of(booster)
    assert questions is not None
    masks = LeafMasks.of(questions)
    assert masks is not None
    rows = hard_rows(booster)
    assert np.array_equal(masks.score(rows), booster.predict(rows, raw_score=True))


def test_more_rows_than_are_taken_at_a_time_are_all_scored() -> None:
    booster, rows = grow(8), made_up(ROWS + 17, 5)
    assert np.array_equal(treescores.raw_score(booster, rows, 1), booster.predict(rows, raw_score=True))
    parts = treescores.tree_parts(booster, rows, 1)
    assert np.array_equal(parts[:, -1], booster.predict(rows, raw_score=True))
    assert np.allclose(parts[:, :-1], booster.predict(rows, pred_contrib=True), rtol=0, atol=1e-12)


def test_cells_give_the_shapley_values_of_lightgbm_and_its_sum_to_the_bit() -> None:
    booster = grow(8)
    rows = hard_rows(booster)
    questions = Questions.of(booster)
    assert questions is not None
    cells = LeafCells.of(questions)
    assert cells is not None
    parts, total = cells.parts(rows)
    wanted = np.asarray(booster.predict(rows, pred_contrib=True))
    assert np.allclose(parts, wanted[:, :-1], rtol=0, atol=1e-12)
    assert cells.expected == pytest.approx(wanted[0, -1], abs=1e-12)
    assert np.array_equal(total, booster.predict(rows, raw_score=True))


def test_the_parts_of_a_few_rows_are_those_among_many_to_the_bit() -> None:
    booster = grow(8)
    rows = hard_rows(booster)
    many = treescores.tree_parts(booster, rows, 1)
    for first in range(0, len(rows), FEW_ROWS):
        few = treescores.tree_parts(booster, rows[first : first + FEW_ROWS], 1)
        assert np.array_equal(few, many[first : first + FEW_ROWS])


def test_a_column_without_missing_values_at_learning_reads_them_as_lightgbm_does() -> None:
    matrix = made_up(2_000, 1, missing=0.0)
    data = lgb.Dataset(matrix, matrix[:, 0] + (matrix[:, 3] == 2) * matrix[:, 1], categorical_feature=[3])
    booster = lgb.train({"num_leaves": 8, "verbosity": -1, "num_threads": 1}, data, 20)
    rows = made_up(ROWS, 4, missing=0.4)
    assert np.array_equal(treescores.raw_score(booster, rows, 1), booster.predict(rows, raw_score=True))
    parts = treescores.tree_parts(booster, rows, 1)
    assert np.allclose(parts[:, :-1], booster.predict(rows, pred_contrib=True), rtol=0, atol=1e-12)


def test_what_tables_cannot_hold_is_left_to_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, rows = grow(40, 10), made_up(treescores.MANY_ROWS, 6)
    questions = Questions.of(booster)
    assert questions is not None
    assert LeafMasks.of(questions) is None
    assert LeafCells.of(questions) is None
    assert np.array_equal(treescores.raw_score(booster, rows, 1), booster.predict(rows, raw_score=True))
    parts = treescores.tree_parts(booster, rows[:50], 1)
    assert np.array_equal(parts[:, :-1], booster.predict(rows[:50], pred_contrib=True))
    assert np.array_equal(parts[:, -1], booster.predict(rows[:50], raw_score=True))


def test_trees_that_take_zero_for_missing_are_left_to_lightgbm() -> None:
    booster = grow(8, zero_as_missing=True)
    assert Questions.of(booster) is None
    rows = made_up(treescores.MANY_ROWS, 7)
    assert np.array_equal(treescores.raw_score(booster, rows, 1), booster.predict(rows, raw_score=True))


def test_a_tree_without_a_split_adds_its_one_value() -> None:
    booster = grow(8, 3, min_data_in_leaf=2_999)
    rows = made_up(treescores.MANY_ROWS, 8)
    wanted = booster.predict(rows, raw_score=True)
    assert np.array_equal(treescores.raw_score(booster, rows, 1), wanted)
    assert np.array_equal(treescores.tree_parts(booster, rows, 1)[:, -1], wanted)
    assert np.array_equal(treescores.tree_parts(booster, rows[:3], 1)[:, -1], wanted[:3])


def test_tables_are_let_go_with_their_booster() -> None:
    booster = grow(8, 3)
    treescores.tree_parts(booster, made_up(5, 9), 1)
    before = len(treescores._TABLES)
    del booster
    gc.collect()
    assert len(treescores._TABLES) < before


def test_limits_of_the_tables_admit_the_trees_that_learners_grow_by_default() -> None:
    assert leafmasks.MOST_LEAVES >= 31
    assert leafcells.MOST_COLUMNS >= 7
    assert leafcells.MOST_CELLS >= 2**7
