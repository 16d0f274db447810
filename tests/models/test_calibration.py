"""Recalibration by age of case: what it must keep, what it must learn, and what its intervals may claim."""

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from models import censoring, metrics
from models.calibration import Calibrator
from risk.errors import CaseDataError

AGES = np.array([4.0, 13.0, 26.0])
SHIFT = np.array([0.5, 0.3, -0.2])
SLOPE = np.array([0.7, 0.9, 1.2])
CUT_ON = 1000


def predicted(n, seed, bend=0.0):
    """Predictions whose log-odds are off by an affine map per age (and a wave of size ``bend``), and the true chance."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 3, n)
    x = rng.normal(-1.5 + 0.03 * AGES[at], 1.2)
    return expit(x), AGES[at], expit(SHIFT[at] + SLOPE[at] * x + bend * np.sin(1.5 * x))


def observed(truth, entry, seed):
    """Durations with P(open past 52 | open at entry) = truth, cut on one day, some lost before; rows at risk on it."""
    rng = np.random.default_rng(seed + 10_000)
    n = len(truth)
    lasts = entry + np.ceil(7 * rng.exponential(-(52 - entry) / np.log(truth))) / 7
    opened = rng.integers(0, 800, n)
    until = np.minimum((CUT_ON - opened - 1) / 7, entry + np.ceil(7 * rng.exponential(200, n)) / 7)
    y = np.empty(n, dtype=[("closed", bool), ("weeks", float)])
    y["closed"], y["weeks"] = lasts <= until, np.minimum(lasts, until)
    return y, opened


def history(n, seed=0, bend=0.0):
    p, entry, truth = predicted(n, seed, bend)
    return (p, *observed(truth, entry, seed), entry, truth)


def fitted(n, seed=0, bend=0.0, **more):
    p, y, opened, entry, _ = history(n, seed, bend)
    return Calibrator().fit(p, y, 52, entry, opened=opened, cut_on=CUT_ON, **more)


def test_the_map_is_learned_at_each_age_from_censored_outcomes():
    made = fitted(60_000)
    np.testing.assert_array_equal(made.knots_, AGES)
    np.testing.assert_allclose(made.slope(AGES), SLOPE, atol=0.12)
    np.testing.assert_allclose(made.intercept(AGES), SHIFT, atol=0.2)
    p, entry, truth = predicted(5000, seed=1)
    assert np.abs(made.apply(p, entry) - truth).mean() < 0.01 < 0.07 < np.abs(p - truth).mean()


def test_between_knots_the_map_is_interpolated_and_beyond_them_kept():
    made = fitted(20_000)
    low, high = made.slope([4.0, 13.0])
    np.testing.assert_allclose(made.slope([8.5, 0.0, 50.0]), [(low + high) / 2, low, made.slope(26.0)[0]])
    np.testing.assert_allclose(
        logit(made.apply([0.3], [8.5])), made.intercept(8.5) + made.slope(8.5) * logit(0.3), rtol=1e-12
    )


def test_calibrated_predictions_pass_the_measurement_on_new_cases():
    made = fitted(70_000)
    p, y, opened, entry, _ = history(70_000, seed=5)
    for age in AGES:
        at = entry == age
        judging = {"entry": entry[at], "opened": opened[at], "cut_on": CUT_ON}
        before = metrics.calibration(y[at], p[at], 52, **judging)
        after = metrics.calibration(y[at], made.apply(p, entry)[at], 52, **judging)
        assert abs(before.observed_minus_expected) > 0.03
        assert abs(after.slope - 1) < 0.1
        assert abs(after.observed_minus_expected) < 0.015


def test_recent_open_cases_count_through_the_weights_where_dropping_them_misleads():
    # Censoring at random times: marginal weights are right, and plain matured rows hold too many that closed early.
    p, _, entry_truth = predicted(40_000, seed=3)
    entry, truth = np.zeros(len(p)), entry_truth
    rng = np.random.default_rng(3)
    lasts, until = rng.exponential(-52 / np.log(truth)), rng.uniform(0, 80, len(p))
    y = np.empty(len(p), dtype=[("closed", bool), ("weeks", float)])
    y["closed"], y["weeks"] = lasts <= until, np.minimum(lasts, until)
    weighted = Calibrator().fit(p, y, 52, entry).apply(p, entry)
    matured = np.isfinite(censoring.exceeds(y, 52)).astype(float)
    dropped = Calibrator().fit(p, y, 52, entry, weights=matured).apply(p, entry)
    assert abs(weighted.mean() - truth.mean()) < 0.01
    assert dropped.mean() < truth.mean() - 0.1


def test_shorter_weeks_let_cases_speak_that_are_too_young_for_the_long_one():
    # No case is old enough for week 52; at weeks 20 and 26 the same map is off by the same log-odds.
    rng = np.random.default_rng(4)
    n, weeks = 20_000, np.array([20.0, 26.0, 52.0])
    rate = np.exp(rng.normal(-3.5, 0.7, n))
    true = np.exp(-np.outer(rate, weeks))
    lasts = rng.exponential(1 / rate)
    y = np.empty(n, dtype=[("closed", bool), ("weeks", float)])
    y["closed"], y["weeks"] = lasts <= 30, np.minimum(lasts, 30)
    opened = np.zeros(n)
    off = expit(logit(true) - 0.6)
    long_only = Calibrator().fit(off[:, 2], y, 52, opened=opened, cut_on=211)
    assert long_only.is_identity
    made = Calibrator().fit(off, y, weeks, opened=opened, cut_on=211)
    assert made.intercept(0)[0] == pytest.approx(0.6, abs=0.1)
    assert np.abs(made.apply(off)[:, 2] - true[:, 2]).mean() < 0.02


def test_curves_never_rise_and_certainty_stays_certain():
    made = fitted(5000)
    rng = np.random.default_rng(0)
    S = np.minimum.accumulate(np.round(rng.random((500, 60)), 2), axis=1)
    S[:, 0], S[::2, -1] = 1.0, 0.0
    out = made.apply(S, rng.uniform(0, 45, 500))
    assert (np.diff(out, axis=1) <= 0).all()
    assert (out[:, 0] == 1).all()
    np.testing.assert_array_equal(out == 0, S == 0)
    assert made.apply(S[:1], np.array([4.0])).shape == (1, 60)
    np.testing.assert_allclose(made.apply(S[:, 30], np.full(500, 9.0)), made.apply(S, np.full(500, 9.0))[:, 30])


def test_a_score_that_points_the_wrong_way_is_flattened_and_never_turned_round():
    p, entry, _ = predicted(5000, seed=0)
    y, opened = observed(np.clip(1 - p, 0.02, 0.98), entry, 0)
    made = Calibrator().fit(p, y, 52, entry, opened=opened, cut_on=CUT_ON)
    assert (made.slopes_ > 0).all()
    assert (made.slopes_ < 0.1).all()
    order = np.argsort(p[entry == 13])
    assert (np.diff(made.apply(p, entry)[entry == 13][order]) >= 0).all()


def test_an_age_with_few_cases_follows_the_others_and_one_with_many_follows_its_own():
    p, y, opened, entry, _ = history(60_000)
    few = np.concatenate([np.flatnonzero(entry != 26), np.flatnonzero(entry == 26)[:120]])
    shy = Calibrator().fit(p[few], y[few], 52, entry[few], opened=opened[few], cut_on=CUT_ON).intercept(26.0)[0]
    sure = fitted(60_000).intercept(26.0)[0]
    alone = few[entry[few] == 26]
    unpooled = Calibrator(min_cases=5).fit(p[alone], y[alone], 52, entry[alone], opened=opened[alone], cut_on=CUT_ON)
    assert sure == pytest.approx(-0.2, abs=0.15)
    assert abs(shy - 0.4) < abs(unpooled.intercept(26.0)[0] - 0.4)  # 0.4: the mean of the ages with many


def test_too_few_outcomes_change_nothing_and_promise_nothing():
    p, y, opened, entry, _ = history(60_000)
    first = np.flatnonzero(censoring.weights(y, 52, entry, opened, cut_on=CUT_ON) > 0)
    exceeded = censoring.exceeds(y, 52)[first] == 1
    some = np.concatenate([first[exceeded][:25], first[~exceeded][:500]])
    made = Calibrator(min_cases=30).fit(p[some], y[some], 52, entry[some])
    assert made.is_identity
    np.testing.assert_array_equal(made.apply(p, entry), p)
    low, high = made.interval(p, entry)
    assert (low == 0).all()
    assert (high == 1).all()
    assert not Calibrator(min_cases=10).fit(p[some], y[some], 52, entry[some]).is_identity
    nobody = Calibrator().fit(p[:0], y[:0], 52, entry[:0])
    assert nobody.is_identity


def test_saved_as_json_it_answers_with_the_same_bits():
    p, entry, _ = predicted(300, seed=9)
    for made in (fitted(4000), fitted(30)):
        again = Calibrator.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(again.apply(p, entry), made.apply(p, entry))
        np.testing.assert_array_equal(again.interval(p, entry), made.interval(p, entry))
        assert again.to_dict() == made.to_dict()


@pytest.mark.parametrize(
    "damage", [{"slopes": [1.0]}, {"slopes": [1.0, -1.0, 1.0]}, {"knots": [4.0, 4.0, 5.0]}, {"center": float("nan")}]
)
def test_a_damaged_calibration_is_refused(damage):
    saved = fitted(4000).to_dict()
    with pytest.raises(CaseDataError, match="fit it again"):
        Calibrator.from_dict({**saved, **damage})
    del saved["misfit"]
    with pytest.raises(CaseDataError, match="KeyError"):
        Calibrator.from_dict(saved)


def test_the_same_rows_give_the_same_map_in_any_order_and_a_row_that_counts_twice_is_a_row_given_twice():
    p, y, opened, entry, _ = history(3000)
    first = fitted(3000)
    assert first.to_dict() == fitted(3000).to_dict()
    mixed = np.random.default_rng(0).permutation(3000)
    other = Calibrator().fit(p[mixed], y[mixed], 52, entry[mixed], opened=opened[mixed], cut_on=CUT_ON)
    np.testing.assert_allclose(other.apply(p, entry), first.apply(p, entry), atol=1e-10)
    often = np.random.default_rng(1).integers(0, 3, 3000)
    repeated = np.repeat(np.arange(3000), often)
    counted = Calibrator().fit(p, y, 52, entry, opened=opened, cut_on=CUT_ON, sample_weight=often)
    copied = Calibrator().fit(p[repeated], y[repeated], 52, entry[repeated], opened=opened[repeated], cut_on=CUT_ON)
    np.testing.assert_allclose(counted.apply(p, entry), copied.apply(p, entry), atol=1e-8)


# Intervals. The truth here is the share that exceeds among cases of the same score and age: what the interval claims to hold.


def held(n, bend, with_misfit=True, runs=40):
    shares = []
    for seed in range(runs):
        made = fitted(n, seed, bend)
        if not with_misfit:
            made.misfit_ = 0.0
        p, entry, truth = predicted(1000, seed + 500, bend)
        low, high = made.interval(p, entry, 0.9)
        calibrated = made.apply(p, entry)
        assert ((low <= calibrated) & (calibrated <= high)).all()
        shares.append(((low <= truth) & (truth <= high)).mean())
    return float(np.mean(shares))


def test_ninety_of_a_hundred_true_chances_lie_inside_when_an_affine_map_is_the_whole_error():
    assert 0.86 <= held(3000, bend=0.0) <= 0.96


def test_scatter_that_no_affine_map_explains_widens_the_interval():
    # A wave in the log-odds breaks the assumption: most of the coverage is won back, not all of it.
    without, with_it = held(8000, bend=0.25, with_misfit=False, runs=8), held(8000, bend=0.25, runs=8)
    assert without < 0.65
    assert with_it > 0.75


def test_several_rows_of_a_person_do_not_make_the_interval_narrower():
    p, y, opened, entry, _ = history(3000)
    copies = np.repeat(np.arange(3000), 3)
    arguments = (p[copies], y[copies], 52, entry[copies])
    apart = Calibrator().fit(*arguments, opened=opened[copies], cut_on=CUT_ON)
    together = Calibrator().fit(*arguments, opened=opened[copies], cut_on=CUT_ON, groups=copies)
    once = fitted(3000)
    for made in (apart, together, once):
        made.misfit_ = 0.0

    def width(made):
        low, high = made.interval(p, entry)
        return (high - low).mean()

    assert width(apart) < 0.75 * width(once)
    assert width(together) == pytest.approx(width(once), rel=0.15)


def test_shrinkage_is_not_mistaken_for_knowledge():
    # Twelve cases at age 26 cannot tell where the map lies there; the common map they are shrunk to must not hide that.
    p, y, opened, entry, _ = history(30_000)
    few = np.concatenate([np.flatnonzero(entry != 26), np.flatnonzero(entry == 26)[:12]])
    made = Calibrator().fit(p[few], y[few], 52, entry[few], opened=opened[few], cut_on=CUT_ON)
    made.misfit_ = 0.0
    low, high = made.interval([0.3, 0.3], [13.0, 26.0])
    assert high[1] - low[1] > 5 * (high[0] - low[0])


def test_unequal_weights_and_several_weeks_count_for_no_more_than_they_know():
    p, y, _, entry, _ = history(3000)
    w = np.where(np.isfinite(censoring.exceeds(y, 52)), np.where(np.arange(3000) % 2, 1.0, 3.0), 0.0)
    made = Calibrator().fit(p, y, 52, entry, weights=w)
    assert made.n_known_ == pytest.approx(w.sum() ** 2 / (w**2).sum())
    twice = Calibrator().fit(np.column_stack([p, p]), y, [52, 52], entry, weights=np.column_stack([w, w]))
    assert twice.n_known_ == pytest.approx(made.n_known_)


def test_more_coverage_is_a_wider_interval_and_more_cases_a_narrower_one():
    small, large = fitted(3000), fitted(30_000)
    p, entry, _ = predicted(200, seed=1)
    low, high = small.interval(p, entry, 0.5)
    wider_low, wider_high = small.interval(p, entry, 0.95)
    assert ((wider_low < low) & (high < wider_high)).all()
    large_low, large_high = large.interval(p, entry, 0.5)
    assert (large_high - large_low).mean() < 0.6 * (high - low).mean()
    np.testing.assert_array_equal(small.interval([0.0, 1.0], [4.0, 4.0]), [[0.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda made: made.apply([0.2, 1.2]), "between 0 and 1"),
        (lambda made: made.apply([0.2, np.nan]), "between 0 and 1"),
        (lambda made: made.apply([0.2, 0.3], [1.0]), "entry has shape"),
        (lambda made: made.interval([0.2], coverage=1.0), "coverage"),
        (
            lambda made: made.fit([0.2], np.zeros(1, [("closed", bool), ("weeks", float)]), [26, 52]),
            "one column per week",
        ),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(call, says):
    with pytest.raises(CaseDataError, match=says):
        call(fitted(2000))


# How far single cases lie from the score.


def spread_out(n, seed, sd=0.5):
    """Fitted as always; every case's own log-odds is off the map by a draw whose deviation is ``sd``."""
    made = fitted(n, seed)
    p, entry, truth = predicted(2000, seed + 500)
    off = np.random.default_rng(seed).normal(0, sd, 2000)
    return made, p, entry, truth, expit(logit(truth) + off)


def test_a_spread_that_is_known_widens_the_interval_until_it_holds_single_cases():
    shares, without = [], []
    for seed in range(10):
        made, p, entry, _, own = spread_out(8000, seed)
        low, high = made.interval(p, entry, 0.9)
        without.append(((low <= own) & (own <= high)).mean())
        # On the scale before calibration the spread is smaller by the slope of the map.
        made.learn_spread(logit(p), entry, np.full((1, 2000), 0.5**2) / made.slope(entry) ** 2)
        low, high = made.interval(p, entry, 0.9)
        shares.append(((low <= own) & (own <= high)).mean())
    assert np.mean(without) < 0.5
    assert 0.87 <= np.mean(shares) <= 0.95


def test_of_two_kinds_of_evidence_the_larger_counts_whole_and_the_other_by_half():
    p, entry, _ = predicted(2000, 1)
    ends = []
    for kinds in ([[0.04]], [[0.27]], [[0.04], [0.25]]):
        made = fitted(8000)
        made.learn_spread(logit(p), entry, np.broadcast_to(kinds, (len(kinds), 2000)))
        ends.append(made.interval(p, entry))
    np.testing.assert_allclose(ends[2], ends[1])
    assert (ends[0][0] > ends[2][0]).all()


def test_a_spread_that_grows_with_the_score_is_followed():
    made = fitted(8000)
    p, entry, _ = predicted(4000, 1)
    far = (logit(p) - made.center_) ** 2
    made.learn_spread(logit(p), entry, (0.01 + 0.2 * far)[None])
    middle, tail = made.interval(expit([made.center_, made.center_ + 2.5]), np.array([13.0, 13.0]))[0:2]
    reach = logit(tail) - logit(middle)
    assert reach[1] > 2 * reach[0]


def test_a_spread_is_saved_and_one_that_is_damaged_refused():
    made = fitted(8000)
    p, entry, _ = predicted(500, 1)
    made.learn_spread(logit(p), entry, np.full((2, 500), 0.1))
    saved = json.loads(json.dumps(made.to_dict()))
    np.testing.assert_array_equal(Calibrator.from_dict(saved).interval(p, entry), made.interval(p, entry))
    before = {k: v for k, v in saved.items() if k != "spread"}
    assert not len(Calibrator.from_dict(before).spread_)
    n = len(saved["spread"][0])
    turned = saved["spread_at"][::-1]
    for damage in (
        {"spread": [[1.0]]},
        {"spread": [[-1.0] * n]},
        {"spread": [[float("nan")] * n]},
        {"spread_at": turned},
        {"spread_at": []},
    ):
        with pytest.raises(CaseDataError, match="fit it again"):
            Calibrator.from_dict(saved | damage)


def test_without_a_map_there_is_nothing_to_spread_around():
    made = Calibrator().fit([0.2], np.zeros(1, [("closed", bool), ("weeks", float)]), 52)
    with pytest.raises(CaseDataError, match="identity"):
        made.learn_spread(np.zeros(1), np.zeros(1), np.zeros((1, 1)))
