"""The glass box: tables and trees are the same thing to the last bit, and no two features meet."""

import numpy as np
import pandas as pd
import pytest

from models import catalogue
from models.rows import outcome


def register(n=5000, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 6, size=n)
    X = pd.DataFrame(
        {
            "a": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "never_missing": rng.normal(size=n),
            "kind": pd.Categorical.from_codes(np.where(rng.random(n) < 0.05, -1, kind), list("uvwxyz")),
            "whole": rng.integers(-3, 4, size=n),
        }
    )
    entry = rng.choice([0.0, 4 + 3 / 7, 13.0, 26.0], size=n)
    effect = 0.6 * np.nan_to_num(X["a"]) + 0.4 * (kind > 3) - 0.3 * X["never_missing"] * (entry < 10)
    weeks = entry + np.ceil(rng.exponential(30 * np.exp(effect)) * 7) / 7
    seen = entry + np.ceil(rng.uniform(5, 110, size=n) * 7) / 7
    return X, outcome(weeks <= seen, np.minimum(weeks, seen)), entry


X, Y, ENTRY = register()


@pytest.fixture(scope="module")
def fitted():
    return catalogue.make("additive").fit(X, Y, ENTRY)


def odd_rows(learner):
    """Encoded rows on and beside every cut, missing, unseen and far away, at many ages."""
    rng = np.random.default_rng(1)
    n = 3000
    matrix = np.asfortranarray(learner.columns_.encode(X)[rng.integers(0, len(X), n)])
    for j, cuts in enumerate(learner.tables_.cuts):
        cuts = cuts[np.abs(cuts) > 1e-30]  # LightGBM reads numbers below 1e-35 as 0, and cuts beside 0 are that small
        if len(cuts):
            on = rng.choice(cuts, size=n)
            matrix[::5, j] = on[::5]
            matrix[1::5, j] = np.nextafter(on, np.inf)[1::5]
    matrix[::31, 0], matrix[::37, 1], matrix[::41, 2] = np.nan, np.nan, np.nan
    matrix[::43, 3], matrix[::47, 1] = 1e9, -1e9
    matrix[:, 2] = np.floor(matrix[:, 2])
    entry = rng.choice([0.0, 4 + 3 / 7, 5.0, 8.0, 13.0, 22.0, 26.0, 51.0], size=n)
    entry[::3] = rng.choice(learner.tables_.age_cuts, size=n)[::3]
    return matrix, entry


def test_tables_give_the_bits_of_the_booster_and_of_its_start(fitted):
    matrix, entry = odd_rows(fitted)
    trees = fitted.booster_.predict(np.column_stack([matrix, entry]), raw_score=True)
    parts, base = fitted.start_.parts(matrix, entry)
    np.testing.assert_array_equal(fitted._trees(matrix, entry), trees + base + parts.sum(axis=1))
    assert fitted.booster_.num_trees() == fitted.n_trees_ > 20


def test_few_rows_and_many_rows_take_different_ways_to_the_same_bits(fitted):
    matrix, entry = odd_rows(fitted)
    many, base = fitted.tables_.parts(matrix, entry)
    for a in range(0, 200, 20):
        few, few_base = fitted.tables_.parts(matrix[a : a + 20], entry[a : a + 20])
        np.testing.assert_array_equal(few, many[a : a + 20])
        np.testing.assert_array_equal(few_base, base[a : a + 20])


def test_a_feature_adds_the_same_whatever_the_others_are(fitted):
    other = X.assign(never_missing=X["never_missing"].to_numpy()[::-1], whole=X["whole"].to_numpy()[::-1])
    one, two = fitted.contributions(X, 52.0, ENTRY), fitted.contributions(other, 52.0, ENTRY)
    np.testing.assert_array_equal(one["a"], two["a"])
    np.testing.assert_array_equal(one["kind"], two["kind"])
    assert not np.array_equal(one["never_missing"], two["never_missing"])


def test_parts_say_how_a_case_differs_from_others_of_its_age(fitted):
    parts = fitted.contributions(X, 52.0, ENTRY)
    for age in np.unique(ENTRY):
        assert parts.loc[age == ENTRY, list(X.columns)].mean().abs().max() < 0.05


def test_an_effect_that_depends_on_age_is_drawn_so(fitted):
    young = fitted.contributions(X, 52.0, np.full(len(X), 4 + 3 / 7))["never_missing"]
    old = fitted.contributions(X, 52.0, np.full(len(X), 26.0))["never_missing"]
    assert young.std() > 1.5 * old.std()


def test_scoring_needs_no_booster(fitted, monkeypatch):
    files = fitted.to_files()
    assert sorted(files) == ["learner.json", "tables.json"]

    def never(*_args, **_kwargs):
        raise AssertionError("LightGBM was reached")

    monkeypatch.setattr("models.boosting.lgb.Booster", never)
    opened = catalogue.from_files(files)
    np.testing.assert_array_equal(opened.survival(X, [26, 52], ENTRY), fitted.survival(X, [26, 52], ENTRY))
