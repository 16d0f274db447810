"""Policies, weeks and crashes at the front door of ``risk list``: one clear line, or everything listed and the shortfall told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pandas as pd
import pytest

from models.bundle import Bundle
from risk.__main__ import main
from risk.register import Register, make_register, write_register

SHIPPED = resources.files("risk").joinpath("policy.toml").read_text("utf-8")
RATES = resources.files("risk").joinpath("rates.toml").read_text("utf-8")
List = Callable[..., tuple[int, str, str]]

CRASH = """
import os, sys
import serving.weekly
serving.weekly.write_workbook = lambda *_: os._exit(9)
from risk.__main__ import main
main(sys.argv[1:])
"""


@pytest.fixture
def given(small_register: Register, small_bundle: Bundle, tmp_path: Path) -> list[str]:
    """Arguments of a list that can be made; team A and B have follow-ups on record, so that dates count."""
    cases = small_register.cases
    open_ids = cases.loc[cases["closed_on"].isna(), "case_id"].tolist()
    held = pd.DataFrame({"case_id": open_ids, "known_on": pd.Timestamp("2026-09-21")})
    facts = held.assign(name="follow_up_held", value="interview")
    facts = facts[facts["case_id"].isin(cases.loc[cases["registered_on"] < "2026-09-21", "case_id"])]
    register = make_register(cases, facts, small_register.extract_on, is_synthetic=True)
    write_register(register, tmp_path / "register")
    small_bundle.save(tmp_path / "bundle")
    return [
        "list", str(tmp_path / "register"), "--as-of", "2026-11-16", "--model", str(tmp_path / "bundle"),
        "--out", str(tmp_path / "lists"),
    ]  # fmt: skip


@pytest.fixture
def listing(given: list[str], capsys: pytest.CaptureFixture[str]) -> List:
    def _list(*more: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([*given, *(str(m) for m in more)])
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out, told.err.strip()

    return _list


def week(tmp_path: Path, folder: str = "2026-W47") -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (tmp_path / "lists" / folder).rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[capacity.teams] ", '[capacity.teams]\n"Nrod" = 7 ', "team 'Nrod' is not in the register; known are A, B"),
        ("[order]", "[order]\nspeed = 3", "order.speed: there is no such key; check its spelling"),
        ("valid_until = 2014-06-30", "valid_until = 2014-05-31", "there is a gap or an overlap between rule sets"),
        ("valid_from = 1900-01-01", "valid_from = 2000-01-01\n", None),
        ('by = "risk"', 'by = "mix"', 'cost_part belongs to by = "mix", which must state it'),
        ("[capacity.minutes] ", "[capacity.minuts] ", "capacity.minuts: there is no such key; check its spelling"),
    ],
    ids=[
        "unknown team",
        "unknown key",
        "gap in the dates",
        "an early gap is none",
        "a mix not stated",
        "misspelt table",
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_in_one_line_and_nothing_is_written(
    listing: List, tmp_path: Path, old: str, new: str, said: str | None
) -> None:
    assert SHIPPED.count(old) >= 1
    (tmp_path / "policy.toml").write_text(SHIPPED.replace(old, new, 1), "utf-8")
    code, _, told = listing("--policy", tmp_path / "policy.toml")
    if said is None:  # only days that are listed need a rule set
        assert code == 0
        return
    assert code == 6
    assert said in told
    assert "\n" not in told
    assert not (tmp_path / "lists").exists()


def test_an_order_by_cost_without_rates_for_the_weeks_is_refused(listing: List, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(SHIPPED.replace('by = "risk"', 'by = "avoidable_cost"'), "utf-8")
    first = RATES.index("[[weekly]]")
    late = RATES[:first] + '[[weekly]]\nvalid_from = 2031-01-01\namount = 5000\nsource = "made up"\n\n'
    (tmp_path / "rates.toml").write_text(late + RATES[RATES.index("[[ladder]]") :], "utf-8")
    code, _, told = listing("--policy", tmp_path / "policy.toml", "--rates", tmp_path / "rates.toml")
    assert code == 6
    assert "do not price the weeks from 2026-11-16" in told
    assert not (tmp_path / "lists").exists()
    assert listing("--policy", tmp_path / "policy.toml")[0] == 0  # the shipped rates do, with the last year they know
    made = json.loads(week(tmp_path)["worklist.json"])
    assert made["rates"]["carried_from"] == 2024
    scored = [r["cost_ahead"] for r in made["rows"] if r["status"] == "scored"]
    assert min(scored) > 0


def test_a_capacity_below_the_duties_lists_them_all_and_tells_the_shortfall(listing: List, tmp_path: Path) -> None:
    code, told, _ = listing("--capacity", 1)
    assert code == 0
    assert "2 teams have more duties than places; all duties are listed" in told
    made = json.loads(week(tmp_path)["worklist.json"])
    for team in made["teams"]:
        duties = [r for r in made["rows"] if r["team"] == team["team"] and r["section"] == "duty"]
        assert len(duties) == team["n_duty"] > 1
        assert (team["shortfall"], team["risk_places"], team["n_risk"]) == (team["n_duty"] - 1, 0, 0)
    page = week(tmp_path)["worklist.html"].decode()
    assert page.count("Alle frister er alligevel på listen.") == 2


def test_two_runs_for_one_week_are_two_revisions_and_the_first_stays(listing: List, tmp_path: Path) -> None:
    assert listing("--capacity", 4)[0] == 0
    first = week(tmp_path)
    assert listing("--capacity", 9)[0] == 0
    assert listing("--capacity", 4)[0] == 0  # says what the first said: no third
    assert sorted(p.name for p in (tmp_path / "lists").iterdir()) == ["2026-W47", "2026-W47-r2"]
    assert week(tmp_path) == first
    assert json.loads(week(tmp_path, "2026-W47-r2")["worklist.json"])["revision"] == 2


def test_a_process_that_dies_in_the_middle_of_writing_shows_no_half_list(
    given: list[str], listing: List, tmp_path: Path
) -> None:
    died = subprocess.run([sys.executable, "-c", CRASH, *given], capture_output=True, timeout=120, check=False)
    assert died.returncode == 9, died.stderr
    shown = [p.name for p in (tmp_path / "lists").iterdir() if not p.name.startswith(".")]
    assert shown == []
    assert listing()[0] == 0  # what the dead one left behind is in nobody's way
    assert json.loads(week(tmp_path)["worklist.json"])["revision"] == 1
    assert listing("--as-of", "2026-11-16")[0] == 0
    assert [p.name for p in (tmp_path / "lists").iterdir() if not p.name.startswith(".")] == ["2026-W47"]
