"""Which outcomes are known, and how much they count. Expected values by hand."""

import numpy as np
import pytest

from models import censoring
from risk.errors import CaseDataError

OUTCOME = [("closed", bool), ("weeks", float)]


def outcomes(*rows):
    return np.array([(closed, weeks) for closed, weeks in rows], dtype=OUTCOME)


def test_a_case_closed_on_day_364_does_not_exceed_and_one_seen_open_that_day_does():
    y = outcomes((True, 52.0), (True, 52 + 1 / 7), (False, 52.0), (False, 52 - 1 / 7), (False, 80.0))
    np.testing.assert_array_equal(censoring.exceeds(y, 52), [0, 1, 1, np.nan, 1])


def test_closing_comes_before_censoring_on_the_same_day():
    # Day 70: three at risk, one closes and can no longer be censored; one of the two left is censored: 1/2 still followed.
    y = outcomes((True, 10.0), (False, 10.0), (True, 60.0))
    np.testing.assert_allclose(censoring.weights(y, 52), [1, 0, 2], atol=1e-15)


def test_left_truncated_weights_agree_with_a_computation_by_hand():
    # Censored at 10 with four at risk (the fourth row enters at 12): 3/4. Censored at 15, at risk all but the first: 3/4.
    # Row 4 enters after the first censoring, so its chance of being followed is (9/16)/(3/4) = 3/4; rows 2 and 5 have 9/16.
    y = outcomes((False, 10.0), (True, 20.0), (False, 15.0), (True, 30.0), (True, 60.0))
    entry = np.array([0.0, 0.0, 4.0, 12.0, 0.0])
    np.testing.assert_allclose(censoring.weights(y, 52, entry), [0, 16 / 9, 0, 4 / 3, 16 / 9], rtol=1e-14)


def test_a_case_that_enters_on_a_day_was_at_risk_of_censoring_on_it():
    # Entering at 10 means seen open at the end of week 10, like the one censored then: 1 of 3 lost, 2/3 followed.
    y = outcomes((False, 10.0), (True, 60.0), (True, 60.0))
    np.testing.assert_allclose(censoring.weights(y, 52, np.array([0.0, 10.0, 0.0])), [0, 1.5, 1.5], rtol=1e-14)


def test_a_risk_set_emptied_before_others_enter_says_nothing_about_them():
    y = outcomes((False, 5.0), (True, 20.0), (True, 60.0))
    np.testing.assert_allclose(censoring.weights(y, 52, np.array([0.0, 8.0, 8.0])), [0, 1, 1])


def test_rows_already_past_the_week_when_judged_have_no_weight():
    y = outcomes((True, 60.0), (True, 60.0))
    np.testing.assert_array_equal(censoring.weights(y, 52, np.array([52.0, 51.0])), [0, 1])


@pytest.mark.parametrize("seed", range(5))
def test_marginal_weights_sum_to_the_number_of_rows(seed):
    # The IPCW form of Kaplan-Meier (Satten and Datta 2001) makes the weighted shares add up to one exactly.
    rng = np.random.default_rng(seed)
    y = outcomes(*zip(rng.random(300) < 0.6, rng.integers(1, 500, 300) / 7, strict=True))
    np.testing.assert_allclose(censoring.weights(y, 40).sum(), 300, rtol=1e-12)


def test_with_opening_dates_only_whole_cohorts_count_and_only_those_who_moved_away_are_weighted_for():
    # Cut on day 400. Opened on day 0: followable 399 days = 57 weeks. Moved away at 20 with three at risk: 2/3 followed.
    # Opened on day 300: closed after two weeks, but its cohort was not followed to week 52, so it may not speak alone.
    y = outcomes((True, 10.0), (False, 20.0), (True, 30.0), (False, 57.0), (True, 2.0), (False, 99 / 7))
    opened = np.array([0, 0, 0, 0, 300, 300])
    np.testing.assert_allclose(censoring.weights(y, 52, opened=opened, cut_on=400), [1, 0, 1.5, 1.5, 0, 0], rtol=1e-14)
    # The cut date read off the outcomes: the last day a censored case was seen open, and one.
    assert censoring.last_seen(y, opened) == 400
    np.testing.assert_allclose(censoring.weights(y, 52, opened=opened), [1, 0, 1.5, 1.5, 0, 0], rtol=1e-14)


def test_dates_and_day_numbers_say_the_same():
    opened = np.array(["2024-03-01", "2025-06-01"], dtype="M8[ns]")
    days = opened.astype("M8[D]").astype(int)
    np.testing.assert_array_equal(censoring.whole_cohort(opened, "2025-09-01", 52), [True, False])
    cut = int(np.datetime64("2025-09-01").astype(int))
    np.testing.assert_array_equal(censoring.whole_cohort(days, cut, 52), [True, False])


def test_a_cohort_is_whole_from_the_day_after_its_day_364():
    # Opened day 0: day 364 has ended at 00:00 of day 365.
    np.testing.assert_array_equal(censoring.whole_cohort(np.array([0, 0]), np.array([364, 365]), 52), [False, True])


def test_loss_that_changes_over_the_years_is_weighted_for_inside_cohorts():
    # Half of the late cohort moves away at week 5 and nobody of the early one: a marginal curve would weight both alike.
    n = 400
    lost = np.tile([False, True], n // 2)
    late = outcomes(*[(not gone, 5.0 if gone else 60.0) for gone in lost])
    early = outcomes(*[(True, 60.0)] * n)
    w = censoring.weights(np.concatenate([early, late]), 52, opened=np.repeat([0, 500], n), cut_on=2000)
    np.testing.assert_allclose(w[:n], 1)
    np.testing.assert_allclose(w[n:], np.where(lost, 0, 2))


def test_a_supplied_censoring_model_is_asked_with_the_right_rows_just_before_each_day():
    class ByGroup:
        def survival(self, X, weeks, entry=None):
            # Group 1 loses half of its cases at the end of week 20; entry after that day means it was survived.
            late = np.atleast_1d(weeks)[None, :] >= 20
            return np.where(late & (X[:, [0]] == 1) & (np.asarray(entry)[:, None] < 20), 0.5, 1.0)

    y = outcomes((True, 20.0), (True, 21.0), (True, 21.0), (False, 60.0), (False, 20.0), (True, 30.0))
    X = np.array([[1], [1], [0], [1], [1], [1]])
    entry = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 25.0])
    np.testing.assert_allclose(censoring.weights(y, 52, entry, model=ByGroup(), X=X), [1, 2, 1, 2, 0, 1])


def test_kaplan_meier_of_censoring_is_a_censoring_model_itself():
    rng = np.random.default_rng(1)
    y = outcomes(*zip(rng.random(200) < 0.5, rng.integers(1, 500, 200) / 7, strict=True))
    entry = np.minimum(rng.integers(0, 20, 200) / 7, y["weeks"])
    curve = censoring.KaplanMeier().fit(y, entry)
    np.testing.assert_allclose(
        censoring.weights(y, 40, entry, model=curve), censoring.weights(y, 40, entry), rtol=1e-12
    )


def test_rows_that_count_twice_are_rows_given_twice():
    rng = np.random.default_rng(2)
    y = outcomes(*zip(rng.random(100) < 0.5, rng.integers(1, 500, 100) / 7, strict=True))
    often = rng.integers(0, 4, 100)
    counted = censoring.weights(y, 40, sample_weight=often)
    repeated = censoring.weights(np.repeat(y, often), 40)
    np.testing.assert_allclose(np.repeat(counted, often), repeated, rtol=1e-12)
    opened = rng.integers(0, 300, 100)  # several cohorts, each with its own loss
    counted = censoring.weights(y, 10, opened=opened, cut_on=1000, sample_weight=often)
    repeated = censoring.weights(np.repeat(y, often), 10, opened=np.repeat(opened, often), cut_on=1000)
    assert len(np.unique(counted[counted > 0])) > 5
    np.testing.assert_allclose(np.repeat(counted, often), repeated, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": np.zeros(2)}, "fields 'closed' and 'weeks'"),
        ({"y": outcomes((True, np.nan), (True, 2.0))}, "finite"),
        ({"entry": np.array([9.0, 0.0])}, "before entry"),
        ({"entry": np.zeros(3)}, r"shape \(3,\)"),
        ({"opened": np.array(["2024-01-01", "NaT"], "M8[D]")}, r"missing: 1 row \(row 1\)"),
        ({"opened": np.zeros(3)}, "opened has shape"),
        ({"opened": np.zeros(2), "cut_on": 10}, "past the cut date"),
    ],
)
def test_wrong_cases_are_refused_with_the_reason(change, says):
    arguments = {"y": outcomes((True, 5.0), (True, 20.0)), "week": 52, **change}
    with pytest.raises(CaseDataError, match=says):
        censoring.weights(**arguments)


def test_a_known_outcome_that_could_not_be_followed_is_refused():
    class Nobody:
        def survival(self, X, weeks, entry=None):
            return np.zeros((len(X), 1))

    with pytest.raises(CaseDataError, match="no chance of being followed"):
        censoring.weights(outcomes((True, 5.0), (False, 20.0)), 52, model=Nobody())
