"""Laws of the order beyond the duties, over cases and policies that hypothesis makes up."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.duties import Duties
from risk.outlook import Outlook
from risk.policy import Closing, Minutes, Order, Policy, read_policy
from risk.priority import SECTIONS, Worklist, prioritise
from risk.scoring import Scores

MONDAY = date(2026, 11, 23)
FEW = st.sampled_from([0.1, 0.3, 0.3, 0.5, 0.8])  # so few values that ties are common

cases = st.fixed_dictionaries(
    {
        "team": st.sampled_from(["A", "B"]),
        "opened_on": st.sampled_from(["2026-05-04", "2026-08-31", "2026-10-12"]),
        "due_on": st.sampled_from(["2026-11-16", "2026-11-25", "2026-12-14"]),
        "duty": st.sampled_from(["first_interview", "follow_up"]),
        "may_be_written": st.booleans(),
        "contacted_on": st.sampled_from([None, None, "2026-11-19"]),
        "exclusion": st.sampled_from(["", "", "", "", "objection", "standby", "protected_address"]),
        "lift": st.sampled_from([0.0, 0.05]),
        "status": st.sampled_from(["scored", "scored", "scored", "abstained", "past_horizon"]),
        "p": FEW,
        "p_close_4w": FEW,
        "cost_share": FEW,
    }
)
weeks = st.lists(cases, min_size=1, max_size=25)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    by = draw(st.sampled_from(["risk", "avoidable_cost", "mix"]))
    capacity = {
        "unit": draw(st.sampled_from(["cases", "hours"])),
        "teams": {t: draw(st.sampled_from([0.0, 1.0, 2.5, 6.0, 40.0])) for t in ("A", "B")},
        "reserve": draw(st.sampled_from([0, 1])),
        "minutes": Minutes(follow_up=draw(st.sampled_from([20, 60])), written=15, risk=draw(st.sampled_from([30, 60]))),
    }
    shipped = read_policy()
    return shipped.model_copy(
        update={
            "capacity": shipped.capacity.model_copy(update=capacity),
            "order": Order(by=by, cost_part=0.4 if by == "mix" else None),
            "closing": Closing(p_at_least=draw(st.sampled_from([0.5, 1.1]))),
        }
    )


def laid_out(made: list[dict[str, Any]], policy: Policy) -> Worklist:
    """The list of the week of these cases, numbered in their order."""
    frame = pd.DataFrame([{"case_id": f"SYN{i:06d}"} | c for i, c in enumerate(made)]).assign(office="Nordby")
    for column in ("opened_on", "due_on", "contacted_on"):
        frame[column] = pd.to_datetime(frame[column])
    scored = frame["status"] == "scored"
    age = ((pd.Timestamp(MONDAY) - frame["opened_on"]).dt.days - 1) / 7
    scores = pd.DataFrame(
        {"case_id": frame["case_id"], "age_weeks": age, "status": frame["status"], "abstain_reason": "",
         "p_exceed_52w": frame["p"].where(scored), "base_rate": 0.2}
    )  # fmt: skip
    told = (
        frame[["case_id", "p_close_4w", "cost_share"]]
        .where(scored, other=float("nan"))
        .assign(case_id=frame["case_id"])
    )
    outlook = Outlook(
        told.assign(weeks_ahead=1.0, cost_ahead=told["cost_share"] * 1000), 1000.0, "DKK", "test", (), None
    )
    duties = frame.drop(columns=["status", "p", "p_close_4w", "cost_share"]).assign(
        is_due=frame["due_on"] <= pd.Timestamp("2026-11-29"), is_planned=False,
        overdue_days=(pd.Timestamp(MONDAY) - frame["due_on"]).dt.days.clip(lower=0),
        milestone="", milestone_on=pd.NaT, milestone_state="",
    )  # fmt: skip
    teams = frame[["office", "team"]].drop_duplicates().assign(n_fell_due=0, n_met=0, has_follow_ups=True)
    found = Duties(duties, teams, MONDAY, policy.rules_on(MONDAY))
    return prioritise(Scores(scores, 52, "made-up"), found, policy, outlook=outlook)


@settings(max_examples=40, deadline=None)
@given(weeks, policies())
def test_whatever_the_policy_every_duty_is_listed_first_and_the_counts_add_up(
    made: list[dict[str, Any]], policy: Policy
) -> None:
    work = laid_out(made, policy)
    must = {
        f"SYN{i:06d}"
        for i, c in enumerate(made)
        if c["due_on"] <= "2026-11-29" and c["exclusion"] != "protected_address"
    }
    assert set(work.rows.loc[work.rows["section"] == "duty", "case_id"]) == must
    for _, rows in work.rows.groupby("team"):
        assert rows["section"].map(SECTIONS.index).is_monotonic_increasing
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
    placed = [*work.rows["case_id"], *work.rest["case_id"]]
    assert sorted(placed) == [f"SYN{i:06d}" for i in range(len(made))]  # each once, listed or with a reason why not
    assert set(work.rest["section"]) <= {"remainder", "cooling", "excluded"}
    excluded = [c for c in work.teams.columns if c.startswith("n_excluded_") and c != "n_excluded_due"]
    counts = [*(f"n_{s}" for s in SECTIONS), "n_cooling", "n_remainder", *excluded]
    assert (work.teams[counts].sum(axis=1) == work.teams["n_open"]).all()


@settings(max_examples=40, deadline=None)
@given(weeks, policies())
def test_whatever_the_policy_the_hours_are_never_exceeded_unless_by_duties_alone(
    made: list[dict[str, Any]], policy: Policy
) -> None:
    work, capacity = laid_out(made, policy), policy.capacity
    for team in work.teams.itertuples():
        is_duty = (work.rows["section"] == "duty") & (work.rows["team"] == team.team)
        here = [made[int(c[3:])] for c in work.rows.loc[is_duty, "case_id"]]
        minutes = [capacity.minutes.of_duty(c["duty"], c["may_be_written"]) for c in here]
        duties = sum(minutes) / 60 if capacity.unit == "hours" else float(len(here))
        by_risk = team.n_risk + team.n_audit
        each = capacity.minutes.risk / 60 if capacity.unit == "hours" else 1.0
        assert by_risk <= capacity.reserve or duties + by_risk * each <= team.capacity + 1e-9
        assert (team.shortfall > 0) == (duties > team.capacity + 1e-9)
        # A place stays free only when nobody waits for it.
        assert not team.n_remainder or by_risk == team.risk_places


@settings(max_examples=40, deadline=None)
@given(weeks, policies())
def test_the_rest_falls_in_the_policys_value_and_ties_go_by_opening_then_id(
    made: list[dict[str, Any]], policy: Policy
) -> None:
    weight = {"risk": 0.0, "avoidable_cost": 1.0, "mix": 0.4}[policy.order.by]

    def place(case_id: str) -> tuple[bool, float, str, str]:
        c = made[int(case_id[3:])]
        value = (1 - weight) * c["p"] + weight * c["cost_share"] + c["lift"]
        return c["opened_on"] == "2026-05-04", -round(value, 9), c["opened_on"], case_id  # opened in May: past week 26

    work = laid_out(made, policy)
    for _, rows in work.rows[work.rows["section"] == "risk"].groupby("team"):
        assert rows["case_id"].tolist() == sorted(rows["case_id"], key=place)
    for team in ("A", "B"):
        listed, waiting = (
            [place(c) for c in rows.loc[(rows["section"] == section) & (rows["team"] == team), "case_id"]]
            for rows, section in ((work.rows, "risk"), (work.rest, "remainder"))
        )
        assert not listed or not waiting or max(listed) < min(waiting)


@settings(max_examples=20, deadline=None)
@given(weeks, weeks, policies())
def test_cases_added_to_another_team_change_nothing_here(
    made: list[dict[str, Any]], others: list[dict[str, Any]], policy: Policy
) -> None:
    here = [c | {"team": "A"} for c in made]
    alone, beside = laid_out(here, policy), laid_out(here + [c | {"team": "B"} for c in others], policy)
    for one, both in ((alone.rows, beside.rows), (alone.rest, beside.rest), (alone.teams, beside.teams), (alone.draws, beside.draws)):  # fmt: skip
        mine = both[both["team"] == "A"].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, mine, check_dtype=False)
