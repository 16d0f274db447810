"""The coverage benchmark runs at toy sizes, and counts what it says it counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import interval_coverage


def test_the_smoke_run_writes_a_coverage_by_landmark_and_by_tenth(tmp_path: Path) -> None:
    done = CliRunner().invoke(interval_coverage.main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    (record,) = json.loads((tmp_path / "interval_coverage.json").read_text("utf-8"))["records"]
    assert list(record["by_landmark"]) == ["registration", "13"]
    assert len(record["by_decile"]) == 10
    assert record["held"] == np.float64(record["held"]).clip(0, 1)
    # The wider interval holds whatever the narrower does.
    assert record["held"] > record["held_by_map_alone"]
    assert record["width"] > record["mean_error"] > 0
    assert "| 1,200 | linear |" in (tmp_path / "interval_coverage.md").read_text("utf-8")


def test_a_chance_on_an_end_lies_inside() -> None:
    ends = np.array([0.1, 0.1, 0.1]), np.array([0.3, 0.3, 0.3])
    assert interval_coverage.inside(ends, np.array([0.1, 0.3, 0.31])).tolist() == [True, True, False]


def test_the_cases_judged_are_seen_in_the_last_year_and_have_their_truth() -> None:
    plan = interval_coverage.read_plan("demo")
    judged = interval_coverage.judged_cases(300, 4, plan)
    assert len(judged.truth) == len(judged.X) == len(judged.rows) > 50
    assert np.isfinite(judged.truth).all()
    days = judged.rows.snapshot.as_of
    assert int((days.max() - days.min()) / np.timedelta64(1, "D")) <= 364


def test_the_width_by_the_truth_is_that_of_the_one_width_that_holds_nine_in_ten() -> None:
    # Log-odds of 0 for all, and truths 0, 1/10, ..., 10/10 away from it: nine in ten of the eleven lie within 0.9.
    x = np.arange(11) / 10 * np.where(np.arange(11) % 2, 1.0, -1.0)
    width = interval_coverage.width_by_truth(np.full(11, 0.5), 1 / (1 + np.exp(-x)))
    assert width == pytest.approx(2 / (1 + np.exp(-0.9)) - 1)
