"""``risk train``: what it says, what it exits with, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import registry
from risk.__main__ import main
from risk.errors import AsOfError, ConfigError, OutputError, RegisterError, RegistryError
from risk.register import Register, write_register
from training.results import TrainingRun


@pytest.fixture
def folder(small_register: Register, tmp_path: Path) -> Path:
    write_register(small_register, tmp_path / "register")
    return tmp_path / "register"


@pytest.fixture
def trained(make_run: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Let ``risk train`` find a run made by hand instead of minutes of training; gives what it was called with."""

    def _trained(gates: dict[str, str] | None = None, **changed: Any) -> list[Any]:
        calls: list[Any] = []

        def train(
            register: Register, as_of: Any, plan: Any, *, champion: Any = None, progress: Any = None
        ) -> TrainingRun:
            progress("fitting", 0.5)
            calls.append((register, as_of, plan, champion))
            return make_run(gates, **changed)

        monkeypatch.setattr("training.run.train", train)
        return calls

    return _trained


def command(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(args)
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_it_says_what_was_found_where_the_report_lies_and_what_comes_next(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = trained()
    status, out, err = command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    assert (status, err) == (0, "")
    assert "week 13        AUC 0.79 (0.75 to 0.82), age of case alone 0.61" in out
    assert "gates: 2 passed, 1 not applicable" in out
    assert "warning: few cases: intervals are wide" in out
    assert "made champion" in out
    assert "next: risk list" in out
    assert len(out.splitlines()) < 20
    assert list((risk_home / "reports").glob("2026-11-16-*/report.html"))
    assert calls[0][3] is None


def test_the_champion_is_handed_to_the_next_training(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = trained()
    command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    _, out, _ = command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    assert calls[1][3].version == registry.champion_bundle().version
    assert "registered as version 2, challenger" in out
    assert "risk promote 2 --by NAME" in out


def test_failed_gates_are_said_clearly_and_do_not_fail_the_command(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    trained({"calibrated": "failed", "beats_baseline": "passed"})
    status, out, _ = command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    assert status == 0
    assert "FAILED 1 calibrated" in out
    assert "'risk promote' refuses it" in out
    assert registry.find_version("challenger").aliases == ("challenger",)


def test_json_for_machines_is_one_document(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trained()
    report = tmp_path / "out" / "report"
    args = ("train", str(folder), "--as-of", "2026-11-16", "--json", "--report-dir", str(report))
    status, out, _ = command(*args, capsys=capsys)
    facts = json.loads(out)
    assert status == 0
    assert (facts["version"], facts["is_champion"], facts["gates_failed"]) == (1, True, [])
    assert Path(facts["report"]) == report / "report.html"
    assert Path(facts["report_json"]).is_file()
    assert {row["learner"] for row in facts["auc"]} == {"linear", "baseline"}


def test_a_run_can_be_logged_without_registering_its_model(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    trained()
    _, out, _ = command("train", str(folder), "--as-of", "2026-11-16", "--no-register", capsys=capsys)
    assert "not registered, as asked" in out
    assert registry.versions() == []


def test_a_run_that_was_not_judged_says_so_and_stays_challenger(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    trained({"beats_baseline": "not applicable", "calibrated": "not applicable"}, is_judged=False)
    _, out, _ = command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    assert "not judged: the register is too young" in out
    assert "version 1, challenger; it is not proven" in out
    assert registry.find_version("1").aliases == ("challenger",)


def test_mistakes_are_found_before_training_with_one_line_and_their_own_exit_status(
    folder: Path, risk_home: Path, trained: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    calls = trained()
    day = ("--as-of", "2026-11-16")
    for args, wrong, words in (
        ((str(tmp_path / "none"), *day), RegisterError, "is not a register"),
        ((str(folder), *day, "--plan", "no_such_plan"), ConfigError, "no_such_plan"),
        ((str(folder), *day, "--report-dir", str(folder)), OutputError, "choose a new folder"),
    ):
        status, out, err = command("train", *args, capsys=capsys)
        assert (status, out) == (wrong.exit_status, "")
        assert words in err
        assert err.count("\n") == 1
    assert calls == []


def test_a_store_that_does_not_answer_is_found_out_before_training(
    folder: Path,
    risk_home: Path,
    trained: Callable[..., list[Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = trained()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    status, _, err = command("train", str(folder), "--as-of", "2026-11-16", capsys=capsys)
    assert status == RegistryError.exit_status
    assert "did not answer" in err
    assert calls == []


def test_a_date_that_is_none_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = command("train", str(folder), "--as-of", "16-11-2026", capsys=capsys)
    assert status == 2
    assert "yyyy-mm-dd" in err


def test_a_date_after_the_extract_is_refused(folder: Path, risk_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = command("train", str(folder), "--as-of", "2027-01-04", capsys=capsys)
    assert status == AsOfError.exit_status
    assert "2026-11-16" in err
