from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.errors import AsOfError, ConfigError
from risk.outcomes import OutcomeDefinition, Reasons, observe, read_outcome_definition
from risk.register import Register

SHIPPED = read_outcome_definition()


def test_the_shipped_definition_is_52_weeks_of_absence_with_moved_away_censored() -> None:
    assert (SHIPPED.horizon_weeks, SHIPPED.clock) == (52, "absence")
    assert SHIPPED.horizons_weeks == (8, 13, 22, 26, 52)
    assert SHIPPED.reasons.censoring == ("moved_away",)


def test_outcomes_follow_the_definition(register: Register) -> None:
    y = observe(register.cases, SHIPPED, register.extract_on)
    # 1: 63 days to closing. 2: open, 678 days survived by 15 Nov 2026. 3: moved on day 365, known open to day 364.
    # 4: flexjob on day 365 is a closing. 5: open since 7 Sep 2026, 69 days survived.
    assert y["closed"].tolist() == [True, False, False, True, False]
    np.testing.assert_allclose(y["weeks"] * 7, [63, 678, 364, 365, 69], atol=1e-9)


def test_a_case_that_closes_on_or_after_the_cut_date_is_censored_there(register: Register) -> None:
    known = register.cases.iloc[:4]
    y = observe(known, SHIPPED, date(2026, 3, 3))
    assert y["closed"].tolist() == [True, False, False, False]
    assert y["weeks"][2] * 7 == pytest.approx(364)
    assert y["weeks"][3] * 7 == pytest.approx(273)


def test_the_registration_clock_runs_from_registration(register: Register) -> None:
    definition = SHIPPED.model_copy(update={"clock": "registration"})
    y = observe(register.cases, definition, register.extract_on)
    assert y["weeks"][0] * 7 == pytest.approx(33)


def test_reasons_can_be_switched(register: Register) -> None:
    definition = SHIPPED.model_copy(update={"reasons": Reasons(censoring=("flexjob",))})
    y = observe(register.cases, definition, register.extract_on)
    assert y["closed"].tolist() == [True, False, True, False, False]


def test_a_continuing_case_goes_on_as_the_next_case_of_the_person() -> None:
    cases = pd.DataFrame(
        {
            "case_id": ["a", "b", "c", "d"],
            "person_key": ["p", "p", "p", "q"],
            "opened_on": pd.to_datetime(["2025-01-01", "2025-03-01", "2025-05-02", "2025-01-01"]),
            "registered_on": pd.to_datetime(["2025-01-02", "2025-03-01", "2025-05-02", "2025-01-02"]),
            "closed_on": pd.to_datetime(["2025-02-28", "2025-05-01", "2025-06-30", "2025-02-28"]),
            "close_reason": ["automatic_stop", "automatic_stop", "recovered", "automatic_stop"],
        }
    )
    definition = SHIPPED.model_copy(update={"reasons": Reasons(continuing=("automatic_stop",))})
    y = observe(cases, definition, date(2026, 1, 1))
    # a -> b -> c is one course of 180 days; d has no next case, so all we know is that it lasted 57 whole days.
    assert y["closed"].tolist() == [True, True, True, False]
    assert y["weeks"][0] * 7 == pytest.approx(180)
    assert y["weeks"][3] * 7 == pytest.approx(57)


def test_cases_not_known_on_the_cut_date_are_refused(register: Register) -> None:
    with pytest.raises(AsOfError, match="1 cases were registered on or after the cut date"):
        observe(register.cases, SHIPPED, date(2026, 6, 30))
    last = register.cases["registered_on"].max().date()
    with pytest.raises(AsOfError, match="1 cases were registered on or after the cut date"):
        observe(register.cases, SHIPPED, last)  # what is registered on a day is not known at 00:00 of it
    assert len(observe(register.cases, SHIPPED, last + timedelta(days=1))) == len(register.cases)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('version = "1"\nhorizon = 40\n', "horizon: there is no such key"),
        ('version = "1"\nhorizon_weeks = 40\n', "horizon_weeks must be one of horizons_weeks"),
        ('version = "1"\nhorizons_weeks = [52, 8]\n', "must rise"),
        ('version = "1"\n[reasons]\ncensoring = ["lottery"]\n', "unknown close reason 'lottery'"),
        ("version = ", "cannot be read"),
    ],
)
def test_a_definition_that_cannot_be_used_says_why(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "outcome.toml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_outcome_definition(tmp_path / "outcome.toml")


def test_another_horizon_is_a_matter_of_toml(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('version = "26 weeks"\nhorizon_weeks = 26\nhorizons_weeks = [8, 26]\n')
    assert read_outcome_definition(tmp_path / "o.toml") == OutcomeDefinition(
        version="26 weeks", horizon_weeks=26, horizons_weeks=(8, 26)
    )
