"""The synthetic register is a register like an office's: two clocks, people with histories, facts on their days."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from risk import schema
from risk.errors import ConfigError
from risk.register import Register
from risk.synthetic import synthesise
from risk.synthetic.followups import TEAMS


@pytest.fixture(scope="module")
def register() -> Register:
    return synthesise(8_000, 17)[0]


@pytest.fixture(scope="module")
def delay(register: Register) -> pd.Series:
    """Days from opening to registration, by legal basis."""
    days = (register.cases["registered_on"] - register.cases["opened_on"]).dt.days
    return days.groupby(register.cases["benefit_basis"])


def facts_with_days(register: Register, name: str) -> pd.DataFrame:
    """Facts of one name with days after opening and after registration, and the case's columns."""
    facts = register.facts[register.facts["name"] == name]
    both = facts.merge(register.cases, on="case_id")
    return both.assign(
        day=(both["known_on"] - both["opened_on"]).dt.days,
        after=(both["known_on"] - both["registered_on"]).dt.days,
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_register() -> None:
    first, truth = synthesise(400, 5)
    again, truth_again = synthesise(400, 5)
    other, _ = synthesise(400, 6)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    pd.testing.assert_frame_equal(first.cases, again.cases, check_exact=True)
    pd.testing.assert_frame_equal(first.facts, again.facts, check_exact=True)
    pd.testing.assert_frame_equal(truth, truth_again, check_exact=True)


@pytest.mark.parametrize("n_cases", [1, 7, 1_000])
def test_a_register_holds_exactly_as_many_cases_as_asked_for(n_cases: int) -> None:
    register, truth = synthesise(n_cases, 1)
    assert len(register) == n_cases
    assert set(truth["case_id"]) <= set(register.cases["case_id"])


def test_the_register_is_marked_as_made_up_and_no_id_looks_like_a_person(register: Register) -> None:
    assert register.is_synthetic
    assert register.source == "synthetic"
    assert register.cases["case_id"].str.fullmatch(r"SYN\d{6}").all()
    assert register.cases["person_key"].str.fullmatch(r"SYN-P\d{6}").all()


def test_every_declared_attribute_but_the_one_known_afterwards_is_there(register: Register) -> None:
    declared = {name for name, a in schema.case_attributes().items() if a.known != "closing"}
    assert declared <= set(register.cases.columns)
    assert "medical_cost_total" not in register.cases.columns
    old = {"match_category", "extension_ground"}  # retired, and a decision; no made-up office records them
    assert set(register.facts["name"]) == set(schema.fact_attributes()) - old


def test_employees_are_registered_after_four_to_five_weeks_and_the_unemployed_after_two(delay: pd.Series) -> None:
    # Domain brief 2: employers report after the 30 days they pay, within five weeks; the fund pays the first two weeks.
    assert delay.get_group("employee").min() >= 30
    assert 4 <= delay.get_group("employee").median() / 7 <= 5.5
    assert delay.get_group("employee").max() <= 30 + 35
    assert delay.get_group("unemployed").between(14, 21).all()
    assert delay.get_group("late_notice").min() >= 63


def test_no_case_closes_before_the_office_knew_of_it(register: Register) -> None:
    closed = register.cases[register.cases["closed_on"].notna()]
    assert (closed["closed_on"] > closed["registered_on"]).all()


def test_cases_begin_throughout_the_five_years_before_the_extract(register: Register) -> None:
    opened = register.cases["opened_on"]
    assert opened.min() >= pd.Timestamp("2021-11-14")
    assert register.cases["registered_on"].max() < pd.Timestamp("2026-11-16")
    per_year = opened.dt.year.value_counts(normalize=True)
    assert per_year.loc[2022:2025].between(0.16, 0.24).all()


def test_days_are_days_and_not_whole_weeks(register: Register) -> None:
    days = (register.cases["closed_on"] - register.cases["opened_on"]).dt.days.dropna()
    assert np.allclose(np.bincount((days % 7).astype(int)) / len(days), 1 / 7, atol=0.025)


def test_facts_are_recorded_between_registration_and_closing(register: Register) -> None:
    facts = register.facts.merge(register.cases[["case_id", "registered_on", "closed_on"]], on="case_id")
    assert (facts["known_on"] >= facts["registered_on"]).all()
    assert (facts["known_on"] < facts["closed_on"].fillna(pd.Timestamp(register.extract_on))).all()
    assert not register.facts.duplicated().any()


def test_the_form_comes_in_weeks_one_to_three_and_brings_its_answers(register: Register) -> None:
    form = facts_with_days(register, "form_received")
    assert form["after"].between(5, 21).all()
    answers = facts_with_days(register, "expected_recovery").merge(form[["case_id", "known_on"]], on="case_id")
    assert len(answers) == len(facts_with_days(register, "expected_recovery"))
    assert (answers["known_on_x"] == answers["known_on_y"]).all()


def test_certificates_come_in_weeks_six_to_eight_and_statements_from_week_four(register: Register) -> None:
    gp = facts_with_days(register, "gp_prognosis")
    assert gp["day"].min() >= 42
    assert np.mean(gp["day"] <= 56) > 0.85  # later only where the office itself learned late of the case
    assert facts_with_days(register, "possibility_statement")["day"].min() >= 28


def test_the_form_is_missing_more_often_where_it_will_take_long() -> None:
    # Missing not at random: among cases open at week 13, those without a form pass week 52 more often.
    register, truth = synthesise(20_000, 3)
    at_13 = truth[truth["landmark"] == "13"].set_index("case_id")["exceeds_52w"]
    with_form = at_13.index.isin(register.facts.loc[register.facts["name"] == "form_received", "case_id"])
    assert at_13[~with_form].mean() > at_13[with_form].mean() + 0.02
    mental = register.facts[register.facts["name"] == "illness_group"]["value"].eq("mental").mean()
    assert mental < 0.29  # recorded less often than it is there (30 % and more past week 8)


def test_one_visit_category_less_in_2025_and_none_after(register: Register) -> None:
    category = facts_with_days(register, "visitation_category")
    assert category["known_on"].max() < pd.Timestamp("2026-01-01")
    assert set(category.loc[category["known_on"] >= "2025-01-01", "value"]) == {"1", "2"}
    assert set(category.loc[category["known_on"] < "2025-01-01", "value"]) == {"1", "2", "3"}


def test_nine_in_ten_first_interviews_are_held_in_time_and_teams_differ(register: Register) -> None:
    # Due by the end of week 8; cases open past that week and known two weeks before it.
    cases = register.cases
    until = cases["closed_on"].fillna(pd.Timestamp(register.extract_on))
    due = cases[
        (until - cases["opened_on"] > pd.Timedelta(77, "D"))
        & (cases["registered_on"] - cases["opened_on"] <= pd.Timedelta(42, "D"))
    ]
    first = facts_with_days(register, "follow_up_held").groupby("case_id")["day"].min()
    in_time = due["case_id"].map(first).le(56)
    assert in_time.mean() == pytest.approx(0.90, abs=0.03)
    by_team = in_time.groupby(due["team"]).mean()
    assert by_team["Nord 1"] > by_team["Syd 3"] + 0.05
    assert set(by_team.index) == set(TEAMS)


def test_follow_up_goes_on_every_four_weeks(register: Register) -> None:
    held = facts_with_days(register, "follow_up_held").sort_values(["case_id", "day"])
    gaps = held.groupby("case_id")["day"].diff().dropna()
    assert 21 <= gaps.median() <= 28
    assert gaps.min() >= 21


def test_people_fall_ill_again_without_overlap_and_with_a_history_that_shows_it(register: Register) -> None:
    cases = register.cases.sort_values(["person_key", "opened_on"])
    before = cases.groupby("person_key")[["opened_on", "closed_on", "age_years", "close_reason", "sex", "team"]].shift()
    again = before["opened_on"].notna()
    assert 0.08 < again.mean() < 0.30
    later, earlier = cases[again], before[again]
    assert (later["opened_on"] > earlier["closed_on"]).all()
    assert (later["sex"] == earlier["sex"]).all()
    assert (later["team"] == earlier["team"]).all()
    years = (later["opened_on"] - earlier["opened_on"]).dt.days / 365.25
    assert (later["age_years"] - earlier["age_years"] - np.floor(years)).abs().max() <= 1
    recent = later["opened_on"] - earlier["closed_on"] < pd.Timedelta(730, "D")
    assert (later.loc[recent, "n_spells_24m"] >= 1).all()
    weeks = (earlier["closed_on"] - earlier["opened_on"]).dt.days / 7
    fresh = later["opened_on"] - earlier["closed_on"] < pd.Timedelta(90, "D")
    assert (later.loc[fresh, "benefit_weeks_12m"] >= np.minimum(weeks[fresh], 38) - 1).all()
    assert not earlier["close_reason"].isin(["death", "moved_away", "age_pension", "disability_pension"]).any()


def test_a_case_that_meets_the_reassessment_ends_in_a_course_only_while_that_law_holds() -> None:
    cap = synthesise(3_000, 2, extract_on=date(2012, 8, 1))[0].cases
    assert "clarification" not in set(cap["close_reason"].dropna())
    assert "duration_limit" in set(cap["close_reason"].dropna())
    none = synthesise(3_000, 2, extract_on=date(2033, 8, 1))[0].cases
    assert {"clarification", "duration_limit"}.isdisjoint(none["close_reason"].dropna())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n_cases": 0}, "number of cases"),
        ({"n_cases": 1_000_000}, "number of cases"),
        ({"seed": -1}, "seed"),
        ({"scenario": "chaos"}, "choose plain, drift or regime"),
        ({"years": 0.1}, "years"),
        ({"switch_on": date(2025, 1, 1)}, "scenarios regime and drift"),
        ({"only_new": True}, "scenarios regime and drift"),
        ({"law": "gravity"}, "cap, reassessment or none"),
        ({"pace": 0.6}, "scenario drift"),
        ({"pace": 0.0, "scenario": "drift"}, "above 0"),
        ({"pace": float("nan"), "scenario": "drift"}, "above 0"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        synthesise(**({"n_cases": 10, "seed": 1} | wrong))  # type: ignore[arg-type]  # kinds mixed in a dict, wrong ones among them


def test_the_day_of_the_drift_can_be_chosen() -> None:
    day = date(2023, 1, 1)
    plain, _ = synthesise(4_000, 4)
    drifting, _ = synthesise(4_000, 4, scenario="drift", switch_on=day)
    unemployed = [r.cases["employment_status"] == "unemployed" for r in (plain, drifting)]
    after = [r.cases["opened_on"] >= pd.Timestamp(day) for r in (plain, drifting)]
    shares = [(u[a].mean(), u[~a].mean()) for u, a in zip(unemployed, after, strict=True)]
    assert shares[1][0] > shares[0][0] + 0.03
    assert abs(shares[1][1] - shares[0][1]) < 0.02


def test_the_switch_of_the_regime_can_be_chosen() -> None:
    register, _ = synthesise(4_000, 4, scenario="regime", switch_on=date(2024, 1, 1))
    closed = register.cases.dropna(subset="closed_on")
    limit = closed[closed["close_reason"] == "duration_limit"]
    course = closed[closed["close_reason"] == "clarification"]
    assert len(limit) > 20
    assert limit["closed_on"].max() <= pd.Timestamp("2024-01-01")
    assert course["closed_on"].min() >= pd.Timestamp("2024-01-01")
