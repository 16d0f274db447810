"""From the lists of a week to the store: every open case once, with what the files say and what its page needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from models.bundle import Bundle
from models.certainty import Around
from risk.curves import weekly_curves
from risk.policy import Policy, read_policy
from risk.priority import SECTIONS
from risk.reasons import explain
from risk.register import Register
from risk.snapshot import take_snapshot
from risk.weeks import Floats
from serving import insight as module
from serving.insight import N_TOLD, look_into
from serving.keeping import keep_lists, store_for_lists, team_lists
from serving.store.engine import Store, open_store
from serving.store.listed import ListedCase, TeamList
from serving.store.overview import WEEKS_AHEAD
from serving.store.verify_lists import verify_lists
from serving.store.worklists import read_list
from serving.weekly import make_lists
from serving.worklist import Lists, last_week_of

AS_OF = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Few places, so that there is a remainder, and a capacity of its own for one team."""
    shipped = read_policy()
    capacity = shipped.capacity.model_copy(update={"teams": {"A": 6.0}, "per_worker": 2.0})
    return shipped.model_copy(update={"capacity": capacity})


@pytest.fixture(scope="module")
def lists(wide_register: Register, wide_bundle: Bundle, policy: Policy) -> Lists:
    return make_lists(wide_register, AS_OF, wide_bundle, policy)


@pytest.fixture(scope="module")
def kept(lists: Lists, wide_bundle: Bundle) -> dict[str, TeamList]:
    return {one.team: one for one in team_lists(lists, look_into(lists, wide_bundle))}


def all_cases(kept: dict[str, TeamList]) -> list[ListedCase]:
    return [case for one in kept.values() for case in one.cases]


def test_every_open_case_is_kept_once_in_its_own_team(kept: dict[str, TeamList], lists: Lists) -> None:
    n_open = lists.worklist.teams.set_index("team")["n_open"]
    assert {team: len(one.cases) for team, one in kept.items()} == n_open.to_dict()
    ids = [case.case_id for case in all_cases(kept)]
    assert sorted(ids) == sorted(lists.duties.frame["case_id"])
    team_of = lists.register.cases.set_index("case_id")["team"]
    assert all(team_of[case.case_id] == team for team, one in kept.items() for case in one.cases)
    owner = lists.register.cases.set_index("case_id")["person_key"]
    assert all(case.person_key == owner[case.case_id] for case in all_cases(kept))


def test_places_on_the_page_come_first_in_order_and_the_rest_says_why_it_has_none(kept: dict[str, TeamList]) -> None:
    for one in kept.values():
        ranks = [case.rank for case in one.cases]
        n = sum(case.is_listed for case in one.cases)
        assert ranks == [*range(1, n + 1), *[None] * (len(ranks) - n)]
        assert all(type(rank) is int for rank in ranks[:n])
        assert {case.section for case in one.cases[:n]} <= set(SECTIONS)
        assert {case.section for case in one.cases[n:]} <= {"remainder", "cooling", "excluded"}
        assert one.about["figures"]["n_listed"] == n


def test_the_row_kept_is_the_row_of_the_list(kept: dict[str, TeamList], lists: Lists) -> None:
    rows = lists.worklist.rows.set_index("case_id")
    for case in all_cases(kept):
        if not case.is_listed:
            continue
        row = rows.loc[case.case_id]
        assert (case.section, case.rank, case.band, case.status) == (row.section, row["rank"], row.band, row.status)
        assert case.p == (None if np.isnan(row["p_exceed_52w"]) else row["p_exceed_52w"])
        assert case.opened_on == row.opened_on.date()
        assert case.due_on == (None if row.due_on is None or row.due_on != row.due_on else row.due_on.date())
        assert case.more.get("p_close_4w") == (None if np.isnan(row.p_close_4w) else row.p_close_4w)


def test_a_case_without_a_score_is_kept_without_anything_a_model_says(kept: dict[str, TeamList]) -> None:
    seen = Counter(case.status for case in all_cases(kept))
    assert min(seen["scored"], seen["past_horizon"], seen["not_shown"]) > 0
    for case in all_cases(kept):
        if case.status == "scored":
            assert case.curve[-1] == (52, case.p)
            assert all(week > case.age_weeks for week, _ in case.curve)  # type: ignore[operator]  # a scored case has an age
        else:
            told = (case.p, case.curve, case.course, case.reasons, case.unknown, case.base_rate)
            assert told == (None, (), (), (), (), None)


def test_the_weekly_course_is_the_models_curve_falls_and_meets_the_chances_at_the_horizons(
    kept: dict[str, TeamList], lists: Lists, wide_bundle: Bundle
) -> None:
    snapshot = take_snapshot(lists.register, AS_OF)
    curves = weekly_curves(snapshot, wide_bundle, 52)
    row = {case_id: i for i, case_id in enumerate(snapshot.case_id.tolist())}
    scored = [case for case in all_cases(kept) if case.status == "scored"]
    for case in scored:
        assert case.age_weeks is not None
        n = len(case.course)
        assert case.age_weeks + n < 52 <= case.age_weeks + n + 1
        expected = np.exp(-curves.steps[row[case.case_id], 1 : n + 1])
        assert case.course == pytest.approx(expected, abs=5.1e-5)
        assert list(case.course) == sorted(case.course, reverse=True)
        along = [case.age_weeks, *(case.age_weeks + k for k in range(1, n + 1))]
        for week, p in case.curve:
            after = [q for w, q in zip(along, (1.0, *case.course), strict=True) if w >= week]
            before = [q for w, q in zip(along, (1.0, *case.course), strict=True) if w <= week]
            assert before[-1] + 1e-4 >= p >= (after[0] if after else 0.0) - 1e-4
    assert max(len(case.course) for case in scored) > 20


def test_reasons_are_those_of_the_model_and_begin_with_those_on_file(
    kept: dict[str, TeamList], lists: Lists, wide_bundle: Bundle
) -> None:
    scored = {case.case_id: list(case.reasons) for case in all_cases(kept) if case.status == "scored"}
    assert scored == explain(lists.register, AS_OF, wide_bundle, list(scored), N_TOLD)
    assert max(len(told) for told in scored.values()) == N_TOLD == 5
    for case_id, on_file in lists.reasons.items():
        assert scored[case_id][: len(on_file)] == on_file


def test_a_case_without_a_place_is_kept_with_its_score_and_its_reasons_too(
    small_register: Register, small_bundle: Bundle
) -> None:
    made = make_lists(small_register, small_register.extract_on, small_bundle, read_policy().with_places(1))
    rest = [
        case
        for one in team_lists(made, look_into(made, small_bundle))
        for case in one.cases
        if case.section == "remainder"
    ]
    assert len(rest) == made.worklist.teams["n_remainder"].sum() > 0
    assert all(case.p is not None and case.curve and case.rank is None for case in rest)
    told = explain(small_register, small_register.extract_on, small_bundle, [case.case_id for case in rest], N_TOLD)
    assert {case.case_id: list(case.reasons) for case in rest} == told


def test_an_interval_is_kept_only_where_it_is_that_of_the_case(
    lists: Lists, wide_bundle: Bundle, kept: dict[str, TeamList], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(case.interval is None for case in all_cases(kept))  # this model has learned none

    def around(_: Bundle, p: Floats, entry: Floats) -> Around:
        return Around(p / 2, (1 + p) / 2, covers)

    monkeypatch.setattr(module, "score_interval", around)
    covers: Literal["case", "equals"] = "equals"
    assert look_into(lists, wide_bundle).around == {}
    covers = "case"
    made = {one.team: one for one in team_lists(lists, look_into(lists, wide_bundle))}
    for case in all_cases(made):
        assert case.interval == (None if case.p is None else (case.p / 2, (1 + case.p) / 2))


def test_facts_nobody_recorded_are_named_and_recorded_ones_are_not(kept: dict[str, TeamList], lists: Lists) -> None:
    facts = lists.register.facts
    known = {case_id: set(names) for case_id, names in facts.groupby("case_id")["name"]}
    some = [case for case in all_cases(kept) if case.unknown]
    assert some
    assert all(not set(case.unknown) & known.get(case.case_id, set()) for case in some)


def test_figures_add_up_and_what_lies_ahead_is_the_models_curve(
    kept: dict[str, TeamList], lists: Lists, wide_bundle: Bundle
) -> None:
    age = lists.scores.frame.set_index("case_id")["age_weeks"]
    snapshot = take_snapshot(lists.register, AS_OF)
    curves = weekly_curves(snapshot, wide_bundle, WEEKS_AHEAD)
    still_open = dict(zip(snapshot.case_id.tolist(), np.exp(-curves.steps[:, WEEKS_AHEAD]).tolist(), strict=True))
    for one in kept.values():
        figures = one.about["figures"]
        ids = [case.case_id for case in one.cases]
        assert figures["n_past"] == sum(age[c] >= 52 for c in ids)
        expected = sum(still_open[c] for c in ids if age[c] + WEEKS_AHEAD >= 52)
        assert figures["n_past_expected"] == pytest.approx(
            expected, abs=0.35
        )  # one without a score follows a neighbour
        assert 0 < figures["n_past_expected"] < len(ids)
    assert (kept["A"].about["figures"]["n_workers"], kept["B"].about["figures"]["n_workers"]) == (3.0, None)


def test_the_lines_needed_daily_are_some_of_all_lines_in_their_order(kept: dict[str, TeamList]) -> None:
    for one in kept.values():
        for words in one.about["words"].values():
            assert 3 <= len(words["daily"]) < len(words["lines"])
            assert [line for line in words["lines"] if line in words["daily"]] == words["daily"]


def test_a_case_that_left_is_kept_with_why_and_without_more(
    wide_register: Register, wide_bundle: Bundle, policy: Policy, kept: dict[str, TeamList]
) -> None:
    listed = [{"office": "Nordby", "team": "A", "case_id": c.case_id, "section": "risk"} for c in kept["A"].cases]
    gone = {"office": "Nordby", "team": "A", "case_id": "SYN999999", "section": "risk"}
    before = last_week_of({"week": "2026-W47", "rows": [*listed, gone]})
    later = make_lists(wide_register, AS_OF, wide_bundle, policy, before)
    mine = next(one for one in team_lists(later, look_into(later, wide_bundle)) if one.team == "A")
    left = [case for case in mine.cases if case.section == "left"]
    assert len(left) == sum(not case.is_listed for case in kept["A"].cases) + 1
    assert mine.cases[-len(left) :] == left
    assert all(case.why_left and case.rank is None and case.p is None for case in left)
    stranger = next(case for case in left if case.case_id == "SYN999999")
    assert (stranger.why_left, stranger.person_key) == ("not_open", "")
    assert mine.about["last_week"] == "2026-W47"


def test_the_same_week_kept_twice_is_one_revision_and_is_read_back_as_it_is(
    store: Store, lists: Lists, wide_bundle: Bundle, kept: dict[str, TeamList]
) -> None:
    insight = look_into(lists, wide_bundle)
    assert keep_lists(store, lists, insight, NOW, "test").is_new
    assert not keep_lists(store, lists, look_into(lists, wide_bundle), NOW, "test").is_new
    for team, one in kept.items():
        found = read_list(store, "Nordby", team)
        assert found is not None
        assert found.rows == list(one.cases)
        assert found.head.about == one.about
    assert verify_lists(store).n_faults == 0


def test_lists_go_into_a_store_that_is_named_or_there_and_where_they_are_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    monkeypatch.delenv("RISK_STORE", raising=False)
    assert store_for_lists(None) is None
    assert list(tmp_path.iterdir()) == []

    def where(is_wanted: bool | None, *, is_dev: bool = False) -> str:
        opened = store_for_lists(is_wanted, is_dev=is_dev)
        assert opened is not None
        opened.close()
        return Path(str(opened.engine.url.database)).name

    assert where(None, is_dev=True) == "store-dev.db"
    assert store_for_lists(None) is None
    assert where(True) == "store.db"
    assert where(None) == "store.db"  # it is there now
    assert store_for_lists(False) is None
    monkeypatch.setenv("RISK_STORE", f"sqlite:///{tmp_path / 'named.db'}")
    assert where(None) == "named.db"
