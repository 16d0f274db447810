"""Weekly lists in the store: whole or not at all, revisions beside each other, and every change found."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from risk.errors import StoreError
from risk.reasons import Reason
from serving.store import worklists as module
from serving.store.engine import Store, open_store
from serving.store.listed import ListedCase, StoredList, TeamList
from serving.store.packing import packed, unpacked
from serving.store.tables import worklist, worklist_case
from serving.store.verify_lists import verify_lists
from serving.store.worklists import history_of, read_case, read_list, save_lists, teams_of, weeks_of

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
MakeList = Callable[..., TeamList]
MakeCase = Callable[..., ListedCase]


def n_rows(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


# ---- one case ---------------------------------------------------------------------------------------------------------

days = st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1))
shares = st.floats(0, 1)
words = st.text(max_size=20)
reasons = st.builds(Reason, words, st.sampled_from(["up", "down"]), words, words, days)
cases = st.builds(
    ListedCase,
    case_id=words,
    person_key=words,
    section=st.sampled_from(["duty", "risk", "remainder", "left"]),
    rank=st.none() | st.integers(1, 10_000),
    opened_on=days,
    age_weeks=st.none() | st.floats(0, 500),
    p=st.none() | shares,
    interval=st.none() | st.tuples(shares, shares),
    base_rate=st.none() | shares,
    band=words,
    curve=st.lists(st.tuples(st.integers(1, 60), shares), max_size=5).map(tuple),
    course=st.lists(shares, max_size=5).map(tuple),
    reasons=st.lists(reasons, max_size=5).map(tuple),
    unknown=st.lists(words, max_size=4).map(tuple),
    due_on=days,
    overdue_days=st.integers(0, 999),
    is_planned=st.booleans(),
    contacted_on=days,
    more=st.dictionaries(words, st.booleans() | st.integers(0, 9) | words | shares, max_size=3),
)


@given(cases)
def test_a_case_comes_back_as_it_was_packed_and_packs_to_the_same_bytes(case: ListedCase) -> None:
    body = packed(case)
    back = unpacked(case.case_id, case.person_key, body)
    assert back == case
    assert packed(back) == body


def test_the_ids_are_not_in_the_packed_body_and_nan_is_refused(make_case: MakeCase) -> None:
    assert packed(make_case(1)) == packed(make_case(1, case_id="another", person_key="another"))
    with pytest.raises(ValueError, match="Out of range"):
        packed(make_case(1, p=math.nan))


# ---- saving and reading -----------------------------------------------------------------------------------------------


def test_a_list_is_read_back_as_it_was_saved_in_the_order_of_the_page(store: Store, make_list: MakeList) -> None:
    mine, other = make_list("A"), make_list("B", cases=[])
    saved = save_lists(store, [mine, other], NOW, "risk list")
    assert (saved.revision, saved.is_new, saved.n_lists, saved.n_cases) == (1, True, 2, 12)
    found = read_list(store, "Nordby", "A", "2026-W48")
    assert found is not None
    assert found.rows == list(mine.cases)
    assert (found.head.revision, found.head.as_of, found.head.made_by) == (1, date(2026, 11, 23), "risk list")
    assert found.head.about == mine.about
    empty = read_list(store, "Nordby", "B")
    assert empty is not None
    assert empty.rows == []
    assert teams_of(store, "Nordby") == ["A", "B"]


def test_a_second_run_that_differs_is_a_new_revision_and_the_first_stays(
    store: Store, make_list: MakeList, make_case: MakeCase
) -> None:
    save_lists(store, [make_list("A"), make_list("B")], NOW, "test")
    changed = make_list("A", cases=[make_case(3)])
    assert save_lists(store, [changed, make_list("B")], NOW, "test").revision == 2
    newest, first = read_list(store, "Nordby", "A"), read_list(store, "Nordby", "A", "2026-W48", revision=1)
    assert newest is not None
    assert first is not None
    assert (newest.head.revision, len(newest.rows)) == (2, 1)
    assert (first.head.revision, len(first.rows)) == (1, 12)
    assert weeks_of(store, "Nordby", "B")[0].revision == 2  # the lists of one run keep in step
    assert verify_lists(store).n_faults == 0


def test_a_second_run_that_says_the_same_is_not_saved_again(store: Store, make_list: MakeList) -> None:
    lists = [make_list("A"), make_list("B")]
    save_lists(store, lists, NOW, "test")
    saved = save_lists(store, lists, datetime(2026, 11, 24, tzinfo=UTC), "somebody else")
    assert (saved.revision, saved.is_new) == (1, False)
    assert n_rows(store, worklist) == 2


@pytest.mark.parametrize(
    "changes", [{"model_version": "another"}, {"policy_version": "2"}, {"as_of": date(2026, 11, 24)}]
)
def test_another_model_policy_or_day_is_another_list(
    store: Store, make_list: MakeList, changes: dict[str, Any]
) -> None:
    save_lists(store, [make_list()], NOW, "test")
    assert save_lists(store, [make_list(**changes)], NOW, "test").revision == 2


def test_two_lists_of_one_team_in_a_run_and_a_run_of_none_are_refused(store: Store, make_list: MakeList) -> None:
    for lists in ([], [make_list(), make_list()]):
        with pytest.raises(StoreError, match="once"):
            save_lists(store, lists, NOW, "test")
    assert n_rows(store, worklist) == 0


def test_only_the_asked_teams_weeks_are_found_the_newest_first(store: Store, make_list: MakeList) -> None:
    for week in ("2026-W52", "2026-W53", "2027-W01"):
        save_lists(store, [make_list("A", week)], NOW, "test")
    save_lists(store, [make_list("B", "2027-W02")], NOW, "test")
    assert [w.week for w in weeks_of(store, "Nordby", "A")] == ["2027-W01", "2026-W53", "2026-W52"]
    newest = read_list(store, "Nordby", "A")
    assert newest is not None
    assert newest.head.week == "2027-W01"
    for place in (("Nordby", "C"), ("Sydby", "A")):
        assert read_list(store, *place) is None
        assert weeks_of(store, *place) == []
    assert read_list(store, "Nordby", "A", "2020-W01") is None
    assert read_list(store, "Nordby", "A", "2026-W53", revision=2) is None


def test_a_case_is_read_alone_and_only_from_its_own_teams_list(
    store: Store, listed: Callable[..., StoredList], make_list: MakeList, make_case: MakeCase
) -> None:
    listed()
    listed(make_list("B", cases=[make_case(77)]))
    found = read_case(store, "Nordby", "A", "SYN000003")
    assert found is not None
    assert found.case == make_case(3)
    assert read_case(store, "Nordby", "A", "SYN000077") is None
    assert read_case(store, "Nordby", "B", "SYN000003") is None
    assert read_case(store, "Nordby", "A", "SYN000003", "2026-W47") is None


def test_the_history_of_a_case_takes_the_newest_revision_of_each_week_and_follows_it_to_another_team(
    store: Store, make_list: MakeList, make_case: MakeCase
) -> None:
    save_lists(store, [make_list("A", "2026-W47", [make_case(1, p=0.5)])], NOW, "test")
    save_lists(store, [make_list("A", "2026-W47", [make_case(1, p=0.6)])], NOW, "test")
    gone = make_case(1, section="left", rank=None, p=None, band="", why_left="moved_team")
    save_lists(store, [make_list("A", cases=[gone]), make_list("B", cases=[make_case(1, p=0.7)])], NOW, "test")
    told = history_of(store, "SYN000001")
    assert [(e.week, e.team, e.p) for e in told] == [("2026-W47", "A", 0.6), ("2026-W48", "B", 0.7)]
    assert history_of(store, "SYN000002") == []


def test_a_case_dropped_by_a_later_revision_is_not_in_its_history(
    store: Store, make_list: MakeList, make_case: MakeCase
) -> None:
    save_lists(store, [make_list(cases=[make_case(1)])], NOW, "test")
    save_lists(store, [make_list(cases=[make_case(2)])], NOW, "test")
    assert history_of(store, "SYN000001") == []


def test_who_is_under_an_exclusion_now_is_shown_no_score_of_earlier(
    store: Store, make_list: MakeList, make_case: MakeCase
) -> None:
    save_lists(store, [make_list(week="2026-W47", cases=[make_case(1)])], NOW, "test")
    objected = make_case(1, section="excluded", rank=None, status="not_shown", p=None, band="", exclusion="objection")
    save_lists(store, [make_list(cases=[objected])], NOW, "test")
    assert [(e.p, e.base_rate, e.band) for e in history_of(store, "SYN000001")] == [(None, None, "")] * 2


# ---- whole or not at all ----------------------------------------------------------------------------------------------


def test_what_fails_half_way_has_written_nothing(
    store: Store, make_list: MakeList, make_case: MakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_lists(store, [make_list("A"), make_list("B")], NOW, "test")
    calls: list[int] = []

    def fail_on_the_second(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("pulled the plug")
        add(*args)

    add = module._add
    monkeypatch.setattr(module, "_add", fail_on_the_second)
    with pytest.raises(RuntimeError, match="plug"):
        save_lists(store, [make_list("A", cases=[make_case(5)]), make_list("B", cases=[])], NOW, "test")
    assert len(calls) == 2
    assert [weeks_of(store, "Nordby", team)[0].revision for team in ("A", "B")] == [1, 1]
    assert (n_rows(store, worklist), n_rows(store, worklist_case)) == (2, 24)
    assert verify_lists(store).n_faults == 0


_SAVE = """
import sys
from datetime import UTC, date, datetime
from serving.store import worklists
from serving.store.engine import open_store
from serving.store.listed import ListedCase, TeamList

store = open_store(sys.argv[1])
add = worklists._add
def slow(*args):
    told = add(*args)
    print("wrote", flush=True)
    sys.stdin.readline()
    return told
worklists._add = slow
case = [ListedCase(case_id=f"SYN{i}", person_key=f"p{i}", section="risk", rank=i + 1) for i in range(200)]
lists = [TeamList("2026-W48", "Nordby", t, date(2026, 11, 23), "m", "p", {"figures": {}}, case) for t in "AB"]
worklists.save_lists(store, lists, datetime.now(UTC), "killed")
print("saved", flush=True)
"""


@pytest.mark.parametrize("n_written", [1, 2])
def test_a_process_killed_while_saving_leaves_what_was_there_and_nothing_half_written(
    store: Store, store_url: str, make_list: MakeList, n_written: int
) -> None:
    save_lists(store, [make_list("A")], NOW, "test")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SAVE), store_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    for _ in range(n_written):
        assert child.stdout.readline() == "wrote\n"
        assert read_list(store, "Nordby", "B") is None  # not to be seen while it is being written
        if _ + 1 < n_written:
            child.stdin.write("\n")
            child.stdin.flush()
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.stdin.close()
    child.stdout.close()
    again = open_store(store_url)
    found = read_list(again, "Nordby", "A")
    assert found is not None
    assert (found.head.revision, len(found.rows)) == (1, 12)
    assert read_list(again, "Nordby", "B") is None
    assert verify_lists(again).n_faults == 0
    _until(lambda: save_lists(again, [make_list("A"), make_list("B")], NOW, "test").is_new)
    assert verify_lists(again).n_rows == 3
    again.close()


def _until(act: Callable[[], bool], seconds: float = 20.0) -> None:
    """PostgreSQL notices a killed caller in its own time, and lets its lock go then."""
    end = time.monotonic() + seconds
    while True:
        try:
            assert act()
            return
        except StoreError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_two_runs_at_once_become_two_revisions(
    store: Store, store_url: str, make_list: MakeList, make_case: MakeCase
) -> None:
    stores = [open_store(store_url) for _ in range(3)]

    def run(i: int) -> int:
        lists = [make_list(team, cases=[make_case(i)]) for team in ("A", "B")]
        return save_lists(stores[i], lists, NOW, f"run {i}").revision

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(run, range(3))) == [1, 2, 3]
    for one in stores:
        one.close()
    assert verify_lists(store).n_faults == 0
    for revision in (1, 2, 3):
        a, b = (read_list(store, "Nordby", t, "2026-W48", revision) for t in ("A", "B"))
        assert a is not None
        assert b is not None
        assert (a.rows, a.head.made_by) == (b.rows, b.head.made_by)


# ---- finding changes --------------------------------------------------------------------------------------------------


@pytest.fixture
def three(store: Store, make_list: MakeList) -> Store:
    for week in ("2026-W46", "2026-W47", "2026-W48"):
        save_lists(store, [make_list("A", week)], NOW, "test")
    return store


def test_lists_as_they_were_saved_are_whole(three: Store) -> None:
    found = verify_lists(three)
    assert (found.n_faults, found.n_rows, found.n_payloads, found.n_erased) == (0, 3, 36, 0)
    assert verify_lists(three, found.anchor).n_faults == 0


@pytest.mark.parametrize("column", [c.name for c in worklist.c if c.name not in ("id", "row_hashes", "revision")])
def test_an_edited_field_of_a_list_is_found(three: Store, column: str) -> None:
    with three.writing() as connection:
        connection.execute(update(worklist).where(worklist.c.id == 2).values({column: "2"}))
    assert verify_lists(three).n_faults > 0


@pytest.mark.parametrize(
    ("column", "value"), [("case_id", "SYN9"), ("person_key", "p9"), ("salt", "0"), ("body", b"x"), ("place", 99)]
)
def test_an_edited_row_is_found(three: Store, column: str, value: object) -> None:
    here = (worklist_case.c.list_id == 2, worklist_case.c.place == 5)
    with three.writing() as connection:
        connection.execute(update(worklist_case).where(*here).values({column: value}))
    assert verify_lists(three).n_faults > 0


def test_a_row_or_a_list_gone_without_a_record_is_found(three: Store) -> None:
    anchor = verify_lists(three).anchor
    with three.writing() as connection:
        connection.execute(delete(worklist_case).where(worklist_case.c.list_id == 2, worklist_case.c.place == 5))
    assert verify_lists(three).faults == ["list 2, place 5: gone, and no erasure is on record"]
    with three.writing() as connection:
        connection.execute(delete(worklist_case).where(worklist_case.c.list_id == 2))
        connection.execute(delete(worklist).where(worklist.c.id == 2))
    assert verify_lists(three).faults[0].startswith("list 2 is missing")
    with three.writing() as connection:
        connection.execute(delete(worklist_case).where(worklist_case.c.list_id == 3))
        connection.execute(delete(worklist).where(worklist.c.id == 3))
    assert verify_lists(three).n_faults == 0  # a cut end cannot be seen from inside
    assert "the anchor was taken at 3 lists" in verify_lists(three, anchor).faults[0]


def test_a_list_written_anew_does_not_pass_the_anchor(three: Store, make_list: MakeList) -> None:
    anchor = verify_lists(three).anchor
    with three.writing() as connection:
        for table in (worklist_case, worklist):
            connection.execute(delete(table))
    for week in ("2026-W46", "2026-W47", "2026-W48"):
        save_lists(three, [make_list("A", week)], NOW, "test")
    assert verify_lists(three).n_faults == 0
    assert verify_lists(three, anchor).faults == ["list 3 is not the list the anchor was taken at"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(46, 49), st.integers(0, 4)), min_size=1, max_size=8))
def test_whatever_runs_there_were_revisions_count_up_and_the_chain_is_whole(
    tmp_path_factory: pytest.TempPathFactory, make_list: MakeList, make_case: MakeCase, runs: list[tuple[str, int, int]]
) -> None:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('law') / 'store.db'}")
    said: dict[tuple[str, str], list[list[ListedCase]]] = {}
    for team, number, n in runs:
        one = make_list(team, f"2026-W{number}", [make_case(i) for i in range(n)])
        save_lists(store, [one], NOW, "test")
        told = said.setdefault((team, one.week), [])
        if not told or told[-1] != list(one.cases):
            told.append(list(one.cases))
    for (team, week), revisions in said.items():
        for number, rows in enumerate(revisions, 1):
            found = read_list(store, "Nordby", team, week, number)
            assert found is not None
            assert found.rows == rows
        newest = read_list(store, "Nordby", team, week)
        assert newest is not None
        assert newest.head.revision == len(revisions)
    assert verify_lists(store).n_faults == 0
    store.close()
