"""Fit and recalibrate: what a bundle knows of itself."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from models.bundle import Bundle
from models.calibration import Calibrator
from risk.errors import ConfigError, TooFewCasesError
from risk.outcomes import read_outcome_definition
from risk.register import Register
from risk.scoring import score
from risk.synthetic import synthesise
from training.backtest import Backtest
from training.fit import Material, base_rate, fit, make, prepare, ranges, required
from training.landmarks import register_at
from training.plan import Plan, Recent
from training.run import _warnings

SLOWER_ON = date(2026, 5, 4)


@pytest.fixture(scope="module")
def material(made: Register, quick_plan: Plan) -> Material:
    return prepare(made, quick_plan, made.extract_on)


@pytest.fixture(scope="module")
def bundle(material: Material, quick_plan: Plan) -> Bundle:
    return fit("linear", material, quick_plan)


def test_a_bundle_scores_the_same_after_it_was_saved(bundle: Bundle, made: Register, tmp_path: Path) -> None:
    again = Bundle.open(bundle.save(tmp_path / "bundle"))
    assert again.version == bundle.version
    before, after = (score(made, made.extract_on, b).frame for b in (bundle, again))
    assert before.equals(after)


def test_the_same_register_and_plan_give_the_same_model(material: Material, made: Register, quick_plan: Plan) -> None:
    order = np.random.default_rng(2).permutation(len(made))
    shuffled = prepare(made.of_cases(order), quick_plan, made.extract_on)
    first, second = (fit("linear", m, quick_plan).meta for m in (material, shuffled))
    assert first == second
    assert fit("linear", material, quick_plan).version == fit("linear", material, quick_plan).version


def test_the_bundle_tells_what_scoring_and_the_next_run_need(
    bundle: Bundle, material: Material, made: Register
) -> None:
    meta = json.loads(json.dumps(bundle.meta))
    assert meta["learner"] == "linear"
    assert meta["trained_as_of"] == made.extract_on.isoformat()
    assert meta["n_rows"] == meta["n_rows_fitted"] == len(material.rows)
    assert meta["register_fingerprint"] == made.fingerprint
    assert meta["is_synthetic"] is True
    assert meta["plan"]["name"] == "quick"
    assert meta["outcome"] == read_outcome_definition().model_dump(mode="json")
    assert set(meta["features"]) == set(material.names)


def test_a_change_looked_for_moves_the_level_and_nothing_else(
    bundle: Bundle, material: Material, quick_plan: Plan
) -> None:
    plan = quick_plan.model_copy(update={"recent": Recent(weeks=104)})
    # Nothing changed in this world.
    assert fit("linear", material, plan).learner.to_files() == bundle.learner.to_files()
    slower, _ = synthesise(1500, 8, scenario="drift", pace=0.3, years=4, switch_on=SLOWER_ON)
    changed = prepare(slower, plan, slower.extract_on)
    plain, recent = (fit("linear", changed, p) for p in (quick_plan, plan))
    before, after = (json.loads(b.learner.to_files()["learner.json"])["state"] for b in (plain, recent))
    assert before.pop("change") is None
    found = after.pop("change")
    assert before == after
    assert abs(found["weeks_ago"] - (slower.extract_on - SLOWER_ON).days / 7) < 5
    assert not found["only_new"]
    assert plain.meta["change"] is None
    told = recent.meta["change"]
    assert abs((date.fromisoformat(told["on"]) - SLOWER_ON).days) < 35
    assert not told["only_new"]
    unjudged = cast(Backtest, SimpleNamespace(note="", is_empty=True))
    assert any(f"since about {told['on']}" in text for text in _warnings(unjudged, changed, recent, plan))
    assert not any("since about" in text for text in _warnings(unjudged, changed, plain, plan))
    # Nobody who lived under the new pace has been followed to week 52, so nobody can say how to recalibrate.
    assert isinstance(recent.calibrator, Calibrator)
    assert recent.calibrator.is_identity
    p, q = (score(slower, slower.extract_on, b).frame["p_exceed_52w"] for b in (plain, recent))
    assert (q - p).mean() > 0.05


def test_a_change_that_is_followed_is_not_mended_a_second_time(quick_plan: Plan) -> None:
    # 78 weeks after the change half of the cohorts followed to week 52 lived under it, half did not.
    plan = quick_plan.model_copy(update={"recent": Recent(weeks=104)})
    slower, truth = synthesise(4000, 8, scenario="drift", pace=0.5, years=5, switch_on=date(2025, 5, 19))
    bundle = fit("linear", prepare(slower, plan, slower.extract_on), plan)
    assert bundle.learner.change_ is not None
    assert bundle.learner.change_.weeks_ago == 78
    assert isinstance(bundle.calibrator, Calibrator)
    assert not bundle.calibrator.is_identity
    scored = score(slower, slower.extract_on, bundle).frame
    both = scored.merge(truth[truth["landmark"] == "extract"], on="case_id")
    assert len(both) > 200
    assert abs((both["p_exceed_52w"] - both["p_true"]).mean()) < 0.03


def test_rules_take_no_notice_of_a_change(material: Material, quick_plan: Plan) -> None:
    plan = quick_plan.model_copy(update={"recent": Recent(weeks=26)})
    first, second = (fit("baseline", material, p).learner.to_files() for p in (quick_plan, plan))
    assert first == second


def test_required_are_only_attributes_of_registration_that_were_never_missing(material: Material) -> None:
    X = material.X
    needed = required(X)
    assert "employment_status" in needed
    assert "form_received" not in needed  # arrives later, as a fact
    assert "age_weeks" not in needed  # computed, never missing
    holes = X.assign(employment_status=X["employment_status"].where(np.arange(len(X)) > 0))
    assert "employment_status" not in required(holes)
    unknown = X.copy()
    unknown.loc[unknown.index[0], "employment_status"] = "unknown"
    assert "employment_status" not in required(unknown)


def test_ranges_are_those_of_the_training_rows(material: Material) -> None:
    low, high = ranges(material.X)["tenure_months"]
    assert (low, high) == (material.X["tenure_months"].min(), material.X["tenure_months"].max())
    assert "industry" not in ranges(material.X)


def test_the_base_rate_is_the_share_of_old_cases_that_exceed_at_each_age(made: Register, quick_plan: Plan) -> None:
    rate = base_rate(made, quick_plan.outcome, made.extract_on)
    assert rate["ages"] == list(range(53))
    assert np.all(np.diff(rate["p"]) >= 0)
    # Whole cohorts need no censoring weights: of the cases open at 26 weeks, how many are open past week 52?
    cases = made.cases
    opened, last = cases["opened_on"], cases["closed_on"].fillna(np.datetime64("2100-01-01"))
    days = (last - opened).dt.days
    old = (opened < np.datetime64("2025-11-01")) & (cases["close_reason"] != "moved_away")
    there = old & (days > 182 + 1) & ((cases["registered_on"] - opened).dt.days < 182)
    assert rate["p"][26] == pytest.approx((days[there] > 364).mean(), abs=0.03)


def test_features_never_filled_in_are_left_out(made: Register, quick_plan: Plan) -> None:
    bare = Register(made.cases.drop(columns=["tenure_months"]), made.facts, made.extract_on, is_synthetic=True)
    assert "tenure_months" not in prepare(bare, quick_plan, made.extract_on).names


def test_probabilities_stay_as_learned_when_too_few_matured(made: Register, quick_plan: Plan) -> None:
    day = made.cases["registered_on"].min().date().replace(month=12, day=31)
    young = prepare(register_at(made, day), quick_plan, day)
    assert fit("linear", young, quick_plan).calibrator.is_identity  # type: ignore[union-attr]  # fitted with a calibrator just now


def test_rules_and_naive_ways_are_never_recalibrated(material: Material, quick_plan: Plan) -> None:
    assert fit("baseline", material, quick_plan).calibrator is None


def test_a_learner_is_told_the_horizons_of_the_outcome_and_the_params_of_the_plan(quick_plan: Plan) -> None:
    plan = quick_plan.changed(outcome={"horizon_weeks": 26, "horizons_weeks": (13, 26)})
    assert make("linear", plan).horizons == (13.0, 26.0)
    assert make("linear", plan).penalties == [30.0]
    assert make("matured_only", plan).horizon == 26.0
    with pytest.raises(ConfigError, match="has no parameter colour"):
        make("linear", quick_plan.changed(learners={"params": {"linear": {"colour": 1}}}))


def test_a_register_with_none_of_the_planned_features_is_refused(made: Register, quick_plan: Plan) -> None:
    plan = quick_plan.changed(
        features={"dropped": {n: "not wanted" for n in quick_plan.features.names() if n != "tenure_months"}}
    )
    bare = Register(made.cases.drop(columns=["tenure_months"]), made.facts, made.extract_on)
    with pytest.raises(TooFewCasesError, match="none of the planned features"):
        prepare(bare, plan, made.extract_on)
