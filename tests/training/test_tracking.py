"""A run in MLflow: whole, repeatable, and without a single case."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import registry
from risk.errors import RegistryError
from risk.register import Register
from training import tracking
from training.plan import Plan
from training.report import Report
from training.results import TrainingRun

SCALARS = st.one_of(
    st.text(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.one_of(SCALARS, st.lists(st.integers(-9, 9)), st.lists(st.text()))
SETTINGS = st.recursive(
    st.dictionaries(st.text(), VALUES), lambda inner: st.dictionaries(st.text(), st.one_of(VALUES, inner)), max_leaves=8
)


@given(SETTINGS)
def test_settings_written_as_toml_read_back_the_same(values: dict[str, Any]) -> None:
    assert tomllib.loads(tracking.as_toml(values)) == values


def test_the_logged_plan_is_the_plan_of_the_run(make_run: Callable[..., TrainingRun]) -> None:
    plan = make_run().plan
    assert Plan.model_validate(tomllib.loads(tracking.as_toml(plan.model_dump(mode="json")))) == plan


def test_a_run_holds_plan_numbers_report_figures_gates_and_model(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report, small_register: Register
) -> None:
    logged = tracking.log_run(make_run(), small_report)
    store = registry.client()
    run = store.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["plan.gates.most_auc"] == "0.87"
    assert run.data.params["environment.lightgbm"] == "4.7.0"
    assert run.data.tags["register.fingerprint"] == small_register.fingerprint
    assert run.data.metrics["auc/linear/w13"] == pytest.approx(0.79)
    assert run.data.metrics["auc/linear/w13/low"] == pytest.approx(0.75)
    assert run.data.metrics["seconds/backtest"] == 20.25
    assert "brier/longest_open/w13" not in run.data.metrics
    folder = next((risk_home / "artifacts").glob("*/artifacts"))
    assert {p.name for p in folder.iterdir()} == {
        "plan.toml", "gates.json", "environment.json", "report.html", "report.json", "figures", "bundle",
    }  # fmt: skip
    assert (folder / "report.json").read_bytes() == small_report.json.read_bytes()
    assert {p.stem for p in (folder / "figures").iterdir()} == {f.name for f in small_report.figures}
    assert all('xmlns="http://www.w3.org/2000/svg"' in p.read_text() for p in (folder / "figures").iterdir())
    assert [g["name"] for g in json.loads((folder / "gates.json").read_text())][:2] == ["beats_baseline", "calibrated"]


def test_a_metric_has_one_point_per_origin_and_their_mean_at_step_0(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report
) -> None:
    logged = tracking.log_run(make_run(), small_report, register=False)
    points = registry.client().get_metric_history(logged.run_id, "auc/linear/registration")
    assert sorted(p.step for p in points) == [0, 1, 2]
    assert logged.version is None
    assert registry.versions() == []


def test_the_numbers_of_a_run_without_a_backtest_can_be_logged(make_run: Callable[..., TrainingRun]) -> None:
    names = [name for name, _, _ in tracking.metric_points(make_run(is_judged=False))]
    assert names == ["gate/1_beats_baseline", "gate/2_calibrated", "seconds/fit", "seconds/backtest"]


def test_no_case_and_no_person_stands_in_anything_that_is_logged(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report, small_register: Register
) -> None:
    tracking.log_run(make_run(), small_report)
    written = [p for p in risk_home.rglob("*") if p.is_file()]
    assert len(written) > 10
    for path in written:
        content = path.read_bytes()
        for case_id in small_register.cases["case_id"]:
            assert case_id.encode() not in content, path


def test_a_run_that_fails_half_way_is_marked_and_registers_nothing(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tracking, "write_artifacts", full)
    with pytest.raises(RegistryError, match="No space left"):
        tracking.log_run(make_run(), small_report)
    store = registry.client()
    experiment = store.get_experiment_by_name("risk52")
    assert [r.info.status for r in store.search_runs([experiment.experiment_id])] == ["FAILED"]
    assert registry.versions() == []


def test_a_deleted_experiment_is_not_written_to(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report
) -> None:
    tracking.log_run(make_run(), small_report, register=False)
    store = registry.client()
    store.delete_experiment(store.get_experiment_by_name("risk52").experiment_id)
    with pytest.raises(RegistryError, match="was deleted"):
        tracking.log_run(make_run(), small_report)
