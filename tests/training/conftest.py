"""A synthetic register, a quick plan and one whole run of it, for the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from risk.register import Register
from risk.synthetic import synthesise
from training.gates.evidence import Evidence
from training.plan import Plan, read_plan
from training.results import Backtest, TrainingRun
from training.run import train

QUICK: dict[str, Any] = {
    "name": "quick",
    "learners": {
        "candidates": ["linear"],
        "shown": ["baseline", "longest_open"],
        "params": {"linear": {"penalties": [30.0], "ratios": []}},
    },
    "backtest": {"origins": 2, "draws": 40, "least_rows": 50, "least_exceeded": 10, "mondays": 2},
}


@pytest.fixture(scope="session")
def made() -> Register:
    """2,500 made-up cases of five years."""
    return synthesise(2500, 5)[0]


@pytest.fixture(scope="session")
def quick_plan() -> Plan:
    return read_plan("default").changed(**QUICK)


@pytest.fixture(scope="session")
def whole_run(made: Register, quick_plan: Plan) -> TrainingRun:
    return train(made, made.extract_on, quick_plan)


@pytest.fixture
def evidence(quick_plan: Plan) -> Callable[..., Evidence]:
    """Evidence with a hand-made backtest: ``{metric: {landmark: (value, low, high)}}`` of the challenger ``linear``."""

    def _evidence(numbers: dict[str, dict[str, tuple[float, float, float]]], **changed: Any) -> Evidence:
        rows = [
            {
                "origin": pd.NaT,
                "landmark": landmark,
                "learner": learner,
                "metric": metric.removeprefix("baseline "),
                "value": value,
                "low": low,
                "high": high,
                "n": 500,
                "n_exceed": 100,
            }
            for metric, cells in numbers.items()
            for learner in (["baseline"] if metric.startswith("baseline ") else ["linear"])
            for landmark, (value, low, high) in cells.items()
        ]
        columns = ["origin", "landmark", "learner", "metric", "value", "low", "high", "n", "n_exceed"]
        empty = pd.DataFrame()
        judged = Backtest(
            pd.DataFrame(rows, columns=columns), empty, empty, empty, "" if rows else "the register is young"
        )
        given = {
            "plan": quick_plan,
            "known": None,
            "as_of": date(2026, 11, 16),
            "material": None,
            "bundle": None,
            "learner": "linear",
            "backtest": judged,
        }
        return Evidence(**(given | changed))

    return _evidence
