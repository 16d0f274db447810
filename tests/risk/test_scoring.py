"""Scoring and reasons, with a model made by hand so that the expected numbers are known."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk import features, scoring
from risk.errors import AsOfError, CaseDataError
from risk.outcomes import read_outcome_definition
from risk.reasons import explain
from risk.register import Register, make_register

DAY = date(2025, 8, 11)


class HalvingModel:
    """P(open) halves every 26 weeks; unemployment adds 1 to the log-odds, each hour of work takes 0.05 away."""

    version = "by-hand"

    def __init__(self, required: list[str] | None = None) -> None:
        self.meta: dict[str, Any] = {
            "features": ["age_weeks", "employment_status", "weekly_hours", "expected_recovery"],
            "outcome": read_outcome_definition().model_dump(mode="json"),
            "required": required or [],
            "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        }

    def survival(self, X: pd.DataFrame, weeks: Any, entry: Any = None) -> np.ndarray:
        return 0.5 ** (np.maximum(np.asarray(weeks)[None, :] - np.asarray(entry)[:, None], 0.0) / 26.0)

    def contributions(self, X: pd.DataFrame, week: float, entry: Any = None) -> pd.DataFrame:
        out = pd.DataFrame(0.0, index=X.index, columns=[*X.columns, "base"])
        out["employment_status"] = (X["employment_status"] == "unemployed").astype(float)
        out["weekly_hours"] = -0.05 * X["weekly_hours"].fillna(0.0)
        out["expected_recovery"] = np.where(X["expected_recovery"] == "unknown", 0.05, 2.0)
        return out


def test_scores_are_given_what_was_known_and_the_age_of_the_case(register: Register) -> None:
    frame = scoring.score(register, DAY, HalvingModel()).frame.set_index("case_id")
    assert list(frame.index) == ["SYN000002", "SYN000003", "SYN000004"]
    age = (216, 160, 69)  # days survived: opened 6 Jan, 3 Mar and 2 Jun; the 11 August itself has not passed
    np.testing.assert_allclose(frame["age_weeks"] * 7, age)
    np.testing.assert_allclose(frame["p_exceed_52w"], [0.5 ** ((364 - a) / 182) for a in age])
    np.testing.assert_allclose(frame["base_rate"], [0.1 + 0.8 * a / 364 for a in age])


def test_horizons_already_passed_have_no_probability(register: Register) -> None:
    frame = scoring.score(register, DAY, HalvingModel()).frame.set_index("case_id")
    # 216 days are 30.9 weeks, 69 days are 9.9.
    assert frame.loc["SYN000002", ["p_exceed_8w", "p_exceed_13w", "p_exceed_22w", "p_exceed_26w"]].isna().all()
    assert np.isnan(frame.loc["SYN000004", "p_exceed_8w"])
    assert frame.loc["SYN000004", "p_exceed_13w"] > frame.loc["SYN000004", "p_exceed_52w"]


def test_a_case_past_the_horizon_is_listed_without_a_score(register: Register) -> None:
    frame = scoring.score(register, date(2026, 2, 2), HalvingModel()).frame.set_index("case_id")
    assert frame.loc["SYN000002", "status"] == "past_horizon"
    assert np.isnan(frame.loc["SYN000002", "p_exceed_52w"])
    assert np.isnan(frame.loc["SYN000002", "base_rate"])


def test_a_case_that_lacks_what_the_model_never_missed_gets_no_score_and_a_reason(register: Register) -> None:
    frame = scoring.score(register, DAY, HalvingModel(required=["employment_status", "weekly_hours"])).frame
    by_id = frame.set_index("case_id")
    assert by_id["status"].to_dict() == {"SYN000002": "abstained", "SYN000003": "scored", "SYN000004": "abstained"}
    assert by_id.loc["SYN000002", "abstain_reason"] == "weekly_hours"
    assert by_id.loc["SYN000004", "abstain_reason"] == "employment_status"
    assert by_id["p_exceed_52w"].isna().tolist() == [True, False, True]


def test_named_cases_are_scored_in_the_order_named(register: Register) -> None:
    scores = scoring.score(register, DAY, HalvingModel(), case_ids=["SYN000004", "SYN000002"])
    assert scores.frame["case_id"].tolist() == ["SYN000004", "SYN000002"]


def test_a_named_case_that_is_not_open_is_refused_without_its_id(register: Register) -> None:
    with pytest.raises(CaseDataError, match="1 of 2 named cases are not open") as caught:
        scoring.score(register, DAY, HalvingModel(), case_ids=["SYN000004", "SYN000001"])
    assert "SYN000001" not in str(caught.value)


def test_a_day_with_no_open_case_gives_an_empty_table(register: Register) -> None:
    scores = scoring.score(register, date(2024, 1, 1), HalvingModel(required=["weekly_hours"]))
    assert len(scores.frame) == 0
    assert "p_exceed_52w" in scores.frame.columns
    with pytest.raises(AsOfError):
        scoring.score(register, date(2030, 1, 1), HalvingModel())


def test_reasons_are_sentences_in_two_languages_strongest_first_with_the_day_they_were_recorded(
    register: Register,
) -> None:
    told = explain(register, DAY, HalvingModel(), ["SYN000002", "SYN000003"])
    first, second = told["SYN000002"]
    assert (first.feature, first.direction) == ("expected_recovery", "up")
    assert first.text_da == "Forventer selv at være rask efter mere end 26 uger"
    assert first.text("en") == "Expects to be well after more than 26 weeks"
    assert first.known_on == date(2025, 5, 5)
    assert (second.text_en, second.direction, second.known_on) == ("Employment: unemployed", "up", None)
    (only,) = told["SYN000003"]
    assert (only.text_da, only.direction) == ("Arbejder 30 timer om ugen", "down")


def test_a_weak_contribution_is_not_called_a_reason_and_no_more_are_given_than_asked(register: Register) -> None:
    assert len(explain(register, DAY, HalvingModel(), ["SYN000002"], n=1)["SYN000002"]) == 1
    # What is not known weighs 0.05 here: under a tenth of a log-odd.
    assert explain(register, DAY, HalvingModel(), ["SYN000003"])["SYN000003"][0].feature != "expected_recovery"


def test_a_protected_attribute_is_never_given_as_a_reason(register: Register) -> None:
    class Ageist(HalvingModel):
        def contributions(self, X: pd.DataFrame, week: float, entry: Any = None) -> pd.DataFrame:
            return super().contributions(X, week, entry).assign(sex=9.0)

    model = Ageist()
    model.meta["features"] = [*model.meta["features"], "sex"]
    assert all(r.feature != "sex" for r in explain(register, DAY, model, ["SYN000002"])["SYN000002"])


def test_a_case_past_the_horizon_has_no_reasons(register: Register) -> None:
    assert explain(register, date(2026, 2, 2), HalvingModel(), ["SYN000002"]) == {"SYN000002": []}


def test_who_has_objected_gets_no_score(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = tables
    said = pd.DataFrame([("SYN000003", "2025-08-01", "objection", "true")], columns=list(facts.columns))
    register = make_register(cases, pd.concat([facts, said], ignore_index=True), date(2026, 11, 16))
    frame = scoring.score(register, DAY, HalvingModel()).frame.set_index("case_id")
    assert frame.loc["SYN000003", ["status", "abstain_reason"]].tolist() == ["abstained", "objection"]
    assert np.isnan(frame.loc["SYN000003", "p_exceed_52w"])
    assert scoring.score(register, date(2025, 8, 1), HalvingModel()).frame["status"].tolist() == ["scored"] * 3


def test_a_number_is_said_the_same_every_time_and_nothing_has_no_sign() -> None:
    hours = features.catalogue()["weekly_hours"]
    said = ("Arbejder 0 timer om ugen", "Works 0 hours a week")
    assert [hours.text_of(value) for value in (0.0, -0.0, 0.0)] == [said] * 3
    assert hours.text_of(1234.0) == ("Arbejder 1.234 timer om ugen", "Works 1,234 hours a week")
    assert hours.text_of(float("nan"))[1] == "Weekly hours is not known"
