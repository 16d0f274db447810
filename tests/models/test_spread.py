"""Levels and factors per age of case and per period: found where they are, left alone where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models import catalogue
from models.periods import Watched
from models.rows import outcome
from models.spread import spread


def seen_with(late_factor: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, Watched]:
    """Two periods; half of the cases are looked at late, and for them what features say counts ``late_factor`` times."""
    rng = np.random.default_rng(5)
    late = np.repeat([0.0, 1.0], n // 2)
    said = np.repeat(rng.normal(0.0, 0.7, n)[:, None], 2, axis=1)
    start = np.full((n, 2), np.log(0.3))
    hazard = np.exp(start + np.where(late, late_factor, 1.0)[:, None] * said)
    wait = rng.exponential(size=n)
    first, both = wait < hazard[:, 0], wait < hazard.sum(axis=1)
    exposure = np.column_stack([np.where(first, wait / hazard[:, 0], 1.0), np.zeros(n)])
    exposure[:, 1] = np.where(first, 0.0, np.where(both, (wait - hazard[:, 0]) / hazard[:, 1], 1.0))
    return said, start, late[:, None] - 0.5, Watched(exposure, both, np.where(first, 0, 1))


@pytest.mark.parametrize(("true", "at_most_off"), [(1.0, 0.06), (0.6, 0.06)])
def test_the_factor_of_late_cases_is_found(true: float, at_most_off: float) -> None:
    said, start, late, seen = seen_with(true)
    _, (constant, by_age, *_) = spread(said, start, late, seen, np.ones(len(said)), 1.0)
    assert 1.0 + constant - by_age / 2 == pytest.approx(1.0, abs=at_most_off)
    assert 1.0 + constant + by_age / 2 == pytest.approx(true, abs=at_most_off)


def test_a_period_in_which_features_say_less_is_found() -> None:
    # As where a law ends cases whatever their risk: what features say counts for little in the second period.
    rng = np.random.default_rng(6)
    n = 20_000
    z = rng.normal(0.0, 0.7, n)
    hazard = np.exp(np.log(0.3) + np.column_stack([z, 0.2 * z]))
    wait = rng.exponential(size=(n, 2)) / hazard
    first, second = wait[:, 0] < 1.0, (wait[:, 0] >= 1.0) & (wait[:, 1] < 1.0)
    exposure = np.column_stack([np.minimum(wait[:, 0], 1.0), np.where(first, 0.0, np.minimum(wait[:, 1], 1.0))])
    seen = Watched(exposure, first | second, np.where(first, 0, 1))
    said = np.repeat(z[:, None], 2, axis=1)
    _, factor = spread(said, np.full((n, 2), np.log(0.3)), rng.choice([-0.5, 0.5], (n, 1)), seen, np.ones(n), 1.0)
    assert 1.0 + factor[0] + factor[2] == pytest.approx(1.0, abs=0.08)
    assert 1.0 + factor[0] + factor[3] == pytest.approx(0.2, abs=0.08)


def test_rows_that_repeat_one_another_prove_less() -> None:
    said, start, late, seen = seen_with(0.6, n=400)
    once, often = (spread(said, start, late, seen, np.ones(len(said)), r)[1] for r in (1.0, 50.0))
    assert np.abs(often).max() < 0.5 * np.abs(once).max()


def test_one_age_for_all_asks_for_no_spread() -> None:
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"a": rng.normal(size=200)})
    y = outcome(rng.random(200) < 0.7, rng.exponential(20.0, 200) + 6.0)
    assert catalogue.make("linear").fit(X, y, np.full(200, 5.0)).spread_ is None
    assert catalogue.make("linear").fit(X, y, np.repeat([1.0, 5.0], 100)).spread_.shape[0] == 2
