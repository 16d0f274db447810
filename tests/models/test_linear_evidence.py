"""Penalties by evidence: against the marginal likelihood they raise, hand counts, and a truth they are to come near to."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from models import catalogue
from models.linear_choice import shares
from models.linear_evidence import by_evidence, repeats_of
from models.periods import Periods, Watched
from models.poisson import Data, derivatives, make_penalty, maximise, scores
from models.rows import Rows, outcome


def test_evidence_finds_the_variances_that_a_general_optimiser_of_the_marginal_likelihood_finds():
    # Oracle: estimates are normal about coefficients drawn with these deviations, so their covariance is known.
    rng = np.random.default_rng(3)
    kind = np.repeat([0, 1, 2], [30, 20, 25])
    drawn = rng.normal(size=len(kind)) * np.array([0.5, 0.1, 0.25])[kind]
    root = rng.normal(size=(400, len(kind))) @ np.diag(rng.uniform(0.5, 2.0, len(kind)))
    second = root.T @ root
    towards = second @ (drawn + np.linalg.solve(np.linalg.cholesky(second).T, rng.normal(size=len(kind))))
    estimate, covariance = np.linalg.solve(second, towards), np.linalg.inv(second)

    def loss(log_variance):
        scatter = covariance + np.diag(np.exp(log_variance)[kind])
        return np.linalg.slogdet(scatter)[1] + estimate @ np.linalg.solve(scatter, estimate)

    best = np.exp(minimize(loss, np.zeros(3), tol=1e-10).x)
    precision = by_evidence(second, towards, np.eye(len(kind)) * 10.0, kind, 1.0)
    np.testing.assert_allclose(1.0 / np.diag(precision)[[0, 30, 50]], best, rtol=0.02)


def test_a_coefficient_of_no_kind_and_the_baseline_keep_their_precision():
    second, towards = np.eye(5) * 100.0, np.array([1.0, 2.0, 50.0, 0.1, 0.2])
    before = np.diag([3.0, 4.0, 5.0, 6.0, 7.0])
    after = np.diag(by_evidence(second, towards, before, np.array([-1, 0, 0]), 1.0))
    assert after[:3].tolist() == [3.0, 4.0, 5.0]
    assert after[3] == after[4] != 6.0


def made(n, seed, share=False):
    rng = np.random.default_rng(seed)
    periods = Periods(np.array([0.0, 5.0, 10.0, 20.0]))
    terms = rng.normal(size=(n, 3))
    weeks = rng.exponential(12 * np.exp(-0.5 * terms[:, 0]))
    seen = Watched(periods.exposure(np.zeros(n), np.minimum(weeks, 20.0)), weeks < 20.0, periods.index(weeks))
    counts = rng.uniform(0.3, 1.0, (n, 3)) if share else None
    return Data(terms, seen, rng.uniform(0.5, 1.5, n), periods.log_middle, np.array([0]), counts)


@pytest.mark.parametrize("share", [False, True])
def test_scores_of_rows_add_up_to_the_gradient(share):
    data = made(200, 1, share)
    theta = np.linspace(-1.0, 0.5, data.n_parameters)
    np.testing.assert_allclose(scores(data, theta).sum(axis=0), derivatives(data, theta)[0], rtol=1e-10)


def test_persons_with_one_row_do_not_repeat_themselves_and_those_told_three_times_do_so_three_times():
    data = made(3000, 2)
    penalty = make_penalty(np.full(3, -1.0), np.full(4, 1.0))
    theta = maximise(data, penalty, penalty.start)
    assert repeats_of(data, penalty, theta, np.arange(3000)) == 1.0
    again = np.tile(np.arange(3000), 3)
    copies = Watched(data.seen.exposure[again], data.seen.closed[again], data.seen.period[again])
    tripled = Data(data.terms[again], copies, np.ones(9000), data.clock, data.changing)
    theta = maximise(tripled, penalty, penalty.start)
    assert repeats_of(tripled, penalty, theta, again) == pytest.approx(3.0, rel=0.1)


def test_weeks_that_several_rows_of_a_person_watched_count_by_the_root_of_their_number():
    # Person 7 looked at in week 0 and in week 6, person 8 once; nobody was watched after week 10.
    periods, entry = Periods(np.array([0.0, 5.0, 10.0, 20.0])), np.array([0.0, 6.0, 0.0])
    weeks = np.array([9.0, 9.0, 10.0])
    rows = Rows(np.zeros((3, 1)), np.ones(3, bool), weeks, entry, np.ones(3), np.array([7, 7, 8]))
    seen = Watched(periods.exposure(entry, weeks), rows.closed, periods.index(weeks))
    half = 1.0 / np.sqrt(2.0)
    np.testing.assert_allclose(shares(rows, seen), [[1.0, half, 1.0], [1.0, half, 1.0], [1.0, 1.0, 1.0]])
    single = Rows(rows.matrix, rows.closed, weeks, entry, rows.weight, np.array([1, 2, 3]))
    assert shares(single, seen) is None


def few_of_many(n, seed):
    """Four columns that matter beside 36 that do not, and the chance of being open after week 52."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 40)), columns=[f"x{j}" for j in range(40)])
    pace = np.exp(-0.5 * X.to_numpy()[:, :4].sum(axis=1)) / 40.0
    weeks = np.ceil(rng.exponential(1.0 / pace) * 7) / 7
    return X, outcome(weeks < 104.0, np.minimum(weeks, 104.0)), np.exp(-52.0 * pace)


def test_features_that_say_nothing_are_left_aside_where_one_penalty_cannot():
    X, y, _ = few_of_many(3000, 5)
    test, _, truth = few_of_many(4000, 6)
    own = catalogue.make("linear").fit(X, y)
    same = catalogue.make("linear", ratios=()).fit(X, y)  # penalties by cross-validation only
    assert own.choice_.own
    assert not same.choice_.own
    error = [np.mean((learner.survival(test, [52.0])[:, 0] - truth) ** 2) for learner in (own, same)]
    assert error[0] < 0.6 * error[1]


def test_penalties_by_evidence_have_to_pay_on_held_out_persons():
    # Forty columns that all matter as much: one penalty is right, and forty tell no more.
    rng = np.random.default_rng(8)
    X = pd.DataFrame(rng.normal(size=(600, 40)), columns=[f"x{j}" for j in range(40)])
    weeks = np.ceil(rng.exponential(40 * np.exp(X.to_numpy() @ rng.choice([-0.15, 0.15], 40))) * 7) / 7
    assert not catalogue.make("linear").fit(X, outcome(np.ones(600, bool), weeks)).choice_.own
