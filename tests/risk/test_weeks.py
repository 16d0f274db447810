from datetime import date

import numpy as np
import pytest

from risk import weeks


@pytest.mark.parametrize(
    ("closed_on", "expected"),
    [("2026-01-01", 0.0), ("2026-01-08", 1.0), ("2026-12-31", 52.0), ("2027-01-01", 52 + 1 / 7)],
)
def test_weeks_to_close_counts_days_after_opening(closed_on: str, expected: float) -> None:
    assert weeks.weeks_to_close(["2026-01-01"], [closed_on]) == pytest.approx(expected, abs=1e-15)


def test_an_open_case_has_no_weeks_to_close() -> None:
    assert np.isnan(weeks.weeks_to_close(["2026-01-01"], [None])).all()


def test_a_case_seen_on_the_day_after_opening_has_survived_nothing_yet() -> None:
    # Seen at 00:00 of 2 January; day 1 (2 January) has not passed.
    assert weeks.weeks_survived(["2026-01-01"], "2026-01-02") == 0.0
    assert weeks.weeks_survived(["2026-01-01"], "2026-01-01") == 0.0


@pytest.mark.parametrize("age", [0, 4, 8, 13, 22, 26, 39, 52])
def test_the_date_at_an_age_is_the_inverse_of_weeks_survived(age: int) -> None:
    day = weeks.date_at_age(["2024-02-29"], age)
    assert weeks.weeks_survived(["2024-02-29"], day) == age


def test_a_case_open_at_the_end_of_day_364_is_the_first_that_exceeds_52_weeks() -> None:
    opened = np.array(["2026-01-01"], dtype="datetime64[D]")
    at_52 = weeks.date_at_age(opened, 52)
    closed_day_364, closed_day_365 = opened + 364, opened + 365
    assert weeks.weeks_to_close(opened, closed_day_364) <= 52
    assert weeks.weeks_to_close(opened, closed_day_365) > 52
    # Seen at the landmark, the one that closed on day 364 is gone and the other is still open.
    assert closed_day_364 < at_52
    assert closed_day_365 >= at_52


def test_iso_weeks_begin_on_monday_and_know_week_53() -> None:
    assert weeks.iso_week(date(2026, 11, 23)) == "2026-W48"
    assert weeks.iso_week(date(2021, 1, 3)) == "2020-W53"
    assert weeks.monday_of(date(2026, 11, 29)) == date(2026, 11, 23)


def test_a_date_in_another_form_is_refused_with_the_right_form_named() -> None:
    with pytest.raises(ValueError, match="yyyy-mm-dd"):
        weeks.parse_day("23.11.2026")
