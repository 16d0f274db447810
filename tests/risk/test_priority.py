from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.duties import Duties
from risk.errors import CaseDataError, ConfigError, TooFewCasesError
from risk.outlook import Outlook
from risk.policy import Audit, Capacity, Closing, Minutes, Order, Policy, read_policy
from risk.priority import LastWeek, Worklist, draw_seed, prioritise
from risk.scoring import Scores

MONDAY = date(2026, 11, 23)
OUTLOOK = ["p_close_4w", "weeks_ahead", "cost_ahead"]


def case(case_id: str, p: float | None, **changed: Any) -> dict[str, Any]:
    """One open case of team A, six weeks old, with nothing due; ``p`` None: no score."""
    plain = {
        "case_id": case_id, "office": "Nordby", "team": "A", "opened_on": "2026-10-12", "p": p,
        "status": "scored" if p is not None else "abstained", "abstain_reason": "", "duty": "first_interview",
        "due_on": "2026-12-07", "contacted_on": None, "exclusion": "", "milestone": "", "milestone_on": None,
        "milestone_state": "", "lift": 0.0, "is_planned": False, "age_weeks": 6.0, "may_be_written": False,
        "p_close_4w": 0.1, "cost": None,
    }  # fmt: skip
    return plain | changed


def due(case_id: str, p: float | None, due_on: str, **changed: Any) -> dict[str, Any]:
    return case(case_id, p, due_on=due_on, **changed)


def week(
    *cases: dict[str, Any],
    places: int | None = None,
    last: LastWeek | None = None,
    audit: float = 0.0,
    is_marked: bool = True,
    **policy: Any,
) -> Worklist:
    """The worklist of hand-made cases; without an audit slice unless asked for."""
    frame = pd.DataFrame(list(cases))
    for column in ("opened_on", "due_on", "contacted_on", "milestone_on"):
        frame[column] = pd.to_datetime(frame[column])
    frame["overdue_days"] = (pd.Timestamp(MONDAY) - frame["due_on"]).dt.days.clip(lower=0).fillna(0).astype(int)
    frame["is_due"] = frame["due_on"] <= pd.Timestamp("2026-11-29")
    frame["p_exceed_52w"] = frame["p"].astype(float)
    frame["base_rate"] = 0.2
    scored = ["case_id", "age_weeks", "status", "abstain_reason", "p_exceed_52w", "base_rate"]
    teams = frame[["office", "team"]].drop_duplicates().assign(n_fell_due=0, n_met=0, has_follow_ups=True)
    rules = read_policy().model_copy(update={"audit": Audit(share=audit, window=10, is_marked=is_marked)} | policy)
    duties = Duties(frame.drop(columns=[*scored[1:], "p_close_4w", "cost"]), teams, MONDAY, rules.rules_on(MONDAY))
    scores = Scores(frame[scored], 52, "risk52-1")
    return prioritise(scores, duties, rules.with_places(places) if places else rules, last, outlook=ahead(frame))


def ahead(frame: pd.DataFrame) -> Outlook:
    """The coming weeks of hand-made cases: a full cost of 1000, of which ``cost`` is a case's own."""
    cost = frame["cost"].astype(float)
    told = frame[["case_id", "p_close_4w"]].assign(weeks_ahead=cost / 10, cost_ahead=cost, cost_share=cost / 1000)
    return Outlook(told, 1000.0, "DKK", "test", (), None)


def listed(work: Worklist, section: str | None = None) -> list[str]:
    rows = work.rows if section is None else work.rows[work.rows["section"] == section]
    return rows["case_id"].tolist()


def team(work: Worklist, name: str = "A") -> dict[str, Any]:
    return work.teams.set_index("team").loc[name].to_dict()


def test_duties_come_first_by_date_then_by_risk_and_a_high_score_does_not_displace_them() -> None:
    work = week(
        case("high", 0.95), due("later", 0.1, "2026-11-29"), due("low", 0.2, "2026-11-20"), due("same", 0.6, "2026-11-20"),
        places=4,
    )  # fmt: skip
    assert listed(work) == ["same", "low", "later", "high"]
    assert work.rows["rank"].tolist() == [1, 2, 3, 4]
    assert work.rows["section"].tolist() == ["duty", "duty", "duty", "risk"]
    assert work.rows["overdue_days"].tolist() == [3, 3, 0, 0]


def test_duties_beyond_the_capacity_are_all_listed_and_the_shortfall_is_told() -> None:
    work = week(*(due(f"d{i}", 0.1, "2026-11-20") for i in range(5)), case("high", 0.95), places=3)
    assert listed(work) == ["d0", "d1", "d2", "d3", "d4"]
    assert {k: team(work)[k] for k in ("shortfall", "risk_places", "n_remainder")} == {
        "shortfall": 2,
        "risk_places": 0,
        "n_remainder": 1,
    }


def test_equal_risks_go_by_earlier_opening_then_by_case_id() -> None:
    work = week(case("c", 0.5), case("b", 0.5), case("late", 0.5, opened_on="2026-10-13"), case("top", 0.6), places=9)
    assert listed(work) == ["top", "b", "c", "late"]


def test_only_as_many_as_there_are_places_are_listed_and_the_rest_is_counted() -> None:
    work = week(*(case(f"c{i}", i / 10) for i in range(6)), places=2)
    assert listed(work) == ["c5", "c4"]
    assert team(work)["n_remainder"] == 4


def test_past_52_weeks_and_without_a_score_have_sections_of_their_own_in_the_order_of_due_dates() -> None:
    work = week(
        case("p1", None, status="past_horizon", due_on="2026-12-20"),
        case("p2", None, status="past_horizon", due_on="2026-12-10"),
        case("p3", None, status="past_horizon", due_on=None),
        case("n1", None, abstain_reason="benefit_basis", due_on="2026-12-09"),
        case("n2", None, abstain_reason="benefit_basis", due_on="2026-12-08"),
        case("r", 0.4),
        due("p4", None, "2026-11-25", status="past_horizon"),
        places=2,
    )
    assert listed(work) == ["p4", "r", "p2", "p1", "p3", "n2", "n1"]
    assert work.rows["section"].tolist() == ["duty", "risk", *["past_horizon"] * 3, *["no_score"] * 2]
    assert work.rows.set_index("case_id").loc["n1", "abstain_reason"] == "benefit_basis"


@pytest.mark.parametrize(("days_ago", "is_listed"), [(0, False), (14, False), (15, True)])
def test_a_case_talked_to_lately_is_not_called_again_for_risk(days_ago: int, is_listed: bool) -> None:
    contacted = pd.Timestamp(MONDAY) - pd.Timedelta(days=days_ago)
    work = week(case("a", 0.9, contacted_on=contacted), due("d", 0.1, "2026-11-24", contacted_on=contacted), places=5)
    assert listed(work) == (["d", "a"] if is_listed else ["d"])
    assert team(work)["n_cooling"] == int(not is_listed)


def test_without_a_cool_down_a_case_talked_to_today_is_listed() -> None:
    assert listed(week(case("a", 0.9, contacted_on=MONDAY), places=5, order=Order(cool_down_days=0))) == ["a"]


def test_an_objection_or_standby_takes_a_case_out_but_its_duty_stays_without_a_score() -> None:
    work = week(
        due("d1", 0.9, "2026-11-24", exclusion="objection"), due("d2", 0.8, "2026-11-24", exclusion="standby"),
        due("d3", 0.7, "2026-11-24", exclusion="protected_address"), case("x1", 0.9, exclusion="objection"),
        case("x2", None, status="past_horizon", exclusion="standby"), case("r", 0.3), places=9,
    )  # fmt: skip
    assert listed(work) == ["d1", "d2", "r"]
    assert work.rows["p_exceed_52w"].isna().tolist() == [True, True, False]
    assert work.rows["status"].tolist() == ["not_shown", "not_shown", "scored"]
    counts = team(work)
    assert [counts[f"n_excluded_{f}"] for f in ("protected_address", "objection", "standby")] == [1, 1, 1]
    assert counts["n_excluded_due"] == 1


def test_a_missed_milestone_lifts_a_case_in_the_order_but_not_its_score() -> None:
    work = week(
        case("a", 0.52), case("b", 0.50, lift=0.05, milestone="broad_assessment", milestone_state="missed"), places=5
    )
    assert listed(work) == ["b", "a"]
    assert work.rows["p_exceed_52w"].tolist() == [0.50, 0.52]


def test_places_go_first_to_cases_up_to_the_week_the_policy_names_whatever_the_chance_of_older_ones() -> None:
    cases = (case("old", 0.97, age_weeks=47.0, lift=0.05), case("young", 0.3), case("edge", 0.2, age_weeks=26.0))
    assert listed(week(*cases, places=2), "risk") == ["young", "edge"]
    assert listed(week(*cases, places=3), "risk") == ["young", "edge", "old"]
    by_chance = Order(first_until_week=52, cool_down_days=14)
    assert listed(week(*cases, places=2, order=by_chance), "risk") == ["old", "young"]


def test_the_rest_can_go_by_expected_cost_or_by_a_stated_mix_of_chance_and_cost() -> None:
    # Of a full cost of 1000: shares 0.2, 0.5 and 0.3. At one half each the mix gives 0.55, 0.45 and 0.35.
    cases = (case("likely", 0.9, cost=200.0), case("dear", 0.4, cost=500.0), case("third", 0.4, cost=300.0))
    assert listed(week(*cases, places=9, order=Order(by="risk"))) == ["likely", "dear", "third"]
    assert listed(week(*cases, places=9, order=Order(by="avoidable_cost"))) == ["dear", "third", "likely"]
    assert listed(week(*cases, places=2, order=Order(by="mix", cost_part=0.5))) == ["likely", "dear"]
    # At 0.8 for the cost: 0.34, 0.48 and 0.32.
    assert listed(week(*cases, places=9, order=Order(by="mix", cost_part=0.8))) == ["dear", "likely", "third"]


def test_a_missed_milestone_lifts_a_case_by_as_much_of_the_full_cost() -> None:
    late = case("late", 0.1, cost=460.0, lift=0.05, milestone="broad_assessment", milestone_state="missed")
    work = week(case("dear", 0.1, cost=500.0), late, places=9, order=Order(by="avoidable_cost"))
    assert listed(work) == ["late", "dear"]  # 0.46 + 0.05 against 0.50
    assert work.rows["cost_ahead"].tolist() == [460.0, 500.0]


def test_an_order_by_cost_without_costs_is_refused() -> None:
    with pytest.raises(CaseDataError, match='the policy orders by "avoidable_cost", but the outlook holds no cost'):
        week(case("a", 0.5), places=3, order=Order(by="avoidable_cost"))


def test_cases_about_to_close_by_themselves_stand_apart_take_no_place_and_keep_their_duties() -> None:
    work = week(
        case("soon", 0.3, p_close_4w=0.5), case("sooner", 0.2, p_close_4w=0.8), case("stays", 0.1, p_close_4w=0.49),
        due("due", 0.2, "2026-11-24", p_close_4w=0.9), case("called", 0.1, p_close_4w=0.9, contacted_on="2026-11-20"),
        places=2, closing=Closing(p_at_least=0.5),
    )  # fmt: skip
    assert list(zip(work.rows["section"], work.rows["case_id"], strict=True)) == [
        ("duty", "due"), ("risk", "stays"), ("closing", "sooner"), ("closing", "soon"),
    ]  # fmt: skip
    assert work.rows["is_closing"].tolist() == [True, False, True, True]
    assert {k: team(work)[k] for k in ("n_risk", "n_closing", "n_cooling", "n_remainder")} == {
        "n_risk": 1, "n_closing": 2, "n_cooling": 1, "n_remainder": 0,
    }  # fmt: skip
    never = week(case("soon", 0.3, p_close_4w=1.0), places=2, closing=Closing(p_at_least=1.1))
    assert listed(never, "risk") == ["soon"]


def test_nothing_a_model_says_of_an_excluded_case_is_on_the_list() -> None:
    work = week(due("d", 0.9, "2026-11-24", exclusion="standby", p_close_4w=0.9, cost=300.0), places=3)
    assert work.rows[["p_exceed_52w", "base_rate", *OUTLOOK]].isna().all(axis=None)
    assert work.rows["is_closing"].tolist() == [False]


def test_with_hours_each_kind_of_duty_takes_its_own_minutes() -> None:
    capacity = Capacity(
        unit="hours", caseload_norm=45, per_worker=4.0,
        minutes=Minutes(first_interview=90, follow_up=45, written=15, risk=40),
    )  # fmt: skip
    cases = (
        due("first", 0.1, "2026-11-23"), due("later", 0.1, "2026-11-24", duty="follow_up"),
        due("letter", 0.1, "2026-11-25", duty="follow_up", may_be_written=True),
        *(case(f"c{i}", 0.5) for i in range(5)),
    )  # fmt: skip
    told = team(week(*cases, capacity=capacity))
    # 90 + 45 + 15 of 240 minutes leave 90: two talks of 40.
    assert {k: told[k] for k in ("duty_minutes", "risk_places", "n_risk", "n_remainder", "shortfall")} == {
        "duty_minutes": 150, "risk_places": 2, "n_risk": 2, "n_remainder": 3, "shortfall": 0,
    }  # fmt: skip
    short = team(week(*cases, capacity=capacity.model_copy(update={"teams": {"A": 2.0}})))
    # The first takes 90 of 120 minutes; the second no longer fits, nor what stands behind it.
    assert (short["shortfall"], short["risk_places"], short["n_duty"]) == (2, 0, 3)


def test_bands_come_from_places_not_from_fixed_limits() -> None:
    cases = [case(f"c{i:02d}", 0.02 + i / 1000) for i in range(20)]
    band = week(*cases, places=4).rows.set_index("case_id")["band"]
    assert band.to_dict() == {"c19": "high", "c18": "high", "c17": "high", "c16": "high"}
    everyone = week(*cases, places=20).rows.set_index("case_id")["band"]
    # Never more than a fifth high (4 of 20), and twice that middle, whatever the places.
    assert everyone.value_counts().to_dict() == {"high": 4, "middle": 8, "low": 8}
    few = week(*cases, due("d", 0.9, "2026-11-24"), places=1).rows
    assert few["band"].tolist() == ["high"]


def test_without_places_there_are_no_bands_and_only_duties_are_listed() -> None:
    capacity = read_policy().capacity.model_copy(update={"teams": {"A": 0.0}})
    work = week(due("d", 0.9, "2026-11-24"), case("r", 0.9), capacity=capacity)
    assert listed(work) == ["d"]
    assert work.rows["band"].tolist() == [""]
    assert team(work)["n_remainder"] == 1


def test_places_drawn_by_lot_lie_around_the_cut_off_and_every_taker_is_recorded() -> None:
    work = week(*(case(f"c{i:03d}", 1 - i / 200) for i in range(100)), places=40, audit=0.05)
    assert listed(work, "risk") == [f"c{i:03d}" for i in range(38)]
    assert len(listed(work, "audit")) == 2
    assert set(listed(work, "audit")) <= {f"c{i:03d}" for i in range(38, 58)}
    assert work.draws["case_id"].tolist() == [f"c{i:03d}" for i in range(38, 58)]
    assert sorted(work.draws.loc[work.draws["is_drawn"], "case_id"]) == sorted(listed(work, "audit"))
    np.testing.assert_allclose(work.draws["p_drawn"].astype(float), 0.1)


def test_unmarked_a_drawn_place_looks_like_the_others_and_the_draw_is_recorded_all_the_same() -> None:
    cases = [case(f"c{i:03d}", 1 - i / 200) for i in range(100)]
    marked = week(*cases, places=40, audit=0.05)
    unmarked = week(*cases, places=40, audit=0.05, is_marked=False)
    assert listed(unmarked, "audit") == []
    assert sorted(listed(unmarked, "risk")) == sorted([*listed(marked, "risk"), *listed(marked, "audit")])
    assert unmarked.draws.equals(marked.draws)


def test_nothing_is_drawn_when_everyone_has_a_place() -> None:
    work = week(*(case(f"c{i}", 0.5) for i in range(10)), places=10, audit=0.5)
    assert len(listed(work, "risk")) == 10
    assert len(work.draws) == 0


def test_small_teams_take_part_in_the_draw_as_often_as_the_share_says() -> None:
    # 4 places at 5 % are 0.2 of a place: in one week of five one place is drawn.
    cases = [case(f"{team}{i}", 0.5, team=team) for team in (f"T{k:03d}" for k in range(200)) for i in range(6)]
    drawn = week(*cases, places=4, audit=0.05).teams["n_audit"]
    assert set(drawn) == {0, 1}
    assert 0.12 < drawn.mean() < 0.28


def test_the_draw_is_seeded_by_week_and_team() -> None:
    seeds = {draw_seed(52, w, "Nordby", t) for w in ("2026-W47", "2026-W48") for t in ("A", "B")}
    assert len(seeds) == 4
    assert draw_seed(52, "2026-W48", "Nordby", "A") == draw_seed(52, "2026-W48", "Nordby", "A")


def test_new_stayed_and_left_are_told_and_why() -> None:
    before = LastWeek(
        "2026-W47",
        pd.DataFrame(
            [("stays", "A", "risk"), ("closed", "A", "risk"), ("moved", "B", "risk"), ("objects", "A", "risk"),
             ("called", "A", "risk"), ("met", "A", "duty"), ("lot", "A", "audit"), ("fell", "A", "risk")],
            columns=["case_id", "team", "section"],
        ).assign(office="Nordby"),
    )  # fmt: skip
    work = week(
        case("stays", 0.9), case("fresh", 0.8), case("moved", 0.7), case("objects", 0.9, exclusion="objection"),
        case("called", 0.9, contacted_on="2026-11-18"), case("met", 0.2), case("lot", 0.2), case("fell", 0.2),
        case("b", 0.1, team="B"), places=3, last=before,
    )  # fmt: skip
    assert work.rows.set_index("case_id")["change"].to_dict() == {
        "stays": "stayed", "fresh": "new", "moved": "new", "b": "new"
    }  # fmt: skip
    assert work.left.set_index("case_id")["why"].to_dict() == {
        "closed": "not_open", "moved": "moved_team", "objects": "excluded", "called": "contacted", "met": "duty_met",
        "lot": "draw_over", "fell": "below_capacity",
    }  # fmt: skip
    assert work.left.set_index("case_id").loc["moved", "team"] == "B"


def test_without_an_earlier_list_nothing_is_called_new() -> None:
    work = week(case("a", 0.5), places=3)
    assert work.rows["change"].tolist() == [""]
    assert len(work.left) == 0
    assert work.last_week is None


def test_two_teams_of_one_name_in_two_offices_are_two_teams() -> None:
    work = week(case("a", 0.9), case("b", 0.8, office="Sydby"), places=1)
    assert work.rows[["office", "case_id", "rank"]].to_numpy().tolist() == [["Nordby", "a", 1], ["Sydby", "b", 1]]


def test_a_list_of_the_same_week_is_not_an_earlier_one() -> None:
    same = LastWeek("2026-W48", pd.DataFrame(columns=["office", "team", "case_id", "section"]))
    with pytest.raises(ConfigError, match="is of week 2026-W48, not before 2026-W48"):
        week(case("a", 0.5), places=3, last=same)


def _by_hand(policy: Policy) -> tuple[Scores, Duties, Outlook]:
    work = week(case("a", 0.5), places=1)
    scored = ["case_id", "age_weeks", "status", "abstain_reason", "p_exceed_52w", "base_rate"]
    frame = work.rows.assign(is_due=False, contacted_on=pd.NaT, lift=0.0, may_be_written=False)
    duties = frame.drop(columns=[*scored[1:], *OUTLOOK, "is_closing", "week", "section", "rank", "band", "change"])
    teams = frame[["office", "team"]].assign(n_fell_due=0, n_met=0, has_follow_ups=True)
    return Scores(frame[scored], 52, "risk52-1"), Duties(duties, teams, MONDAY, policy.rules_on(MONDAY)), work.outlook


def test_scores_duties_and_outlooks_of_different_cases_are_refused() -> None:
    policy = read_policy()
    scores, duties, outlook = _by_hand(policy)
    assert prioritise(scores, duties, policy, outlook=outlook).rows["case_id"].tolist() == ["a"]
    other = Scores(scores.frame.assign(case_id="z"), 52, "risk52-1")
    with pytest.raises(CaseDataError, match="scores and duties differ in 1 cases"):
        prioritise(other, duties, policy, outlook=outlook)
    with pytest.raises(CaseDataError, match="scores and duties differ in 1 cases"):
        prioritise(scores, duties, policy, outlook=replace(outlook, frame=outlook.frame.assign(case_id="z")))


def test_a_day_without_open_cases_is_refused() -> None:
    policy = read_policy()
    scores, duties, outlook = _by_hand(policy)
    none = Duties(duties.frame.iloc[:0], duties.timeliness, MONDAY, duties.rules)
    with pytest.raises(TooFewCasesError, match="no case is open"):
        prioritise(Scores(scores.frame.iloc[:0], 52, "risk52-1"), none, policy, outlook=outlook)
