"""Gate 1."""

from __future__ import annotations

from collections.abc import Callable

from training.gates.beats_baseline import check
from training.gates.evidence import Evidence

ALONE = {"registration": (0.55, 0.5, 0.6), "13": (0.5, 0.5, 0.5)}
BETTER = {"registration": (0.78, 0.75, 0.8), "13": (0.74, 0.7, 0.78)}
SAVED = {"registration": (0.10, 0.08, 0.12), "13": (0.05, 0.02, 0.08)}


def test_a_better_model_passes_with_its_mean_gain(evidence: Callable[..., Evidence]) -> None:
    found = check(evidence({"auc": BETTER, "baseline auc": ALONE, "brier_skill": SAVED}))
    assert found.status == "passed"
    assert abs(found.value - 0.235) < 1e-9
    assert "5.0% to 10.0%" in found.text


def test_one_landmark_with_a_worse_brier_score_fails_it_by_name(evidence: Callable[..., Evidence]) -> None:
    worse = SAVED | {"13": (-0.01, -0.05, 0.03)}
    found = check(evidence({"auc": BETTER, "baseline auc": ALONE, "brier_skill": worse}))
    assert found.stops
    assert "Brier score no better than the baseline's at week 13 (-0.010" in found.text


def test_a_landmark_that_ranks_no_better_fails_it(evidence: Callable[..., Evidence]) -> None:
    behind = BETTER | {"13": (0.49, 0.45, 0.53)}
    assert "AUC no better" in check(evidence({"auc": behind, "baseline auc": ALONE, "brier_skill": SAVED})).text


def test_a_gain_too_small_to_be_worth_a_model_fails_it(evidence: Callable[..., Evidence]) -> None:
    little = {"registration": (0.56, 0.5, 0.6), "13": (0.51, 0.5, 0.52)}
    found = check(evidence({"auc": little, "baseline auc": ALONE, "brier_skill": SAVED}))
    assert found.stops
    assert "mean gain in AUC 0.010 is below 0.02" in found.text


def test_without_a_backtest_it_is_not_applicable_and_says_why(evidence: Callable[..., Evidence]) -> None:
    found = check(evidence({}))
    assert (found.status, found.value) == ("not applicable", None)
    assert "the register is young" in found.text
