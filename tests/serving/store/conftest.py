"""A store of either kind, with a chain begun, and what is written into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from typing import Any

import pytest

from risk.errors import StoreError
from risk.reasons import Reason
from serving.store.engine import Store, open_store
from serving.store.ledger import Entry, Seals, Submission, Written, begin_chain, score_entry
from serving.store.listed import ListedCase, StoredList, TeamList
from serving.store.worklists import read_list, save_lists
from serving.store.writer import Writer

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def seals() -> Seals:
    return Seals(b"a key for tests only, 32 characters")


@pytest.fixture
def begun(store: Store, seals: Seals) -> Store:
    """A store whose chain has begun and holds nothing yet."""
    begin_chain(store, seals)
    return store


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Make the entry of the i-th made-up score."""

    def _entry(i: int, case_id: str | None = None, at: str | None = None) -> Entry:
        return score_entry(
            score_id=f"{i:032x}",
            at=at or f"2026-11-23T10:00:00.{i:06d}Z",
            caller="key:abc",
            office="Nordby",
            request_id=f"request-{i}",
            model_version="9ba0be476961",
            as_of="2026-11-23",
            status="scored",
            case_id=case_id or f"SYN{i:06d}",
            given=f'{{"case_id":"SYN{i:06d}"}}',
            told=f'{{"p_exceed_52w":0.{i}}}',
        )

    return _entry


def hand_over(writer: Writer, entry: Entry) -> Future[Written]:
    """One entry for the ledger; the future ends as the writer tells."""
    future: Future[Written] = Future()

    def told(outcome: list[Written] | StoreError) -> None:
        if isinstance(outcome, StoreError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome[0])

    writer.submit([Submission([entry])], told)
    return future


@pytest.fixture
def hand() -> Callable[[Writer, Entry], Future[Written]]:
    return hand_over


def made_case(i: int, **changes: Any) -> ListedCase:
    """The i-th made-up case of a list, the first ten with a place on the page."""
    values: dict[str, Any] = {
        "case_id": f"SYN{i:06d}",
        "person_key": f"p{i}",
        "section": "risk" if i < 10 else "remainder",
        "rank": i + 1 if i < 10 else None,
        "opened_on": date(2026, 3, 2),
        "age_weeks": 37.857142857142854,
        "status": "scored",
        "p": 0.9 - i / 100,
        "base_rate": 0.4,
        "band": "high",
        "curve": ((39, 0.95), (52, 0.9 - i / 100)),
        "reasons": (Reason("expected_recovery", "up", "Æ ø å", "No answer", date(2026, 4, 1)),),
        "due_on": date(2026, 11, 27),
    }
    return ListedCase(**(values | changes))


def made_list(
    team: str = "A", week: str = "2026-W48", cases: Sequence[ListedCase] | None = None, **changes: Any
) -> TeamList:
    """A team's list of twelve cases."""
    mine = [made_case(i) for i in range(12)] if cases is None else list(cases)
    figures = {
        "n_open": len(mine), "n_listed": sum(c.is_listed for c in mine), "n_past": 6, "n_past_expected": 7.5,
        "n_fell_due": 20, "n_met": 15, "has_follow_ups": True, "n_workers": 0.5, "timeliness_weeks": 13,
    }  # fmt: skip
    about = {"horizon_weeks": 52, "last_week": None, "is_synthetic": True, "figures": figures}
    values: dict[str, Any] = {
        "week": week, "office": "Nordby", "team": team, "as_of": date(2026, 11, 23), "model_version": "9ba0be476961",
        "policy_version": "2026-1", "about": about, "cases": mine,
    }  # fmt: skip
    return TeamList(**(values | changes))


@pytest.fixture
def listed(store: Store) -> Callable[..., StoredList]:
    """Save a list and read it back."""

    def _listed(one: TeamList | None = None) -> StoredList:
        one = one or made_list()
        save_lists(store, [one], NOW, "test")
        found = read_list(store, one.office, one.team, one.week)
        assert found is not None
        return found

    return _listed


@pytest.fixture
def make_list() -> Callable[..., TeamList]:
    return made_list


@pytest.fixture
def make_case() -> Callable[..., ListedCase]:
    return made_case
