"""Paired differences between learners: the mean, and what it may be off by."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from training.comparison import Losses, compare

ORIGINS = (date(2024, 6, 3), date(2024, 12, 2), date(2025, 6, 2))


def cell(
    origin: date, linear: list[float], hazard: list[float], *, landmark: str = "13", person: list[int] | None = None,
    w: list[float] | None = None,
) -> Losses:  # fmt: skip
    at = np.arange(len(linear)) if person is None else np.array(person)
    weight = np.ones(len(linear)) if w is None else np.array(w)
    return Losses(origin, landmark, at, weight, {"linear": np.array(linear), "hazard": np.array(hazard)})


def pair(cells: list[Losses]) -> pd.Series:
    table = compare(cells, ("linear", "hazard"))
    return table[table["learner"] == "linear"].iloc[0]


def test_the_difference_is_a_mean_over_rows_then_landmarks_theorigins() -> None:
    cells = [
        cell(ORIGINS[0], [0.4, 0.2], [0.2, 0.2], w=[3.0, 1.0]),  # 0.15
        cell(ORIGINS[0], [0.3], [0.2], landmark="26"),  # 0.10, so the origin's is 0.125
        cell(ORIGINS[1], [0.1, 0.2], [0.2, 0.2]),  # -0.05
    ]
    found = pair(cells)
    assert found["ahead"] == pytest.approx((0.125 - 0.05) / 2)
    assert found["brier"] == pytest.approx(((0.35 + 0.3) / 2 + 0.15) / 2)
    assert found["other_brier"] == pytest.approx((0.2 + 0.2) / 2)


def test_the_error_over_origins_is_that_of_a_mean_of_their_differences() -> None:
    # Every row of an origin differs by the same, so persons add nothing: 0.02, -0.01, 0.002 have deviation 0.01510.
    cells = [cell(o, [0.1 + d] * 4, [0.1] * 4) for o, d in zip(ORIGINS, (0.02, -0.01, 0.002), strict=True)]
    found = pair(cells)
    assert found["ahead"] == pytest.approx(0.004)
    assert found["error_persons"] == pytest.approx(0.0, abs=1e-12)
    assert found["error"] == found["error_origins"] == pytest.approx(0.0151 / np.sqrt(3), abs=1e-5)


def test_with_one_origin_the_error_is_that_over_persons() -> None:
    # Differences 0.1, -0.1, 0.1, -0.1 on four persons: root of (4 * 0.1^2) / 4.
    found = pair([cell(ORIGINS[0], [0.3, 0.1, 0.3, 0.1], [0.2] * 4)])
    assert np.isnan(found["error_origins"])
    assert found["error"] == found["error_persons"] == pytest.approx(0.05)


def test_origins_that_agree_by_luck_do_not_make_a_difference_sure() -> None:
    cells = [cell(o, [0.31, 0.11, 0.31, 0.11], [0.2] * 4, person=[4 * i + j for j in range(4)])
             for i, o in enumerate(ORIGINS)]  # fmt: skip
    found = pair(cells)
    assert found["error_origins"] == pytest.approx(0.0, abs=1e-12)
    assert found["error"] == pytest.approx(0.05 / np.sqrt(3))


def test_rows_of_one_person_at_several_landmarks_and_origins_count_as_one() -> None:
    rows = ([0.3, 0.1, 0.3, 0.1], [0.2] * 4)
    apart = [cell(o, *rows, person=[4 * i + j for j in range(4)]) for i, o in enumerate(ORIGINS)]
    same = [cell(o, *rows, person=[0, 1, 2, 3]) for o in ORIGINS]
    assert pair(same)["error_persons"] == pytest.approx(np.sqrt(3) * pair(apart)["error_persons"])
    assert (pair(apart)["n_persons"], pair(same)["n_persons"]) == (12, 4)


def test_turned_round_the_comparison_says_the_same() -> None:
    table = compare([cell(ORIGINS[0], [0.3, 0.1, 0.4], [0.2, 0.2, 0.2])], ("linear", "hazard"))
    one, two = table.iloc[0], table.iloc[1]
    assert (one["learner"], two["learner"]) == ("linear", "hazard")
    assert one["ahead"] == -two["ahead"]
    assert one["error"] == pytest.approx(two["error"])


def test_rows_without_a_known_outcome_or_without_a_score_of_every_learner_are_left_out() -> None:
    both = cell(ORIGINS[0], [0.3, 9.0, np.nan], [0.2, 0.0, 0.1], w=[1.0, 0.0, 1.0])
    none = cell(ORIGINS[1], [np.nan], [0.2])
    found = pair([both, none])
    assert (found["ahead"], found["origins"], found["n_persons"]) == (pytest.approx(0.1), 1, 1)
    assert compare([none], ("linear", "hazard")).empty
    assert compare([], ("linear", "hazard")).empty


def test_the_error_over_persons_is_that_of_drawing_persons_anew() -> None:
    rng = np.random.default_rng(0)
    person = rng.integers(0, 150, 300)
    lost = {n: rng.beta(1, 4, 300) + 0.1 * rng.random(150)[person] for n in ("linear", "hazard")}
    one = Losses(ORIGINS[0], "13", person, rng.uniform(0.5, 2, 300), lost)
    draws = []
    for _ in range(2000):
        often = np.bincount(rng.integers(0, 150, 150), minlength=150)[person]
        draws.append(np.average(lost["linear"] - lost["hazard"], weights=one.w * often))
    assert pair([one])["error"] == pytest.approx(np.std(draws), rel=0.08)
