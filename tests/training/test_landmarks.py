"""Landmark rows: who is there, when, and what is known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from risk.errors import AsOfError, TooFewCasesError
from risk.outcomes import read_outcome_definition
from risk.register import Register, make_register
from risk.scoring import entry_weeks
from risk.snapshot import is_open
from training.landmarks import landmark_days, landmark_rows, register_at, training_rows
from training.plan import Plan

NO_FACTS = pd.DataFrame(columns=["case_id", "known_on", "name", "value"])
EXTRACT = date(2026, 11, 16)


def register_of(*rows: tuple[str, str, str | None], facts: pd.DataFrame = NO_FACTS) -> Register:
    """Cases from (opened, registered, closed)."""
    cases = pd.DataFrame(rows, columns=["opened_on", "registered_on", "closed_on"]).assign(
        case_id=[f"SYN{i:06d}" for i in range(len(rows))],
        person_key=[f"p{i}" for i in range(len(rows))],
        office="Nordby",
        team="A",
    )
    cases["close_reason"] = np.where(cases["closed_on"].isna(), None, "recovered")
    return make_register(cases, facts, EXTRACT)


def test_a_case_has_a_row_the_day_after_registration_and_at_each_later_age_while_it_is_open() -> None:
    register = register_of(
        ("2026-01-01", "2026-01-30", "2026-03-05")
    )  # survived 4 weeks on 30 January; closes in week 9
    position, days, names = landmark_days(register, ("registration", 4, 8, 13))
    # The age of 4 weeks is not later than the day after registration; on 27 February the case has survived 8 weeks.
    assert names.tolist() == ["registration", "8"]
    assert days.astype(str).tolist() == ["2026-01-31", "2026-02-27"]
    assert position.tolist() == [0, 0]


def test_a_case_that_closes_on_the_day_was_open_at_its_start_and_one_that_closed_before_was_not() -> None:
    on_the_day = register_of(("2026-01-01", "2026-01-10", "2026-02-27"))
    the_day_before = register_of(("2026-01-01", "2026-01-10", "2026-02-26"))
    assert landmark_days(on_the_day, (8,))[2].tolist() == ["8"]
    assert landmark_days(the_day_before, (8,))[2].tolist() == []


def test_every_row_was_open_and_known_on_its_day_and_no_outcome_ends_before_it(
    made: Register, quick_plan: Plan
) -> None:
    rows = landmark_rows(made, quick_plan.landmarks.at, quick_plan.outcome, made.extract_on)
    days = np.full(len(made), np.datetime64("NaT", "D"))
    for landmark in quick_plan.landmarks.names:
        here = rows.landmark == landmark
        at = days.copy()
        at[rows.snapshot.position[here]] = rows.snapshot.as_of[here]
        assert is_open(made, at)[rows.snapshot.position[here]].all()
    assert (rows.y["weeks"] >= rows.entry).all()
    assert np.array_equal(rows.entry, entry_weeks(rows.snapshot, quick_plan.outcome))
    assert (rows.snapshot.as_of <= np.datetime64(made.extract_on)).all()


def test_cases_still_open_stay_among_the_rows_as_censored(made: Register, quick_plan: Plan) -> None:
    rows, counts = training_rows(made, quick_plan, made.extract_on)
    still_open = made.cases["closed_on"].isna().to_numpy()[rows.snapshot.position]
    assert still_open.sum() > 100
    assert not rows.y["closed"][still_open].any()
    assert counts["n_open"].sum() >= still_open.sum()
    assert (counts["n_closed"] + counts["n_open"] == counts["n_rows"]).all()


def test_the_register_of_an_earlier_day_knows_nothing_of_what_came_after(made: Register) -> None:
    day = date(2025, 3, 3)
    then = register_at(made, day)
    stamp = pd.Timestamp(day)
    assert len(then) == (made.cases["registered_on"] < stamp).sum()
    assert (then.cases["closed_on"].dropna() < stamp).all()
    assert then.cases["close_reason"].isna().equals(then.cases["closed_on"].isna())
    assert (then.facts["known_on"] < stamp).all()
    assert then.extract_on == day
    # What was known then is all there.
    assert len(then.facts) == (made.facts["known_on"] < stamp).sum()


def test_rows_learned_from_at_an_origin_are_those_of_the_full_register_with_outcomes_cut(
    made: Register, quick_plan: Plan
) -> None:
    day, names = date(2025, 3, 3), quick_plan.features.names()
    then = landmark_rows(register_at(made, day), quick_plan.landmarks.at, quick_plan.outcome, day)
    now = landmark_rows(made, quick_plan.landmarks.at, quick_plan.outcome, day)
    assert then.snapshot.case_id.tolist() == now.snapshot.case_id.tolist()
    assert np.array_equal(then.y, now.y)
    pd.testing.assert_frame_equal(then.table(names), now.table(names))


def test_a_register_that_reaches_past_the_cut_is_refused(made: Register, quick_plan: Plan) -> None:
    with pytest.raises(AsOfError, match="cut it at"):
        training_rows(made, quick_plan, date(2025, 3, 3))


def test_thinning_keeps_the_same_rows_whatever_the_order_of_the_register(made: Register, quick_plan: Plan) -> None:
    plan = quick_plan.changed(landmarks={"max_rows": 1000})
    order = np.random.default_rng(1).permutation(len(made))
    kept, counts = training_rows(made, plan, made.extract_on)
    again, _ = training_rows(made.of_cases(order), plan, made.extract_on)
    assert len(kept) == counts["thinned_to"].sum() == 1000
    assert counts["n_rows"].sum() > 1000
    assert set(zip(kept.snapshot.case_id, kept.landmark, strict=True)) == set(
        zip(again.snapshot.case_id, again.landmark, strict=True)
    )


def test_on_the_registration_clock_weeks_count_from_registration() -> None:
    register = register_of(("2026-01-01", "2026-02-01", "2026-03-29"))
    definition = read_outcome_definition().model_copy(update={"clock": "registration"})
    rows = landmark_rows(register, ("registration", 8), definition, EXTRACT)
    assert rows.landmark.tolist() == ["registration", "8"]
    assert rows.entry.tolist() == [0.0, 25 / 7]  # on 27 February 25 whole days had passed since 1 February
    assert rows.y["weeks"].tolist() == [8.0, 8.0]


def test_without_a_closed_case_there_is_nothing_to_learn_and_the_message_says_what_to_do(quick_plan: Plan) -> None:
    register = register_of(("2026-01-01", "2026-01-30", None), ("2026-02-01", "2026-03-01", None))
    with pytest.raises(TooFewCasesError, match=r"none of the 2 cases known on 2026-11-16 has closed.*read an extract"):
        training_rows(register, quick_plan, EXTRACT)
