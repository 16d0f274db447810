"""The registry: one registered version serves the text-only door and MLflow's own, and nothing damaged comes through."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import registry
from models.bundle import Bundle
from models.pyfunc import LoadedBundle
from risk.errors import BundleError, CaseDataError, RegistryError
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

ROWS = pd.DataFrame(
    {"age_weeks": [4.0, 30.0], "employment_status": ["employee", "unemployed"], "weekly_hours": [37.0, np.nan]}
)


@pytest.fixture
def registered(risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report) -> int:
    """One version, champion and challenger."""
    number = log_run(make_run(), small_report).version
    assert number is not None
    registry.set_alias("champion", number)
    return number


def model_folder(home: Path) -> Path:
    return next((home / "artifacts").glob("*/artifacts/bundle"))


def test_a_machine_without_models_says_what_to_run_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RegistryError, match=r"no models yet .* 'risk train REGISTER'"):
        registry.champion_bundle(home=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_store_without_a_champion_says_so_and_names_the_next_command(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report
) -> None:
    assert registry.versions() == []
    with pytest.raises(RegistryError, match=r"registered yet; .*'risk train REGISTER'"):
        registry.champion_bundle()
    log_run(make_run(), small_report)
    with pytest.raises(RegistryError, match=r"no champion yet: version 1 is the newest; .*'risk promote'"):
        registry.champion_bundle()


def test_every_name_of_a_model_opens_the_same_bundle(registered: int, small_bundle: Bundle, tmp_path: Path) -> None:
    small_bundle.save(tmp_path / "local")
    for name in ("models:/risk52@champion", "models:/risk52/1", "challenger", "1", str(tmp_path / "local")):
        assert registry.champion_bundle(name).version == small_bundle.version, name


def test_the_opened_champion_scores_as_the_bundle_that_was_registered(registered: int, small_bundle: Bundle) -> None:
    rows = ROWS.astype({"employment_status": "category"})
    again = registry.champion_bundle().survival(rows, [26.0, 52.0], [4.0, 30.0])
    assert np.array_equal(again, small_bundle.survival(rows, [26.0, 52.0], [4.0, 30.0]))


def test_an_unknown_name_is_refused_with_the_versions_there_are(registered: int) -> None:
    for name in ("models:/risk52/7", "7", "previous", "models:/other@champion"):
        with pytest.raises(RegistryError, match=r"no version or alias '.*'; there are versions 1$"):
            registry.champion_bundle(name)
    with pytest.raises(RegistryError, match=r"^\./no/such/folder is not a folder"):
        registry.champion_bundle("./no/such/folder")


def test_versions_come_newest_first_with_aliases_and_tags(
    registered: int, make_run: Callable[..., TrainingRun], small_report: Report
) -> None:
    log_run(make_run({"calibrated": "failed", "beats_baseline": "passed"}), small_report)
    newest, oldest = registry.versions()
    assert (newest.number, newest.aliases) == (2, ("challenger",))
    assert (oldest.number, oldest.aliases) == (1, ("champion",))
    assert (newest.tags["gates"], newest.tags["gates_failed"]) == ("failed", "calibrated")
    assert (oldest.tags["gates"], oldest.tags["is_synthetic"], oldest.tags["learner"]) == ("passed", "true", "linear")
    assert oldest.created_at.tzinfo is not None
    assert registry.find_version("champion") == registry.find_version("1") == oldest
    assert registry.find_version("challenger") == newest


def test_a_changed_byte_is_refused(registered: int, risk_home: Path) -> None:
    learner = model_folder(risk_home) / "data" / "bundle" / "learner.json"
    content = bytearray(learner.read_bytes())
    content[len(content) // 2] ^= 1
    learner.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=r"learner\.json is not the file that was saved"):
        registry.champion_bundle()


def test_a_whole_bundle_put_in_the_place_of_another_is_refused(
    registered: int, risk_home: Path, small_bundle: Bundle
) -> None:
    place = model_folder(risk_home) / "data" / "bundle"
    shutil.rmtree(place)
    Bundle(small_bundle.learner, None, meta=small_bundle.meta | {"is_synthetic": False}).save(place)
    with pytest.raises(BundleError, match=f"but {small_bundle.version} was registered"):
        registry.champion_bundle()


def test_a_release_that_would_write_the_same_bundle_otherwise_still_opens_it_under_its_own_version(
    registered: int, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = small_bundle.version
    monkeypatch.setattr(Bundle, "content_version", lambda self: "written otherwise")
    assert registry.champion_bundle().version == told


def test_a_version_whose_files_are_gone_is_a_registry_error(registered: int, risk_home: Path) -> None:
    shutil.rmtree(model_folder(risk_home))
    with pytest.raises(RegistryError, match="did not answer"):
        registry.champion_bundle()


@pytest.mark.parametrize("text", ["{", "[]", "[1]", '[{"name": "calibrated"}]'])
def test_gates_that_cannot_be_read_are_not_taken_for_passed(registered: int, risk_home: Path, text: str) -> None:
    (model_folder(risk_home) / "gates.json").write_text(text)
    with pytest.raises(RegistryError, match="train again"):
        registry.gates_of(registry.find_version("1"))


def test_a_server_that_is_down_is_told_in_one_line_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:geheim@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match="check MLFLOW_TRACKING_URI") as told:
        registry.champion_bundle(home=tmp_path)
    assert "geheim" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_home_that_cannot_be_made_is_a_registry_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RegistryError, match="RISK_HOME"):
        registry.client(tmp_path / "file" / "home", create=True)


def test_the_environment_names_another_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    assert registry.tracking_uri(tmp_path) == registry.registry_uri(tmp_path) == "https://mlflow.example"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "https://models.example")
    assert registry.registry_uri(tmp_path) == "https://models.example"


def test_mlflow_opens_the_champion_in_a_fresh_process_that_forbids_pickle(
    registered: int, risk_home: Path, small_bundle: Bundle
) -> None:
    code = (
        "import sys, mlflow.pyfunc, pandas as pd\n"
        "model = mlflow.pyfunc.load_model('models:/risk52@champion')\n"
        f"out = model.predict(pd.DataFrame({ROWS.fillna(0.0).to_dict('list')!r}))\n"
        "print(out['p_exceed'].tolist())\n"
    )
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{risk_home / 'mlflow.db'}",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=risk_home
    )
    assert done.returncode == 0, done.stderr
    here = LoadedBundle(small_bundle).predict(ROWS.fillna(0.0))["p_exceed"].tolist()
    assert json.loads(done.stdout.splitlines()[-1]) == here


def test_no_file_of_a_registered_model_is_code_or_a_pickle(registered: int, risk_home: Path) -> None:
    endings = {path.suffix for path in model_folder(risk_home).rglob("*") if path.is_file()}
    assert endings <= {"", ".json", ".txt", ".yaml"}
    assert not list(model_folder(risk_home).rglob("*.py"))


def test_the_mlflow_door_gives_the_curve_and_nothing_past_the_horizon(small_bundle: Bundle) -> None:
    out = LoadedBundle(small_bundle).predict(ROWS.assign(entry_weeks=[4.0, 60.0]))
    assert np.isnan(out.loc[1, "p_exceed"])
    assert out.loc[0, "p_exceed"] == out.loc[0, "p_exceed_52w"] == out.loc[0, "curve"][-1]
    assert len(out.loc[0, "curve"]) == 14  # week 0, 4, ..., 52
    assert out.loc[0, "curve"] == sorted(out.loc[0, "curve"], reverse=True)
    assert np.isnan(out.loc[1, "p_exceed_8w"])
    assert not np.isnan(out.loc[0, "p_exceed_8w"])


def test_the_mlflow_door_says_which_column_is_missing(small_bundle: Bundle) -> None:
    with pytest.raises(CaseDataError, match="entry_weeks and age_weeks"):
        LoadedBundle(small_bundle).predict(ROWS.drop(columns="age_weeks"))
    with pytest.raises(CaseDataError, match="missing: weekly_hours"):
        LoadedBundle(small_bundle).predict(ROWS.drop(columns="weekly_hours"))
