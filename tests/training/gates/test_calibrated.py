"""Gate 2."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from training.gates.calibrated import check
from training.gates.evidence import Evidence

SLOPE = {"registration": (1.0, 0.9, 1.1), "26": (1.05, 0.9, 1.2)}
OFF = {"registration": (0.005, -0.01, 0.02), "26": (-0.02, -0.04, 0.0)}


def test_probabilities_that_hold_pass_with_the_largest_difference(evidence: Callable[..., Evidence]) -> None:
    found = check(evidence({"calibration_slope": SLOPE, "observed_minus_expected": OFF}))
    assert (found.status, found.value) == ("passed", 0.02)
    assert "at week 26" in found.text


@pytest.mark.parametrize(
    ("metric", "cell", "said"),
    [
        ("calibration_slope", (0.5, 0.4, 0.6), "slope 0.50 (0.40 to 0.60) at week 26"),
        ("calibration_slope", (1.8, 1.6, 2.0), "slope 1.80"),
        ("observed_minus_expected", (0.10, 0.08, 0.12), "observed minus expected +0.100"),
        ("observed_minus_expected", (-0.10, -0.12, -0.08), "observed minus expected -0.100"),
    ],
)
def test_one_landmark_clearly_off_fails_it_by_name(
    evidence: Callable[..., Evidence], metric: str, cell: tuple[float, float, float], said: str
) -> None:
    numbers = {"calibration_slope": dict(SLOPE), "observed_minus_expected": dict(OFF)}
    numbers[metric]["26"] = cell
    found = check(evidence(numbers))
    assert found.stops
    assert said in found.text


def test_what_chance_could_do_over_all_landmarks_does_not_fail_it(evidence: Callable[..., Evidence]) -> None:
    # Four intervals together: each is drawn out by 1.27, so a low end of 0.031 around 0.055 reaches below 0.03.
    chance = OFF | {"26": (0.055, 0.031, 0.079)}
    assert check(evidence({"calibration_slope": SLOPE, "observed_minus_expected": chance})).status == "passed"
    sure = OFF | {"26": (0.06, 0.055, 0.065)}
    assert check(evidence({"calibration_slope": SLOPE, "observed_minus_expected": sure})).stops


@pytest.mark.parametrize(
    ("metric", "cell", "said"),
    [
        (
            "observed_minus_expected",
            (0.02, -0.05, 0.09),
            "observed minus expected between -0.050 and +0.090 at week 26",
        ),
        ("observed_minus_expected", (0.07, -0.03, 0.17), "between -0.030 and +0.170"),
        ("observed_minus_expected", (-0.01, -0.081, 0.061), "between -0.081"),
        ("observed_minus_expected", (0.01, float("nan"), float("nan")), "at week 26"),
        ("calibration_slope", (1.0, 0.45, 1.55), "slope between 0.45 and 1.55 at week 26"),
        ("calibration_slope", (1.3, 0.55, 2.05), "slope between 0.55 and 2.05"),
    ],
)
def test_too_few_cases_to_rule_out_a_gross_error_decide_nothing(
    evidence: Callable[..., Evidence], metric: str, cell: tuple[float, float, float], said: str
) -> None:
    numbers = {"calibration_slope": dict(SLOPE), "observed_minus_expected": dict(OFF)}
    numbers[metric]["26"] = cell
    found = check(evidence(numbers))
    assert found.status == "not applicable"
    assert "too few cases to tell" in found.text
    assert said in found.text


@pytest.mark.parametrize("cell", [(0.02, -0.04, 0.08), (-0.02, -0.08, 0.04)])
def test_an_interval_that_just_rules_it_out_decides(
    evidence: Callable[..., Evidence], cell: tuple[float, float, float]
) -> None:
    found = check(evidence({"calibration_slope": SLOPE, "observed_minus_expected": OFF | {"26": cell}}))
    assert found.status == "passed"


def test_a_clear_failure_is_a_failure_whatever_the_others_cannot_tell(evidence: Callable[..., Evidence]) -> None:
    off = {"registration": (0.2, 0.15, 0.25), "26": (0.0, -0.2, 0.2)}
    assert check(evidence({"calibration_slope": SLOPE, "observed_minus_expected": off})).stops


def test_without_a_backtest_it_is_not_applicable(evidence: Callable[..., Evidence]) -> None:
    assert check(evidence({})).status == "not applicable"
