"""Fairness: groups from outside the model, small numbers held back, and the harm counted as a case missed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from risk.register import Register
from training.fairness import COLUMNS, MEASURES, age_band, fairness, groups
from training.plan import Plan
from training.results import TrainingRun


def mondays_of(register: Register, n: int) -> pd.DataFrame:
    """One Monday with the first n cases of the register: every other one exceeded, the first half listed."""
    return pd.DataFrame(
        {
            "monday": [register.extract_on] * n,
            "position": np.arange(n),
            "person": np.arange(n),
            "p": np.where(np.arange(n) < n // 2, 0.6, 0.2),
            "held": np.where(np.arange(n) < n // 2, 1.0, 0.0),
            "outcome": (np.arange(n) % 2).astype(float),
            "w": np.ones(n),
        }
    )


def with_sex(register: Register, sex: list[str | None]) -> Register:
    n = len(sex)
    small = register.of_cases(np.arange(n))
    return Register(small.cases.assign(sex=pd.array(sex, dtype="str")), small.facts, small.extract_on)


def test_recall_is_the_share_of_a_groups_long_cases_that_were_listed(made: Register, quick_plan: Plan) -> None:
    register = with_sex(made, ["female"] * 100 + ["male"] * 100)
    table = fairness(register, mondays_of(register, 200), quick_plan)
    sex = table[table["attribute"] == "sex"].set_index("group")
    # The list holds the first half, which are the women.
    assert sex.loc["female", ["n", "n_exceed", "recall", "share_listed"]].tolist() == [100, 50, 1.0, 1.0]
    assert sex.loc["male", ["n", "n_exceed", "recall", "share_listed"]].tolist() == [100, 50, 0.0, 0.0]
    assert sex.loc["male", "long_rate_not_listed"] == 0.5
    assert sex.loc["male", "observed_minus_expected"] == pytest.approx(0.3)
    assert sex.loc["male", "base_rate_low"] < 0.5 < sex.loc["male", "base_rate_high"]


def test_of_a_group_listed_in_part_the_others_are_told_apart(made: Register, quick_plan: Plan) -> None:
    register = with_sex(made, ["female"] * 60 + ["male"] * 140)
    table = fairness(register, mondays_of(register, 200), quick_plan)
    men = table[table["attribute"] == "sex"].set_index("group").loc["male"]
    # Of 140 men 40 are listed, 20 of them long; of the 100 others 50.
    assert men["share_listed"] == pytest.approx(40 / 140)
    assert men["recall"] == pytest.approx(20 / 70)
    assert men["long_rate_not_listed"] == pytest.approx(50 / 100)


def test_groups_under_five_are_suppressed_and_under_fifty_only_named(made: Register, quick_plan: Plan) -> None:
    register = with_sex(made, ["female"] * 4 + ["male"] * 40 + [None] * 156)
    table = fairness(register, mondays_of(register, 200), quick_plan)
    sex = table[table["attribute"] == "sex"].set_index("group")
    assert sex.loc["female", "note"] == "suppressed"
    assert sex.loc["female", [*MEASURES, "n", "n_exceed"]].isna().all()
    assert sex.loc["male", "note"] == "too few to say"
    assert sex.loc["unknown", "note"] == ""


@pytest.mark.parametrize(("n", "note"), [(9, "suppressed"), (10, "too few to say")])
def test_five_are_enough_to_be_told_and_four_are_not(made: Register, quick_plan: Plan, n: int, note: str) -> None:
    register = with_sex(made, ["female"] * n + ["male"] * (200 - n))  # every other one exceeded: 4 of 9, 5 of 10
    table = fairness(register, mondays_of(register, 200), quick_plan)
    assert table[table["attribute"] == "sex"].set_index("group").loc["female", "note"] == note


def test_a_group_in_which_nearly_nobody_or_nearly_everybody_exceeded_is_suppressed_too(
    made: Register, quick_plan: Plan
) -> None:
    register = with_sex(made, ["female"] * 100 + ["male"] * 100)
    mondays = mondays_of(register, 200)
    mondays["outcome"] = np.where(np.arange(200) < 98, 1.0, np.arange(200) % 2)
    table = fairness(register, mondays, quick_plan).set_index(["attribute", "group"])
    assert table.loc[("sex", "female"), "note"] == "suppressed"
    assert table.loc[("sex", "male"), "note"] == ""


def test_cases_without_a_known_outcome_weigh_nothing_but_take_places(made: Register, quick_plan: Plan) -> None:
    register = with_sex(made, ["female"] * 200)
    mondays = mondays_of(register, 200)
    mondays.loc[mondays["outcome"] == 0, "w"] = 0.0
    row = fairness(register, mondays, quick_plan).set_index(["attribute", "group"]).loc[("sex", "female")]
    assert (row["base_rate"], row["recall"], row["share_listed"]) == (1.0, 0.5, 0.5)


def test_every_asked_attribute_is_there_and_illness_is_only_known_or_missing(
    whole_run: TrainingRun, made: Register
) -> None:
    table = whole_run.fairness
    assert list(table.columns) == COLUMNS
    assert set(table["attribute"]) == {
        "sex", "age_band", "origin", "district", "unemployment_fund", "employment_status", "illness_group",
    }  # fmt: skip
    assert set(table.loc[table["attribute"] == "illness_group", "group"]) <= {"known", "missing"}
    told = table[table["note"] == ""]
    assert told[list(MEASURES)].notna().all().all()


def test_the_illness_group_counts_as_missing_until_it_was_recorded(made: Register, quick_plan: Plan) -> None:
    facts = made.facts[made.facts["name"] == "illness_group"]
    known_on = facts[facts["case_id"] == facts["case_id"].iloc[0]]["known_on"].min()
    position = int(np.flatnonzero(made.cases["case_id"] == facts["case_id"].iloc[0])[0])
    looks = pd.DataFrame({"monday": [known_on, known_on + pd.Timedelta(days=1)], "position": [position, position]})
    assert groups(made, looks, quick_plan)["illness_group"].tolist() == ["missing", "known"]


def test_without_simulated_mondays_there_is_an_empty_table(made: Register, quick_plan: Plan) -> None:
    assert fairness(made, pd.DataFrame(), quick_plan).columns.tolist() == COLUMNS


def test_age_bands_meet_without_gap() -> None:
    assert age_band(np.array([29.9, 30.0, 59.9, 60.0]), (30, 60)).tolist() == [
        "under 30", "30-59", "30-59", "60 and over",
    ]  # fmt: skip
