"""Gate 5: a leak must be caught and named, an honest model must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from risk.register import Register
from training.fit import Material, prepare
from training.gates.evidence import Evidence
from training.gates.not_too_good import check, single_features
from training.plan import Plan


@pytest.fixture(scope="module")
def material(made: Register, quick_plan: Plan) -> Material:
    return prepare(made, quick_plan, made.extract_on)


def leaky(made: Register, plan: Plan, noise: float) -> Material:
    """Tenure overwritten by how long the case lasted, more or less."""
    cases = made.cases
    closed = cases["closed_on"].fillna(cases["closed_on"].max())
    weeks = (closed - cases["opened_on"]).dt.days / 7
    told = weeks + np.random.default_rng(0).normal(0, noise, len(cases))
    register = Register(cases.assign(tenure_months=told.clip(0, 720)), made.facts, made.extract_on)
    return prepare(register, plan, made.extract_on)


def test_an_honest_register_passes_and_names_its_strongest_feature(
    evidence: Callable[..., Evidence], material: Material
) -> None:
    found = check(evidence({"auc": {"registration": (0.78, 0.75, 0.81)}}, material=material))
    assert (found.status, found.value) == ("passed", 0.78)
    assert "strongest single feature" in found.text


def test_a_feature_that_tells_the_outcome_is_caught_and_named_without_any_backtest(
    evidence: Callable[..., Evidence], made: Register, quick_plan: Plan
) -> None:
    found = check(evidence({}, material=leaky(made, quick_plan, 15.0)))
    assert found.stops
    assert "tenure_months alone reaches AUC" in found.text
    assert "first suspect: tenure_months" in found.text


def test_a_model_above_the_limit_fails_even_when_no_single_feature_does(
    evidence: Callable[..., Evidence], material: Material
) -> None:
    found = check(evidence({"auc": {"registration": (0.93, 0.90, 0.96)}}, material=material))
    assert (found.status, found.value, found.limit) == ("failed", 0.93, 0.87)
    assert "AUC 0.930 (0.900 to 0.960) at registration is above 0.87" in found.text


def test_a_model_above_the_limit_by_chance_passes(evidence: Callable[..., Evidence], material: Material) -> None:
    found = check(evidence({"auc": {"39": (0.88, 0.80, 0.95)}}, material=material))
    assert found.status == "passed"


def test_a_category_and_missing_values_can_leak_too(
    evidence: Callable[..., Evidence], made: Register, quick_plan: Plan
) -> None:
    long = (
        (made.cases["closed_on"].fillna(made.cases["closed_on"].max()) - made.cases["opened_on"]).dt.days > 364
    ).to_numpy()
    by_level = made.cases.assign(education=np.where(long, "master", "basic"))
    by_hole = made.cases.assign(tenure_months=made.cases["tenure_months"].fillna(10.0).mask(long))
    for name, cases in (("education", by_level), ("tenure_months", by_hole)):
        register = Register(cases, made.facts, made.extract_on)
        best = single_features(evidence({}, material=prepare(register, quick_plan, made.extract_on)))[0]
        assert best.feature == name
        assert best.auc > 0.95


def test_noise_alone_has_an_auc_of_about_a_half(
    evidence: Callable[..., Evidence], made: Register, quick_plan: Plan
) -> None:
    told = np.random.default_rng(3).uniform(0, 720, len(made))
    register = Register(made.cases.assign(tenure_months=told), made.facts, made.extract_on)
    found = single_features(evidence({}, material=prepare(register, quick_plan, made.extract_on)))
    of_it = [s for s in found if s.feature == "tenure_months" and s.landmark == "registration"]
    assert of_it[0].auc == pytest.approx(0.5, abs=0.05)


def test_without_mature_cohorts_it_is_not_applicable(evidence: Callable[..., Evidence], material: Material) -> None:
    young = material.rows.take(material.rows.started_on > np.datetime64("2026-01-01"))
    found = check(evidence({}, material=replace(material, rows=young, X=material.X.iloc[: len(young)])))
    assert found.status == "not applicable"
