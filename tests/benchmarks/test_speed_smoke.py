"""The speed benchmark runs at toy sizes; what it times is asserted to be right, never to be fast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import speed, speed_rows
from benchmarks.speed_memory import fit_memory
from models import catalogue


def test_the_smoke_run_writes_every_ratio_with_its_limit(tmp_path: Path) -> None:
    done = CliRunner().invoke(speed.main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "speed.json").read_text("utf-8"))
    what = " ".join(r["what"] for r in made["ratios"])
    for word in (
        "fit hazard",
        "memory",
        "score additive",
        "score direct",
        "score hazard",
        "reasons of direct",
        "one case",
        "random survival forest",
    ):
        assert word in what
    assert all(np.isfinite(r["value"]) and r["value"] >= 0 for r in made["ratios"])
    page = (tmp_path / "speed.md").read_text("utf-8")
    assert all(r["what"] in page for r in made["ratios"])


def test_one_part_has_a_table_of_its_own(tmp_path: Path) -> None:
    done = CliRunner().invoke(speed.main, ["--smoke", "--only", "fitting", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["speed_fitting.json", "speed_fitting.md"]
    assert "random survival forest" not in (tmp_path / "speed_fitting.md").read_text("utf-8")


def test_the_reasons_that_are_timed_are_the_shapley_values_of_the_same_trees() -> None:
    made = speed_rows.make_rows(600, 4, seed=0, categories=0)
    direct = catalogue.make("direct", n_estimators=10, patience=0, num_leaves=8).fit(made.X, made.y, made.entry)
    matrix = direct.columns_.encode(made.X)
    with_age = np.column_stack([matrix, made.entry])
    ratio = speed.reasons(direct, with_age, rounds=1)
    assert ratio.value > 0
    assert "10 x 8" in ratio.what
    parts, _ = direct.contributions_encoded(matrix, speed.WEEK, made.entry)
    wanted = direct.booster_.predict(with_age, pred_contrib=True)[:, : matrix.shape[1]]
    np.testing.assert_allclose(parts, wanted, rtol=0, atol=1e-9)
    assert np.abs(wanted).max() > 0.01


def test_a_ratio_holds_on_its_own_side_of_the_limit() -> None:
    assert speed.Ratio("a", 2.0, 3.0, "x", "").holds
    assert not speed.Ratio("a", 4.0, 3.0, "x", "").holds
    assert speed.Ratio("a", 4.0, 3.0, "x", "", at_least=True).holds
    assert not speed.Ratio("a", 2.0, 3.0, "x", "", at_least=True).holds


def test_jobs_take_turns() -> None:
    order: list[str] = []
    seconds = speed.in_turn(2, lambda: order.append("a"), lambda: order.append("b"))
    assert order == ["a", "b", "a", "b"]
    assert len(seconds) == 2


@pytest.mark.parametrize("name", ["additive", "direct"])
def test_what_is_timed_as_a_score_with_contributions_is_the_score(name: str) -> None:
    made = speed_rows.make_rows(600, 4, seed=0, categories=0)
    learner = catalogue.make(name, n_estimators=10, patience=0).fit(made.X, made.y, made.entry)
    matrix = learner.columns_.encode(made.X)
    p, parts = speed.score_with_parts(learner, matrix, made.entry)
    np.testing.assert_allclose(p, learner.survival(made.X, [52.0], made.entry)[:, 0], atol=1e-9)
    assert parts.shape == (600, 4)


def test_bands_ahead_count_those_after_entry_only() -> None:
    made = speed_rows.make_rows(600, 4, seed=0)
    hazard = catalogue.make("hazard", n_estimators=5, patience=0).fit(made.X, made.y, made.entry)
    everything = speed.bands_ahead(hazard, np.zeros(3))
    assert everything == len(np.unique(hazard.band_))
    assert speed.bands_ahead(hazard, np.full(3, 51.9)) == 1.0


def test_memory_is_measured_in_a_process_of_its_own() -> None:
    grown, matrix = fit_memory(2000, 5, 3)
    assert matrix == 2000 * 5 * 8
    assert grown >= 0
