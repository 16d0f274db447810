"""One ensemble per horizon: its outcomes are right on average, and the curve through it is sound."""

import numpy as np
import pandas as pd
import pytest

from models import catalogue, direct, hazard
from models.boosting import Repeated, boost, make_dataset, soft_outcomes
from models.columns import Columns
from models.direct import Direct
from models.folds import FEW_PERSONS, drawn_share
from models.horizon import HorizonLearner
from models.rows import canonical_rows, outcome
from risk.errors import ConfigError


def register(n, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    mean = 30 * np.exp(0.7 * X["a"] - 0.4 * X["b"])
    weeks = np.ceil(rng.exponential(mean) * 7) / 7
    seen = np.ceil(rng.uniform(5, 110, size=n) * 7) / 7
    return X, outcome(weeks <= seen, np.minimum(weeks, seen)), weeks, np.exp(-52 / mean).to_numpy()


@pytest.mark.parametrize("transformation", ["conditional", "doubly_robust"])
def test_made_up_outcomes_have_the_mean_of_the_true_ones(transformation):
    X, y, weeks, truth = register(4000)
    learner = catalogue.make("direct", transformation=transformation)
    learner._adopt(Columns.of(X))
    rows, made_up = learner._outcomes(canonical_rows(learner.columns_, X, y))
    assert abs(made_up.mean() - np.mean(weeks > 52)) < 0.02
    # Among cases with much and with little risk too, so the transformation is unbiased given the features.
    risk = np.exp(-52 / (30 * np.exp(0.7 * rows.matrix[:, 0] - 0.4 * rows.matrix[:, 1])))
    for part in (risk > np.quantile(truth, 0.75), risk < np.quantile(truth, 0.25)):
        assert abs(made_up[part].mean() - risk[part].mean()) < 0.035


def test_known_outcomes_are_left_as_they_are():
    X, y, _, _ = register(800)
    learner = catalogue.make("direct")
    learner._adopt(Columns.of(X))
    rows, made_up = learner._outcomes(canonical_rows(learner.columns_, X, y))
    assert np.all(made_up[rows.closed & (rows.weeks <= 52)] == 0.0)
    assert np.all(made_up[rows.weeks > 52] == 1.0)
    lost = made_up[~rows.closed & (rows.weeks < 52)]
    assert np.all((lost > 0) & (lost < 1))


def test_scores_come_near_the_truth_at_every_horizon():
    X, y, _, _ = register(5000)
    test, _, weeks, truth = register(3000, seed=1)
    learner = catalogue.make("direct").fit(X, y)
    p = learner.survival(test, [8, 13, 22, 26, 52])
    assert np.mean((p[:, 4] - truth) ** 2) < 0.004
    for j, week in enumerate((8, 13, 22, 26, 52)):
        assert abs(p[:, j].mean() - np.mean(weeks > week)) < 0.03
        at_week = np.exp(np.log(truth) * week / 52)
        assert np.corrcoef(p[:, j], at_week)[0, 1] > 0.9


def test_of_few_cases_drawn_thresholds_come_nearer_to_the_truth_than_searched_ones(monkeypatch):
    test, _, _, truth = register(3000, seed=9)
    drawn, searched = [], []
    for seed in range(4):
        X, y, _, _ = register(500, seed=seed)
        for found in (drawn, searched):
            if found is searched:
                monkeypatch.setattr(Direct, "_tree_params", HorizonLearner._tree_params)
            p = catalogue.make("direct").fit(X, y).survival(test, [52.0])[:, 0]
            monkeypatch.undo()
            found.append(np.mean((p - truth) ** 2))
    assert np.mean(drawn) < 0.8 * np.mean(searched)


@pytest.mark.parametrize("module", [direct, hazard])
def test_of_few_cases_trees_of_drawn_rows_come_nearer_to_the_truth_than_trees_of_all(module, monkeypatch):
    test, _, _, truth = register(2000, seed=99)
    name = module.__name__.rpartition(".")[2]
    drawn, whole = [], []
    for seed in range(4):
        X, y, _, _ = register(300, seed=seed)
        for found in (drawn, whole):
            if found is whole:
                monkeypatch.setattr(module, "bagged", lambda n_persons: {})
                monkeypatch.setattr(direct, "leaf_rows", lambda most, n_persons: most)
            p = catalogue.make(name).fit(X, y).survival(test, [52.0])[:, 0]
            monkeypatch.undo()
            found.append(np.mean((p - truth) ** 2))
    assert np.mean(drawn) < 0.95 * np.mean(whole)


def test_rows_of_one_person_are_few_however_many():
    X, y, _, _ = register(2400)
    learner = catalogue.make("direct")
    learner._adopt(Columns.of(X))
    settings = [
        learner._params(canonical_rows(learner.columns_, X, y, groups=np.arange(2400) // rows_each))
        for rows_each in (1, 8)
    ]
    assert [s.get("bagging_fraction", 1.0) for s in settings] == [1.0, drawn_share(300)]
    assert [s["min_data_in_leaf"] for s in settings] == [20, 5]


def test_the_share_of_rows_drawn_rises_to_all_without_a_jump():
    shares = [drawn_share(n) for n in range(1, 3000)]
    assert np.all(np.diff(shares) >= 0)
    assert np.max(np.diff(shares)) < 0.001
    assert drawn_share(FEW_PERSONS) == 1.0


def test_a_tree_of_a_narrow_table_is_offered_every_column():
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(2000, 3)), columns=list("abc"))
    weeks = np.ceil(rng.exponential(30 * np.exp(np.sign(X["a"] * X["b"]))) * 7) / 7
    learner = catalogue.make("direct", feature_fraction=0.3).fit(X, outcome(np.ones(2000, dtype=bool), weeks))
    both = (np.abs(X["a"]) > 0.5) & (np.abs(X["b"]) > 0.5)
    p = learner.survival(X[both], [52.0])[:, 0]
    same = (X["a"] * X["b"])[both] > 0
    assert p[same].mean() - p[~same].mean() > 0.3


def test_a_case_already_past_the_horizon_has_a_curve_too():
    X, y, _, _ = register(800)
    p = catalogue.make("direct").fit(X, y).survival(X[:5], [52, 60, 78], np.full(5, 52.0))
    assert np.all(p[:, 0] == 1.0)
    assert np.all(np.diff(p, axis=1) < 0)


@pytest.mark.parametrize("name", ["direct", "additive"])
def test_cases_looked_at_at_several_ages_close_in_the_weeks_ahead_as_promised(name):
    """The risk to the horizon falls with age for everybody; that must not be taken for a difference between cases."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=3000)
    weeks = rng.exponential(30 * np.exp(0.5 * x))
    closed, weeks = weeks < 70, np.minimum(np.ceil(weeks * 7) / 7, 70.0)
    ages = (0.0, 8.0, 22.0, 39.0)
    person, entry = (part.ravel() for part in np.meshgrid(np.arange(3000), ages, indexing="ij"))
    person, entry = (part[weeks[person.astype(int)] > entry] for part in (person.astype(int), entry))
    X = pd.DataFrame({"x": x[person]})
    learner = catalogue.make(name, random_state=1).fit(X, outcome(closed[person], weeks[person]), entry, groups=person)
    promised, true = np.empty(len(entry)), 1 - np.exp(-4 / (30 * np.exp(0.5 * x[person])))
    for age in ages:
        here = entry == age
        promised[here] = 1 - learner.survival(X[here], [age + 4.0], entry[here])[:, 0]
    assert promised.mean() == pytest.approx(true.mean(), rel=0.04)


def test_unknown_choices_are_refused():
    X, y, _, _ = register(200)
    with pytest.raises(ConfigError, match="transformation 'magic'"):
        catalogue.make("direct", transformation="magic").fit(X, y)
    with pytest.raises(ConfigError, match="nuisance 'baseline'"):
        catalogue.make("direct", nuisance="baseline").fit(X, y)


@pytest.mark.parametrize("name", ["direct", "additive"])
def test_fitted_again_on_other_rows_what_was_tuned_is_kept(name, monkeypatch):
    X, y, _, _ = register(1500)
    made = catalogue.make(name, n_estimators=60).fit(X, y)
    rows = canonical_rows(made.columns_, X, y)
    half = rows.take(np.arange(0, len(rows), 2))
    with monkeypatch.context() as patch:
        patch.setattr("models.linear.search", None)  # searching again would call it
        again, same = made.refitted(half), made.refitted(rows)
    for copy in (again, same):
        assert (copy.n_trees_, copy.level_, copy.drawn_in_) == (made.n_trees_, made.level_, made.drawn_in_)
    p, p_again, p_same = (m.survival(X, [52.0])[:, 0] for m in (made, again, same))
    assert np.abs(p_same - p).max() < 0.02 < np.abs(p_again - p).max()
    opened = catalogue.from_files(made.to_files()).refitted(half)
    assert np.abs(opened.survival(X, [52.0])[:, 0] - p).mean() < 0.05


def test_both_ways_to_learn_from_shares_grow_the_same_trees():
    rng = np.random.default_rng(6)
    matrix = np.asfortranarray(rng.normal(size=(800, 3)))
    share = 1 / (1 + np.exp(-matrix[:, 0] - rng.normal(size=800)))
    rows = Repeated(matrix, np.arange(800), np.zeros(800))
    weight, offset = rng.uniform(0.5, 2.0, 800), np.full(800, 0.1)
    scores = []
    for objective in ("cross_entropy", soft_outcomes):
        params = {"objective": objective, "num_leaves": 8, "lambda_l2": 5.0, "num_threads": 1, "seed": 0}
        booster = boost(make_dataset(rows, share, weight, offset, [], params), params, 20).booster
        scores.append(booster.predict(rows[:], raw_score=True))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_doubly_robust_outcomes_beyond_0_and_1_can_be_learned_from():
    X, y, _, _ = register(4000)
    test, _, _, truth = register(2000, seed=1)
    learner = catalogue.make("direct", transformation="doubly_robust").fit(X, y)
    made_up = learner._outcomes(canonical_rows(learner.columns_, X, y))[1]
    assert made_up.min() < 0 or made_up.max() > 1
    assert np.mean((learner.survival(test, [52.0])[:, 0] - truth) ** 2) < 0.008
