"""The backtest: when it looks, what it may know, and that it says what the list would have said."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from risk.register import Register
from risk.scoring import score, score_snapshot
from risk.snapshot import take_snapshot
from training.backtest import backtest, origins
from training.fit import fit, prepare
from training.landmarks import landmark_rows, register_at
from training.plan import Plan
from training.results import METRICS, TrainingRun

TIGHT = 1e-12


def test_a_score_of_the_backtest_is_the_score_of_the_list_of_that_day(made: Register, quick_plan: Plan) -> None:
    origin = date(2025, 3, 3)
    bundle = fit("linear", prepare(register_at(made, origin), quick_plan, origin), quick_plan)
    until = origin + timedelta(weeks=8)
    rows = landmark_rows(made, quick_plan.landmarks.at, quick_plan.outcome, made.extract_on, since=origin, until=until)
    judged = score_snapshot(rows.snapshot, bundle).frame
    assert len(judged) > 50
    for i in range(0, len(judged), 40):
        day = rows.snapshot.as_of[i].astype(object)
        # The list of that day was made from an extract of that day.
        listed = score(register_at(made, day), day, bundle).frame.set_index("case_id")
        for column in ("p_exceed_52w", "p_exceed_26w"):
            ours, theirs = judged.at[i, column], listed.at[judged.at[i, "case_id"], column]
            assert (np.isnan(ours) and np.isnan(theirs)) or abs(ours - theirs) <= TIGHT


def test_a_simulated_monday_holds_the_scores_of_that_mondays_list(made: Register, quick_plan: Plan) -> None:
    _, detail = backtest(made, made.extract_on, quick_plan)
    table = detail.mondays["linear"]
    origin, monday = table["origin"].iloc[-1], table["monday"].iloc[-1]
    bundle = fit("linear", prepare(register_at(made, origin), quick_plan, origin), quick_plan)
    listed = score(register_at(made, monday), monday, bundle)
    ours = table[table["monday"] == monday]
    case_id = made.cases["case_id"].to_numpy()[ours["position"]]
    theirs = listed.frame.set_index("case_id").loc[case_id, "p_exceed_52w"].to_numpy()
    assert np.abs(ours["p"].to_numpy() - theirs).max() <= TIGHT
    competing = listed.frame["age_weeks"] < quick_plan.capacity.first_until_week
    assert len(ours) == (np.isfinite(listed.p_exceed) & competing).sum()
    assert monday.weekday() == 0


def test_origins_are_chosen_so_that_every_case_judged_was_followed_to_the_horizon(
    made: Register, quick_plan: Plan
) -> None:
    days, note = origins(made, made.extract_on, quick_plan)
    assert note == ""
    assert [(b - a).days for a, b in pairwise(days)] == [182]
    assert days[-1] == made.extract_on - timedelta(weeks=52 + 26)


def test_a_fitted_model_knows_no_outcome_after_its_origin(made: Register, quick_plan: Plan) -> None:
    origin = date(2025, 3, 3)
    material = prepare(register_at(made, origin), quick_plan, origin)
    rows = material.rows
    last_known = rows.started_on + (np.rint(rows.y["weeks"] * 7)).astype("timedelta64[D]")
    assert (last_known < np.datetime64(origin)).all()
    assert rows.cut_on == material.cut_on == origin
    # Closings after the origin do not change what is fitted on.
    later = made.cases["closed_on"] >= pd.Timestamp(origin)
    shuffled = made.cases.assign(closed_on=made.cases["closed_on"].where(~later, made.cases["closed_on"].max()))
    changed = Register(shuffled, made.facts, made.extract_on, made.source, made.is_synthetic)
    again = prepare(register_at(changed, origin), quick_plan, origin)
    assert np.array_equal(again.rows.y, rows.y)
    pd.testing.assert_frame_equal(again.X, material.X)


def test_tables_say_what_they_promise(whole_run: TrainingRun, quick_plan: Plan) -> None:
    made = whole_run.backtest
    per_landmark = made.metrics[made.metrics["landmark"] != "list"]
    assert set(per_landmark["metric"]) == set(METRICS)
    assert set(made.metrics["learner"]) == {"linear", "baseline", "longest_open"}
    assert made.metrics["origin"].isna().any()
    assert len(made.splits) == made.metrics["origin"].nunique() == 2
    assert made.splits["is_whole"].all()
    inside = per_landmark["low"].le(per_landmark["value"] + 0.05) & per_landmark["high"].ge(
        per_landmark["value"] - 0.05
    )
    assert (inside | per_landmark["low"].isna()).all()
    assert (made.lists["monday"].map(lambda d: d.weekday()) == 0).all()
    assert (made.lists.groupby("learner").size() == 4).all()


def test_the_line_over_all_origins_is_their_plain_mean(whole_run: TrainingRun) -> None:
    table = whole_run.backtest.metrics
    auc = table[(table["metric"] == "auc") & (table["learner"] == "linear") & (table["landmark"] == "8")]
    by_origin, mean = auc[auc["origin"].notna()], auc[auc["origin"].isna()]
    assert mean["value"].item() == pytest.approx(by_origin["value"].mean())
    assert mean["n"].item() == by_origin["n"].sum()


def test_the_rule_used_today_neither_gains_nor_loses_against_itself(whole_run: TrainingRun) -> None:
    table = whole_run.backtest.metrics
    lift = table[(table["metric"] == "lift_over_rule") & (table["learner"] == "longest_open")]["value"]
    assert lift.to_numpy() == pytest.approx(1.0)
    lists = whole_run.backtest.lists
    rule = lists[lists["learner"] == "longest_open"]
    assert rule["precision"].to_numpy() == pytest.approx(rule["rule_precision"].to_numpy())


def test_lists_hold_their_places_team_by_team(made: Register, whole_run: TrainingRun, quick_plan: Plan) -> None:
    lists = whole_run.backtest.lists
    assert (lists["n_listed"] >= quick_plan.capacity.share * lists["n_open"]).all()
    first = lists.iloc[0]
    monday = first["monday"]
    snapshot = take_snapshot(made, monday)
    young = snapshot.position[snapshot.age_weeks < quick_plan.capacity.first_until_week]
    teams = made.cases["team"].iloc[young].value_counts()
    assert first["n_open"] == len(young)
    assert first["n_listed"] == pytest.approx(sum(quick_plan.capacity.places(int(n)) for n in teams))


def test_days_of_ones_own_can_be_planned(made: Register, quick_plan: Plan) -> None:
    asked = quick_plan.changed(backtest={"at": [date(2030, 1, 1), date(2024, 6, 3)]})
    assert origins(made, made.extract_on, asked) == ([date(2024, 6, 3)], "")
    none = quick_plan.changed(backtest={"at": [date(2030, 1, 1)]})
    days, note = origins(made, made.extract_on, none)
    assert days == []
    assert "none of the planned origins" in note


def test_a_younger_register_is_judged_where_it_can_be_followed_and_says_so(made: Register, quick_plan: Plan) -> None:
    first = made.cases["registered_on"].min().date()
    as_of = first + timedelta(weeks=78 + 26 + 20)
    known = register_at(made, as_of)
    asked = quick_plan.changed(backtest={"least_rows": 10, "least_exceeded": 2})
    days, note = origins(known, as_of, asked)
    assert len(days) == 1
    assert "register is young" in note
    found, _ = backtest(known, as_of, asked)
    assert not found.splits["is_whole"].any()
    judged = set(found.metrics["landmark"]) - {"list"}
    assert "39" in judged
    assert "registration" not in judged


def test_where_nothing_can_be_compared_only_the_first_candidate_is_fitted(made: Register, quick_plan: Plan) -> None:
    plan = quick_plan.changed(
        learners={"candidates": ("linear", "stacked"), "shown": ("baseline", "longest_open")},
        backtest={"origins": 1, "least_rows": 10**6},
    )
    judged, detail = backtest(made, made.extract_on, plan)
    assert set(detail.mondays) == {"linear", "baseline", "longest_open"}
    assert set(judged.metrics["landmark"]) == {"list"}
    assert judged.comparisons.empty
