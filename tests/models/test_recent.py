"""A fitted hazard is moved to what the newest weeks show; nothing else about it changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from models import catalogue
from models.contract import Learner, outcome
from risk.errors import CaseDataError, ConfigError

Floats = npt.NDArray[np.float64]
N, WINDOW = 3000, 26.0
FITTED = [
    ("linear", {"penalties": (10.0,)}),
    ("hazard", {"n_estimators": 20, "patience": 0}),
    ("stacked", {"n_folds": 2}),
]


def halved() -> tuple[pd.DataFrame, npt.NDArray[np.void], Floats]:
    """Cases opened over 208 weeks at a weekly hazard of 0.04 exp(0.5 x), halved in the last 26; and when those began."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    until_now = rng.uniform(0.0, 208.0, N)
    since = until_now - WINDOW
    wanted = rng.exponential(size=N) / (0.04 * np.exp(0.5 * x))
    before = np.maximum(since, 0.0)
    weeks = np.where(wanted <= before, wanted, before + 2.0 * (wanted - before))
    closed = weeks <= until_now
    return pd.DataFrame({"x": x}), outcome(closed, np.where(closed, weeks, until_now)), since


@pytest.fixture(scope="module", params=FITTED, ids=[f[0] for f in FITTED])
def fitted(request: pytest.FixtureRequest) -> dict[str, str]:
    """The files of a learner fitted on the whole history."""
    X, y, _ = halved()
    name, params = request.param
    return catalogue.make(name, **params).fit(X, y).to_files()


def opened(files: dict[str, str]) -> Learner:
    return catalogue.from_files(files)


def test_a_hazard_that_halved_half_a_year_ago_is_followed(fitted: dict[str, str]) -> None:
    X, y, since = halved()
    asked = pd.DataFrame({"x": [-1.0, 0.0, 1.0]})
    true = np.exp(-0.02 * np.exp(0.5 * asked["x"].to_numpy()) * 52)
    before = opened(fitted).survival(asked, [52.0])[:, 0]
    after = opened(fitted).refresh(X, y, None, since).survival(asked, [52.0])[:, 0]
    assert np.all(before < true - 0.04), "the whole history closes cases too early"
    assert np.abs(after - true).max() < 0.5 * np.abs(before - true).max()
    assert abs(after.mean() - true.mean()) < 0.05


def test_what_each_feature_adds_still_adds_up(fitted: dict[str, str]) -> None:
    X, y, since = halved()
    learner = opened(fitted).refresh(X, y, None, since)
    p = learner.survival(X[:50], [52.0])[:, 0]
    assert learner.contributions(X[:50], 52.0).sum(axis=1).to_numpy() == pytest.approx(np.log(p / (1 - p)), abs=1e-9)


def test_the_order_of_rows_and_a_trip_through_files_change_no_bit(fitted: dict[str, str]) -> None:
    X, y, since = halved()
    order = np.random.default_rng(1).permutation(N)
    one = opened(fitted).refresh(X, y, None, since)
    other = opened(fitted).refresh(X.iloc[order].reset_index(drop=True), y[order], None, since[order])
    assert one.to_files() == other.to_files()
    assert np.array_equal(opened(one.to_files()).survival(X, [52.0]), one.survival(X, [52.0]))


def test_a_window_that_nobody_was_watched_in_moves_nothing(fitted: dict[str, str]) -> None:
    X, y, _ = halved()
    assert opened(fitted).refresh(X, y, None, y["weeks"]).to_files() == fitted


def test_a_window_over_the_whole_history_moves_little(fitted: dict[str, str]) -> None:
    X, y, _ = halved()
    before = opened(fitted).survival(X, [13.0, 52.0])
    after = opened(fitted).refresh(X, y, None, np.zeros(N)).survival(X, [13.0, 52.0])
    assert np.abs(after - before).max() < 0.03


def test_a_learner_without_a_hazard_says_so() -> None:
    X, y, since = halved()
    with pytest.raises(ConfigError, match="no hazard to refresh"):
        catalogue.make("matured_only", n_estimators=5, patience=0).fit(X, y).refresh(X, y, None, since)


def test_a_window_of_another_length_is_refused(fitted: dict[str, str]) -> None:
    X, y, since = halved()
    with pytest.raises(CaseDataError, match="since"):
        opened(fitted).refresh(X, y, None, since[1:])
