"""``risk list`` from the outside: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from models.bundle import Bundle
from risk.errors import AsOfError, BundleError, ConfigError, OutputError, RegisterError, RiskError, StoreError
from risk.register import Register, write_register
from risk.scoring import score
from serving.cli import list_command
from serving.store.engine import open_store
from serving.store.worklists import teams_of, weeks_of

AS_OF = date(2026, 11, 16)


@pytest.fixture
def given(tmp_path: Path, small_register: Register, small_bundle: Bundle) -> list[str]:
    """The arguments of a command that works."""
    write_register(small_register, tmp_path / "register")
    small_bundle.save(tmp_path / "bundle")
    return [
        str(tmp_path / "register"), "--as-of", str(AS_OF), "--model", str(tmp_path / "bundle"),
        "--out", str(tmp_path / "lists"),
    ]  # fmt: skip


def run(args: list[str], **more: Any) -> Result:
    return CliRunner().invoke(list_command, args, **more)


def test_the_command_writes_the_week_and_says_what_and_where(
    given: list[str], tmp_path: Path, small_register: Register
) -> None:
    result = run(given)
    assert result.exit_code == 0, result.output
    n_open = int(small_register.cases["closed_on"].isna().sum())  # the as-of date is the extract date
    assert f"2026-W47: {n_open} open cases in 2 teams" in result.stdout
    assert str(tmp_path / "lists" / "2026-W47") in result.stdout
    assert (tmp_path / "lists" / "2026-W47" / "worklist.xlsx").is_file()


def test_the_score_on_the_list_is_the_score_of_the_one_function(
    given: list[str], tmp_path: Path, small_register: Register, small_bundle: Bundle
) -> None:
    run(given)
    made = json.loads((tmp_path / "lists" / "2026-W47" / "worklist.json").read_text("utf-8"))
    scored = score(small_register, AS_OF, small_bundle).frame.set_index("case_id")["p_exceed_52w"]
    on_list = {r["case_id"]: r["p_exceed_52w"] for r in made["rows"] if r["status"] == "scored"}
    assert len(on_list) >= 5
    assert all(abs(p - scored[c]) <= 1e-12 for c, p in on_list.items())


def test_the_week_before_is_found_and_steadiness_told(given: list[str]) -> None:
    earlier = run([*given[:2], "2026-11-09", *given[3:], "--json"])
    assert json.loads(earlier.stdout)["last_week"] is None
    told = json.loads(run([*given, "--json"]).stdout)
    assert (told["week"], told["last_week"]) == ("2026-W47", "2026-W46")


def test_an_earlier_list_can_be_named(given: list[str], tmp_path: Path) -> None:
    elsewhere = [*given[:2], "2026-11-02", *given[3:-1], str(tmp_path / "elsewhere")]
    folder = json.loads(run([*elsewhere, "--json"]).stdout)["folder"]
    told = json.loads(run([*given, "--previous", folder, "--json"]).stdout)
    assert told["last_week"] == "2026-W45"


def test_a_capacity_is_the_same_for_every_team(given: list[str], tmp_path: Path) -> None:
    assert run([*given, "--capacity", "4"]).exit_code == 0
    made = json.loads((tmp_path / "lists" / "2026-W47" / "worklist.json").read_text("utf-8"))
    assert [t["capacity"] for t in made["teams"]] == [4.0, 4.0]


def test_lists_are_kept_in_the_home_folder_unless_told_otherwise(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path / "home"))
    assert run(given[:-2]).exit_code == 0
    assert (tmp_path / "home" / "lists" / "2026-W47" / "worklist.html").is_file()


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        (["--capacity", "0"], ConfigError, "a capacity of 0 leaves no place to list"),
        (["--capacity", "-2"], ConfigError, "a capacity of -2 leaves no place to list"),
        (["--as-of", "2026-11-17"], AsOfError, "lies after the extract date 2026-11-16"),
        (["--as-of", "1999-01-01"], RiskError, "no case is open on the as-of date"),
        (["--previous", "nowhere"], ConfigError, "earlier list nowhere cannot be read"),
        (["--policy", "none.toml"], ConfigError, "policy none.toml cannot be read"),
    ],
)
def test_what_cannot_be_listed_is_refused_in_one_line(
    given: list[str], tmp_path: Path, more: list[str], kind: type[RiskError], message: str
) -> None:
    result = run([*given, *more])
    assert result.exit_code != 0
    assert isinstance(result.exception, kind)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "lists").exists()


def test_a_register_or_a_model_that_is_not_there_is_refused(given: list[str], tmp_path: Path) -> None:
    assert isinstance(run([str(tmp_path), *given[1:]]).exception, RegisterError)
    (tmp_path / "bundle" / "bundle.json").unlink()
    assert isinstance(run(given).exception, BundleError)


def test_an_output_folder_that_cannot_be_made_is_refused(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "lists").write_text("in the way", "utf-8")
    assert isinstance(run(given).exception, OutputError)
    assert (tmp_path / "lists").read_text("utf-8") == "in the way"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--as-of", "16-11-2026"], "write it as yyyy-mm-dd"),
        (["--capacity", "4", "--policy", "policy.toml"], "not both"),
        (["--language", "de"], "is not one of"),
    ],
)
def test_a_wrong_call_is_told_how_to_be_right(given: list[str], more: list[str], said: str) -> None:
    result = run([*given, *more])
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_lists_also_go_into_the_store_and_a_second_run_is_a_new_revision_in_both_places(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path / "home"))
    assert "store_revision" not in json.loads(run([*given, "--json"]).stdout)
    stored = [*given, "--store", "--json"]
    assert json.loads(run(stored).stdout)["store_revision"] == 1
    assert json.loads(run(stored).stdout)["store_revision"] == 1
    told = json.loads(run([*given, "--capacity", "3", "--json"]).stdout)  # there is a store now
    assert (told["store_revision"], Path(told["folder"]).name) == (2, "2026-W47-r2")
    assert "store_revision" not in json.loads(run([*given, "--no-store", "--json"]).stdout)
    store = open_store(f"sqlite:///{tmp_path / 'home' / 'store.db'}")
    [week] = weeks_of(store, "Nordby", teams_of(store, "Nordby")[0])
    assert (week.week, week.revision) == ("2026-W47", 2)
    store.close()


def test_a_store_that_cannot_be_opened_is_told_before_anything_is_written(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_STORE", f"sqlite:///{tmp_path / 'bundle' / 'bundle.json'}")
    result = run(given)
    assert isinstance(result.exception, StoreError)
    assert not (tmp_path / "lists").exists()
