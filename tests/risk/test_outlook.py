"""The coming weeks of a case by hand: chance of closing, weeks with benefit, and what they cost the municipality."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.errors import CaseDataError, ConfigError
from risk.outlook import Outlook, take_outlook
from risk.policy import Order, Policy, read_policy
from risk.rates import read_rates
from risk.register import Register, make_register
from risk.scoring import score

MONDAY = date(2024, 2, 5)
STAYS = 0.9  # of those open, the share still open a week later
OPEN = STAYS ** np.arange(5)
MIDDLE = (OPEN[:-1] + OPEN[1:]) / 2  # 0.95, 0.855, 0.7695, 0.69255


class OneHazard:
    """Nine in ten stay a week longer, whatever is known of them."""

    version = "one-hazard"
    meta: dict[str, Any] = {  # noqa: RUF012
        "features": ["weekly_hours"],
        "required": ["weekly_hours"],
        "outcome": {"version": "test"},
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
    }

    def survival(self, X: pd.DataFrame, weeks: Any, entry: Any = None) -> np.ndarray:
        return STAYS ** np.maximum(np.asarray(weeks)[None, :] - np.asarray(entry)[:, None], 0.0)

    def contributions(self, X: pd.DataFrame, week: float, entry: Any = None) -> pd.DataFrame:
        raise AssertionError("nobody asks why here")


def register_of(opened_on: dict[str, str], **columns: Any) -> Register:
    frame = pd.DataFrame({"case_id": list(opened_on), "opened_on": pd.to_datetime(list(opened_on.values()))})
    frame = frame.assign(
        person_key=frame["case_id"], registered_on=frame["opened_on"] + pd.Timedelta(days=10), closed_on=None,
        close_reason=None, office="Nordby", team="A", employment_status="employee", weekly_hours=37.0,
    ).assign(**columns)  # fmt: skip
    facts = pd.DataFrame(columns=["case_id", "known_on", "name", "value"])
    return make_register(frame, facts, date(2026, 12, 1), is_synthetic=True)


def policy_by(by: str, **order: Any) -> Policy:
    return read_policy().model_copy(update={"order": Order.model_validate({"by": by, "weeks_ahead": 4} | order)})


def ahead(register: Register, policy: Policy, as_of: date = MONDAY) -> Outlook:
    return take_outlook(register, as_of, score(register, as_of, OneHazard()), OneHazard(), policy, read_rates())


def of_case(told: Outlook, case_id: str) -> dict[str, float]:
    return told.frame.set_index("case_id").loc[case_id].to_dict()


def test_the_chance_of_closing_within_four_weeks_is_what_the_curve_loses_from_the_cases_age_on() -> None:
    register = register_of({"SYN000001": "2024-01-01", "SYN000002": "2023-09-07", "SYN000003": "2023-03-20"})
    told = ahead(register, read_policy()).frame
    assert told["p_close_4w"].to_numpy() == pytest.approx([1 - 0.9**4] * 3)
    assert told[["weeks_ahead", "cost_ahead", "cost_share"]].isna().all(axis=None)  # nobody asked what they cost


def test_four_weeks_of_a_case_are_priced_day_by_day_by_the_chance_that_it_is_open() -> None:
    # Benefit is paid from 25 January; its weeks 1-4 end on 21 February. The state bears 80 % of them, 40 % later.
    told = of_case(ahead(register_of({"SYN000001": "2023-12-25"}), policy_by("avoidable_cost")), "SYN000001")
    weekly = [939.0, 939.0, (3 * 939 + 4 * 2817) / 7, 2817.0]
    assert told["cost_ahead"] == pytest.approx(float(MIDDLE @ weekly))
    assert told["cost_ahead"] == pytest.approx(5194.15, abs=0.01)
    assert told["weeks_ahead"] == pytest.approx(3.26705)
    assert told["cost_share"] == pytest.approx(5194.15 / (4 * 4695), abs=1e-6)


def test_weeks_before_the_municipality_pays_cost_it_nothing() -> None:
    # The first absence day is 15 January: the employer pays to 14 February, the municipality from the Thursday of week 2.
    told = of_case(ahead(register_of({"SYN000001": "2024-01-15"}), policy_by("avoidable_cost")), "SYN000001")
    shares = np.array([0.0, 4 / 7, 1.0, 1.0])
    assert told["weeks_ahead"] == pytest.approx(float(MIDDLE @ shares))
    assert told["cost_ahead"] == pytest.approx(939 * float(MIDDLE @ shares))


def test_a_case_that_knows_its_own_benefit_costs_that() -> None:
    register = register_of({"SYN000001": "2023-12-25", "SYN000002": "2023-12-25"}, weekly_benefit=[2347.5, None])
    told = ahead(register, policy_by("mix", cost_part=0.5))
    assert of_case(told, "SYN000001")["cost_ahead"] == pytest.approx(of_case(told, "SYN000002")["cost_ahead"] / 2)


def test_a_case_without_a_score_has_no_outlook() -> None:
    opened = {"SYN000001": "2022-12-01", "SYN000002": "2023-12-25", "SYN000003": "2023-12-25"}
    told = ahead(register_of(opened, weekly_hours=[37.0, None, 37.0]), policy_by("avoidable_cost")).frame
    assert told.drop(columns="case_id").isna().all(axis=1).tolist() == [True, True, False]


def test_years_without_a_rate_of_their_own_are_named() -> None:
    told = ahead(register_of({"SYN000001": "2026-10-05"}), policy_by("avoidable_cost"), date(2026, 11, 23))
    assert (told.carried, told.carried_from, told.rates_version) == ((2026,), 2024, read_rates().version)
    assert told.full_cost == pytest.approx(4 * 4695)


@pytest.mark.parametrize("as_of", [date(2009, 6, 1), date(2013, 6, 3)])
def test_an_order_by_cost_is_refused_where_the_rates_price_nothing(as_of: date) -> None:
    # No rate before 2013; and no state share for the first four weeks of benefit before 28 December 2015.
    register = register_of({"SYN000001": str(date(as_of.year, 5, 1))})
    with pytest.raises(
        ConfigError, match=r"do not price the weeks from .* \(1 cases without a cost\); add the missing"
    ):
        ahead(register, policy_by("avoidable_cost"), as_of)
    assert not ahead(register, read_policy(), as_of).frame["p_close_4w"].isna().any()


def test_scores_of_other_cases_are_refused() -> None:
    register = register_of({"SYN000001": "2023-12-25", "SYN000002": "2023-12-25"})
    scores = score(register, MONDAY, OneHazard())
    turned = replace(scores, frame=scores.frame.iloc[::-1])
    with pytest.raises(CaseDataError, match="not those of the 2 cases open on 2024-02-05"):
        take_outlook(register, MONDAY, turned, OneHazard(), read_policy(), read_rates())
