"""The benchmark of the lists runs at a toy size and says what it did; nothing here asserts that it is fast."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from benchmarks import closing, lists


def test_the_smoke_run_times_every_step_and_writes_both_files(tmp_path: Path) -> None:
    done = CliRunner().invoke(lists.main, ["--smoke", "--by", "mix-up", "--out", str(tmp_path)])
    assert "by" in str(done.exception)  # an order that does not exist is not measured
    done = CliRunner().invoke(lists.main, ["--smoke", "--by", "avoidable_cost", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    run = json.loads((tmp_path / "lists.json").read_text("utf-8"))["runs"][0]
    assert (run["n_teams"], run["order_by"]) == (4, "avoidable_cost")
    assert 100 < run["n_open"] <= 150
    assert 0 < run["n_listed"] <= run["n_open"]
    assert run["megabytes_written"] > 0
    what = [s["what"] for s in run["steps"]]
    assert {"scoring", "curves ahead", "order", "reasons", "writing", "... XLSX"} <= set(what)
    after = [s["seconds"] for s in run["steps"] if s["is_after"]]
    assert run["seconds_after_scoring"] == sum(after)
    assert [v["n"] for v in run["page"]] == [2, 40, 40]  # two of the four teams are in the leader's office
    assert all(v["ms"] > 0 and v["kilobytes"] > 5 for v in run["page"])
    page = (tmp_path / "lists.md").read_text("utf-8")
    assert all(f"| {w} |" in page for w in what)


def test_a_made_up_office_has_as_many_open_cases_and_teams_as_asked_for(tmp_path: Path) -> None:
    made = lists.office(60, 3, tmp_path / "register")
    assert int(made.cases["closed_on"].isna().sum()) == 60
    assert made.cases["team"].nunique() == 3
    assert len(lists.office(60, 3, tmp_path / "register")) == len(made)  # kept for the next run


def test_what_a_chance_of_closing_promised_is_held_against_what_came(tmp_path: Path) -> None:
    done = CliRunner().invoke(closing.main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = [r.split("|") for r in (tmp_path / "closing.md").read_text("utf-8").splitlines() if r.startswith("| ")][2:]
    tenths = [float(r[2]) for r in rows]
    assert len(tenths) == closing.BINS
    assert tenths == sorted(tenths)
    told = pd.DataFrame({"p": [0.1] * 5 + [0.45] * 5, "closed": [False] * 7 + [True] * 3})
    assert "5 cases, 45 in 100 promised, 60 came." in closing.page({"linear": told}, 0.4, "by hand")
