"""A change of level is found, dated and followed; where there is none, nothing moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from models import catalogue
from models.contract import Learner
from models.periods import Periods
from models.recent import WEEKS_LOOKED_AT, Change, change_from_dict, find_change
from models.rows import Rows, outcome
from risk.errors import CaseDataError, ConfigError

Floats = npt.NDArray[np.float64]
N, HISTORY, CHANGED = 3000, 208.0, 26.0
FITTED = [
    ("linear", {"penalties": (10.0,)}),
    ("hazard", {"n_estimators": 20, "patience": 0}),
    ("stacked", {"n_folds": 2}),
]


def cases(pace: float, *, only_new: bool = False, seed: int = 3) -> tuple[pd.DataFrame, npt.NDArray[np.void], Floats]:
    """Cases at a weekly hazard of 0.04 exp(0.5 x), ``pace`` times it in the last 26 weeks; and their age today.

    With ``only_new`` the pace is that of cases opened in the last 26 weeks.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    age = rng.uniform(0.0, HISTORY, N)
    wanted = rng.exponential(size=N) / (0.04 * np.exp(0.5 * x))
    at_old_pace = np.maximum(age - CHANGED, 0.0)
    if only_new:
        at_old_pace = np.where(at_old_pace > 0, age, 0.0)
    weeks = np.where(wanted <= at_old_pace, wanted, at_old_pace + (wanted - at_old_pace) / pace)
    closed = weeks <= age
    return pd.DataFrame({"x": x}), outcome(closed, np.where(closed, weeks, age)), age


@pytest.fixture(scope="module", params=FITTED, ids=[f[0] for f in FITTED])
def fitted(request: pytest.FixtureRequest) -> dict[str, str]:
    """The files of a learner fitted on the whole history of cases that closed at half the pace of late."""
    X, y, _ = cases(0.5)
    name, params = request.param
    return catalogue.make(name, **params).fit(X, y).to_files()


def opened(files: dict[str, str]) -> Learner:
    return catalogue.from_files(files)


def test_a_hazard_that_halved_half_a_year_ago_is_followed(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    asked = pd.DataFrame({"x": [-1.0, 0.0, 1.0]})
    true = np.exp(-0.02 * np.exp(0.5 * asked["x"].to_numpy()) * 52)
    before = opened(fitted).survival(asked, [52.0])[:, 0]
    learner = opened(fitted).refresh(X, y, None, age)
    assert learner.change_ is not None
    assert learner.change_.weeks_ago == 26
    assert not learner.change_.only_new
    after = learner.survival(asked, [52.0])[:, 0]
    assert np.all(before < true - 0.04), "the whole history closes cases too early"
    assert np.abs(after - true).max() < 0.5 * np.abs(before - true).max()
    assert abs(after.mean() - true.mean()) < 0.05


def test_a_change_for_new_cases_moves_only_them() -> None:
    X, y, age = cases(0.4, only_new=True)
    learner = catalogue.make("linear", penalties=(10.0,)).fit(X, y)
    asked = pd.DataFrame({"x": np.zeros(2)})
    entry = np.array([10.0, 40.0])
    before = learner.survival(asked, [52.0], entry)[:, 0]
    learner.refresh(X, y, None, age)
    assert learner.change_ is not None
    assert learner.change_.only_new
    assert learner.change_.weeks_ago == 26
    after = learner.survival(asked, [52.0], entry)[:, 0]
    assert abs(after[0] - np.exp(-0.016 * 42)) < 0.1  # some 70 closings of new cases
    assert before[0] < np.exp(-0.016 * 42) - 0.2
    assert abs(after[1] - np.exp(-0.04 * 12)) < 0.04


@pytest.mark.parametrize("name", ["linear", "hazard"])
def test_fitted_anew_a_learner_forgets_the_change_that_it_followed(name: str) -> None:
    X, y, age = cases(0.5)
    asked = X[:20]
    learner = catalogue.make(name).fit(X, y)
    before = learner.survival(asked, [52.0])
    learner.refresh(X, y, None, age)
    assert learner.change_ is not None
    assert not np.array_equal(learner.survival(asked, [52.0]), before)
    np.testing.assert_array_equal(learner.fit(X, y).survival(asked, [52.0]), before)


def test_without_a_change_nothing_moves() -> None:
    # Ten registers of two years of candidates each: at odds of 19 to 1 one false alarm would already be many.
    for seed in range(10):
        X, y, age = cases(1.0, seed=seed)
        learner = catalogue.make("linear", penalties=(10.0,)).fit(X, y)
        files = learner.to_files()
        assert learner.refresh(X, y, None, age).change_ is None
        assert learner.to_files() == files


def test_a_change_further_back_than_asked_is_not_looked_for(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    near = opened(fitted).refresh(X, y, None, age, within=13).change_
    assert near is None or near.weeks_ago <= 13
    assert opened(fitted).refresh(X, y, None, age, within=2).to_files() == fitted


@pytest.mark.parametrize("wrong", [lambda age: age[1:], lambda age: np.where(age == age[0], np.nan, age)])
def test_an_age_that_is_missing_is_refused(fitted: dict[str, str], wrong: Callable[[Floats], Floats]) -> None:
    X, y, age = cases(0.5)
    with pytest.raises(CaseDataError, match=rf"age .* must be {len(X)} finite numbers"):
        opened(fitted).refresh(X, y, None, wrong(age))


def test_what_each_feature_adds_still_adds_up(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    learner = opened(fitted).refresh(X, y, None, age)
    p = learner.survival(X[:50], [52.0])[:, 0]
    assert learner.contributions(X[:50], 52.0).sum(axis=1).to_numpy() == pytest.approx(np.log(p / (1 - p)), abs=1e-9)


def test_the_order_of_rows_and_a_trip_through_files_change_no_bit(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    order = np.random.default_rng(1).permutation(N)
    one = opened(fitted).refresh(X, y, None, age)
    other = opened(fitted).refresh(X.iloc[order].reset_index(drop=True), y[order], None, age[order])
    assert one.to_files() == other.to_files()
    assert np.array_equal(opened(one.to_files()).survival(X, [52.0]), one.survival(X, [52.0]))


def test_the_size_of_a_known_change_is_measured_on_other_rows() -> None:
    X, y, age = cases(0.5)
    learner = catalogue.make("linear", penalties=(10.0,)).fit(X, y)
    known = Change(26.0, False, 9.0, np.zeros(1), np.zeros(0))
    few = np.arange(N) % 10 == 0  # too few closings to find it
    assert learner.refresh(X[few], y[few], None, age[few]).change_ is None
    measured = learner.refresh(X[few], y[few], None, age[few], known=known).change_
    assert measured is not None
    assert (measured.weeks_ago, measured.only_new) == (26.0, False)
    assert measured.newest.mean() < -0.1


def test_looking_again_finds_the_same_and_does_not_add_up(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    learner = opened(fitted).refresh(X, y, None, age)
    once = learner.survival(X, [52.0])
    assert np.array_equal(learner.refresh(X, y, None, age).survival(X, [52.0]), once)


def test_a_case_with_several_rows_counts_once() -> None:
    # Each case looked at when it opened and at 4 and 13 weeks: the same closings, so the same change.
    X, y, age = cases(0.5)
    eta = np.log(0.04 * 4) + 0.5 * X["x"].to_numpy()
    periods = Periods(np.arange(0.0, 105.0, 4.0))
    seen = Rows(X.to_numpy(), y["closed"], y["weeks"], np.zeros(N), np.ones(N), np.arange(N))
    once = find_change(seen, np.repeat(eta[:, None], periods.count, axis=1), periods, age, 104.0)
    looks = [(np.flatnonzero(y["weeks"] > entry), entry) for entry in (0.0, 4.0, 13.0)]
    at = np.concatenate([rows for rows, _ in looks])
    entry = np.concatenate([np.full(len(rows), e) for rows, e in looks])
    many = Rows(X.to_numpy()[at], y["closed"][at], y["weeks"][at], entry, np.ones(len(at)), at.astype(np.int64))
    often = find_change(many, np.repeat(eta[at][:, None], periods.count, axis=1), periods, age[at], 104.0)
    assert once is not None
    assert often is not None
    assert often.weeks_ago == once.weeks_ago == CHANGED
    assert often.evidence == pytest.approx(once.evidence, rel=1e-3)
    np.testing.assert_allclose(often.newest, once.newest, atol=1e-3)


def test_the_shift_is_the_ratio_of_observed_and_expected_drawn_to_the_common_level() -> None:
    # 400 closings expected in one period since the change and 200 seen; by hand: the level b solves
    # 200 - 210 m / (m + 10) = 4 b with m = 400 exp(b), so b = -0.681; the shift is b + log(210 / (m + 10)) = -0.690.
    n = 4000
    periods = Periods(np.array([0.0, 10.0]))
    weeks = np.full(n, 10.0)
    closed = np.zeros(n, dtype=bool)
    closed[:200] = True  # opened in the last four weeks: half of what was expected
    closed[2000 : 2000 + 400] = True
    age = np.where(np.arange(n) < 2000, 3.0, 300.0)
    rows = Rows(np.zeros((n, 1)), closed, weeks, np.zeros(n), np.ones(n), np.arange(n))
    found = find_change(rows, np.full((n, 1), np.log(0.2)), periods, age, 4.0)
    assert found is not None
    assert found.only_new or found.weeks_ago == 4
    assert found.newest[0] == pytest.approx(-0.69, abs=0.05)


def test_a_change_survives_its_file() -> None:
    change = Change(26.0, True, 12.5, np.array([-0.1, 0.2]), np.array([0.0, 0.3]))
    again = change_from_dict(change.to_dict())
    assert again is not None
    entry = np.array([3.0, 26.0, 40.0])
    assert np.array_equal(again.shift(entry), [[-0.1, 0.2], [0.0, 0.3], [0.0, 0.3]])
    assert again.evidence == 12.5
    assert list(WEEKS_LOOKED_AT) == sorted(set(WEEKS_LOOKED_AT))


def test_members_without_a_hazard_leave_a_blend_that_follows_a_change() -> None:
    for pace, members in ((0.4, ["linear", "hazard"]), (1.0, ["linear", "hazard", "direct"])):
        X, y, age = cases(pace)
        blend = catalogue.make("stacked", n_folds=2).fit(X, y)
        weights = dict(zip([m.name for m in blend.members_], blend.weights_, strict=True))
        blend.refresh(X, y, None, age)
        assert [m.name for m in blend.members_] == members
        kept = np.array([weights[name] for name in members])
        np.testing.assert_allclose(blend.weights_, kept / kept.sum())


def test_a_learner_without_a_hazard_says_so() -> None:
    X, y, age = cases(0.5)
    with pytest.raises(ConfigError, match="no hazard to refresh"):
        catalogue.make("matured_only", n_estimators=5, patience=0).fit(X, y).refresh(X, y, None, age)


def test_ages_of_another_length_are_refused(fitted: dict[str, str]) -> None:
    X, y, age = cases(0.5)
    with pytest.raises(CaseDataError, match="age"):
        opened(fitted).refresh(X, y, None, age[1:])
