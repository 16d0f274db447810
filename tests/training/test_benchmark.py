"""The Slagelse table of a register made by hand, every number worked out; and what it does not tell."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.__main__ import main
from risk.errors import AsOfError, ConfigError
from risk.outcomes import read_outcome_definition
from risk.rates import read_rates
from risk.register import Register, make_register, write_register
from training.benchmark_measures import Cell, Period, measure
from training.benchmark_table import as_facts, benchmark, in_words, shown

YEAR = Period(date(2024, 1, 1), date(2024, 12, 31))
OUTCOME, RATES = read_outcome_definition(), read_rates()
# Six unemployed persons ill from new year, benefit from day 15, well again in week 10; five long ill since January 2023; five
# ill from July and still so. All unemployed: the municipality pays after 14 days.
SHORT = ("2024-01-01", "2024-01-15", "2024-03-11", "recovered")
LONG = ("2023-01-02", "2023-01-20", None, None)
SUMMER = ("2024-07-01", "2024-07-15", None, None)


def made(rows: list[tuple[str, str, str | None, str | None]], persons: list[str] | None = None) -> Register:
    cases = pd.DataFrame(rows, columns=["opened_on", "registered_on", "closed_on", "close_reason"]).assign(
        case_id=[f"SYN{i:06d}" for i in range(len(rows))],
        person_key=persons or [f"p{i}" for i in range(len(rows))],
        office="Nordby",
        team="A",
        employment_status="unemployed",
    )
    facts = pd.DataFrame(columns=["case_id", "known_on", "name", "value"])
    return make_register(cases, facts, date(2025, 6, 2), source="by hand", is_synthetic=True)


@pytest.fixture(scope="module")
def sixteen() -> Register:
    return made([SHORT] * 6 + [LONG] * 5 + [SUMMER] * 5)


def test_every_number_of_sixteen_spells_by_hand(sixteen: Register) -> None:
    told = {n: c.value for n, c in measure(sixteen, YEAR, OUTCOME, RATES, 1000).items()}
    # Days on benefit in 2024: 15 January to 11 March is 56, the whole leap year 366, 15 July to 31 December 169.
    n_days = 6 * 56 + 5 * 366 + 5 * 169
    assert told["n_spells"] == told["n_persons"] == 16
    assert told["persons_share"] == 0.016
    assert told["average_share"] == pytest.approx(n_days / 366 / 1000)
    assert told["weeks_in_period"] == pytest.approx(n_days / 7 / 16)
    assert told["weeks_completed"] == 8.0
    # Ten spells run at the end of the year; the five of 2023 are past week 52.
    assert told["running_past"] == 0.5
    # Eleven are watched in week 10 and six of them close; nobody closes later, and the five of 2023 are seen past week 52.
    assert told["begun_past"] == pytest.approx(5 / 11)
    assert told["in_work"] is None
    assert told["no_new_spell"] == 1.0
    day = 4695 / 7
    short = day * (28 * 0.2 + 28 * 0.6)
    # From 16 January 2023, new year's day is day 350 of benefit: 15 days up to week 52, 351 after it.
    long = day * (15 * 0.7 + 351 * 0.8)
    summer = day * (28 * 0.2 + 141 * 0.6)
    assert told["gross_per_spell"] == pytest.approx(n_days * day / 16)
    assert told["net_per_spell"] == pytest.approx((6 * short + 5 * long + 5 * summer) / 16)
    assert told["net_per_workforce"] == pytest.approx((6 * short + 5 * long + 5 * summer) / 1000)


def test_whoever_is_past_the_horizon_when_registered_counts_as_past_it() -> None:
    late = ("2022-01-03", "2024-02-01", None, None)
    told = measure(made([SHORT] * 6 + [LONG] * 5 + [SUMMER] * 5 + [late] * 5), YEAR, OUTCOME, RATES)
    assert told["begun_past"].value == pytest.approx((11 * 5 / 11 + 5) / 16)


def test_whoever_still_waits_for_benefit_is_not_a_running_spell() -> None:
    waiting = ("2024-12-18", "2024-12-19", None, None)  # benefit from 2 January
    told = measure(made([LONG] * 5 + [SUMMER] * 5 + [waiting] * 5), YEAR, OUTCOME, RATES)
    assert (told["running_past"].value, told["running_past"].n, told["n_spells"].value) == (0.5, 10, 10)


def test_before_the_office_knows_of_a_case_it_is_not_watched() -> None:
    # Registered after the six have closed: these five say nothing of week 10.
    later = ("2024-01-01", "2024-04-01", None, None)
    told = measure(made([SHORT] * 6 + [LONG] * 5 + [SUMMER] * 5 + [later] * 5), YEAR, OUTCOME, RATES)["begun_past"]
    assert told.value == pytest.approx((11 * 5 / 11 + 5 * 1.0) / 16)


def test_whoever_moves_away_is_censored_and_not_closed() -> None:
    moved = (*SHORT[:3], "moved_away")
    told = measure(made([SHORT] * 6 + [LONG] * 5 + [SUMMER] * 5 + [moved] * 11), YEAR, OUTCOME, RATES)
    assert told["begun_past"].value == pytest.approx(16 / 22)  # in week 10 they were watched, and did not close
    assert told["weeks_completed"].n == 6
    assert told["no_new_spell"].n == 6


def test_a_new_case_within_three_months_is_found_and_one_day_later_is_not() -> None:
    # 11 March and 92 days is 11 June.
    again = [("2024-06-11", "2024-06-20", "2024-08-01", "recovered")] * 5
    after = [("2024-06-12", "2024-06-20", "2024-08-01", "recovered")] * 5
    persons = [f"p{i}" for i in range(10)]
    march = Period(date(2024, 3, 11), date(2024, 3, 11))
    told = measure(made([SHORT] * 10 + again + after, persons * 2), march, OUTCOME, RATES)["no_new_spell"]
    assert (told.value, told.n) == (0.5, 10)


def test_closings_too_late_to_be_followed_are_left_out(sixteen: Register) -> None:
    # The extract is of 2 June 2025: 92 and 56 days before it is 5 January.
    late = made([("2025-01-06", "2025-01-08", "2025-02-10", "recovered")] * 8)
    told = measure(late, Period(date(2025, 1, 1), date(2025, 5, 31)), OUTCOME, RATES)["no_new_spell"]
    assert told.value is None
    assert "not known yet" in told.note


def test_nobody_followed_past_the_horizon_means_not_known() -> None:
    told = measure(made([SHORT] * 6 + [SUMMER] * 5), YEAR, OUTCOME, RATES)["begun_past"]
    assert told.value is None
    assert "followed past week 52" in told.note


def test_counts_under_five_are_not_shown() -> None:
    told = measure(made([SHORT] * 4), YEAR, OUTCOME, RATES, 1000)
    assert all(c.value is None for c in told.values())
    assert shown(told["n_spells"], "amount") == "<5"
    # Four of nine running spells past week 52, and four of nine within it: both would tell of fewer than five.
    for n_long, n_summer in ((4, 5), (5, 4)):
        assert measure(made([LONG] * n_long + [SUMMER] * n_summer), YEAR, OUTCOME, RATES)["running_past"].value is None
    assert measure(made([SUMMER] * 9), YEAR, OUTCOME, RATES)["running_past"].value == 0.0


def test_without_a_workforce_or_a_rate_the_table_says_what_to_give(sixteen: Register) -> None:
    told = measure(sixteen, YEAR, OUTCOME, RATES)
    assert "--workforce" in told["persons_share"].note
    old = made([("2009-01-05", "2009-01-12", "2009-06-01", "recovered")] * 6)
    cell = measure(old, Period(date(2009, 1, 1), date(2009, 9, 30)), OUTCOME, RATES)["net_per_spell"]
    assert cell == Cell(None, None, "not known: no rate, or no state share for all weeks, in the rates file")


def test_periods_that_cannot_be_measured_are_refused(sixteen: Register) -> None:
    with pytest.raises(AsOfError, match="end it on 2025-06-01 or earlier"):
        measure(sixteen, Period(date(2025, 1, 1), date(2025, 6, 2)), OUTCOME, RATES)
    with pytest.raises(ConfigError, match="before it begins"):
        measure(sixteen, Period(date(2024, 2, 1), date(2024, 1, 1)), OUTCOME, RATES)
    with pytest.raises(ConfigError, match="workforce of 0"):
        measure(sixteen, YEAR, OUTCOME, RATES, 0)


def test_the_order_of_the_cases_does_not_matter(sixteen: Register) -> None:
    order = np.random.default_rng(1).permutation(len(sixteen))
    mixed = make_register(
        sixteen.cases.iloc[order].reset_index(drop=True), sixteen.facts, sixteen.extract_on, source="by hand"
    )
    there, here = measure(mixed, YEAR, OUTCOME, RATES, 1000), measure(sixteen, YEAR, OUTCOME, RATES, 1000)
    assert {n: c.value for n, c in there.items()} == pytest.approx({n: c.value for n, c in here.items()})


def test_the_table_stands_beside_the_published_figures_with_its_warnings(sixteen: Register) -> None:
    found = benchmark(sixteen, OUTCOME, RATES, None, 1000)
    assert [p.label for p in found.periods] == ["2024"]  # the register begins in January 2023, after new year's day
    text = in_words(found)
    for said in ("Slagelse 2009", "3.5-4.2 %", "7-23 %", "6,993", "do not share a denominator", "not known in this register",
                 "andel af arbejdsstyrken", "less than 52 weeks before this period", "made up"):  # fmt: skip
        assert said in " ".join(text.split()), said
    facts = as_facts(found)
    assert facts["periods"][0]["cells"]["running_past"]["value"] == 0.5
    json.dumps(facts, allow_nan=False)
    assert "2025 at an earlier year's rate" in in_words(
        benchmark(sixteen, OUTCOME, RATES, [Period(date(2024, 6, 1), date(2025, 5, 31))])
    )


def test_the_command_prints_writes_and_refuses(
    sixteen: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_register(sixteen, tmp_path / "reg")

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["benchmark", str(tmp_path / "reg"), *map(str, args)])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    out_file = tmp_path / "table.json"
    status, out, _ = run("--workforce", 1000, "--period", "2024-01-01", "2024-12-31", "--out", out_file)
    assert status == 0
    assert "of spells running on the last day" in out
    assert json.loads(out_file.read_text("utf-8"))["workforce"] == 1000
    status, out, _ = run("--json")
    assert json.loads(out)["periods"][0]["from"] == "2024-01-01"
    for args, exit_status in (
        (("--period", "2025-01-01", "2025-12-31"), 7),
        (("--period", "2024-12-31", "2024-01-01"), 6),
        (("--workforce", "-3"), 6),
        (("--rates", "nowhere.toml"), 6),
        (("--out", tmp_path), 12),
        (("--period", "2024-01-01", "x"), 2),
    ):
        status, out, err = run(*args)
        assert (status, out) == (exit_status, ""), args
        assert "Traceback" not in err
