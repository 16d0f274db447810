"""The quick metrics of the backtest are those of models.metrics, and their intervals hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models import censoring, metrics
from risk.outcomes import OUTCOME_DTYPE
from training import judging

CUT = np.datetime64("2026-11-16")
WEEK = 52.0


def made_rows(seed: int, n: int = 400) -> dict[str, np.ndarray]:
    """Rows with ties in p, persons with several rows, loss to follow-up, and cohorts too young to be followed."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 120, n) / 7
    followed = np.maximum(rng.integers(30, 120, n) * 1.0, np.ceil(entry) + 1)
    lasts = entry + rng.exponential(60, n)
    lost = np.where(rng.random(n) < 0.1, entry + rng.exponential(30, n), np.inf)
    end = np.minimum(np.minimum(lasts, lost), followed)
    y = np.empty(n, dtype=OUTCOME_DTYPE)
    y["closed"], y["weeks"] = lasts <= end, np.maximum(np.floor(end * 7) / 7, entry)
    started = CUT - (followed * 7 + 1).astype("timedelta64[D]")
    p = np.round(np.clip(lasts / 150 + rng.normal(0, 0.15, n), 0.02, 0.98), 1 if seed % 2 else 6)
    return {"y": y, "entry": entry, "started": started, "p": p, "person": rng.integers(0, n // 2, n)}


@pytest.mark.parametrize("seed", range(6))
def test_every_number_is_that_of_the_metrics_room(seed: int) -> None:
    rows = made_rows(seed)
    cell = judging.make_cell(rows["y"], rows["entry"], rows["started"], CUT, WEEK, rows["person"], 25, seed)
    rule, baseline = rows["entry"], np.full(len(rows["p"]), 0.4)
    drawn = judging.draw_metrics(cell, rows["p"][cell.at], baseline[cell.at], rule[cell.at], 0.1)
    given = {"entry": rows["entry"], "opened": rows["started"], "cut_on": CUT}
    y, p = rows["y"], rows["p"]
    found = metrics.calibration(y, p, WEEK, **given)
    expected = {
        "auc": metrics.auc(y, p, WEEK, **given),
        "brier": metrics.brier(y, p, WEEK, **given),
        "brier_skill": metrics.brier_skill(y, p, WEEK, reference=baseline, **given),
        "precision_at_capacity": metrics.precision_at(y, p, WEEK, 0.1, **given),
        "recall_at_capacity": metrics.recall_at(y, p, WEEK, 0.1, **given),
        "lift_over_rule": metrics.precision_at(y, p, WEEK, 0.1, **given)
        / metrics.precision_at(y, rule, WEEK, 0.1, **given),
        "observed": found.observed,
        "expected": found.expected,
        "observed_minus_expected": found.observed_minus_expected,
    }
    assert {m: v[0] for m, v in drawn.items()} == pytest.approx(expected, abs=1e-12)


def test_a_draw_is_the_metric_with_persons_counted_as_drawn() -> None:
    rows = made_rows(3)
    cell = judging.make_cell(rows["y"], rows["entry"], rows["started"], CUT, WEEK, rows["person"], 10, 7)
    p, y, entry = rows["p"][cell.at], rows["y"][cell.at], rows["entry"][cell.at]
    drawn = judging.draw_metrics(cell, p, p, p, 0.1)
    for b in (1, 5, 10):
        given = {"entry": entry, "weights": cell.w, "sample_weight": cell.counts[b]}
        assert drawn["auc"][b] == pytest.approx(metrics.auc(y, p, WEEK, **given), abs=1e-12)
        assert drawn["recall_at_capacity"][b] == pytest.approx(metrics.recall_at(y, p, WEEK, 0.1, **given), abs=1e-12)
    person = rows["person"][cell.at]
    for who in np.unique(person)[:20]:
        assert len(np.unique(cell.counts[4, person == who])) == 1


def test_the_standard_errors_of_slope_and_intercept_are_those_of_a_bootstrap_over_persons() -> None:
    rows = made_rows(2, n=1500)
    cell = judging.make_cell(rows["y"], rows["entry"], rows["started"], CUT, WEEK, rows["person"], 2, 0)
    p, y, entry = rows["p"][cell.at], rows["y"][cell.at], rows["entry"][cell.at]
    low, _, high = metrics.interval(
        metrics.calibration_numbers, y, p, WEEK, groups=rows["person"][cell.at], entry=entry, weights=cell.w, n_boot=300
    )
    slope, intercept = judging.calibration_errors(cell, p)
    wide = (high - low) / (2 * 1.96)
    assert slope == pytest.approx(wide[2], rel=0.2)
    assert intercept == pytest.approx(wide[1], rel=0.2)


@pytest.mark.parametrize("seed", [0, 2])
def test_draws_of_the_calibration_index_are_those_of_a_bootstrap_over_persons(seed: int) -> None:
    rows = made_rows(seed, 3000)
    cell = judging.make_cell(rows["y"], rows["entry"], rows["started"], CUT, WEEK, rows["person"], 150, seed)
    p, at = rows["p"][cell.at], cell.at
    given = {"entry": rows["entry"][at], "weights": cell.w}
    found = metrics.calibration(rows["y"][at], p, WEEK, **given)
    drawn = judging.ici_draws(cell, p, found.ici, 3)
    assert drawn[0] == found.ici
    again = [metrics.calibration(rows["y"][at], p, WEEK, sample_weight=c, **given).ici for c in cell.counts[1:]]
    assert drawn[1:].mean() == pytest.approx(np.mean(again), rel=0.1)
    assert drawn[1:].std() == pytest.approx(np.std(again), rel=0.3)


def test_the_interval_of_the_calibration_index_is_drawn_the_other_way_and_never_below_nothing() -> None:
    draws = np.concatenate([[0.02], np.linspace(0.02, 0.05, 101)])
    found = judging.mean_of("calibration_ici", [draws])
    assert found == pytest.approx({"value": 0.02, "low": 0.0, "high": 0.02})
    found = judging.mean_of("calibration_ici", [np.concatenate([[0.10], np.linspace(0.09, 0.13, 101)])])
    assert found == pytest.approx({"value": 0.10, "low": 0.2 - 0.129, "high": 0.2 - 0.091})
    undefined = judging.mean_of("calibration_ici", [np.full(30, np.nan)])
    assert all(np.isnan(v) for v in undefined.values())


def test_lists_count_places_in_expectation_and_only_known_outcomes() -> None:
    listed = pd.DataFrame(
        {
            "person": [1, 2, 3, 4],
            "w": [1.0, 1.0, 0.0, 2.0],
            "outcome": [1.0, 0.0, 0.0, 1.0],
            "p": [0.9, 0.8, 0.7, 0.1],
            "held": [1.0, 0.5, 0.5, 0.0],
        }
    )
    rule = listed.assign(held=[0.0, 1.0, 1.0, 0.0])
    drawn, counts = judging.list_draws(listed, rule, 5, 0)
    assert drawn["precision_at_capacity"][0] == pytest.approx(1 / 1.5)
    assert drawn["recall_at_capacity"][0] == pytest.approx(1 / 3)
    assert drawn["observed"][0] == pytest.approx(3 / 4)
    assert counts == {"n": 3, "n_exceed": 2}


def test_the_mean_over_origins_is_plain_and_leaves_undefined_origins_out() -> None:
    found = judging.mean_of("auc", [np.array([0.7, 0.6, 0.8]), np.array([0.8, 0.7, 0.9]), np.array([np.nan] * 3)])
    assert found["value"] == pytest.approx(0.75)
    assert found["low"] == pytest.approx(0.655)  # quantile 0.025 of the mean draws 0.65 and 0.85
    slope = judging.mean_of("calibration_slope", [np.array([1.0, 0.3]), np.array([1.2, 0.4])])
    assert slope["value"] == pytest.approx(1.1)
    assert slope["high"] == pytest.approx(1.1 + 1.959964 * 0.25)


def test_young_cohorts_are_not_judged() -> None:
    rows = made_rows(1)
    cell = judging.make_cell(rows["y"], rows["entry"], rows["started"], CUT, WEEK, rows["person"], 2, 0)
    whole = censoring.whole_cohort(rows["started"], CUT, WEEK) & (rows["entry"] < WEEK)
    assert cell.at.tolist() == np.flatnonzero(whole).tolist()
    assert 0 < len(cell.at) < len(rows["p"])
