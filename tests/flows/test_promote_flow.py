"""From a finished run to the champion and back: who may move it, what is written down, and what never moves it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models import registry
from risk.__main__ import main
from risk.errors import BundleError, ConfigError, GateError, OutputError, RegistryError
from risk.register import Register, write_register
from risk.scoring import score
from risk.synthetic import synthesise
from training import promotion
from training.publish import publish
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

FAILING = {"beats_baseline": "passed", "calibrated": "failed", "not_too_good": "failed"}


@pytest.fixture
def logged(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report
) -> Callable[[dict[str, str] | None], int]:
    """Register one more version with these gates, and give its number."""

    def _logged(gates: dict[str, str] | None = None) -> int:
        number = log_run(make_run(gates), small_report).version
        assert number is not None
        return number

    return _logged


def holder(alias: str) -> int | None:
    return next((v.number for v in registry.versions() if alias in v.aliases), None)


def command(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(args)
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_the_first_good_run_becomes_champion_and_the_next_one_waits(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_register: Register
) -> None:
    first = publish(make_run(), small_register, by="anna")
    assert (holder("champion"), holder("challenger")) == (1, 1)
    assert first.promotion is not None
    assert first.report.html.parent == risk_home / "reports" / f"2026-11-16-{first.run.bundle.version}"
    second = publish(make_run(), small_register, by="anna")
    assert second.promotion is None
    assert (holder("champion"), holder("challenger")) == (1, 2)


UNPROVEN = {"beats_baseline": "not applicable", "calibrated": "not applicable", "no_future": "passed"}


@pytest.mark.parametrize("run", [{"gates": FAILING}, {"gates": UNPROVEN}], ids=["a gate failed", "not proven"])
def test_a_run_that_failed_a_gate_or_was_not_proven_never_becomes_champion_by_itself(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_register: Register, run: dict[str, object]
) -> None:
    assert publish(make_run(**run), small_register).promotion is None
    assert (holder("champion"), holder("challenger")) == (None, 1)
    assert promotion.ledger() == []


def test_a_failed_gate_is_refused_by_name_and_the_champion_stays(
    logged: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    logged()
    promotion.promote("1", by="anna")
    logged(FAILING)
    status, _, err = command("promote", capsys=capsys)
    assert status == GateError.exit_status
    assert "version 2 failed 2 gates" in err
    assert "calibrated" in err
    assert "not_too_good" in err
    assert err.count("\n") == 1
    assert holder("champion") == 1
    assert len(promotion.ledger()) == 1


def test_an_override_is_kept_on_the_version_and_in_the_ledger(
    logged: Callable[..., int], risk_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged()
    promotion.promote("1", by="anna")
    logged(FAILING)
    reason = "Ny lov fra 1. juli: den gamle model er værre"
    status, out, _ = command("promote", "challenger", "--override", reason, "--by", "bo", capsys=capsys)
    assert status == 0
    assert reason in out
    assert "risk promote 1" in out
    newest = registry.find_version("champion")
    assert newest.number == 2
    assert holder("previous") == 1
    assert newest.tags["override_reason"] == reason
    assert newest.tags["promoted_by"] == "bo"
    described = registry.client().get_model_version("risk52", "2").description
    assert "calibrated, not_too_good" in described
    assert reason in described
    last = json.loads((risk_home / "promotions.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["from_version"], last["to_version"], last["by"]) == (1, 2, "bo")
    assert last["gates_failed"] == ["calibrated", "not_too_good"]
    assert last["override_reason"] == reason


def test_a_reason_is_not_kept_where_no_gate_failed(logged: Callable[..., int]) -> None:
    logged()
    line = promotion.promote("1", by="anna", override="not needed at all")
    assert line.override_reason is None
    assert "override_reason" not in registry.find_version("1").tags


@pytest.mark.parametrize("reason", ["", "   ", "ok"])
def test_an_empty_reason_is_no_reason(logged: Callable[..., int], reason: str) -> None:
    logged(FAILING)
    with pytest.raises(ConfigError, match="too short"):
        promotion.promote("1", by="anna", override=reason)
    assert holder("champion") is None


def test_rolling_back_is_promoting_the_older_version_and_the_ledger_remembers_all(logged: Callable[..., int]) -> None:
    for _ in range(2):
        logged()
    promotion.promote("1", by="anna")
    promotion.promote("2", by="bo")
    promotion.promote("previous", by="carl")
    assert (holder("champion"), holder("previous")) == (1, 2)
    assert [(p.from_version, p.to_version, p.by) for p in promotion.ledger()] == [
        (None, 1, "anna"),
        (1, 2, "bo"),
        (2, 1, "carl"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", p.at) for p in promotion.ledger())


def test_promoting_the_champion_again_changes_nothing(logged: Callable[..., int]) -> None:
    logged()
    promotion.promote("1", by="anna")
    with pytest.raises(RegistryError, match="is the champion already"):
        promotion.promote("challenger", by="anna")
    assert len(promotion.ledger()) == 1


def test_a_bundle_with_one_byte_changed_is_refused_even_with_a_reason_and_the_champion_stays(
    logged: Callable[..., int], risk_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged()
    promotion.promote("1", by="anna")
    run_id = registry.find_version(str(logged())).run_id
    learner = risk_home / "artifacts" / run_id / "artifacts" / "bundle" / "data" / "bundle" / "learner.json"
    content = bytearray(learner.read_bytes())
    content[-10] ^= 1
    learner.write_bytes(bytes(content))
    status, _, err = command("promote", "2", "--override", "it must go in", capsys=capsys)
    assert status == BundleError.exit_status
    assert "learner.json" in err
    assert (holder("champion"), holder("previous")) == (1, None)
    assert len(promotion.ledger()) == 1


def test_a_version_without_its_gates_is_refused(logged: Callable[..., int], risk_home: Path) -> None:
    run_id = registry.find_version(str(logged())).run_id
    (risk_home / "artifacts" / run_id / "artifacts" / "bundle" / "gates.json").unlink()
    with pytest.raises(RegistryError):
        promotion.promote("1", by="anna", override="we know it is good")
    assert holder("champion") is None


def test_a_ledger_that_cannot_be_written_stops_the_promotion(logged: Callable[..., int], risk_home: Path) -> None:
    logged()
    (risk_home / "promotions.jsonl").mkdir()
    with pytest.raises(OutputError, match="the champion stays"):
        promotion.promote("1", by="anna")
    assert holder("champion") is None


def test_an_alias_that_cannot_be_moved_leaves_a_line_that_says_so(
    logged: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged()

    def lost(*_: object) -> None:
        raise RegistryError("the server is gone")

    monkeypatch.setattr(registry, "set_alias", lost)
    with pytest.raises(RegistryError, match="gone"):
        promotion.promote("1", by="anna")
    assert [p.state for p in promotion.ledger()] == ["promoted", "not moved"]


def test_a_damaged_ledger_is_told_and_not_overwritten(logged: Callable[..., int], risk_home: Path) -> None:
    logged()
    (risk_home / "promotions.jsonl").write_text('{"at": "2026"}\n')
    with pytest.raises(RegistryError, match="damaged line"):
        promotion.ledger()
    promotion.promote("1", by="anna")
    assert (risk_home / "promotions.jsonl").read_text().startswith('{"at": "2026"}\n{"at"')


def test_the_overview_shows_versions_and_promotions(
    logged: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    logged()
    promotion.promote("1", by="anna")
    logged(FAILING)
    status, out, _ = command("promote", "--list", capsys=capsys)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith("version   2")
    assert "gates failed" in lines[0]
    assert lines[1].endswith("challenger, champion") or lines[1].endswith("champion")
    assert lines[2].endswith("- -> 1 by anna")


def test_promoting_before_anything_was_trained_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path / "new"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    status, _, err = command("promote", capsys=capsys)
    assert status == RegistryError.exit_status
    assert "risk train REGISTER" in err


def test_the_champion_does_not_depend_on_the_reports_folder(
    logged: Callable[..., int], risk_home: Path, make_run: Callable[..., TrainingRun]
) -> None:
    (risk_home / "reports").mkdir()
    logged()
    promotion.promote("1", by="anna")
    shutil.rmtree(risk_home / "reports")
    assert registry.champion_bundle().version == make_run().bundle.version


PLAN = """
name = "small"
version = "1"
seed = 1
[landmarks]
at = ["registration", 8, 26]
[learners]
candidates = ["linear"]
shown = ["matured_only"]
[backtest]
origins = 1
mondays = 1
draws = 20
"""


def test_from_a_register_to_a_champion_that_scores_the_open_cases(
    risk_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, _ = synthesise(600, 5)
    write_register(known, tmp_path / "register")
    (tmp_path / "plan.toml").write_text(PLAN)
    day = ("--as-of", known.extract_on.isoformat())
    again = ("train", str(tmp_path / "register"), *day, "--plan", str(tmp_path / "plan.toml"))
    status, out, _ = command(*again, "--json", capsys=capsys)
    facts = json.loads(out)
    assert status == 0
    assert facts["version"] == 1
    # So few cases prove nothing: nothing failed, yet the place of the champion is only taken by hand.
    assert (facts["is_champion"], facts["gates_failed"]) == (False, [])
    assert command("promote", "--by", "anna", capsys=capsys)[0] == 0
    champion = registry.champion_bundle()
    assert champion.version == facts["bundle_version"]
    scores = score(known, known.extract_on, champion)
    scored = scores.frame["status"] == "scored"
    assert scored.sum() > 10
    assert scores.p_exceed[scored].min() >= 0
    assert scores.p_exceed[scored].max() <= 1
    assert json.loads(Path(facts["report_json"]).read_text("utf-8"))["plan"]["name"] == "small"
    status, out, _ = command(*again, capsys=capsys)
    assert status == 0
    assert "registered as version 2, challenger; it is not proven" in out
    assert (
        registry.find_version("2").tags["bundle_version"] == champion.version
    )  # the same data and plan, the same model
