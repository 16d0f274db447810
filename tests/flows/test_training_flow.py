"""A whole training run, from a register to a bundle with gates: what holds whatever the register."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk.errors import AsOfError, ConfigError, TooFewCasesError
from risk.register import Register
from risk.synthetic import synthesise
from training.landmarks import register_at
from training.plan import Plan, read_plan
from training.results import TrainingRun
from training.run import train

EARLIER = date(2026, 3, 2)


@pytest.fixture(scope="module")
def register() -> Register:
    return synthesise(2000, 11)[0]


@pytest.fixture(scope="module")
def plan() -> Plan:
    params = {"linear": {"penalties": [30.0], "ratios": []}, "censored_as_negative": {"n_estimators": 60}}
    return read_plan("default").changed(
        learners={"candidates": ["linear"], "shown": ["censored_as_negative"], "params": params},
        backtest={"origins": 2, "draws": 40, "least_rows": 50, "least_exceeded": 10, "mondays": 1},
    )


@pytest.fixture(scope="module")
def run(register: Register, plan: Plan) -> TrainingRun:
    return train(register, register.extract_on, plan)


def test_a_run_leaves_a_model_its_gates_and_everything_the_report_needs(run: TrainingRun, register: Register) -> None:
    assert [g.number for g in run.gates] == list(range(1, len(run.gates) + 1))
    assert [g.name for g in run.gates][:6] == [
        "beats_baseline", "calibrated", "no_future", "rows_kept", "not_too_good", "overlap",
    ]  # fmt: skip
    assert {g.name: g.status for g in run.gates}["no_future"] == "passed"
    assert list(run.seconds) == ["landmark rows", "backtest", "final model", "gates", "fairness"]
    assert run.register_facts["n_cases"] == len(register)
    assert run.register_facts["fingerprint"] == register.fingerprint
    assert run.rows["landmark"].tolist() == list(run.plan.landmarks.names)
    assert run.environment["lightgbm"]
    assert run.learner_name == run.bundle.meta["learner"] == "linear"


def test_the_model_says_what_the_backtest_found_of_its_calibration(run: TrainingRun) -> None:
    table = run.backtest.metrics
    mine = table[(table["learner"] == "linear") & table["origin"].isna()]
    for landmark, found in run.bundle.meta["calibration"].items():
        assert set(found) == (
            {"observed_minus_expected"}
            if landmark == "list"
            else {"observed_minus_expected", "slope", "intercept", "ici"}
        )
        row = mine[(mine["landmark"] == landmark) & (mine["metric"] == "observed_minus_expected")].iloc[0]
        assert found["observed_minus_expected"] == pytest.approx([row["value"], row["low"], row["high"]], abs=1e-4)
    assert {"registration", "13", "list"} <= set(run.bundle.meta["calibration"])


def test_the_intervals_of_the_model_are_meant_for_single_cases(run: TrainingRun) -> None:
    assert run.bundle.calibrator.spread_.max() > 0  # type: ignore[union-attr]  # the run made it with a calibrator


def test_the_censored_learner_expects_what_comes_and_the_naive_way_does_not(run: TrainingRun) -> None:
    table = run.backtest.metrics
    off = table[(table["metric"] == "observed_minus_expected") & table["origin"].isna() & (table["landmark"] != "list")]
    by_learner = off.groupby("learner")["value"].mean()
    assert abs(by_learner["linear"]) < 0.04
    # Counted as closed, the cases still open pull the expected share down.
    assert by_learner["censored_as_negative"] > 0.06
    rank = table[(table["metric"] == "auc") & table["origin"].isna()].groupby("learner")["value"].mean()
    assert rank["linear"] > rank["censored_as_negative"]


def test_a_run_of_an_earlier_day_knows_nothing_that_came_after(register: Register, plan: Plan) -> None:
    bare = plan.changed(backtest={"at": [date(2024, 9, 2)]})
    with_later = train(register, EARLIER, bare)
    without = train(register_at(register, EARLIER), EARLIER, bare)
    assert with_later.bundle.version == without.bundle.version
    pd.testing.assert_frame_equal(with_later.backtest.metrics, without.backtest.metrics)


def test_the_order_of_the_register_does_not_matter(register: Register, plan: Plan, run: TrainingRun) -> None:
    order = np.random.default_rng(4).permutation(len(register))
    again = train(register.of_cases(order), register.extract_on, plan)
    assert again.bundle.version == run.bundle.version
    # Sums in another order differ in the last bits.
    ours, theirs = (r.backtest.metrics.sort_values(["landmark", "learner", "metric", "origin"]) for r in (run, again))
    assert ours["value"].to_numpy() == pytest.approx(theirs["value"].to_numpy(), abs=1e-9, nan_ok=True)


def test_progress_is_told_and_only_rises(register: Register, plan: Plan) -> None:
    told: list[tuple[str, float]] = []
    train(
        register,
        EARLIER,
        plan.changed(backtest={"origins": 1}),
        progress=lambda text, share: told.append((text, share)),
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any("backtest" in text and "linear" in text for text, _ in told)


def test_with_a_champion_the_gates_that_compare_are_asked(register: Register, plan: Plan, run: TrainingRun) -> None:
    quick = plan.changed(backtest={"origins": 1})
    found = {g.name: g for g in train(register, register.extract_on, quick, champion=run.bundle).gates}
    assert (found["rows_kept"].status, found["rows_kept"].value) == ("passed", 1.0)
    assert found["overlap"].status == "reported"
    assert found["overlap"].value == pytest.approx(1.0)


def test_all_cases_in_one_team_are_no_trouble(register: Register, plan: Plan) -> None:
    one = replace(register, cases=register.cases.assign(team="A"))
    found = train(one, one.extract_on, plan.changed(backtest={"origins": 1}))
    assert not found.backtest.is_empty
    assert not found.fairness.empty


def test_a_register_too_young_to_judge_still_gives_a_model_and_says_so(register: Register, plan: Plan) -> None:
    as_of = register.cases["registered_on"].min().date() + timedelta(weeks=60)
    found = train(register, as_of, plan)
    assert found.backtest.is_empty
    assert found.fairness.empty
    status = {g.name: g.status for g in found.gates}
    assert status["beats_baseline"] == status["calibrated"] == "not applicable"
    assert status["no_future"] == "passed"
    assert any("too young" in text for text in found.warnings)
    assert "nothing to compare" in found.choice or "only candidate" in found.choice
    assert found.bundle.meta["trained_as_of"] == as_of.isoformat()


def test_an_as_of_date_in_the_future_of_the_extract_is_refused(register: Register, plan: Plan) -> None:
    with pytest.raises(AsOfError, match="lies after the extract date"):
        train(register, register.extract_on + timedelta(days=1), plan)


def test_an_as_of_date_before_the_first_case_is_refused(register: Register, plan: Plan) -> None:
    with pytest.raises(TooFewCasesError, match="no case was registered before"):
        train(register, date(2001, 1, 1), plan)


@pytest.mark.parametrize(
    ("learners", "complaint"),
    [
        ({"candidates": ["matured_only"], "shown": []}, "'matured_only' may never serve"),
        ({"candidates": ["linear"], "shown": ["crystal_ball"]}, "no learner is called 'crystal_ball'"),
        ({"params": {"linear": {"colour": 1}}}, "has no parameter colour"),
    ],
)
def test_a_plan_with_learners_that_cannot_serve_is_refused_before_anything_is_fitted(
    register: Register, plan: Plan, learners: dict[str, object], complaint: str
) -> None:
    told: list[str] = []
    with pytest.raises(ConfigError, match=complaint):
        train(register, EARLIER, plan.changed(learners=learners), progress=lambda text, share: told.append(text))
    assert told == []


def test_a_register_without_a_closed_case_is_refused_with_advice(register: Register, plan: Plan) -> None:
    is_open = register.cases["closed_on"].isna().to_numpy()
    with pytest.raises(TooFewCasesError, match="has closed: nothing can be learned; read an extract"):
        train(register.of_cases(is_open), register.extract_on, plan)
