"""What is known of a case on a day, found in two ways, against going through the facts one by one."""

import numpy as np
import pytest

from risk.encoded import fact_column

N_CASES = 30
FIRST = np.datetime64("2025-01-01", "D")


def by_hand(position, day, value, case, as_of):
    """The value recorded last before a day, the larger of two of one day, and when."""
    before = [(d, v) for p, d, v in zip(position, day, value, strict=True) if p == case and d < as_of]
    d, v = max(before, default=(np.datetime64("NaT", "D"), np.nan))
    return v, d


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("asked", ["all of one day", "few of one day", "each of its own day", "after all facts"])
@pytest.mark.parametrize("seed", range(4))
def test_what_counts_is_the_last_fact_recorded_before_the_day(seed, asked, in_order):
    rng = np.random.default_rng(seed)
    position, day = rng.integers(0, N_CASES - 5, 400), FIRST + rng.integers(0, 40, 400)  # some cases have no fact
    value = rng.integers(0, 5, 400).astype(np.float64)
    if in_order:  # one fact of a case a day, as most registers have them
        once = np.unique(position * 1000 + (day - FIRST).astype(np.int64), return_index=True)[1]
        position, day, value = position[once], day[once], value[once]
    cases = rng.permutation(N_CASES)[:3] if asked == "few of one day" else rng.integers(0, N_CASES, 50)
    as_of = np.full(len(cases), FIRST + (60 if asked == "after all facts" else 20))
    if asked == "each of its own day":
        as_of += rng.integers(-25, 25, len(cases))
    values, known_on = fact_column(position, day, value).known(cases, as_of)
    expected = [by_hand(position, day, value, c, d) for c, d in zip(cases, as_of, strict=True)]
    np.testing.assert_array_equal(values, [v for v, _ in expected])
    np.testing.assert_array_equal(known_on, np.array([d for _, d in expected], dtype="datetime64[D]"))


def test_nothing_is_known_of_no_case():
    column = fact_column(np.array([0]), np.array([FIRST]), np.array([1.0]))
    values, known_on = column.known(np.empty(0, dtype=np.int64), np.empty(0, dtype="datetime64[D]"))
    assert len(values) == len(known_on) == 0
