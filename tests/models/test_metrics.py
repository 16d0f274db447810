"""Metrics under censoring, against scikit-survival (GPL: an oracle in tests, nowhere else), brute force and hand counts."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc

from models import censoring, metrics
from risk.errors import CaseDataError

OUTCOME = [("closed", bool), ("weeks", float)]


def outcomes(closed, weeks):
    y = np.empty(len(weeks), dtype=OUTCOME)
    y["closed"], y["weeks"] = closed, weeks
    return y


def register(seed, n=500, same_days=False):
    """Heavily censored outcomes with many ties in weeks and in p.

    Closings fall on whole weeks; censorings between them, or (``same_days``) on whole weeks too.
    """
    rng = np.random.default_rng(seed)
    lasts = rng.geometric(0.03, n).astype(float)
    until = rng.integers(1, 80, n) + (0.0 if same_days else 0.5)
    p = np.round(np.clip(lasts / 100 + rng.normal(0, 0.3, n), 0.05, 0.95), 1)
    return outcomes(lasts <= until, np.minimum(lasts, until)), p


def as_sksurv(y):
    return np.array(list(zip(y["closed"], y["weeks"], strict=True)), dtype=[("event", bool), ("time", float)])


class AfterTheDay:
    """Censoring as scikit-survival reads it: followed *past* a closing day, where we ask *until* it."""

    def __init__(self, y):
        self.curve = censoring.KaplanMeier().fit(y)

    def survival(self, X, weeks, entry=None):
        return self.curve.survival(X, np.asarray(weeks) + 1e-6, entry)


@pytest.mark.parametrize("seed", range(6))
def test_auc_brier_and_c_agree_with_scikit_survival_under_ties_and_heavy_censoring(seed):
    y, p = register(seed)
    assert (~y["closed"]).mean() > 0.3
    s = as_sksurv(y)
    # Their cases are closings by the week and their score a risk of closing: 1 - p. Their Brier takes P(open) = p.
    for week in (13, 26, 52):
        assert metrics.auc(y, p, week) == pytest.approx(cumulative_dynamic_auc(s, s, 1 - p, [week])[0][0], abs=1e-9)
        assert metrics.brier(y, p, week) == pytest.approx(brier_score(s, s, p, [week])[1][0], abs=1e-9)
        ours = metrics.c_index(y, p, week)
        assert ours == pytest.approx(concordance_index_ipcw(s, s, 1 - p, tau=week)[0], abs=1e-9)
    assert metrics.c_index(y, p) == pytest.approx(
        concordance_index_censored(y["closed"], y["weeks"], 1 - p)[0], abs=1e-9
    )


@pytest.mark.parametrize("seed", range(4))
def test_they_agree_too_when_closing_and_censoring_share_days_and_its_reading_of_such_days_is_supplied(seed):
    y, p = register(seed, same_days=True)
    s, week = as_sksurv(y), 51.5
    assert np.isin(y["weeks"][y["closed"]], y["weeks"][~y["closed"]]).mean() > 0.5
    w = censoring.weights(y, week, model=AfterTheDay(y))
    assert metrics.auc(y, p, week, weights=w) == pytest.approx(
        cumulative_dynamic_auc(s, s, 1 - p, [week])[0][0], abs=1e-9
    )
    # They divide by n; under their reading the weights do not sum to n, so ours is scaled to theirs.
    theirs = brier_score(s, s, p, [week])[1][0]
    assert metrics.brier(y, p, week, weights=w) * w.sum() / len(y) == pytest.approx(theirs, abs=1e-9)
    assert abs(w.sum() / len(y) - 1) > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_auc_with_entry_and_weights_is_the_weighted_share_of_ordered_pairs(seed):
    y, p = register(seed, n=120)
    rng = np.random.default_rng(seed + 100)
    entry = np.minimum(rng.integers(0, 30, 120), y["weeks"] - 0.25)
    often = rng.integers(0, 3, 120)
    w = censoring.weights(y, 26, entry, sample_weight=often) * often
    long, short = censoring.exceeds(y, 26) == 1, censoring.exceeds(y, 26) == 0
    pairs = w[long][:, None] * w[short]
    won = (p[long][:, None] > p[short]) + 0.5 * (p[long][:, None] == p[short])
    expected = (pairs * won).sum() / pairs.sum()
    assert metrics.auc(y, p, 26, entry=entry, sample_weight=often) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_c_index_with_entry_and_weights_is_the_weighted_share_of_ordered_pairs(seed):
    y, p = register(seed, n=90, same_days=True)
    rng = np.random.default_rng(seed + 100)
    entry, often = np.minimum(rng.integers(0, 30, 90), y["weeks"]).astype(float), rng.integers(0, 3, 90)
    w = censoring.weights(y, 40, entry, sample_weight=often)
    won = pairs = 0.0
    for i, j in itertools.permutations(range(90), 2):
        later = y["weeks"][j] > y["weeks"][i] or (y["weeks"][j] == y["weeks"][i] and not y["closed"][j])
        if y["closed"][i] and y["weeks"][i] < 40 and later and entry[j] < y["weeks"][i]:
            pair = often[i] * often[j] * w[i] ** 2
            pairs += pair
            won += pair * ((p[j] > p[i]) + 0.5 * (p[j] == p[i]))
    assert metrics.c_index(y, p, 40, entry=entry, sample_weight=often) == pytest.approx(won / pairs, abs=1e-12)


def test_precision_recall_and_lift_share_the_places_of_a_tie():
    # p: 0.9 (stays), then a tie of four at 0.5 of which one stays, then 0.1 (stays). Three places: the first, and two of the
    # four: 1 + 2/4 = 1.5 expected of 3 that stay in all; with luck 2, without 1.
    y = outcomes([True] * 6, [60.0, 60.0, 9.0, 9.0, 9.0, 60.0])
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1])
    assert metrics.precision_at(y, p, 52, 3) == pytest.approx(1.5 / 3)
    assert metrics.recall_at(y, p, 52, 3) == pytest.approx(1.5 / 3)
    assert metrics.lift_at(y, p, 52, 3) == pytest.approx((1.5 / 3) / (3 / 6))
    assert metrics.precision_at(y, p, 52, 0.5) == metrics.precision_at(y, p, 52, 3)
    assert metrics.precision_at(y, p, 52, 3, ties="best") == pytest.approx(2 / 3)
    assert metrics.precision_at(y, p, 52, 3, ties="worst") == pytest.approx(1 / 3)
    assert metrics.recall_at(y, p, 52, 3, ties="worst") == pytest.approx(1 / 3)
    assert metrics.recall_at(y, p, 52, 6) == 1.0
    assert metrics.precision_at(y, p, 52, 99) == pytest.approx(3 / 6)
    # 0.25 of six is a place and a half: the first case, and half a place shared by four.
    assert metrics.precision_at(y, p, 52, 0.25) == pytest.approx((1 + 0.5 / 4) / 1.5)


@pytest.mark.parametrize("seed", range(8))
def test_expectation_and_bounds_are_those_of_all_orders_of_a_tie(seed):
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 2, 6) / 2.0
    y = outcomes([True] * 6, np.where(rng.random(6) < 0.5, 60.0, 9.0))
    # A weight of 0 is a case on the list whose outcome is unknown; one such, so that no list of three is all unknown.
    w = rng.permutation([0.0, 2.5, 1.0, 1.0, 2.5, 1.0]) if seed % 2 else np.ones(6)
    stays = y["weeks"] > 52
    seen = []
    for order in itertools.permutations(range(6)):
        top = sorted(order, key=lambda i: -p[i])[:3]
        seen.append((w[top] @ stays[top], w[top].sum()))
    hits, known = np.array(seen).T
    at = {ties: metrics.precision_at(y, p, 52, 3, ties=ties, weights=w) for ties in ("expected", "best", "worst")}
    assert at["best"] == pytest.approx((hits / known).max(), abs=1e-12)
    assert at["worst"] == pytest.approx((hits / known).min(), abs=1e-12)
    assert at["expected"] == pytest.approx(hits.mean() / known.mean(), abs=1e-12)


def test_cases_of_unknown_outcome_take_places_but_cohorts_not_followed_do_not():
    # Opened day 0, cut day 400: followed whole; one moved away (unknown). Opened day 300: not judged, though top of the list.
    y = outcomes([True, False, True, True, False], [60 - 5, 3.0, 9.0, 55.0, 99 / 7])
    opened, p = np.array([0, 0, 0, 0, 300]), np.array([0.8, 0.7, 0.6, 0.5, 0.9])
    assert metrics.precision_at(y, p, 52, 2, opened=opened, cut_on=400) == 1.0
    assert metrics.precision_at(y, p, 52, 3, opened=opened, cut_on=400) == pytest.approx(0.5)
    # One of four lost before the others' outcomes: three known with 4/3 each, of which two exceed.
    assert metrics.prevalence(y, 52, opened=opened, cut_on=400) == pytest.approx(2 / 3)


def test_cases_already_past_the_week_when_judged_take_no_place():
    y, p = outcomes([True] * 3, [60.0, 60.0, 9.0]), np.array([0.9, 0.5, 0.7])
    assert metrics.precision_at(y, p, 52, 1, entry=np.array([53.0, 0, 0])) == 0.0
    assert metrics.recall_at(y, p, 52, 2, entry=np.array([53.0, 0, 0])) == 1.0


ALL = {
    "auc": metrics.auc,
    "brier": metrics.brier,
    "skill": metrics.brier_skill,
    "precision": lambda *a, **k: metrics.precision_at(*a, 40, **k),
    "recall": lambda *a, **k: metrics.recall_at(*a, 0.2, **k),
    "lift": lambda *a, **k: metrics.lift_at(*a, 0.2, **k),
    "c": metrics.c_index,
    "calibration": metrics.calibration_numbers,
}


@pytest.mark.parametrize("name", ALL)
def test_a_row_that_counts_twice_is_a_row_given_twice_and_order_is_nothing(name):
    y, p = register(3, n=200)
    often = np.random.default_rng(9).integers(0, 4, 200)
    counted = ALL[name](y, p, 26, sample_weight=often)
    repeated = np.repeat(np.arange(200), often)
    np.testing.assert_allclose(counted, ALL[name](y[repeated], p[repeated], 26), rtol=1e-9)
    shuffled = np.random.default_rng(1).permutation(repeated)
    np.testing.assert_allclose(counted, ALL[name](y[shuffled], p[shuffled], 26), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in ALL if name != "brier"])
def test_what_cannot_be_judged_is_nan_and_never_a_number(name):
    # Nobody exceeded, in the first; nobody's outcome is known, in the second.
    nobody = ALL[name](outcomes([True] * 5, np.arange(1.0, 6)), np.full(5, 0.3), 52)
    if name in ("precision", "c"):
        assert nobody == {"precision": 0.0, "c": 0.5}[name]  # defined: nobody on the list exceeds; ties count half
    else:
        assert np.isnan(np.atleast_1d(nobody)[-1])
    unknown = ALL[name](outcomes([False] * 5, np.arange(1.0, 6)), np.full(5, 0.3), 52)
    assert np.isnan(np.atleast_1d(unknown)).all()


def test_the_skill_of_a_perfect_a_constant_and_a_reference_forecast():
    y = outcomes([True] * 4, [60.0, 9.0, 9.0, 9.0])
    assert metrics.brier_skill(y, np.array([1.0, 0, 0, 0]), 52) == 1.0
    assert metrics.brier_skill(y, np.full(4, 0.25), 52) == pytest.approx(0)
    # Brier of 0.5 for all is 1/4, of the share for all 3/16.
    assert metrics.brier_skill(y, np.full(4, 0.25), 52, reference=np.full(4, 0.5)) == pytest.approx(1 - (3 / 16) / 0.25)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"p": np.array([0.1, 0.2])}, "one prediction per row"),
        ({"p": np.array([0.1, np.nan, 0.3])}, r"finite|between 0 and 1"),
        ({"p": np.array([0.1, 1.2, 0.3])}, r"between 0 and 1: 1 row \(row 1\)"),
        ({"sample_weight": np.array([1.0, -1.0, 1.0])}, "sample_weight must be at least 0"),
        ({"weights": np.ones(2)}, "weights has shape"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(change, says):
    arguments = {"y": outcomes([True] * 3, [1.0, 60, 60]), "p": np.array([0.1, 0.2, 0.3]), "week": 52, **change}
    with pytest.raises(CaseDataError, match=says):
        metrics.brier(**arguments)


@pytest.mark.parametrize("k", [-1, 0.0, 1.5, True, "3"])
def test_a_list_length_that_is_neither_count_nor_share_is_refused(k):
    y = outcomes([True] * 3, [1.0, 60, 60])
    with pytest.raises(CaseDataError, match="k must be a count"):
        metrics.precision_at(y, np.array([0.1, 0.2, 0.3]), 52, k)


# The trap of the calendar: everybody has the same chance of closing, cases open over three years, and one extract date
# censors all. A score that only knows the opening date separates who was followed from who was not, and nothing else.


def a_register_cut_on_one_day(seed=0, n=20_000):
    rng = np.random.default_rng(seed)
    opened, cut_on = rng.integers(0, 1100, n), 1101
    health = rng.normal(size=n)
    lasts = np.ceil(7 * rng.exponential(30 * np.exp(0.5 * health))) / 7
    followed = (cut_on - opened - 1) / 7
    y = outcomes(lasts <= followed, np.minimum(lasts, followed))
    return y, lasts, health, opened, cut_on


def test_marginal_weights_applaud_a_calendar_column_and_whole_cohorts_do_not():
    y, lasts, _, opened, cut_on = a_register_cut_on_one_day()
    older_is_longer = -opened / 1100.0
    assert metrics.auc(y, older_is_longer, 52) > 0.6
    assert metrics.auc(y, older_is_longer, 52, opened=opened) == pytest.approx(0.5, abs=0.02)
    full = outcomes(True, lasts)
    assert metrics.auc(full, older_is_longer, 52) == pytest.approx(0.5, abs=0.02)  # as if all had been followed
    check = metrics.calendar_check(y, older_is_longer, 52, opened=opened, cut_on=cut_on)
    assert check.applauded is True
    assert check.auc_followed == 1.0


def test_a_classifier_on_matured_cases_that_sees_the_calendar_is_caught_and_an_honest_score_is_not():
    y, lasts, health, opened, cut_on = a_register_cut_on_one_day(seed=1)
    matured = np.isfinite(censoring.exceeds(y, 52))
    late = opened > 1101 - 365
    X = np.column_stack([health, opened / 1100, late])
    fit = LogisticRegression().fit(X[matured], lasts[matured] > 52)
    calendar = fit.predict_proba(X)[:, 1]
    honest = np.exp(-52 / (30 * np.exp(0.5 * health)))
    assert metrics.auc(y, calendar, 52) > metrics.auc(y, honest, 52) + 0.02  # the applause
    full = outcomes(True, lasts)
    assert metrics.auc(full, calendar, 52) < metrics.auc(full, honest, 52) - 0.05  # what it deserves
    judged = metrics.auc(y, calendar, 52, opened=opened, cut_on=cut_on)
    assert judged < metrics.auc(y, honest, 52, opened=opened, cut_on=cut_on) + 0.005
    assert metrics.calendar_check(y, calendar, 52, opened=opened, cut_on=cut_on).applauded is True
    assert metrics.calendar_check(y, honest, 52, opened=opened, cut_on=cut_on).applauded is False


def test_the_calendar_check_does_not_pretend_when_no_cohort_was_followed_whole():
    y, _, health, opened, _ = a_register_cut_on_one_day(n=500)
    young = opened > 900
    check = metrics.calendar_check(y[young], health[young], 52, opened=opened[young], cut_on=1101)
    assert check.applauded is None
    assert check.n_whole == 0


# Calibration as a measurement.


def with_known_chance(seed=0, n=4000):
    rng = np.random.default_rng(seed)
    x = rng.normal(-1, 1, n)
    chance = 1 / (1 + np.exp(-x))
    return outcomes(True, np.where(rng.random(n) < chance, 60.0, 9.0)), x, chance


def test_observed_expected_and_bins_agree_with_a_count_by_hand():
    y = outcomes([True] * 6, [60.0, 9.0, 9.0, 60.0, 60.0, 9.0])
    p = np.array([0.1, 0.1, 0.1, 0.7, 0.7, 0.7])
    found = metrics.calibration(y, p, 52, bins=2)
    assert found.observed_minus_expected == pytest.approx(3 / 6 - 0.4)
    assert found.table["n"].tolist() == [3, 3]
    np.testing.assert_allclose(found.table["observed"], [1 / 3, 2 / 3])
    np.testing.assert_allclose(found.table["p_mean"], [0.1, 0.7])
    # Wilson for 1 of 3 at 95 %: (1/3 + z²/6 ± z sqrt(2/27 + z²/36)) / (1 + z²/3) with z = 1.96.
    np.testing.assert_allclose(found.table.loc[0, ["low", "high"]].astype(float), [0.0615, 0.7923], atol=1e-4)


def test_slope_agrees_with_an_unpenalised_logistic_regression_under_weights():
    y, x, chance = with_known_chance()
    w = np.random.default_rng(5).uniform(0.5, 3, len(y))
    oracle = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(x[:, None], y["weeks"] > 52, sample_weight=w)
    found = metrics.calibration(y, chance, 52, weights=w)
    assert found.slope == pytest.approx(oracle.coef_[0, 0], abs=1e-4)


def test_a_score_twice_too_extreme_has_half_the_slope_and_a_shift_is_the_intercept():
    y, x, chance = with_known_chance()
    good = metrics.calibration(y, chance, 52)
    extreme = metrics.calibration(y, 1 / (1 + np.exp(-2 * x)), 52)
    shifted = metrics.calibration(y, 1 / (1 + np.exp(-(x + 0.4))), 52)
    assert good.slope == pytest.approx(1, abs=0.1)
    assert extreme.slope == pytest.approx(good.slope / 2, abs=1e-4)
    assert shifted.intercept == pytest.approx(good.intercept - 0.4, abs=1e-4)


def test_ici_is_the_mean_distance_of_score_and_truth():
    y, x, chance = with_known_chance(n=40_000)
    assert metrics.calibration(y, chance, 52).ici < 0.01
    for p in (1 / (1 + np.exp(-(x + 1))), chance**2):
        assert metrics.calibration(y, p, 52).ici == pytest.approx(np.abs(p - chance).mean(), abs=0.01)


def test_calibration_under_censoring_sees_the_share_a_full_follow_up_would_have_shown():
    y, lasts, health, opened, cut_on = a_register_cut_on_one_day()
    p = np.exp(-52 / (30 * np.exp(0.5 * health)))
    known = np.isfinite(censoring.exceeds(y, 52))
    full = (lasts > 52).mean()
    assert abs((lasts[known] > 52).mean() - full) > 0.03  # dropping the unknown is biased
    for judging in ({}, {"opened": opened, "cut_on": cut_on}):
        found = metrics.calibration(y, p, 52, **judging)
        assert found.observed == pytest.approx(full, abs=0.01)
        assert found.slope == pytest.approx(1, abs=0.1)


# Intervals.


def test_rows_of_one_person_are_drawn_together():
    y, p = register(7, n=300)
    twice = np.repeat(np.arange(300), 2)
    once = metrics.interval(metrics.auc, y, p, 26, n_boot=100, seed=4)
    together = metrics.interval(metrics.auc, y[twice], p[twice], 26, groups=twice, n_boot=100, seed=4)
    apart = metrics.interval(metrics.auc, y[twice], p[twice], 26, n_boot=100, seed=4)
    np.testing.assert_allclose(together.estimate, once.estimate, atol=1e-12)
    assert (together.high - together.low) / (once.high - once.low) == pytest.approx(1, abs=0.2)
    assert (apart.high - apart.low) < 0.85 * (together.high - together.low)


def test_the_interval_of_an_auc_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        stays = rng.random(300) < 0.3
        # Two normals one standard deviation apart: AUC = Phi(1 / sqrt 2) = 0.7602.
        score = rng.normal(size=300) + stays
        y = outcomes(True, np.where(stays, 60.0, 9.0))
        low, _, high = metrics.interval(metrics.auc, y, score, 52, n_boot=100, seed=seed, coverage=0.9)
        held += low <= 0.7602499 <= high
    assert 47 <= held <= 60  # binomial(60, 0.9): 54 with a standard deviation of 2.3


def test_intervals_take_several_numbers_and_arguments_and_repeat_themselves():
    y, p = register(8)
    found = metrics.interval(metrics.calibration_numbers, y, p, 26, n_boot=50, seed=1)
    again = metrics.interval(metrics.calibration_numbers, y, p, 26, n_boot=50, seed=1)
    assert found.low.shape == (4,)
    np.testing.assert_array_equal(found.low, again.low)
    assert (found.low < found.high).all()
    whole = metrics.calibration(y, p, 26)
    np.testing.assert_allclose(found.estimate, [whole.observed_minus_expected, whole.intercept, whole.slope, whole.ici])
    low, estimate, high = metrics.interval(metrics.precision_at, y, p, 26, k=0.1, n_boot=50)
    assert estimate == pytest.approx(metrics.precision_at(y, p, 26, 0.1))
    assert low < estimate < high


def test_an_undefined_metric_has_an_undefined_interval():
    y = outcomes([True] * 5, np.arange(1.0, 6))
    assert np.isnan(metrics.interval(metrics.auc, y, np.linspace(0, 1, 5), 52, n_boot=10)).all()
