"""Judging with weights given the features runs at toy sizes, and is right where follow-up is known to be uneven."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import quality_followup, sets
from models import metrics
from models.rows import outcome


def even(n: int, seed: int = 0, uneven: bool = False) -> sets.CensoredSet:
    """Made-up durations that a flag doubles; half are lost within 8 weeks: of the flagged when uneven, else of all."""
    rng = np.random.default_rng(seed)
    flag = rng.random(n) < 0.5
    weeks = rng.exponential(np.where(flag, 12.0, 6.0))
    short = rng.random(n) < (np.where(flag, 0.9, 0.1) if uneven else 0.5)
    stop = np.where(short, rng.uniform(0.0, 8.0, n), 50.0)
    found = sets.injury(n_rows=n)
    X = pd.DataFrame({"flag": flag.astype(float), "noise": rng.normal(size=n)})
    truth = outcome(np.ones(n, dtype=bool), weeks)
    seen = outcome(weeks <= stop, np.minimum(weeks, stop))
    return replace(found, X=X, y=seen, judged=truth, week=8.0)


def test_the_smoke_run_judges_the_same_scores_three_ways(tmp_path: Path) -> None:
    done = CliRunner().invoke(quality_followup.main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    records = pd.DataFrame(json.loads((tmp_path / "quality_followup.json").read_text("utf-8"))["records"])
    assert set(records["judge"]) == {"marginal", "given the features", "all that happened"}
    assert records.groupby(["learner", "fold"]).size().eq(3).all()
    assert (records["foretold"] > 0.6).all(), "who is lost hangs on one column"
    assert "injury, followed unevenly" in (tmp_path / "quality_followup.md").read_text("utf-8")


def test_weights_given_the_features_bring_back_the_share_that_marginal_ones_miss() -> None:
    found = even(4000, uneven=True)
    judges, foretold = quality_followup.judges(found)
    true = np.mean(found.judged["weeks"] > 8)
    shares = {
        name: metrics.calibration(y, np.full(len(found), 0.5), 8.0, bins=2, entry=found.entry, weights=w).observed
        for name, (y, w) in judges.items()
    }
    assert foretold > 0.7
    assert shares["all that happened"] == pytest.approx(true)
    assert shares["marginal"] < true - 0.03
    assert abs(shares["given the features"] - true) < 0.5 * abs(shares["marginal"] - true)


def test_where_follow_up_has_nothing_to_do_with_the_features_both_weights_agree() -> None:
    found = even(4000)
    judges, foretold = quality_followup.judges(found)
    marginal, given = (judges[k][1] for k in ("marginal", "given the features"))
    assert abs(foretold - 0.5) < 0.05
    assert np.array_equal(marginal > 0, given > 0)
    assert np.abs(marginal - given).mean() < 0.05


def test_only_the_follow_up_of_uneven_injuries_is_made_up() -> None:
    found, whole = quality_followup.uneven_injuries(400), sets.injury(n_rows=400)
    assert np.array_equal(found.judged, whole.judged)
    lost, clinic = ~found.y["closed"], (found.X["hosp"].astype(str) == "1").to_numpy()
    assert (found.y["weeks"][lost & ~clinic] <= quality_followup.EARLY).all()
    assert (found.y["weeks"][lost & clinic] == 52.0).all()
    assert (lost & ~clinic).sum() > 20
    np.testing.assert_array_equal(found.y["weeks"][~lost], whole.judged["weeks"][~lost])
