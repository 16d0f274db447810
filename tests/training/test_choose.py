"""The choice of the champion's learner: the first in the plan's order that no other clearly beats."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from training.backtest import empty
from training.choose import choose
from training.comparison import COLUMNS, Losses, compare
from training.plan import Plan
from training.results import Backtest

BRIER = {"additive": 0.105, "linear": 0.102, "hazard": 0.100}


@pytest.fixture
def three(quick_plan: Plan) -> Plan:
    return quick_plan.changed(learners={"candidates": tuple(BRIER), "params": {}})


def judged(brier: dict[str, float], error: dict[frozenset[str], float] | float) -> Backtest:
    """A backtest whose learners have these mean Brier scores; the error of a difference for all pairs or by pair."""
    rows = [
        [a, b, brier[a], brier[b], brier[a] - brier[b]] + [error if isinstance(error, float) else error[frozenset((a, b))]] * 3 + [3, 900]
        for a, b in permutations(brier, 2)
    ]  # fmt: skip
    return replace(empty(""), comparisons=pd.DataFrame(rows, columns=COLUMNS))


@pytest.mark.parametrize(
    ("error", "expected"),
    [(0.0051, "additive"), (0.0049, "linear"), (0.0021, "linear"), (0.0019, "hazard"), (0.0, "hazard")],
)
def test_the_first_stays_until_another_is_ahead_by_more_than_one_standard_error(
    three: Plan, error: float, expected: str
) -> None:
    assert choose(judged(BRIER, error), three)[0] == expected


def test_a_lead_of_exactly_one_standard_error_is_not_more_than_one(three: Plan) -> None:
    ahead = 0.105 - 0.100
    assert choose(judged(BRIER, ahead), three)[0] == "additive"


def test_equal_scores_leave_the_first_whatever_the_error(three: Plan) -> None:
    for error in (0.0, 0.01):
        assert choose(judged(dict.fromkeys(BRIER, 0.1), error), three)[0] == "additive"


def test_a_first_one_that_is_best_is_taken_with_its_nearest_rival_named(three: Plan) -> None:
    name, why = choose(judged(BRIER | {"additive": 0.09}, 0.001), three)
    assert name == "additive"
    assert (
        "hazard is behind additive by 0.0100 in mean Brier score (0.1000 against 0.0900), standard error 0.0010" in why
    )


def test_one_that_is_surely_ahead_counts_even_when_the_leader_is_not(three: Plan) -> None:
    # hazard leads but differs wildly; linear is ahead of additive by little, and surely.
    pairs = {("additive", "linear"): 0.001, ("additive", "hazard"): 0.02, ("linear", "hazard"): 0.02}
    name, why = choose(judged(BRIER, {frozenset(k): v for k, v in pairs.items()}), three)
    assert name == "linear"
    assert why.startswith(
        "linear: no other beats it by more than one standard error, and linear is ahead of additive by 0.0030"
    )


def test_the_same_cases_judge_both(three: Plan) -> None:
    # The scores vary a hundred times as much as they differ; a paired difference sees it, unpaired means would not.
    rng = np.random.default_rng(0)
    hard = rng.random(400)
    loss = {"additive": hard + 0.001, "linear": hard + 0.0005 * rng.random(400), "hazard": hard + 0.002}
    cell = Losses(date(2025, 1, 6), "13", np.arange(400), np.ones(400), loss)
    assert choose(replace(empty(""), comparisons=compare([cell], tuple(loss))), three)[0] == "linear"


def test_the_plan_can_name_the_learner(three: Plan) -> None:
    name, why = choose(judged(BRIER, 0.0001), three.changed(champion="linear"))
    assert (name, why) == ("linear", "linear, as the plan says")


def test_without_a_backtest_the_first_is_taken_and_it_is_said(three: Plan) -> None:
    name, why = choose(empty("too young"), three)
    assert name == "additive"
    assert "nothing to compare" in why


def test_lists_alone_are_nothing_to_compare_on(three: Plan) -> None:
    row = {"origin": pd.Timestamp("2025-01-06"), "landmark": "list", "learner": "linear", "metric": "observed", "value": 0.3}  # fmt: skip
    name, why = choose(replace(empty(""), metrics=pd.DataFrame([row])), three)
    assert name == "additive"
    assert "no landmark had enough rows" in why
