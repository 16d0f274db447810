"""Age alone and the rule used today, held to hand counts and to scikit-survival."""

import numpy as np
import pandas as pd
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from models import catalogue
from models.rows import outcome


def frame(n):
    return pd.DataFrame({"x": np.zeros(n)})


def test_a_curve_counted_by_hand():
    # At risk 5, one closes in week 2: 4/5. One is lost in week 3. At risk 3, one closes in week 4: 2/3 of that.
    y = outcome([True, False, True, False, False], [2, 3, 4, 9, 9])
    p = catalogue.make("baseline").fit(frame(5), y).survival(frame(1), [1, 2, 3, 4, 8])
    np.testing.assert_allclose(p[0, 1:], [0.8, 0.8, 0.8 * 2 / 3, 0.8 * 2 / 3], atol=1e-12)
    assert p[0, 0] == pytest.approx(1.0, abs=2e-6)


def test_late_entrants_count_only_from_their_entry():
    # Week 2: only the two that were there from the start are at risk, one closes. Week 6: three at risk, one closes.
    y = outcome([True, False, True, False], [2, 9, 6, 9])
    p = catalogue.make("baseline").fit(frame(4), y, np.array([0, 0, 3, 3])).survival(frame(2), [2, 6], np.array([0, 3]))
    np.testing.assert_allclose(p[0], [1 / 2, 1 / 2 * 2 / 3], atol=1e-9)
    np.testing.assert_allclose(p[1], [1.0, 2 / 3], atol=1e-9)


def test_the_curve_is_that_of_scikit_survival():
    rng = np.random.default_rng(0)
    weeks = np.ceil(rng.exponential(20, 400) * 7) / 7
    seen = np.ceil(rng.uniform(1, 60, 400) * 7) / 7
    y = outcome(weeks <= seen, np.minimum(weeks, seen))
    at, curve = kaplan_meier_estimator(y["closed"], y["weeks"])
    p = catalogue.make("baseline", floor=1e-12).fit(frame(400), y).survival(frame(1), at[:-1])
    np.testing.assert_allclose(p[0], curve[:-1], atol=1e-10)


def test_a_weight_of_two_is_two_cases():
    y = outcome([True, True, False], [2, 5, 9])
    twice = catalogue.make("baseline").fit(frame(4), np.concatenate([y, y[:1]]))
    weighted = catalogue.make("baseline").fit(frame(3), y, sample_weight=[2, 1, 1])
    np.testing.assert_allclose(twice.survival(frame(1), [3, 6]), weighted.survival(frame(1), [3, 6]), atol=1e-12)


def test_longest_open_first_ranks_by_age_and_nothing_else():
    y = outcome([True, False], [4, 12])  # one closing in 16 weeks watched
    learner = catalogue.make("longest_open").fit(frame(2), y)
    p = learner.survival(frame(3), [52.0], np.array([0.0, 20.0, 40.0]))[:, 0]
    np.testing.assert_allclose(p, np.exp(-np.array([52, 32, 12]) / 16), atol=1e-12)


def test_naive_ways_expect_too_few_long_cases_when_many_are_young():
    rng = np.random.default_rng(1)
    n = 3000
    weeks, seen = np.ceil(rng.exponential(50, n)), np.ceil(rng.uniform(1, 100, n))
    y, X = outcome(weeks <= seen, np.minimum(weeks, seen)), pd.DataFrame({"x": rng.normal(size=n)})
    truth = np.mean(weeks > 52)
    mean = {c: catalogue.make(c).fit(X, y).survival(X, [52.0]).mean() for c in ("matured_only", "censored_as_negative")}
    honest = catalogue.make("hazard").fit(X, y).survival(X, [52.0]).mean()
    assert mean["matured_only"] < truth - 0.04
    assert mean["censored_as_negative"] < truth - 0.1
    assert abs(honest - truth) < 0.03
