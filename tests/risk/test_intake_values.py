"""Dates, numbers, flags, codes and persons as offices write them; what can be read in two ways is not read."""

from __future__ import annotations

from datetime import date

import pytest

from risk.errors import ConfigError
from risk.intake.mapping import Reading, normal_code, normal_heading
from risk.intake.pseudonym import key_from, masked, pseudonym
from risk.intake.values import (
    code_reader,
    days_of,
    number_reader,
    read_date,
    read_flag,
    read_person,
    skipping_blanks,
)

DANISH = number_reader(Reading(), 0, 1e6)
ENGLISH = number_reader(Reading(decimal=".", thousand=""), 0, 1e6)


@pytest.mark.parametrize(
    "text",
    ["31-12-2025", "31.12.2025", "31/12/2025", "20251231", "2025-12-31", "2025-12-31 00:00:00", "31-12-2025 07:30"],
)
def test_every_way_of_writing_a_day_gives_the_same_day(text: str) -> None:
    assert read_date(text).value == date(2025, 12, 31)


def test_the_first_and_the_last_day_that_are_read() -> None:
    assert read_date("01-01-1900").value == date(1900, 1, 1)
    assert read_date("31-12-2100").value == date(2100, 12, 31)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("31-12-25", "not a date"),  # a year of two digits
        ("12/31/2025", "no such day"),  # month first is never tried
        ("31122025", "date outside 1900-2100"),  # read as yyyymmdd only
        ("30-02-2025", "no such day"),
        ("31-12-1899", "date outside 1900-2100"),
        ("01-01-2101", "date outside 1900-2100"),
        ("45992", "not a date"),  # a spreadsheet's day number
        ("2025-12-31T23:30Z", "not a date"),  # another day in Denmark
        ("31-12.2025", "not a date"),
        ("uge 12", "not a date"),
    ],
)
def test_a_day_that_could_be_another_is_refused(text: str, problem: str) -> None:
    assert read_date(text).problem == problem


@pytest.mark.parametrize("text", ["31-12-9999", "9999-12-31", "99991231", "31.12.9999"])
def test_the_year_9999_means_open(text: str) -> None:
    assert read_date(text).value is None
    assert read_date(text).problem is None


@pytest.mark.parametrize(("text", "number"), [("1.234,5", 1234.5), ("1234,5", 1234.5), ("1.234", 1234.0), ("37", 37.0)])
def test_danish_numbers_have_a_decimal_comma_and_a_thousand_dot(text: str, number: float) -> None:
    assert DANISH(text).value == number


@pytest.mark.parametrize("text", ["37.5", "1.23", "0.750", "1,234.5", "37 timer", "12.34.567", "", "1e400", "nan"])
def test_a_number_in_other_signs_is_refused(text: str) -> None:
    assert DANISH(text).problem is not None


def test_english_numbers_have_a_decimal_point_and_no_thousands() -> None:
    assert ENGLISH("404.95").value == 404.95
    assert ENGLISH("1,234").problem is not None


def test_a_number_outside_its_range_is_refused_or_left_blank_as_the_mapping_says() -> None:
    assert number_reader(Reading(), 15, 75)("12").problem == "number outside 15 to 75"
    left_blank = number_reader(Reading(), 15, 75, "blank")("12")
    assert (left_blank.value, left_blank.problem) == (None, None)
    assert left_blank.note is not None


@pytest.mark.parametrize(("text", "flag"), [("J", True), ("ja", True), ("1", True), ("TRUE", True), ("1,0", True)])
def test_yes_is_written_in_many_ways(text: str, flag: bool) -> None:
    assert read_flag(text).value is flag


@pytest.mark.parametrize("text", ["N", "Nej", "0", "false", "0.0"])
def test_no_is_written_in_many_ways(text: str) -> None:
    assert read_flag(text).value is False


@pytest.mark.parametrize("text", ["y", "2", "ja?", "x"])
def test_neither_yes_nor_no_is_refused(text: str) -> None:
    assert read_flag(text).problem == "not yes or no"


@pytest.mark.parametrize("text", ["", "  ", "NULL", "null", "-", "\xa0"])
def test_blank_signs_are_no_value(text: str) -> None:
    read = skipping_blanks(read_date, Reading())(text)
    assert (read.value, read.problem) == (None, None)


def test_an_unknown_code_becomes_unknown_only_where_the_mapping_says_so() -> None:
    levels = {"k": "female", "1": "low"}
    assert code_reader(levels, None)("X").problem == "unknown code"
    assert code_reader(levels, "unknown")("X").value == "unknown"
    assert code_reader(levels, None)(" K ").value == "female"
    assert code_reader(levels, None)("1.0").value == "low"


@pytest.mark.parametrize("text", ["0101801234", "010180-1234", "010180 1234", "101801234", "10180-1234"])
def test_a_cpr_number_is_the_same_person_however_it_is_written(text: str) -> None:
    assert read_person(text).value == "0101801234"


@pytest.mark.parametrize("text", ["0001801234", "3213801234", "01018012345", "1018012", "SYN12", "abc", "010180-123"])
def test_what_is_no_cpr_number_is_refused(text: str) -> None:
    assert read_person(text).problem == "not a CPR number"


def test_headings_and_codes_are_compared_without_case_and_danish_letters() -> None:
    assert normal_heading("  FØRSTE  Fraværsdag ") == "foerste_fravaersdag"
    assert normal_heading("Ophørsa\u030arsag") == "ophoersaarsag"  # å as a and a ring of its own
    assert normal_code("KRÆFT") == "kraeft"


def test_a_pseudonym_depends_on_the_key_and_holds_nothing_of_the_number() -> None:
    one, other = pseudonym("0101801234", b"a" * 32), pseudonym("0101801234", b"b" * 32)
    assert one != other
    assert len(one) == 64
    assert "0101801234" not in one


def test_no_key_or_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="RISK_CPR_KEY is not set"):
        key_from({})
    with pytest.raises(ConfigError, match="31 bytes"):
        key_from({"RISK_CPR_KEY": "k" * 31})
    assert key_from({"RISK_CPR_KEY": "k" * 32}) == b"k" * 32


@pytest.mark.parametrize("text", ["0101801234", "010180-1234", "010180 - 1234", "101801234", "x 010180-1234 y"])
def test_whatever_looks_like_a_cpr_number_is_masked(text: str) -> None:
    assert "1234" not in masked(text)


@pytest.mark.parametrize("text", ["2026-01-05", "20260105", "05.01.2026", "sag 1234", "4500,75"])
def test_dates_and_amounts_are_not_masked(text: str) -> None:
    assert masked(text) == text


def test_parts_of_a_day_are_rounded_up_and_whole_weeks_are_not() -> None:
    assert [days_of(w, "weeks") for w in (0.0, 0.25, 1.0, 52.0, 53.0, 1 / 7)] == [0, 2, 7, 364, 371, 1]
