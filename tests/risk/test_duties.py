from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.duties import Duties, take_duties
from risk.errors import AsOfError
from risk.policy import Policy, read_policy
from risk.register import make_register

MONDAY = date(2026, 11, 23)
Fact = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy()


def duties_of(
    policy: Policy,
    opened: dict[str, str],
    *facts: Fact,
    as_of: date = MONDAY,
    has_records: bool = True,
    **columns: Any,
) -> Duties:
    """Duties of cases given as id to first day of absence, each registered a week later, all in team A.

    With ``has_records`` a case of long ago shows that the team records its follow-ups.
    """
    cases = pd.DataFrame({"case_id": list(opened), "opened_on": pd.to_datetime(list(opened.values()))})
    cases["registered_on"] = cases["opened_on"] + pd.Timedelta(days=7)
    cases = cases.assign(closed_on=pd.NaT, close_reason=None).assign(**columns)
    told = list(facts)
    if has_records:
        days = [pd.Timestamp(d) for d in ("1975-01-06", "1975-01-13", "1975-03-03")]
        old = {"case_id": "z", "opened_on": days[0], "registered_on": days[1], "closed_on": days[2]}
        old |= {"close_reason": "recovered"}
        cases = pd.DataFrame([*cases.to_dict("records"), old])
        told.append(("z", "1975-02-10", "follow_up_held", "interview"))
    cases = cases.assign(person_key=cases["case_id"], office="Nordby", team="A")
    frame = pd.DataFrame(told, columns=["case_id", "known_on", "name", "value"])
    return take_duties(make_register(cases, frame, date(2026, 12, 31)), as_of, policy)


def one(duties: Duties, case_id: str = "a") -> dict[str, Any]:
    return duties.frame.set_index("case_id").loc[case_id].to_dict()


def held(day: str, kind: str = "interview", case_id: str = "a") -> Fact:
    return (case_id, day, "follow_up_held", kind)


def test_the_first_interview_falls_due_at_the_end_of_week_8(policy: Policy) -> None:
    row = one(duties_of(policy, {"a": "2026-10-05"}))
    assert (row["duty"], row["due_on"]) == ("first_interview", pd.Timestamp("2026-11-30"))
    assert not row["is_due"]
    assert row["overdue_days"] == 0


@pytest.mark.parametrize(
    ("opened", "is_due", "overdue_days"),
    [("2026-10-05", False, 0), ("2026-10-04", True, 0), ("2026-09-28", True, 0), ("2026-09-27", True, 1)],
)  # due Monday 30th, Sunday 29th, Monday 23rd (today), Sunday 22nd
def test_a_duty_is_due_through_the_sunday_of_the_week_and_overdue_from_the_day_after(
    policy: Policy, opened: str, is_due: bool, overdue_days: int
) -> None:
    row = one(duties_of(policy, {"a": opened}))
    assert (row["is_due"], row["overdue_days"]) == (is_due, overdue_days)


def test_a_team_that_never_recorded_a_follow_up_is_not_called_overdue(policy: Policy) -> None:
    opened = {"past": "2026-08-03", "today": "2026-09-28", "ahead": "2026-10-05", "sunday": "2026-10-04"}
    duties = duties_of(policy, opened, has_records=False)
    assert one(duties, "past") | {"duty": "", "overdue_days": 0, "is_due": False} == one(duties, "past")
    assert pd.isna(one(duties, "past")["due_on"])
    assert one(duties, "ahead")["due_on"] == pd.Timestamp("2026-11-30")
    assert one(duties, "sunday")["is_due"]
    assert one(duties, "today")["is_due"]
    assert duties.timeliness["has_follow_ups"].tolist() == [False]


def test_each_follow_up_held_starts_four_more_weeks(policy: Policy) -> None:
    row = one(duties_of(policy, {"a": "2026-08-03"}, held("2026-09-21"), held("2026-10-20", "round_table")))
    assert (row["duty"], row["due_on"], row["overdue_days"]) == ("follow_up", pd.Timestamp("2026-11-17"), 6)


def test_what_is_recorded_on_the_day_itself_or_later_is_not_known_yet(policy: Policy) -> None:
    told = (held("2026-09-21"), held("2026-11-23"), ("a", "2026-11-24", "objection", "true"))
    row = one(duties_of(policy, {"a": "2026-08-03"}, *told))
    assert (row["due_on"], row["exclusion"]) == (pd.Timestamp("2026-10-19"), "")
    later = one(duties_of(policy, {"a": "2026-08-03"}, *told, as_of=date(2026, 11, 25)))
    assert (later["due_on"], later["exclusion"]) == (pd.Timestamp("2026-12-21"), "objection")


@pytest.mark.parametrize(
    ("also", "counts"),
    [
        ((), False),
        ((("a", "2026-09-01", "visitation_category", "2"),), False),
        ((("a", "2026-09-01", "visitation_category", "1"),), True),
        ((("a", "2026-09-01", "standby", "true"),), True),
        ((("a", "2026-09-01", "visitation_category", "1"), ("a", "2026-10-01", "visitation_category", "2")), False),
    ],
)
def test_a_written_follow_up_meets_the_duty_of_category_1_and_of_standby_only(
    policy: Policy, also: tuple[Fact, ...], counts: bool
) -> None:
    row = one(duties_of(policy, {"a": "2026-08-03"}, held("2026-09-21", "written"), *also))
    assert row["due_on"] == pd.Timestamp("2026-10-19" if counts else "2026-09-28")


def test_the_earliest_request_for_a_fast_track_brings_the_first_interview_forward(policy: Policy) -> None:
    asked = (("a", "2026-10-15", "fast_track", "employer"), ("a", "2026-10-12", "fast_track", "worker"))
    row = one(duties_of(policy, {"a": "2026-10-05"}, *asked))
    assert (row["duty"], row["due_on"]) == ("fast_track", pd.Timestamp("2026-10-26"))
    after = one(duties_of(policy, {"a": "2026-10-05"}, *asked, held("2026-10-20")))
    assert (after["duty"], after["due_on"]) == ("follow_up", pd.Timestamp("2026-11-17"))


def test_a_fast_track_asked_for_late_does_not_put_the_first_interview_off(policy: Policy) -> None:
    row = one(duties_of(policy, {"a": "2026-10-05"}, ("a", "2026-11-20", "fast_track", "worker")))
    assert (row["duty"], row["due_on"]) == ("first_interview", pd.Timestamp("2026-11-30"))


@pytest.mark.parametrize(("category", "due_on"), [("2", "2010-06-08"), ("3", "2010-07-06"), (None, "2010-07-06")])
def test_in_2010_the_risk_category_is_followed_up_every_four_weeks_and_the_others_every_eight(
    policy: Policy, category: str | None, due_on: str
) -> None:
    told = [held("2010-05-11", "written")]
    told += [("a", "2010-05-01", "visitation_category", category)] if category else []
    row = one(duties_of(policy, {"a": "2010-03-15"}, *told, as_of=date(2010, 6, 7)))
    assert row["due_on"] == pd.Timestamp(due_on)


def test_before_2005_no_duty_is_made_up(policy: Policy) -> None:
    duties = duties_of(policy, {"a": "1982-01-04"}, as_of=date(1983, 1, 3))
    row = one(duties)
    assert row["duty"] == ""
    assert pd.isna(row["due_on"])
    assert not row["is_due"]
    assert duties.timeliness["n_fell_due"].tolist() == [0]


def test_timeliness_counts_what_fell_due_in_the_last_weeks_while_the_case_was_open(policy: Policy) -> None:
    # Window: 24 Aug to 22 Nov 2026. a: due 28 Sep, held 21 Sep (met); due 19 Oct, held 26 Oct (late); due 23 Nov (not yet).
    # b: due 26 Oct and never held. c: due 26 Oct, but closed on the 20th. d: due 17 Aug, before the window.
    # e: registered on 1 Nov, after its date of 26 Oct: nobody could have met it.
    opened = {"a": "2026-08-03", "b": "2026-08-31", "c": "2026-08-31", "d": "2026-06-22", "e": "2026-08-31"}
    registered = pd.to_datetime(["2026-08-10", "2026-09-07", "2026-09-07", "2026-06-29", "2026-11-01"])
    closed = pd.to_datetime([None, None, "2026-10-20", None, None])
    duties = duties_of(
        policy, opened, held("2026-09-21"), held("2026-10-26"), held("2026-08-16", case_id="d"),
        registered_on=registered, closed_on=closed, close_reason=[None, None, "recovered", None, None],
    )  # fmt: skip
    # d: met on 16 Aug before its date; its next, 13 Sep, was never held.
    told = duties.timeliness.iloc[0]
    assert (told["n_fell_due"], told["n_met"], told["has_follow_ups"]) == (4, 1, True)
    assert duties.frame["case_id"].tolist() == ["a", "b", "d", "e"]


def test_the_first_exclusion_of_the_policy_counts_and_a_withdrawn_one_does_not(policy: Policy) -> None:
    told = [
        ("a", "2026-10-01", "standby", "true"), ("a", "2026-10-02", "protected_address", "true"),
        ("b", "2026-10-01", "objection", "true"), ("b", "2026-10-20", "objection", "false"),
    ]  # fmt: skip
    duties = duties_of(policy, {"a": "2026-09-14", "b": "2026-09-14"}, *told)
    assert duties.frame["exclusion"].tolist() == ["protected_address", ""]


def test_the_last_contact_is_the_later_of_contact_and_follow_up(policy: Policy) -> None:
    told = (held("2026-10-20"), ("a", "2026-11-02", "contact", "phone"))
    duties = duties_of(policy, {"a": "2026-08-03", "b": "2026-08-03"}, *told, held("2026-11-03", case_id="b"))
    assert duties.frame["contacted_on"].tolist() == [pd.Timestamp("2026-11-02"), pd.Timestamp("2026-11-03")]


def test_a_follow_up_planned_after_the_last_one_held_is_told(policy: Policy) -> None:
    told = (("a", "2026-10-01", "follow_up_planned", "interview"), held("2026-10-20"))
    assert not one(duties_of(policy, {"a": "2026-08-03"}, *told))["is_planned"]
    assert one(duties_of(policy, {"a": "2026-08-03"}, *told, ("a", "2026-11-10", "follow_up_planned", "interview")))[
        "is_planned"
    ]


def test_a_day_after_the_extract_is_refused(policy: Policy) -> None:
    with pytest.raises(AsOfError, match="lies after the extract date"):
        duties_of(policy, {"a": "2026-08-03"}, as_of=date(2027, 1, 1))


def test_a_milestone_holds_from_its_first_day_through_its_last(policy: Policy) -> None:
    days = {"valid_from": MONDAY, "valid_until": MONDAY + timedelta(days=1)}
    short = policy.model_copy(update={"milestones": tuple(m.model_copy(update=days) for m in policy.milestones)})
    told = [
        one(duties_of(short, {"a": "2026-08-31"}, as_of=MONDAY + timedelta(days=k)))["milestone"] for k in range(-1, 3)
    ]
    assert told == ["", "broad_assessment", "broad_assessment", ""]


def test_a_missed_milestone_is_told_only_where_milestones_are_recorded(policy: Policy) -> None:
    opened = {"a": "2026-08-03", "b": "2026-08-24", "c": "2026-06-01"}  # week 13 ends 2 Nov, 23 Nov, 31 Aug
    without = duties_of(policy, opened).frame
    assert without["milestone"].tolist() == ["reassessment", "broad_assessment", "reassessment"]
    assert without["lift"].tolist() == [0.0, 0.0, 0.0]
    recorded = duties_of(policy, opened, ("c", "2026-08-30", "milestone_done", "broad_assessment")).frame
    assert recorded["milestone_state"].tolist() == ["missed", "ahead", "ahead"]
    assert recorded["milestone"].tolist() == ["broad_assessment", "broad_assessment", "reassessment"]
    assert recorded["milestone_on"].tolist() == [pd.Timestamp(d) for d in ("2026-11-02", "2026-11-23", "2026-12-31")]
    np.testing.assert_allclose(recorded["lift"], [0.05, 0.0, 0.0])


@pytest.mark.parametrize(("day", "state"), [("2026-11-22", "ahead"), ("2026-11-23", "missed")])
def test_a_milestone_recorded_on_the_day_itself_is_not_known_yet(policy: Policy, day: str, state: str) -> None:
    opened = {"a": "2026-08-03", "c": "2026-06-01"}
    reached = [("c", "2026-08-30"), ("a", day)]
    told = duties_of(policy, opened, *((c, d, "milestone_done", "broad_assessment") for c, d in reached))
    assert one(told)["milestone_state"] == state  # once it is done the next one lies ahead
    first = duties_of(policy, {"a": "2026-08-03", "b": "2026-08-03"}, ("b", day, "milestone_done", "broad_assessment"))
    assert one(first)["milestone_state"] == ("missed" if state == "ahead" else "ahead")  # does the team record any?


@pytest.mark.parametrize(
    ("status", "month_end"), [("employee", "2026-12-31"), ("unemployed", "2026-11-30"), (None, "2026-12-31")]
)
def test_the_reassessment_is_the_end_of_the_month_after_22_paid_weeks(
    policy: Policy, status: str | None, month_end: str
) -> None:
    # 8 June + 30 uncounted days + 154 + 1 = 10 Dec; for the unemployed 14 uncounted days: 24 Nov.
    row = one(
        duties_of(
            policy,
            {"a": "2026-06-08"},
            ("a", "2026-09-01", "milestone_done", "broad_assessment"),
            employment_status=[status],
        )
    )
    assert (row["milestone"], row["milestone_on"]) == ("reassessment", pd.Timestamp(month_end))
