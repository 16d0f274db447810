"""Gate 7: a column that tells the year must be caught and named, an honest register must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from risk.register import Register
from training.fit import prepare
from training.gates.evidence import Evidence
from training.gates.no_calendar import check, explained
from training.landmarks import register_at
from training.plan import Plan

Make = Callable[..., Evidence]


def test_an_honest_register_passes(evidence: Make, made: Register, quick_plan: Plan) -> None:
    found = check(evidence({}, material=prepare(made, quick_plan, made.extract_on)))
    assert found.status == "passed"
    assert found.value is not None
    assert found.value < 0.05


def test_a_running_number_is_caught_and_named(evidence: Make, made: Register, quick_plan: Plan) -> None:
    number = (made.cases["opened_on"] - made.cases["opened_on"].min()).dt.days / 7.0
    register = Register(made.cases.assign(tenure_months=number), made.facts, made.extract_on)
    found = check(evidence({}, material=prepare(register, quick_plan, made.extract_on)))
    assert found.stops
    assert "tenure_months" in found.text
    assert found.value is not None
    assert found.value > 0.9


def test_a_yearly_ceiling_is_caught_as_the_benefit_of_the_made_up_register_shows(
    evidence: Make, made: Register, quick_plan: Plan
) -> None:
    allowed = quick_plan.changed(features={"allowed": {"weekly_benefit": "to show that it tells the calendar"}})
    found = check(evidence({}, material=prepare(made, allowed, made.extract_on)))
    assert found.stops
    assert "weekly_benefit" in found.text


def test_season_is_not_called_calendar_and_a_young_register_cannot_tell(
    evidence: Make, made: Register, quick_plan: Plan
) -> None:
    first = made.cases["opened_on"].min().date()
    young = register_at(made, first + timedelta(days=500))
    found = check(evidence({}, material=prepare(young, quick_plan, young.extract_on)))
    assert found.status == "not applicable"


def test_what_is_explained_is_the_share_of_variance_told_across_halves() -> None:
    # Two bins of opening days 0 and 10, even halves: with many rows the bin tells all; a bin number of its own for each
    # row tells nothing of the other half.
    bins, fold = np.repeat([0, 1], 2000), np.tile([0, 1], 2000)
    day = np.where(bins == 0, 0.0, 10.0)
    assert explained(bins, day, fold) == pytest.approx(1.0, abs=1e-3)
    assert explained(np.arange(4000), day, fold) == 0.0
