"""The blend: equal until shown otherwise, and no worse than its best member."""

import numpy as np
import pandas as pd
import pytest

from models import catalogue, linear
from models.arrays import logit
from models.columns import Columns
from models.folds import drawn_share, holdouts
from models.rows import Rows, canonical_rows, outcome
from models.stacked import intervals, share
from risk.errors import ConfigError


def register(n, seed, interaction):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    effect = 0.9 * np.sign(X["a"] * X["b"]) if interaction else 0.5 * X["a"] - 0.4 * X["b"]
    weeks = np.ceil(rng.exponential(30 * np.exp(effect)) * 7) / 7
    seen = np.ceil(rng.uniform(5, 110, size=n) * 7) / 7
    return X, outcome(weeks <= seen, np.minimum(weeks, seen)), weeks > 52


@pytest.mark.parametrize("interaction", [False, True])
def test_never_much_worse_than_its_best_member(interaction):
    X, y, _ = register(2500, 0, interaction)
    test, _, long = register(4000, 1, interaction)
    blend = catalogue.make("stacked").fit(X, y)
    brier = {m.name: np.mean((m.survival(test, [52.0])[:, 0] - long) ** 2) for m in [blend, *blend.members_]}
    assert brier["stacked"] < min(brier[m.name] for m in blend.members_) + 0.002
    linear, hazard, direct = blend.weights_
    assert (hazard + direct > 0.7) if interaction else (linear > 0.5)
    assert linear + hazard + direct == pytest.approx(1.0)


def test_a_narrow_prior_means_equal_weights_for_line_and_trees():
    X, y, _ = register(400, 2, True)
    blend = catalogue.make("stacked", prior_deviation=1e-3).fit(X, y)
    np.testing.assert_allclose(blend.weights_, [0.5, 0.25, 0.25], atol=1e-3)


def test_one_closing_is_enough_for_a_blend():
    X = pd.DataFrame({"a": np.arange(40.0)})
    y = outcome(np.arange(40) == 7, np.full(40, 20.0))
    blend = catalogue.make("stacked").fit(X, y)
    assert np.isfinite(blend.survival(X, [52.0])).all()


def test_of_few_persons_the_members_of_a_blend_take_smaller_steps():
    step = {}
    for n in (400, 2100):
        X, y, _ = register(n, 2, True)
        _, hazard, direct = catalogue.make("stacked").fit(X, y).members_
        assert hazard.learning_rate == direct.learning_rate
        step[n] = hazard.learning_rate
    assert step == pytest.approx({400: 0.1 * drawn_share(400), 2100: 0.1})


def test_one_member_is_that_member():
    X, y, _ = register(300, 3, False)
    alone = catalogue.make("linear").fit(X, y)
    blend = catalogue.make("stacked", members=("linear",)).fit(X, y)
    np.testing.assert_allclose(blend.survival(X, [8, 52]), alone.survival(X, [8, 52]), atol=1e-12)


def test_a_blend_of_blends_is_refused():
    X, y, _ = register(300, 3, False)
    with pytest.raises(ConfigError, match="members of a blend"):
        catalogue.make("stacked", members=("stacked",)).fit(X, y)
    with pytest.raises(ConfigError, match="members of a blend"):
        catalogue.make("stacked", members=()).fit(X, y)


def test_intervals_say_only_what_was_seen():
    X = pd.DataFrame({"x": np.arange(6.0)})
    y = outcome([True, True, True, False, False, False], [8.0, 9.0, 60.0, 7.0, 13.0, 70.0])
    rows = canonical_rows(Columns.of(X), X, y)
    closed_in, seen_to = intervals(rows, np.array([8.0, 13.0, 52.0]))
    by_week = dict(zip(rows.weeks.tolist(), zip(closed_in.tolist(), seen_to.tolist(), strict=True), strict=True))
    # Closed on the last day of week 8 is not past it; censored then is. After week 52 a closing is past every horizon.
    assert by_week == {8.0: (1, 1), 9.0: (2, 1), 60.0: (0, 3), 7.0: (0, 0), 13.0: (0, 2), 70.0: (0, 3)}


def test_weights_are_shares():
    np.testing.assert_allclose(share(np.array([0.0, np.log(3.0)])), [0.25, 0.75])


def rows_of(n=1200, seed=3):
    X, y, _ = register(n, seed, True)
    X = X.round(0).clip(-2, 2)  # few values: where bins are cut then does not hang on how often each occurs
    columns = Columns.of(X)
    return X, columns, canonical_rows(columns, X, y)


@pytest.mark.parametrize("name", ["linear", "hazard", "direct", "additive", "matured_only"])
def test_copies_left_out_have_not_seen_their_fold_and_are_much_like_a_refit(name):
    X, columns, rows = rows_of()
    fold, held_out = holdouts(rows.group, seed=0, n_folds=3)
    learner = catalogue.make(name)
    copies = dict(learner.fit_left_out(columns, rows, fold, held_out))
    whole = learner.survival(X, [52.0])[:, 0]
    assert list(copies) == [0, 1, 2]
    for f, copy in copies.items():
        p = copy.survival(X, [52.0])[:, 0]
        refit = learner.refitted(rows.take(fold != f)).survival(X, [52.0])[:, 0]
        assert np.abs(p - refit).mean() < 0.03  # of few persons the trees of each have drawn other rows
        assert np.abs(p - whole).max() > 1e-3
        assert copy.contributions(X[:20], 52.0).sum(axis=1).to_numpy() == pytest.approx(logit(p[:20]), abs=1e-9)


@pytest.mark.parametrize("name", ["hazard", "direct"])
def test_trees_left_out_are_the_same_whatever_happened_in_their_fold(name):
    _, columns, rows = rows_of()
    fold = np.arange(len(rows)) % 3
    at = np.flatnonzero(fold == 1)
    order = np.arange(len(rows))
    order[at] = np.random.default_rng(0).permutation(at)  # the same outcomes, handed to others of the fold
    other = Rows(rows.matrix, rows.closed[order], rows.weeks[order], rows.entry, rows.weight, rows.group)
    texts = []
    for given in (rows, other):
        learner = catalogue.make(name, n_estimators=40)
        if name == "direct":  # censored cases are given a share that depends on nothing, about as many as stay
            rows_known, shares = given, np.where(given.closed, given.weeks > 52, np.maximum(given.weeks > 52, 0.6))
            learner._outcomes = lambda _, r=rows_known, s=shares: (r, s)
        copies = dict(learner.fit_left_out(columns, given, fold, [0, 1, 2]))
        texts.append([copies[f].booster_.model_to_string(num_iteration=5) for f in range(3)])
    assert texts[0][1] == texts[1][1]
    assert texts[0][0] != texts[1][0]
    assert texts[0][2] != texts[1][2]


def test_a_blend_of_given_folds_fits_each_tree_member_no_more_than_once(monkeypatch):
    X, y, _ = register(600, 4, True)
    fitted = []
    for name in ("hazard", "direct"):
        cls = catalogue.learner_class(name)
        monkeypatch.setattr(cls, "refitted", lambda self, rows: fitted.append(self.name))
    catalogue.make("stacked").fit(X, y)
    assert fitted == []


def test_the_linear_member_is_lent_to_the_one_that_needs_a_linear_hazard(monkeypatch):
    X, y, _ = register(600, 4, True)
    searched, search = [], linear.search

    def counted(*arguments):
        searched.append(1)
        return search(*arguments)

    monkeypatch.setattr(linear, "search", counted)
    blend = catalogue.make("stacked").fit(X, y)
    assert len(searched) == 1
    assert blend.members_[2].tuned_nuisance_ is blend.members_[0]
    blend.members_[2].fit(X, y)
    assert len(searched) == 2, "lent once; fitted alone it finds its own"
