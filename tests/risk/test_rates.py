"""What a week of benefit costs, by hand; the days before the municipality pays; and what a file of rates must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.errors import ConfigError
from risk.rates import Rates, cost, paid_from, read_rates
from risk.register import Register


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="M8[D]")


def test_ten_weeks_in_2024_by_the_ladder() -> None:
    told = cost(days("2023-12-31"), days("2024-03-10"), date(2024, 1, 1), date(2024, 12, 31), read_rates())
    # Weeks 1-4 at 20 % of 4,695, which is 939; weeks 5-10 at 60 %, which is 2,817.
    assert told.gross[0] == pytest.approx(10 * 4695)
    assert told.net[0] == pytest.approx(4 * 939 + 6 * 2817)
    assert (told.carried, told.carried_from) == ((), None)


def test_the_weeks_on_either_side_of_half_a_year_and_of_the_year() -> None:
    rates, start = read_rates(), days("2022-12-31")
    in_week = [
        cost(start, start + 7 * w, *((start + 7 * w)[0].astype(object),) * 2, rates).net[0] for w in (26, 27, 52, 53)
    ]
    # One day of each week at the rate of 2023: 60, 70, 70 and 80 % of 4,550 / 7 = 650; week 53 lies in 2024 at 4,695 / 7.
    assert in_week == pytest.approx([390, 455, 455, 0.8 * 4695 / 7])


def test_a_period_over_new_year_takes_each_days_own_rate() -> None:
    told = cost(days("2022-12-27"), days("2023-01-05"), date(2022, 12, 30), date(2023, 1, 3), read_rates())
    assert told.gross[0] == pytest.approx(2 * 4465 / 7 + 3 * 4550 / 7)


def test_a_year_without_a_rate_takes_the_last_one_and_says_so() -> None:
    told = cost(days("2025-12-31"), days("2026-01-07"), date(2025, 1, 1), date(2026, 12, 31), read_rates())
    assert told.gross[0] == pytest.approx(4695)
    assert (told.carried, told.carried_from) == ((2025, 2026), 2024)


def test_before_the_first_rate_and_before_a_whole_ladder_nothing_is_priced() -> None:
    old = cost(days("2009-03-01"), days("2009-06-01"), date(2009, 1, 1), date(2009, 12, 31), read_rates())
    assert np.isnan(old.gross[0])
    assert np.isnan(old.net[0])
    ladder = cost(days("2013-03-01"), days("2013-03-08"), date(2013, 1, 1), date(2013, 12, 31), read_rates())
    assert ladder.gross[0] == pytest.approx(4005)
    assert np.isnan(ladder.net[0])  # weeks 1-4 are in none of our sources


def test_a_case_that_knows_its_own_benefit_is_priced_by_it() -> None:
    told = cost(
        days("2009-03-01", "2023-12-31"),
        days("2009-03-08", "2024-01-07"),
        date(2009, 1, 1),
        date(2024, 12, 31),
        read_rates(),
        np.array([3000.0, 3000.0]),
    )
    assert told.gross.tolist() == pytest.approx([3000, 3000])
    assert told.net[1] == pytest.approx(600)


def test_days_outside_the_period_or_before_benefit_cost_nothing() -> None:
    told = cost(days("2024-02-01", "2025-01-01"), days("2024-01-20", "2025-02-01"), date(2024, 1, 1), date(2024, 12, 31), read_rates())  # fmt: skip
    assert told.gross.tolist() == [0.0, 0.0]
    assert told.net.tolist() == [0.0, 0.0]


def test_benefit_begins_after_the_waiting_days_of_the_date_and_the_status(register: Register) -> None:
    start = paid_from(register, read_rates())
    # 2025: 30 days for an employee and for an unknown status, 14 for the unemployed second case.
    assert (start - register.encoded.opened_on).astype(int).tolist() == [30, 14, 30, 30, 30]


@pytest.mark.parametrize(
    ("day", "waits"), [("2011-12-31", 21), ("2012-01-01", 30), ("2007-04-01", 14), ("2007-04-02", 15)]
)
def test_waiting_days_change_on_their_first_day(register: Register, day: str, waits: int) -> None:
    moved = replace(register, cases=register.cases.assign(opened_on=pd.Timestamp(day)))
    assert (paid_from(moved, read_rates())[0] - np.datetime64(day)).astype(int) == waits


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.replace("amount = 4005", "amount = -1"), "weekly.0.amount"),
        (lambda t: t.replace("currency", "money"), "currency"),
        (lambda t: t.replace("from_week = 5, until_week = 26", "from_week = 6, until_week = 26"), "begin in the week after"),
        (lambda t: t.replace("2015-01-05", "2012-01-05"), "dates of weekly must rise"),
        (lambda t: t.replace("unemployed = 14", "astronaut = 14"), "'astronaut' is not an employment status"),
        (lambda t: t.replace("default = 14", "employee = 14"), "days needs a default"),
        (lambda t: t + "[[[", "cannot be read"),
    ],
)  # fmt: skip
def test_rates_that_cannot_be_used_are_refused(tmp_path: Path, change: Callable[[str], str], complaint: str) -> None:
    shipped = (Path(__file__).parents[2] / "risk" / "rates.toml").read_text("utf-8")
    (tmp_path / "rates.toml").write_text(change(shipped), "utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_rates(tmp_path / "rates.toml")


def test_every_shipped_rate_and_ladder_names_its_source() -> None:
    rates = read_rates()
    assert isinstance(rates, Rates)
    assert all(part.source for parts in (rates.weekly, rates.ladder, rates.waiting) for part in parts)
    with pytest.raises(ConfigError, match=r"^rates nowhere\.toml cannot be read: No such file or directory$"):
        read_rates(Path("nowhere.toml"))
