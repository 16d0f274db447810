"""The weeks of a team, worked through by hand; and the accounts held to laws over many made-up teams."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from risk import features
from risk.capacity import Draws, TeamStart, Week, Work, draw, hours_per_worker, outcome_at, simulate, summed, take_start
from risk.capacity.assumptions import assumptions
from risk.capacity.results import asked_per_worker, first_runs, longest_talk, work_of
from risk.capacity.start import NEVER_DUE, NEVER_TALKED, _highest
from risk.curves import Curves, weekly_curves
from risk.errors import AsOfError, ConfigError, TooFewCasesError
from risk.policy import Minutes, read_policy
from risk.register import Register, make_register
from risk.scoring import score
from risk.snapshot import take_snapshot

EXTRACT = date(2026, 11, 16)
N_WEEKS = 60


def team(
    due: list[int],
    *,
    hazard: float = 0.0,
    age: list[float] | None = None,
    new_due: list[int] | None = None,
    came: list[int] | None = None,
    repeat: int = 4,
    high: bool = False,
    horizon: int = 52,
) -> TeamStart:
    """A team whose cases all close at one weekly hazard; ``due`` of the open cases, ``new_due`` of those of last year."""
    later = new_due or []
    n, n_open = len(due) + len(later), len(due)
    ages = np.array([*(age or [10.0] * n_open), *([5.0] * len(later))])
    curves = Curves(
        age=ages,
        steps=np.tile(hazard * np.arange(N_WEEKS + 1.0), (n, 1)),
        to_horizon=hazard * np.maximum(horizon - ages, 0.0),
        is_scored=np.ones(n, dtype=bool),
        horizon_weeks=horizon,
    )
    return TeamStart(
        office="Nordby",
        team="A",
        n_open=n_open,
        curves=curves,
        repeat_weeks=np.full(n, repeat),
        is_first=np.zeros(n, dtype=bool),
        may_be_written=np.zeros(n, dtype=bool),
        may_be_called=np.ones(n, dtype=bool),
        is_high=np.array([False] * n_open + [high] * len(later)),
        due_week=np.array([*due, *later], dtype=np.int64),
        talked_week=np.full(n, NEVER_TALKED),
        came_week=np.array(came or [0] * len(later), dtype=np.int64),
        cycle_weeks=max(came or [0]) + 1,
        n_unscored=0,
        n_overdue=int((np.array(due) < 0).sum()),
        n_closed_recently=0,
        n_fell_due=0,
        n_met=0,
    )


def by_hand(row: list[int], came: list[int], until: list[float], n_weeks: int) -> Draws:
    """One run in which chance is decided by hand."""
    return Draws(1, n_weeks, np.zeros(len(row), dtype=np.int64), np.array(row), np.array(came), np.array(until))


FOREVER = 1e9


def test_one_talk_a_week_and_three_follow_ups_due_at_once() -> None:
    draws = by_hand([0, 1, 2], [-1] * 3, [FOREVER] * 3, 5)
    week = simulate(team([0, 0, 0]), draws, Work(hours=1, minutes=Minutes()))
    # Weeks 0, 1 and 2 hold one each; they are due again in weeks 4, 5 and 6. Week 3 has an hour to spare.
    assert week.held.tolist() == [[1, 1, 1, 0, 1]]
    assert week.counted.tolist() == [[3, 0, 0, 0, 1]]
    assert week.met.tolist() == [[1, 0, 0, 0, 1]]
    assert week.weeks_late.tolist() == [[0, 1, 2, 0, 0]]
    assert week.backlog.tolist() == [[2, 1, 0, 0, 0]]
    assert week.extra.tolist() == [[0, 0, 0, 1, 0]]


def test_a_first_talk_takes_longer_than_a_later_one_and_writing_less_where_it_is_accepted() -> None:
    start = replace(
        team([0, 0, 0, 0], repeat=50),
        is_first=np.array([True, False, False, True]),
        may_be_written=np.array([False, False, True, True]),
    )
    draws = by_hand([0, 1, 2, 3], [-1] * 4, [FOREVER] * 4, 2)
    lengths = Minutes(first_interview=60, follow_up=30, written=15, risk=480)
    # 60 + 30 + 15 + 15 minutes are two hours; with a minute less the last waits.
    both = [simulate(start, draws, Work(h, lengths)) for h in (2.0, 119 / 60)]
    assert [w.held.tolist() for w in both] == [[[4, 0]], [[3, 1]]]
    assert [w.duty_minutes.tolist() for w in both] == [[[120, 0]], [[105, 15]]]


def test_overdue_ones_wait_when_the_order_is_turned_round() -> None:
    start = team([-1, 0, 1], repeat=8)
    draws = by_hand([0, 1, 2], [-1] * 3, [FOREVER] * 3, 3)
    work = {"hours": 1.0, "minutes": Minutes()}
    first = simulate(start, draws, Work(**work))  # type: ignore[arg-type]  # kinds mixed in a dict
    last = simulate(start, draws, Work(**work, is_overdue_last=True))  # type: ignore[arg-type]  # as above
    assert (first.met.tolist(), first.counted.tolist()) == ([[0, 0, 0]], [[1, 1, 0]])
    assert (last.met.tolist(), last.counted.tolist()) == ([[1, 1, 0]], [[1, 1, 0]])
    assert first.backlog.tolist() == last.backlog.tolist() == [[1, 1, 0]]


def test_what_is_left_of_a_week_too_short_for_a_talk_goes_into_the_next() -> None:
    draws = by_hand([0, 1, 2, 3], [-1] * 4, [FOREVER] * 4, 4)
    week = simulate(team([0, 0, 0, 0], repeat=50), draws, Work(hours=0.75, minutes=Minutes()))
    # 45 minutes, then 90, 75, 60: the talks fall in weeks 1, 2 and 3.
    assert week.held.tolist() == [[0, 1, 1, 1]]


def test_a_reserve_keeps_talks_for_risk_and_nobody_is_called_twice_within_the_cool_down() -> None:
    draws = by_hand([0, 1, 2], [-1] * 3, [FOREVER] * 3, 3)
    start = team([0, 0, NEVER_DUE], repeat=50)
    work = Work(hours=2, minutes=Minutes(), reserve=1, cool_down_weeks=50)
    week = simulate(start, draws, work)
    assert week.held.tolist() == [[1, 1, 0]]
    assert week.extra.tolist() == [[1, 0, 0]]  # the third case; the other two have had a talk


def test_a_case_closes_when_its_hazard_passes_its_draw_and_sooner_with_an_effect() -> None:
    start = team([NEVER_DUE], hazard=0.1)
    draws = by_hand([0], [-1], [0.45], 6)
    work = Work(hours=1, minutes=Minutes())
    assert simulate(start, draws, work).closed.tolist() == [[0, 0, 0, 0, 1, 0]]  # 0.1, 0.2 ... 0.5 in the fifth week
    assert simulate(start, draws, work, effect=2.0).closed.tolist() == [[0, 0, 1, 0, 0, 0]]  # 0.2, 0.4, 0.6
    assert simulate(start, draws, work, effect=0.5).closed.tolist() == [[0, 0, 0, 0, 0, 0]]  # 0.3 after six weeks
    late = simulate(start, draws, Work(0.5, Minutes()), effect=2.0)  # a talk every other week: 0.1, 0.3, 0.5
    assert (late.extra.tolist(), late.closed.tolist()) == ([[0, 1, 0, 0, 0, 0]], [[0, 0, 1, 0, 0, 0]])


def test_a_case_passes_the_horizon_on_its_day_even_if_it_closes_later_in_the_week() -> None:
    start = team([NEVER_DUE, NEVER_DUE, NEVER_DUE], hazard=0.4, age=[51.5, 51.5, 60.0])
    # 0.2 up to the day, 0.4 up to the end of the week.
    draws = by_hand([0, 1, 2], [-1] * 3, [0.3, 0.1, FOREVER], 1)
    week = simulate(start, draws, Work(0.01, Minutes()))
    assert (week.passed.tolist(), week.closed.tolist(), week.past.tolist()) == ([[1]], [[2]], [[1]])


def test_high_risk_newcomers_are_reached_when_they_had_a_talk_before_week_13() -> None:
    # Three come at age 5 in week 0; week 13 ends with week 7. The first has a follow-up in week 3, the second only in week 9.
    start = team([], new_due=[3, 9, 9], high=True)
    draws = by_hand([0, 1, 2], [0, 0, 0], [FOREVER] * 3, 9)
    none = simulate(start, draws, Work(1.0, Minutes(risk=480)))
    assert [int(x.sum()) for x in (none.high, none.high_talked, none.high_extra)] == [3, 1, 0]
    some = simulate(start, draws, Work(1.0, Minutes(), cool_down_weeks=50))
    assert [int(x.sum()) for x in (some.high, some.high_talked, some.high_extra)] == [3, 3, 3]


def test_a_follow_up_overdue_when_the_case_comes_is_held_but_not_counted() -> None:
    draws = by_hand([0], [2], [FOREVER], 4)
    week = simulate(team([], new_due=[-2], came=[2]), draws, Work(5, Minutes()))
    assert week.came.tolist() == [[0, 0, 1, 0]]
    assert (week.held.tolist(), week.counted.tolist(), week.fell_due.tolist()) == (
        [[0, 0, 1, 0]],
        [[0, 0, 0, 0]],
        [[0, 0, 1, 0]],
    )


def test_new_cases_come_at_the_rate_of_last_year_and_in_its_weeks() -> None:
    start = team([], new_due=[3] * 30, came=[0] * 20 + [2] * 10)
    draws = draw(start, 400, 6, seed=1)
    n = np.bincount(draws.came, minlength=6) / 400
    assert n[[1, 4]].tolist() == [0, 0]  # nobody came in that week of the year
    np.testing.assert_allclose(n[[0, 3]], 20, atol=4 * np.sqrt(20 / 400))
    np.testing.assert_allclose(n[[2, 5]], 10, atol=4 * np.sqrt(10 / 400))


def test_without_effect_as_many_pass_the_horizon_as_the_curves_expect() -> None:
    start = team([NEVER_DUE] * 50, hazard=0.05, age=[float(a) for a in np.linspace(30, 51.9, 50)])
    week = simulate(start, draw(start, 400, 30, seed=2), Work(3, Minutes()))
    p = start.curves.p_exceed
    expected, sd = p.sum(), np.sqrt((p * (1 - p)).sum() / 400)
    assert abs(week.passed.sum() / 400 - expected) < 4 * sd


def test_the_runs_of_a_team_do_not_depend_on_how_many_there_are() -> None:
    start = team([0, 1, 2], hazard=0.05, new_due=[3, 4], came=[0, 1])
    many, few = draw(start, 12, 8, seed=3), draw(start, 5, 8, seed=3)
    np.testing.assert_array_equal(first_runs(many, 5).until, few.until)
    np.testing.assert_array_equal(first_runs(many, 5).row, few.row)
    assert not np.array_equal(draw(start, 5, 8, seed=4).until, few.until)


def test_runs_simulated_in_blocks_give_the_same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    start = team([0, 1, 2, 3], hazard=0.05, new_due=[3, 4], came=[0, 1], high=True)
    draws, work = draw(start, 9, 20, seed=3), Work(1.5, Minutes(risk=45))
    whole = simulate(start, draws, work)
    monkeypatch.setattr("risk.capacity.simulation._PAIRS_AT_ONCE", 30)
    blocks = simulate(start, draws, work)
    for f in fields(Week):
        np.testing.assert_array_equal(getattr(whole, f.name), getattr(blocks, f.name), err_msg=f.name)


teams = st.builds(
    lambda n_open, n_new, hazard, repeat, seed: _random_team(n_open, n_new, hazard, repeat, seed),
    st.integers(1, 25), st.integers(0, 20), st.floats(0, 0.3), st.integers(1, 9), st.integers(0, 10_000),
)  # fmt: skip


def _random_team(n_open: int, n_new: int, hazard: float, repeat: int, seed: int) -> TeamStart:
    rng = np.random.default_rng(seed)
    start = team(
        rng.integers(-3, 9, n_open).tolist(), hazard=hazard, age=rng.uniform(0, 60, n_open).tolist(),
        new_due=rng.integers(-2, 5, n_new).tolist(), came=rng.integers(0, 6, n_new).tolist(), repeat=repeat, high=True,
    )  # fmt: skip
    n = n_open + n_new
    return replace(start, is_first=rng.random(n) < 0.5, may_be_written=rng.random(n) < 0.3)


@settings(max_examples=60, deadline=None)
@given(teams, st.floats(0.2, 20), st.sampled_from([20, 45, 60]), st.sampled_from([0.8, 1.0, 1.51]), st.booleans())
def test_the_account_of_every_week_adds_up(
    start: TeamStart, hours: float, minutes: int, effect: float, is_overdue_last: bool
) -> None:
    lengths = Minutes(first_interview=60, follow_up=minutes, written=15)
    work = Work(hours, lengths, reserve=0, cool_down_weeks=2, is_overdue_last=is_overdue_last)
    w = simulate(start, draw(start, 4, 15, seed=1), work, effect)
    np.testing.assert_array_equal(w.open_start + w.came - w.closed, w.open_end)
    np.testing.assert_array_equal(w.open_end[:, :-1], w.open_start[:, 1:])
    # No follow-up is held twice, forgotten or made up: what waits is what waited and fell due, less held and dropped.
    np.testing.assert_array_equal(w.due_start + w.fell_due - w.held - w.dropped, w.backlog)
    np.testing.assert_array_equal(w.backlog[:, :-1], w.due_start[:, 1:])
    assert (w.met <= np.minimum(w.counted, w.held)).all()
    assert (w.counted <= w.fell_due).all()
    assert (w.duty_minutes <= w.held * 60).all()
    assert (w.duty_minutes >= w.held * 15).all()
    used = np.cumsum(w.duty_minutes + w.extra * 60, axis=1)
    assert (used <= np.arange(1, 16) * hours * 60 + 1e-6).all()
    assert (w.high_extra <= w.high_talked).all()
    assert (w.high_talked <= w.high).all()
    assert all((getattr(w, f.name) >= 0).all() for f in fields(Week))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_a_higher_norm_never_raises_timeliness_in_expectation(seed: int) -> None:
    start = _random_team(40, 40, 0.04, 4, seed)
    draws, policy = draw(start, 40, 30, seed), read_policy()
    told = [outcome_at([start], [draws], norm, policy, 14.0)[0].timeliness.value for norm in (30, 45, 60, 75, 90, 120)]
    assert all(more <= less + 0.02 for less, more in pairwise(told)), told


@pytest.mark.parametrize("norm", [0.0, -5.0, float("nan"), float("inf")])
def test_a_norm_that_is_no_number_above_zero_is_refused(norm: float) -> None:
    with pytest.raises(ConfigError, match="give a number above 0"):
        work_of(team([0]), norm, read_policy(), 14.0)


def test_shares_hours_and_minutes_of_a_norm_by_hand() -> None:
    start = team([0, 0, 0, 0], repeat=4)
    draws = by_hand([0, 1, 2, 3], [-1] * 4, [FOREVER] * 4, 4)
    policy = read_policy()
    # Four cases at a norm of 4: one worker with one hour. One of four is met in the week all are due.
    told, _ = outcome_at([start], [draws], 4, policy, 1.0)
    assert (told.n_workers, told.timeliness.value, told.weeks_late.value) == (1.0, 0.25, 1.5)
    assert (told.duty_hours.value, told.risk_hours.value, told.free_hours.value) == (1.0, 0.0, 0.0)
    assert (told.backlog.value, told.caseload.value, told.past_share.value) == (0.0, 4.0, 0.0)
    assert np.isnan(told.reached.value)
    # All four fit into the hour at 15 minutes each, three at 20 (75 %), two at 30.
    assert longest_talk([start], [draws], 4, policy, 1.0, at_least=0.9) == 15
    assert longest_talk([start], [draws], 4, policy, 1.0, at_least=0.75) == 20
    assert longest_talk([start], [draws], 4, policy, 0.1, at_least=0.9) is None
    work = work_of(start, 90, read_policy(), 14)
    assert asked_per_worker([start], 90, work) == (22.5, 22.5)
    written = replace(start, may_be_written=np.array([True, False, True, False]))
    quarter = replace(work, minutes=Minutes(written=15))
    assert asked_per_worker([written], 90, quarter) == (22.5, 22.5 * (15 + 60) / 120)
    two = summed(outcome_at([start, start], [draws, draws], 4, policy, 1.0)[1])
    assert two.held.tolist() == [[2, 2, 2, 2]]
    assert hours_per_worker(policy) == policy.capacity.per_worker * policy.capacity.minutes.follow_up / 60


def test_curves_begin_at_the_score_of_the_list_and_never_fall(small_register: Register, small_bundle: Bundle) -> None:
    curves = weekly_curves(take_snapshot(small_register, EXTRACT), small_bundle, 20)
    frame = score(small_register, EXTRACT, small_bundle).frame
    is_scored = (frame["status"] == "scored").to_numpy()
    np.testing.assert_allclose(curves.p_exceed[is_scored], frame["p_exceed_52w"][is_scored], rtol=1e-10)
    assert (np.diff(curves.steps, axis=1) >= 0).all()
    assert (curves.steps[:, 0] == 0).all()
    # Ten weeks on, the curve is what the model says of ten weeks on.
    one = int(np.flatnonzero(is_scored)[0])
    position = take_snapshot(small_register, EXTRACT)
    X = features.feature_frame(features.build_features(position, small_bundle.meta["features"])).iloc[[one]]
    later = small_bundle.survival(X, [curves.age[one] + 10], [curves.age[one]])[0, 0]
    assert np.exp(-curves.steps[one, 10]) == pytest.approx(later, rel=1e-10)


def test_the_start_of_a_team_is_its_open_cases_and_last_years_newcomers(
    small_register: Register, small_bundle: Bundle
) -> None:
    starts = take_start(small_register, EXTRACT, small_bundle, read_policy(), 10)
    cases = small_register.cases
    assert [s.team for s in starts] == ["A", "B"]
    for s in starts:
        mine = cases[cases["team"] == s.team]
        assert s.n_open == int(mine["closed_on"].isna().sum())
        came = mine[mine["registered_on"] >= "2025-11-17"]
        assert len(s.came_week) == len(came)
        assert s.came_week.min() >= 0
        assert s.came_week.max() <= 51
    assert len(take_start(small_register, EXTRACT, small_bundle, read_policy(), 10, team="B")) == 1
    said = assumptions(starts, read_policy(), read_policy().rules_on(EXTRACT), None, "abc")
    assert all(a.source and a.value for a in said)


def test_bad_input_is_refused_in_one_line(small_register: Register, small_bundle: Bundle) -> None:
    policy = read_policy()
    with pytest.raises(AsOfError, match="after the extract date"):
        take_start(small_register, date(2027, 1, 4), small_bundle, policy, 4)
    with pytest.raises(ConfigError, match="team 'C' is not in the register; known are A, B"):
        take_start(small_register, EXTRACT, small_bundle, policy, 4, team="C")
    with pytest.raises(TooFewCasesError, match="fewer than 5 open cases"):
        take_start(small_register, date(2024, 6, 10), small_bundle, policy, 4)
    with pytest.raises(TooFewCasesError, match="team 'A' has fewer than 5 open cases"):
        take_start(small_register, date(2024, 6, 10), small_bundle, policy, 4, team="A")


def test_of_follow_ups_due_in_one_week_the_older_case_comes_first() -> None:
    start = team([0, 0], age=[10.0, 30.0], repeat=3)
    draws = by_hand([0, 1], [-1, -1], [FOREVER] * 2, 4)
    week = simulate(start, draws, Work(1, Minutes(risk=480)))
    assert week.held.tolist() == [[1, 1, 0, 1]]
    both = team([0, 0], age=[50.0, 10.0], repeat=30, hazard=1.0)
    # The one of 50 weeks closes in the first week; had the younger been first, nothing would be left to hold.
    week = simulate(both, by_hand([0, 1], [-1, -1], [0.5, FOREVER], 2), Work(1, Minutes(risk=480)))
    assert (week.held.tolist(), week.dropped.tolist()) == ([[1, 1]], [[0, 0]])


def test_nobody_is_called_again_before_the_cool_down_is_over() -> None:
    week = simulate(team([NEVER_DUE]), by_hand([0], [-1], [FOREVER], 6), Work(1, Minutes(), cool_down_weeks=2))
    assert week.extra.tolist() == [[1, 0, 1, 0, 1, 0]]


def test_for_risk_older_cases_queue_behind_the_younger_and_the_higher_chance_goes_first() -> None:
    start = team([NEVER_DUE] * 3, hazard=0.05, age=[20.0, 25.0, 40.0])

    def called_in(case: int, first_until_week: float) -> int:
        """The week a case is called in: at this effect it closes at once, and the others never do."""
        until = [FOREVER] * 3
        until[case] = 1.0
        work = Work(1, Minutes(), cool_down_weeks=9, first_until_week=first_until_week)
        return simulate(start, by_hand([0, 1, 2], [-1] * 3, until, 3), work, effect=100.0).closed[0].tolist().index(1)

    assert [called_in(case, 26) for case in range(3)] == [1, 0, 2]
    assert [called_in(case, 520) for case in range(3)] == [2, 1, 0]


def test_once_held_a_follow_up_counts_again_even_if_the_first_came_too_late_to_meet() -> None:
    week = simulate(team([], new_due=[-1], repeat=2), by_hand([0], [0], [FOREVER], 5), Work(5, Minutes()))
    assert (week.held.tolist(), week.counted.tolist()) == ([[1, 0, 1, 0, 1]], [[0, 0, 1, 0, 1]])


def _eight(extra_facts: list[tuple[str, str, str, str]]) -> Register:
    """Six open cases, and two of last year that have closed."""
    opened = ["2026-09-28"] * 6 + ["2025-11-03", "2026-10-05"]
    registered = ["2026-10-26"] * 6 + ["2025-11-17", "2026-11-15"]
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in range(8)],
            "person_key": [f"p{i}" for i in range(8)],
            "opened_on": opened,
            "registered_on": registered,
            "closed_on": [None] * 6 + ["2026-03-02", None],
            "close_reason": [None] * 6 + ["recovered", None],
            "office": "Nordby",
            "team": "A",
            "employment_status": ["employee"] * 4 + ["unemployed"] * 4,
            "weekly_hours": [37.0, 30.0, 20.0, 37.0, 37.0, 30.0, 20.0, 37.0],
        }
    )
    facts = pd.DataFrame(extra_facts, columns=["case_id", "known_on", "name", "value"])
    return make_register(cases, facts, EXTRACT, source="by hand", is_synthetic=True)


def test_weeks_of_duties_talks_and_arrivals_by_hand(small_bundle: Bundle) -> None:
    register = _eight(
        [
            ("SYN000000", "2026-11-15", "follow_up_held", "interview"),  # yesterday: due four weeks on, 13 December
            ("SYN000001", "2026-11-02", "contact", "phone"),
            ("SYN000002", "2026-11-01", "objection", "true"),
            ("SYN000007", "2026-11-15", "standby", "true"),
        ]
    )
    (s,) = take_start(register, EXTRACT, small_bundle, read_policy(), 10)
    # Open cases in the register's order, then those that came: the seven registered since 17 November 2025 count.
    assert s.n_open == 7
    # Ill since 28 September: the first interview is due on 23 November, in week 1; 13 December is in week 3. The last, ill
    # since 5 October, is due on 30 November.
    assert s.due_week[:7].tolist() == [3, 1, 1, 1, 1, 1, 2]
    assert s.talked_week[:7].tolist() == [-1, -2, *[NEVER_TALKED] * 5]
    assert s.may_be_called[:7].tolist() == [True, True, False, True, True, True, False]
    # 26 October is 21 days back: the last day of the third-last week. 17 November 2025 is the 364th day back, the first week.
    assert s.came_week.tolist() == [49] * 6 + [0, 51]
    # Of 56 days to the first interview 28, 14 and 41 had gone at registration: 4, 6 and 2 whole weeks are left.
    assert s.due_week[7:].tolist() == [4] * 6 + [6, 2]
    assert s.may_be_called[7:].tolist() == [True, True, False, True, True, True, True, False]
    assert s.n_overdue == 0


def test_the_highest_fifth_is_counted_and_ties_go_in_together() -> None:
    assert _highest(np.array([0.1, 0.9, 0.3, 0.2, 0.8]), 0.2).tolist() == [False, True, False, False, False]
    assert _highest(np.array([0.5, 0.5, 0.5, 0.2, 0.1]), 0.2).tolist() == [True, True, True, False, False]
    assert _highest(np.array([]), 0.2).tolist() == []


def test_where_no_due_date_is_known_the_next_round_is_spread_evenly(
    small_register: Register, small_bundle: Bundle
) -> None:
    (s, _) = take_start(small_register, EXTRACT, small_bundle, read_policy(), 4)
    unknown = s.curves.age[: s.n_open] > 8  # past the first interview, and the team has recorded nothing
    assert set(s.due_week[: s.n_open][unknown]) == {0, 1, 2, 3}
