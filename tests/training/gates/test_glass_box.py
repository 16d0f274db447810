"""Gate 8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from training.comparison import Losses, compare
from training.gates.evidence import Evidence
from training.gates.glass_box import check
from training.plan import Plan
from training.results import GateResult

DAYS = (date(2024, 6, 3), date(2024, 12, 2), date(2025, 6, 2))


def asked(
    evidence: Callable[..., Evidence], plan: Plan, chosen: str, ahead: list[float], *, candidates: tuple[str, ...] = ()
) -> GateResult:
    """The gate's answer when ``linear`` is ahead of ``additive`` by so much at each origin, on every row alike."""
    named = candidates or ("additive", "linear")
    cells = [
        Losses(day, "13", np.arange(5), np.ones(5), {"additive": np.full(5, 0.1 + d), "linear": np.full(5, 0.1)})
        for day, d in zip(DAYS, ahead, strict=False)
    ]
    seen = evidence({}, learner=chosen, plan=plan.changed(learners={"candidates": named, "params": {}}))
    return check(replace(seen, backtest=replace(seen.backtest, comparisons=compare(cells, named))))


# Differences 0.02, 0.01, 0.03: mean 0.02, standard deviation 0.01, so 3.46 standard errors of 0.00577.
CLEAR, UNCLEAR = [0.02, 0.01, 0.03], [0.02, -0.02, 0.01]


def test_another_that_is_clearly_better_may_serve(evidence: Callable[..., Evidence], quick_plan: Plan) -> None:
    found = asked(evidence, quick_plan, "linear", CLEAR)
    assert (found.status, found.value) == ("passed", pytest.approx(2 * np.sqrt(3)))
    assert "linear is ahead of additive by 0.0200 in mean Brier score (0.1000 against 0.1200)" in found.text


def test_another_that_is_ahead_by_chance_may_not(evidence: Callable[..., Evidence], quick_plan: Plan) -> None:
    found = asked(evidence, quick_plan, "linear", UNCLEAR)
    assert found.stops
    assert found.value == pytest.approx(0.00333 / 0.01202, rel=0.01)
    assert 'set champion = "additive" or "auto"' in found.text


def test_another_that_is_worse_may_not(evidence: Callable[..., Evidence], quick_plan: Plan) -> None:
    found = asked(evidence, quick_plan, "linear", [-d for d in CLEAR])
    assert found.stops
    assert "linear is behind additive by 0.0200" in found.text


@pytest.mark.parametrize("ahead", [CLEAR, UNCLEAR, [0.0, 0.0, 0.0]])
def test_the_glass_box_itself_always_may(
    evidence: Callable[..., Evidence], quick_plan: Plan, ahead: list[float]
) -> None:
    assert asked(evidence, quick_plan, "additive", ahead).status == "passed"


def test_a_tie_is_no_lead(evidence: Callable[..., Evidence], quick_plan: Plan) -> None:
    found = asked(evidence, quick_plan, "linear", [0.0, 0.0, 0.0])
    assert found.stops
    assert found.value is None
    assert "level with" in found.text


def test_one_origin_is_judged_by_its_persons(evidence: Callable[..., Evidence], quick_plan: Plan) -> None:
    # Every person's difference is the same, so that there is no doubt, and no number of standard errors either.
    found = asked(evidence, quick_plan, "linear", [0.02])
    assert found.status == "passed"


def test_without_the_glass_box_without_a_rival_or_without_a_backtest_it_is_not_applicable(
    evidence: Callable[..., Evidence], quick_plan: Plan
) -> None:
    two = quick_plan.changed(learners={"candidates": ("additive", "linear"), "params": {}})
    found = [
        asked(evidence, quick_plan, "linear", [], candidates=("linear", "hazard")),
        asked(evidence, quick_plan, "additive", [], candidates=("additive",)),
        check(evidence({}, plan=two)),
    ]
    assert {f.status for f in found} == {"not applicable"}
    assert "not among the plan's candidates" in found[0].text
    assert "only candidate" in found[1].text
    assert "young" in found[2].text
