"""The curve after a change: small registers, and the arithmetic of when a way has settled."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import adaptation
from benchmarks.adaptation_page import ahead, settled
from risk.synthetic import synthesise
from training.plan import read_plan


def test_the_smoke_run_draws_the_curve_and_says_the_months(tmp_path: Path) -> None:
    arguments = ["--cases", "600", "--seeds", "1", "--until", "6", "--every", "6", "--out", str(tmp_path)]
    done = CliRunner().invoke(adaptation.main, arguments)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "adaptation_pace.md").read_text("utf-8")
    assert all(f"| {way} |" in page for way in adaptation.WAYS)
    assert "| +6 |" in page
    picture = (tmp_path / "adaptation_pace.svg").read_text("utf-8")
    assert "months since the change" in picture
    assert all(way in picture for way in adaptation.WAYS)


def test_a_look_learns_from_what_was_known_and_asks_about_what_follows() -> None:
    made, truth = synthesise(600, 3, scenario="regime", years=4)
    day = date(2025, 3, 3)
    look = adaptation.looks(made, truth, [day], read_plan("default"), asked_weeks=8)[0]
    assert (look.learned.snapshot.as_of <= np.datetime64(day)).all()
    assert (look.learned.y["weeks"] >= look.learned.entry).all()
    ended = look.learned.started_on + np.ceil(look.learned.y["weeks"] * 7).astype("timedelta64[D]")
    assert (ended <= np.datetime64(day)).all()
    asked = look.asked.snapshot.as_of
    assert (asked >= np.datetime64(day)).all()
    assert (asked < np.datetime64(day) + np.timedelta64(56, "D")).all()
    assert np.isfinite(look.p_true).all()
    cohort = adaptation.newest_cohorts(look.learned, day)
    age = (np.datetime64(day) - cohort.started_on).astype(int)
    assert age.min() > 364  # followed past week 52
    assert age.max() <= 728
    half = adaptation.newest_cohorts(look.learned, day, adaptation.HALF)
    assert (np.datetime64(day) - half.started_on).astype(int).max() <= 364 + 182
    year = adaptation.newest_year(look.learned, day)
    assert (np.datetime64(day) - year.snapshot.as_of).astype(int).max() <= 364


def test_a_way_has_settled_when_its_error_stays_small() -> None:
    mean = pd.DataFrame({"month": [-6, 0, 6, 12, 18], "way": "a", "error": [0.0, 0.10, 0.01, 0.06, -0.02]})
    assert settled(mean, "a", 0.05) == 18
    assert settled(mean, "a", 0.07) == 6
    assert settled(mean, "a", 0.2) == 0
    assert settled(mean, "a", 0.01) == float("inf")
    assert settled(mean.assign(worst=0.06), "a", 0.05, "worst") == float("inf")


def test_months_ahead_are_counted_to_the_last_look_where_the_other_never_arrives() -> None:
    errors = {adaptation.OURS: [0.1, 0.01, 0.01, 0.01], "slow": [0.1, 0.1, 0.01, 0.01], "never": [0.1] * 4}
    mean = pd.concat([pd.DataFrame({"month": [0, 6, 12, 18], "way": w, "error": e}) for w, e in errors.items()])
    assert ahead(mean, adaptation.OURS, "slow", 0.05) == "6"
    assert ahead(mean, adaptation.OURS, "never", 0.05) == "more than 12"
    assert ahead(mean, adaptation.OURS, "slow", 0.001) == "-"


@pytest.mark.parametrize("law", ["cap", "reassessment"])
def test_both_changes_of_law_let_more_cases_pass(law: str) -> None:
    made, truth = synthesise(4000, 1, scenario="regime", years=6, law=law, switch_on=date(2023, 11, 1))
    at_start = truth[truth["landmark"] == "registration"]
    before = at_start.loc[at_start["as_of"] < "2022-10-01", "p_true"].mean()
    after = at_start.loc[at_start["as_of"] > "2023-11-01", "p_true"].mean()
    assert after > before + 0.02
    assert made.extract_on > date(2023, 11, 1)
