"""The choice of the champion's learner: the simplest that no other clearly beats."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from training.backtest import Detail, empty
from training.choose import choose
from training.plan import Plan
from training.results import Backtest

ORIGINS = (date(2024, 6, 3), date(2024, 12, 2), date(2025, 6, 2))


@pytest.fixture
def two(quick_plan: Plan) -> Plan:
    return quick_plan.changed(learners={"candidates": ("linear", "hazard"), "params": {}})


def judged(linear: list[float], hazard: list[float]) -> Backtest:
    rows = [
        {"origin": pd.Timestamp(o), "landmark": m, "learner": n, "metric": "brier", "value": v + shift}
        for n, values in (("linear", linear), ("hazard", hazard))
        for o, v in zip(ORIGINS[: len(values)], values, strict=True)
        for m, shift in (("registration", -0.01), ("13", 0.01))
    ]
    return replace(empty(""), metrics=pd.DataFrame(rows))


def test_the_simpler_one_stays_when_it_is_within_one_standard_error(two: Plan) -> None:
    # Gains 0.02, -0.01, 0.002: mean 0.004, standard deviation 0.0151, over the root of three 0.0087.
    name, why = choose(judged([0.12, 0.09, 0.102], [0.10, 0.10, 0.10]), Detail({}, {}), two)
    assert name == "linear"
    assert "difference 0.0040, standard error 0.0087" in why


def test_the_better_one_is_taken_when_it_is_clearly_ahead(two: Plan) -> None:
    name, why = choose(judged([0.120, 0.121, 0.119], [0.10, 0.10, 0.10]), Detail({}, {}), two)
    assert name == "hazard"
    assert "0.1000" in why


def test_the_simpler_one_is_taken_when_it_is_better(two: Plan) -> None:
    assert choose(judged([0.10, 0.10], [0.12, 0.11]), Detail({}, {}), two)[0] == "linear"


@pytest.mark.parametrize(("spread", "expected"), [(0.05, "linear"), (0.001, "hazard")])
def test_with_one_origin_the_error_is_that_over_draws_of_persons(two: Plan, spread: float, expected: str) -> None:
    draws = np.random.default_rng(0).normal(0, spread, 101)
    detail = Detail({}, {})
    for landmark in ("registration", "13"):
        detail.draws[ORIGINS[0], landmark, "linear"] = {"brier": 0.12 + draws}
        detail.draws[ORIGINS[0], landmark, "hazard"] = {"brier": np.full(101, 0.10)}
    assert choose(judged([0.12], [0.10]), detail, two)[0] == expected


def test_the_plan_can_name_the_learner(two: Plan) -> None:
    name, why = choose(judged([0.1], [0.2]), Detail({}, {}), two.changed(champion="hazard"))
    assert (name, why) == ("hazard", "hazard, as the plan says")


def test_without_a_backtest_the_simplest_is_taken_and_it_is_said(two: Plan) -> None:
    name, why = choose(empty("too young"), Detail({}, {}), two)
    assert name == "linear"
    assert "nothing to compare" in why


def test_lists_alone_are_nothing_to_compare_on(two: Plan) -> None:
    row = {
        "origin": pd.Timestamp(ORIGINS[0]),
        "landmark": "list",
        "learner": "linear",
        "metric": "observed",
        "value": 0.3,
    }
    name, why = choose(replace(empty(""), metrics=pd.DataFrame([row])), Detail({}, {}), two)
    assert name == "linear"
    assert "no landmark had enough rows" in why
