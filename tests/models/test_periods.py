"""The arithmetic of periods, held to hand computations and to numerical derivatives."""

import numpy as np
import pandas as pd

from models.columns import Columns
from models.periods import (
    Periods,
    baseline_log_hazard,
    choose_periods,
    clock_step,
    log_odds_open,
    period_weights,
    survival_at,
    watch,
)
from models.rows import canonical_rows, outcome


def rows(closed, weeks, entry=None):
    X = pd.DataFrame({"x": np.arange(len(weeks), dtype=float)})
    return canonical_rows(Columns.of(X), X, outcome(closed, weeks), entry)


def test_survival_inside_a_period_is_exponential():
    periods = Periods(np.array([0.0, 4.0, 12.0]))
    eta = np.log(np.array([[0.2, 0.8]]))
    p = survival_at(eta, periods, np.array([2.0, 4.0, 6.0, 12.0]), np.array([1.0]))
    np.testing.assert_allclose(-np.log(p[0]), [0.05, 0.15, 0.15 + 0.2, 0.15 + 0.8], atol=1e-12)


def test_horizons_are_always_edges_and_the_rest_are_weeks_that_exist():
    rng = np.random.default_rng(0)
    weeks = np.ceil(rng.exponential(20, 800))
    periods = choose_periods(rows(np.ones(800, bool), weeks), (8, 13, 22, 26, 52), 14)
    assert {0.0, 8.0, 13.0, 22.0, 26.0, 52.0} <= set(periods.edges)
    assert set(periods.edges) <= {0.0, *weeks, 8.0, 13.0, 22.0, 26.0, 52.0}
    assert 8 <= periods.count <= 20


def test_edges_where_many_cases_close_at_once_keep_their_distance():
    weeks = np.repeat(np.arange(210, 225) / 7, 20)  # two weeks in which everybody closes
    edges = choose_periods(rows(np.ones(len(weeks), bool), weeks), (52.0,), 14).edges
    between = edges[(edges > 0) & (edges < 52)]
    assert 2 <= len(between) <= 4
    assert np.diff(between).min() >= 0.52  # a hundredth of the horizon


def test_following_cases_further_adds_one_edge_where_cases_close():
    many = rows(np.ones(100, bool), np.linspace(1, 100, 100))
    none = rows(np.ones(40, bool), np.linspace(1, 40, 40))
    assert choose_periods(many, (52.0,), 5, follow_up=2.0).edges[-1] == 104.0
    assert choose_periods(none, (52.0,), 5, follow_up=2.0).edges[-1] == 52.0


def test_few_closings_give_few_periods():
    assert choose_periods(rows([True, True, False], [3, 5, 60]), (52.0,), 14).edges.tolist() == [0.0, 52.0]


def test_whole_weeks_are_told_from_days():
    assert clock_step(rows([True] * 3, [1.0, 2.0, 5.0])) == 1.0
    np.testing.assert_allclose(clock_step(rows([True] * 3, [1.0, 8 / 7, 5.0])), 1 / 7)


def test_the_baseline_of_coarse_weeks_is_close_to_the_share_that_closes():
    rng = np.random.default_rng(2)
    weeks = rng.geometric(0.3, size=20_000).astype(float)  # 30 in 100 of those open close each week
    given = rows(np.ones(len(weeks), bool), weeks)
    periods = choose_periods(given, (2.0, 4.0, 8.0), 6)
    eta = np.tile(baseline_log_hazard(given, watch(given, periods), periods), (1, 1))
    p = survival_at(eta, periods, np.array([2.0, 4.0, 8.0]), np.zeros(1))[0]
    np.testing.assert_allclose(p, 0.7 ** np.array([2, 4, 8]), rtol=0.03)


def test_log_odds_keep_their_digits_in_both_tails():
    tiny, large = np.array([1e-12]), np.array([700.0])
    np.testing.assert_allclose(log_odds_open(tiny), -np.log(1e-12), rtol=1e-12)
    np.testing.assert_allclose(log_odds_open(large), -700.0, rtol=1e-12)


def test_period_weights_share_out_the_whole_change():
    rng = np.random.default_rng(3)
    start, eta, exposure = rng.normal(-2, 1, (50, 6)), rng.normal(-2, 1.5, (50, 6)), rng.uniform(0, 1, (50, 6))

    def odds(log_hazard):
        return log_odds_open((exposure * np.exp(log_hazard)).sum(axis=1))

    shared = ((eta - start) * period_weights(eta, start, exposure)).sum(axis=1)
    np.testing.assert_allclose(shared, odds(eta) - odds(start), atol=1e-10)


def test_period_weights_without_a_step_are_the_derivative():
    eta, exposure = np.array([[-1.0, -2.0, 0.3]]), np.array([[1.0, 0.4, 0.0]])
    step = 1e-6
    for k in range(3):
        up, down = eta.copy(), eta.copy()
        up[0, k] += step
        down[0, k] -= step
        slope = log_odds_open((exposure * np.exp(up)).sum(1)) - log_odds_open((exposure * np.exp(down)).sum(1))
        np.testing.assert_allclose(period_weights(eta, eta, exposure)[0, k], slope[0] / (2 * step), atol=1e-8)
