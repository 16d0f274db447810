"""What the glass box starts from, against a logistic regression of another library."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from models import catalogue
from models.arrays import expit
from models.linear import LinearHazard
from models.rows import Rows, outcome
from models.straight import LOOSE, straight_tables
from models.tables import GRAIN, Tables

N = 800


@pytest.fixture(scope="module")
def made() -> tuple[LinearHazard, Rows, np.ndarray]:
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 4, N)
    X = pd.DataFrame(
        {
            "few": rng.integers(0, 9, N).astype(float),
            "hole": np.where(rng.random(N) < 0.2, np.nan, rng.integers(-4, 5, N)),
            "kind": pd.Categorical(np.array(list("abcd"))[kind]),
            "constant": 1.0,
        }
    )
    p = expit(0.3 * (X["few"] - 4) + 0.5 * (kind == 2) + 0.2 * np.nan_to_num(X["hole"]))
    stays = (rng.random(N) < p).astype(np.float64)
    weeks = np.where(stays == 1, 60.0, np.ceil(rng.uniform(1, 50, N)))
    entry = rng.choice([0.0, 0.0, 4.0], N)
    y = outcome(stays == 0, np.maximum(weeks, entry + 1))
    learner = catalogue.make("linear", horizons=(52.0,)).fit(X, y, entry)
    assert isinstance(learner, LinearHazard)
    rows = Rows(
        learner.columns_.encode(X),
        stays == 0,
        y["weeks"].copy(),
        entry,
        rng.uniform(0.5, 2, N),
        np.arange(N, dtype=np.int64),
    )
    return learner, rows, stays


def oracle(learner: LinearHazard, rows: Rows, chance: np.ndarray, penalty: float) -> np.ndarray:
    """Log-odds of scikit-learn's logistic regression; a chance is a row that passed and one that did not, by their shares."""
    terms = learner.design_.terms(rows.matrix)
    found = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=1000)
    found.fit(
        np.concatenate([terms, terms]),
        np.repeat([1, 0], N),
        np.concatenate([rows.weight * chance, rows.weight * (1.0 - chance)]),
    )
    return np.asarray(found.decision_function(terms))


# All columns take few values here, so every value is its bin's mean.
@pytest.mark.parametrize("penalty", [1e9, 1e-6])
def test_hard_penalties_keep_the_fit_to_the_hazard_and_weak_ones_that_to_half_of_what_happened(
    made: tuple[LinearHazard, Rows, np.ndarray], penalty: float
) -> None:
    learner, rows, stays = made
    steady = tuple(range(learner.design_.n_terms))
    learner.choice_ = replace(learner.choice_, penalty=penalty, steady=steady, bend=1.0, ageing=(), changing=(), own=())
    learner.age_ = None
    said = expit(0.2 * rows.matrix[:, 0] - 1.0)
    parts, base = straight_tables(rows, stays, said, np.zeros(N), learner).parts(rows.matrix, rows.entry)
    if penalty > 1:
        wanted = oracle(learner, rows, said, LOOSE)
    else:
        wanted = oracle(learner, rows, (stays + said) / 2, 2 * penalty)
    np.testing.assert_allclose(base + parts.sum(axis=1), wanted, atol=1e-3)


def test_an_effect_reaches_farther_the_more_hazard_lies_ahead(made: tuple[LinearHazard, Rows, np.ndarray]) -> None:
    learner, rows, stays = made
    learner.choice_ = replace(learner.choice_, ageing=())
    learner.age_ = None
    young = rows.entry == 0.0
    rows = replace(rows, entry=np.where(young, 0.0, 40.0))
    tables = straight_tables(rows, stays, np.full(N, stays.mean()), np.where(young, -2.0, 2.0), learner)
    ahead = -np.log(1.0 / (1.0 + np.exp(np.array([2.0, -2.0]))))  # of the average case, by its chance
    reach = ahead / (1.0 - np.exp(-ahead))
    ages = np.searchsorted(tables.age_cuts, [0.0, 40.0])
    assert np.abs(tables.values[0]).max() > 0.05
    np.testing.assert_allclose(tables.values[0][ages[0]] / reach[0], tables.values[0][ages[1]] / reach[1], atol=1e-6)


def test_sums_are_exact_a_constant_adds_nothing_and_an_unseen_value_has_a_bin(
    made: tuple[LinearHazard, Rows, np.ndarray],
) -> None:
    learner, rows, stays = made
    tables = straight_tables(rows, stays, np.full(N, 0.6), np.full(N, 0.2), learner)
    for values in (tables.base, *tables.values):
        np.testing.assert_array_equal(np.round(values / GRAIN) * GRAIN, values)
    odd = np.array([[-100.0, np.nan, 9.0, 5.0], [100.0, 100.0, np.nan, np.nan]])
    parts, base = tables.parts(odd, np.array([0.0, 400.0]))
    assert np.isfinite(parts).all()
    assert np.isfinite(base).all()
    assert not parts[:, 3].any()


def test_tables_say_the_same_on_finer_bins() -> None:
    rng = np.random.default_rng(0)
    own = Tables(
        np.array([2.0]), rng.normal(size=2), (np.array([0.0, 1.0]), np.zeros(0)), (rng.normal(size=(2, 4)), rng.normal(size=(2, 2)))
    )  # fmt: skip
    finer = own.on(np.array([1.0, 2.0, 3.0]), [np.array([-1.0, 0.0, 0.5, 1.0]), np.array([7.0])])
    matrix = np.column_stack(
        [rng.choice([-2.0, -1.0, -0.5, 0.0, 0.3, 0.5, 1.0, 2.0, np.nan], 200), rng.normal(7, 1, 200)]
    )
    entry = rng.choice([0.0, 1.0, 1.5, 2.0, 2.5, 9.0], 200)
    for found, wanted in zip(finer.parts(matrix, entry), own.parts(matrix, entry), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_on_few_cases_with_straight_effects_the_glass_box_is_not_worse_than_the_linear_hazard() -> None:
    rng = np.random.default_rng(8)
    X = pd.DataFrame(rng.normal(size=(3_400, 6)), columns=list("abcdef"))
    score = X.to_numpy() @ np.array([0.8, -0.6, 0.4, 0.3, 0.0, 0.0])
    weeks = np.ceil(rng.exponential(40 * np.exp(score)) * 7) / 7
    seen = np.ceil(rng.uniform(10, 120, len(X)) * 7) / 7
    y = outcome(weeks <= seen, np.minimum(weeks, seen))
    truth = np.exp(-52 / (40 * np.exp(score[400:])))
    off = {
        name: np.mean((catalogue.make(name).fit(X[:400], y[:400]).survival(X[400:], [52])[:, 0] - truth) ** 2)
        for name in ("additive", "linear")
    }
    assert off["additive"] < 1.5 * off["linear"]
