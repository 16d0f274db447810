"""The linear hazard: against a textbook, against ridge Cox, and against what it was told to find."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis

from models import catalogue
from models.periods import Periods, Watched
from models.poisson import Data, log_likelihood, make_penalty, maximise
from models.rows import outcome


def simulated(n, seed=0, effect=0.8):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["strong", "weak", "none"])
    weeks = np.ceil(rng.exponential(30 * np.exp(effect * X["strong"] + 0.3 * X["weak"])) * 7) / 7
    seen = np.ceil(rng.uniform(5, 100, size=n) * 7) / 7
    return X, outcome(weeks <= seen, np.minimum(weeks, seen)), weeks


def test_newton_finds_the_maximum_that_a_general_optimiser_finds():
    rng = np.random.default_rng(1)
    n, periods = 300, Periods(np.array([0.0, 5.0, 10.0, 20.0]))
    terms, stop = rng.normal(size=(n, 3)), rng.uniform(1, 20, n)
    seen = Watched(periods.exposure(np.zeros(n), stop), rng.random(n) < 0.6, periods.index(stop))
    data = Data(terms, seen, rng.uniform(0.5, 2, n), periods.log_middle, np.array([0, 2]))
    penalty = make_penalty(np.full(3, -1.0), np.array([2.0, 2.0, 2.0, 5.0, 5.0]))

    def loss(theta):
        pull = theta - penalty.start
        return -log_likelihood(data, theta).sum() + 0.5 * pull @ penalty.precision @ pull

    found = maximise(data, penalty, penalty.start, tolerance=1e-12)
    np.testing.assert_allclose(found, minimize(loss, penalty.start, tol=1e-10).x, atol=1e-4)


def test_ranks_and_levels_like_ridge_cox_where_cox_is_right():
    # Oracle: CoxPHSurvivalAnalysis(alpha=1) of scikit-survival on the same columns, proportional hazards by design.
    X, y, _ = simulated(3000)
    test, _, weeks = simulated(4000, seed=9)
    p = catalogue.make("linear").fit(X, y).survival(test, [52.0])[:, 0]
    cox = CoxPHSurvivalAnalysis(alpha=1.0).fit(X.to_numpy(), y)
    q = np.array([f(52.0) for f in cox.predict_survival_function(test.to_numpy())])
    assert np.corrcoef(p, q)[0, 1] > 0.99
    assert np.mean((p - (weeks > 52)) ** 2) < np.mean((q - (weeks > 52)) ** 2) + 0.001


def test_an_effect_that_fades_is_seen_to_fade():
    rng = np.random.default_rng(4)
    n = 6000
    x = rng.choice([-1.0, 1.0], size=n)
    early = rng.exponential(12 / np.exp(0.9 * x))  # strong until week 10, nothing after
    weeks = np.ceil(np.where(early < 10, early, 10 + rng.exponential(30, size=n)) * 7) / 7
    X = pd.DataFrame({"x": x})
    learner = catalogue.make("linear").fit(X, outcome(np.ones(n, bool), weeks))
    assert learner.choice_.changing
    two = pd.DataFrame({"x": [-1.0, 1.0]})
    young = learner.survival(two, [8.0], np.zeros(2))[:, 0]
    assert young[0] > young[1] + 0.3
    first, last = learner.log_hazards(learner.columns_.encode(two), np.zeros(2), 52.0)[:, [0, -1]].T
    assert first[1] - first[0] > 1.2
    assert abs(last[1] - last[0]) < 0.5


def test_a_bend_is_kept_where_it_pays_and_left_out_where_not():
    rng = np.random.default_rng(5)
    n = 3000
    x = rng.normal(size=n)
    bent = np.ceil(rng.exponential(20 * np.exp(np.abs(x))) * 7) / 7
    X = pd.DataFrame({"x": x})
    learner = catalogue.make("linear").fit(X, outcome(np.ones(n, bool), bent))
    p = learner.survival(pd.DataFrame({"x": [-2.0, 0.0, 2.0]}), [26.0])[:, 0]
    assert min(p[0], p[2]) > p[1] + 0.2
    straight = catalogue.make("linear", ratios=()).fit(X, outcome(np.ones(n, bool), bent))
    q = straight.survival(pd.DataFrame({"x": [-2.0, 0.0, 2.0]}), [26.0])[:, 0]
    assert q.max() - q.min() < 0.1


def test_noise_columns_are_penalised_away():
    rng = np.random.default_rng(6)
    X = pd.DataFrame(rng.normal(size=(400, 30))).rename(columns=str)
    weeks = np.ceil(rng.exponential(30, size=400))
    learner = catalogue.make("linear").fit(X, outcome(np.ones(400, bool), weeks))
    assert learner.survival(X, [52.0])[:, 0].std() < 0.06


def test_rare_levels_are_drawn_to_the_average():
    rng = np.random.default_rng(7)
    n = 1000
    level = np.where(np.arange(n) < 3, "rare", np.where(np.arange(n) % 2, "a", "b"))
    weeks = np.where(level == "rare", 1.0, np.ceil(rng.exponential(30, size=n)))
    X = pd.DataFrame({"kind": pd.Categorical(level)})
    learner = catalogue.make("linear").fit(X, outcome(np.ones(n, bool), weeks))
    one = pd.DataFrame({"kind": pd.Categorical(["rare", "a"])})
    p = learner.survival(one, [26.0])[:, 0]
    assert 0.1 < p[0] < p[1]  # three cases that all closed at once are no proof


def test_missing_is_a_level_of_its_own_when_it_was_seen():
    rng = np.random.default_rng(8)
    n = 2000
    gone = rng.random(n) < 0.4
    weeks = np.ceil(rng.exponential(np.where(gone, 60, 20)))
    X = pd.DataFrame({"x": np.where(gone, np.nan, rng.normal(size=n))})
    learner = catalogue.make("linear").fit(X, outcome(np.ones(n, bool), weeks))
    p = learner.survival(pd.DataFrame({"x": [np.nan, 0.0]}), [26.0])[:, 0]
    np.testing.assert_allclose(p, [np.exp(-26 / 60), np.exp(-26 / 20)], atol=0.06)


@pytest.mark.parametrize("n", [200, 4000])
def test_row_sample_for_the_search_does_not_change_who_is_learned_from(n):
    X, y, _ = simulated(n)
    learner = catalogue.make("linear", search_rows=500).fit(X, y)
    assert (
        abs(learner.survival(X, [52.0]).mean() - catalogue.make("baseline").fit(X, y).survival(X[:1], [52.0])[0, 0])
        < 0.03
    )
