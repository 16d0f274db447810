"""Feedback and the figures made of it: only added, only on own lists, small counts hidden."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from risk.errors import CaseDataError
from serving.language import LANGUAGES, catalogue
from serving.store.accounts import Account
from serving.store.engine import Store
from serving.store.feedback import (
    KINDS,
    REASONS,
    feedback_of_case,
    feedback_of_list,
    give_feedback,
    override_rate,
    override_rates,
)
from serving.store.listed import ListedCase, ListHead, StoredList, TeamList
from serving.store.overview import offices_of, overview
from serving.store.tables import feedback
from serving.store.worklists import read_list, save_lists

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ANE = Account("ane", "caseworker", "Nordby", "A", "da")
BO = Account("bo", "leader", "Nordby", None, "da")
MakeList = Callable[..., TeamList]
Listed = Callable[..., StoredList]


def say(store: Store, head: ListHead, i: int, kind: str, reason: str = "", who: Account = ANE) -> None:
    give_feedback(store, who, head, f"SYN{i:06d}", kind, reason, NOW)


def test_feedback_is_kept_with_who_when_which_list_and_which_model(store: Store, listed: Listed) -> None:
    head = listed().head
    given = give_feedback(store, ANE, head, "SYN000003", "disagree", "facts_wrong", NOW)
    assert feedback_of_case(store, "SYN000003") == [given]
    assert feedback_of_list(store, head) == {"SYN000003": [given]}
    assert (given.at, given.by, given.kind, given.reason) == (
        "2026-11-23T08:00:00.000000Z",
        "ane",
        "disagree",
        "facts_wrong",
    )
    assert (given.week, given.office, given.team, given.revision) == ("2026-W48", "Nordby", "A", 1)
    assert given.model_version == "9ba0be476961"


def test_who_changes_their_mind_adds_an_entry_and_the_first_stays(store: Store, listed: Listed) -> None:
    head = listed().head
    say(store, head, 3, "agree")
    say(store, head, 3, "disagree", "other")
    assert [f.kind for f in feedback_of_case(store, "SYN000003")] == ["agree", "disagree"]
    assert override_rates(store, "Nordby")[0].n_judged is None  # one case judged, by its last word; hidden


def test_feedback_on_a_first_revision_is_shown_on_the_second(store: Store, listed: Listed, make_list: MakeList) -> None:
    say(store, listed().head, 3, "contacted")
    second = listed(make_list(policy_version="2026-2"))
    assert second.head.revision == 2
    assert [f.revision for f in feedback_of_list(store, second.head)["SYN000003"]] == [1]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("disagree", ""), ("disagree", "because"), ("agree", "other"), ("no_action", "other"), ("liked", ""), ("", "")],
)
def test_a_kind_or_reason_nobody_offers_is_refused(store: Store, listed: Listed, kind: str, reason: str) -> None:
    with pytest.raises(CaseDataError):
        say(store, listed().head, 3, kind, reason)
    assert feedback_of_case(store, "SYN000003") == []


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "disagree"])
def test_every_other_kind_is_given_without_a_reason(store: Store, listed: Listed, kind: str) -> None:
    say(store, listed().head, 3, kind)
    assert [f.kind for f in feedback_of_case(store, "SYN000003")] == [kind]


@pytest.mark.parametrize(
    ("who", "case_id"),
    [
        (ANE, "SYN000099"),
        (Account("x", "caseworker", "Nordby", "B", "da"), "SYN000003"),
        (Account("x", "leader", "Sydby", None, "da"), "SYN000003"),
        (Account("x", "admin", "", None, "da"), "SYN000003"),
        (Account("x", "scientist", "", None, "da"), "SYN000003"),
    ],
)
def test_a_case_that_is_not_on_ones_lists_is_refused_in_the_same_words(
    store: Store, listed: Listed, who: Account, case_id: str
) -> None:
    with pytest.raises(CaseDataError, match="there is no such case on your lists"):
        give_feedback(store, who, listed().head, case_id, "agree", "", NOW)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(feedback)).scalar() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_and_reason_has_its_words(language: Any) -> None:
    texts = catalogue(language)
    assert {k.split(".")[1] for k in texts if k.startswith("feedback_kind.")} == set(KINDS)
    assert {k.split(".")[1] for k in texts if k.startswith("feedback_reason.")} == set(REASONS)


@pytest.mark.parametrize(
    ("agree", "disagree", "told"),
    [
        (0, 0, (0, 0, None, None)),
        (4, 0, (None, None, None, None)),
        (5, 0, (5, 0, 0.0, None)),
        (19, 1, (20, None, None, None)),
        (20, 0, (20, 0, 0.0, "low")),
        (30, 1, (31, None, None, "low")),
        (95, 5, (100, 5, 0.05, None)),
        (96, 5, (101, 5, 5 / 101, "low")),
        (4, 6, (10, 6, 0.6, None)),
        (4, 7, (11, 7, 7 / 11, "high")),
        (0, 4, (None, None, None, None)),
        (1, 4, (5, None, None, "high")),
    ],
)
def test_the_override_rate_is_flagged_at_both_ends_and_hidden_when_small(
    agree: int, disagree: int, told: tuple[Any, ...]
) -> None:
    rate = override_rate("A", "2026-W48", ["agree"] * agree + ["disagree"] * disagree)
    assert (rate.n_judged, rate.n_disagreed, rate.share, rate.flag) == told


def test_rates_are_told_per_team_and_week_by_the_last_word_on_each_case(
    store: Store, make_list: MakeList, listed: Listed
) -> None:
    heads = {(t, w): listed(make_list(t, w)).head for t in "AB" for w in ("2026-W47", "2026-W48")}
    for i in range(10):
        say(store, heads["A", "2026-W48"], i, "agree")
    for i in range(6):
        say(store, heads["A", "2026-W48"], i, "disagree", "other")
    for i in range(5):
        say(store, heads["B", "2026-W47"], i, "agree", who=BO)
    say(store, heads["B", "2026-W47"], 7, "contacted", who=BO)
    rates = [(r.team, r.week, r.n_judged, r.share) for r in override_rates(store, "Nordby")]
    assert rates == [
        ("A", "2026-W48", 10, 0.6), ("A", "2026-W47", 0, None), ("B", "2026-W48", 0, None), ("B", "2026-W47", 5, 0.0),
    ]  # fmt: skip
    assert [r.week for r in override_rates(store, "Nordby", n_weeks=1)] == ["2026-W48", "2026-W48"]
    assert override_rates(store, "Sydby") == []


# ---- the overview -----------------------------------------------------------------------------------------------------


def with_figures(one: TeamList, **changes: Any) -> TeamList:
    figures = {**one.about["figures"], **changes}
    return TeamList(**{**vars(one), "about": {**one.about, "figures": figures}})


def test_a_leader_sees_shares_of_the_newest_list(store: Store, make_list: MakeList, listed: Listed) -> None:
    listed(make_list("A", "2026-W47"))
    head = listed(make_list("A")).head
    for i in range(5):
        say(store, head, i, "contacted")
    say(store, head, 11, "contacted")  # talked to, but without a place on the list
    [team] = overview(store, "Nordby")
    assert (team.week, team.revision, team.n_open, team.horizon_weeks) == ("2026-W48", 1, 12, 52)
    assert (team.n_workers, team.cases_per_worker) == (0.5, 24.0)
    assert (team.timeliness, team.share_past, team.share_past_expected) == (0.75, 0.5, 0.625)
    assert team.coverage == 0.5  # five of ten listed
    assert team.hidden == frozenset()
    assert team.override is not None
    assert offices_of(store) == ["Nordby"]
    assert overview(store, "Sydby") == []


def test_a_contact_counts_once_also_from_an_earlier_revision(store: Store, make_list: MakeList, listed: Listed) -> None:
    first = listed(make_list()).head
    for i in (0, 0, 1, 2, 3, 4):
        say(store, first, i, "contacted")
    listed(make_list(policy_version="2"))
    [team] = overview(store, "Nordby")
    assert (team.revision, team.coverage) == (2, 0.5)


def test_counts_under_five_are_hidden_with_the_shares_that_would_tell_them(
    store: Store, make_list: MakeList, make_case: Callable[..., ListedCase], listed: Listed
) -> None:
    listed(make_list("A", cases=[make_case(i) for i in range(4)]))
    listed(with_figures(make_list("B"), n_past=4, n_fell_due=4, n_met=4, n_workers=None))
    for i in range(4):
        say(store, read_head(store, "B"), i, "contacted", who=BO)
    tiny, small = overview(store, "Nordby")
    assert (tiny.n_open, tiny.share_past, tiny.share_past_expected, tiny.coverage) == (None, None, None, None)
    assert tiny.cases_per_worker is None
    assert {"n_open", "share_past", "coverage"} <= tiny.hidden
    assert (small.n_open, small.share_past, small.coverage, small.timeliness) == (12, None, None, None)
    assert small.share_past_expected == 0.625
    assert small.n_workers is None
    assert small.hidden == {"share_past", "coverage"}


def read_head(store: Store, team: str) -> ListHead:
    found = read_list(store, "Nordby", team)
    assert found is not None
    return found.head


def test_a_team_that_records_no_follow_up_is_told_no_timeliness(store: Store, make_list: MakeList) -> None:
    save_lists(store, [with_figures(make_list(), has_follow_ups=False)], NOW + timedelta(days=1), "test")
    assert overview(store, "Nordby")[0].timeliness is None
