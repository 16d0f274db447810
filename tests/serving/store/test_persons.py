"""All of a person is given out, all of a person is erased, time takes the rest; and both chains stay whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from risk.errors import CaseDataError, ConfigError, StoreError
from serving.settings import Settings
from serving.store import persons as module
from serving.store.accounts import Account, add_account, check_password
from serving.store.audit import note_view, noted
from serving.store.engine import Store, open_store
from serving.store.feedback import feedback_of_case, give_feedback
from serving.store.ledger import Entry, Repeatable, Seals, Submission, append
from serving.store.listed import ListedCase, TeamList
from serving.store.persons import erase_person, export_person
from serving.store.retention import Retention, expire, retention_of
from serving.store.sessions import open_session
from serving.store.tables import audit, feedback, idempotency, ledger_payload, metadata, web_session, worklist_case
from serving.store.verify import verify
from serving.store.verify_lists import verify_lists
from serving.store.worklists import read_list, save_lists

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ANE = Account("ane", "caseworker", "Nordby", "A", "da")
MakeList = Callable[..., TeamList]


@pytest.fixture
def lived_in(begun: Store, seals: Seals, entry: Callable[..., Entry], make_list: MakeList) -> Store:
    """Scores, two weeks of lists, feedback, views: person p3 with case SYN000003 has some of each, and so has p4."""
    fill(begun, seals, entry, make_list)
    return begun


def fill(store: Store, seals: Seals, entry: Callable[..., Entry], make_list: MakeList) -> None:
    with store.writing() as connection:
        entries = [entry(i, case_id=f"SYN{i % 6:06d}") for i in range(12)]
        append(
            connection,
            [Submission(entries[:6], Repeatable("key:abc", "k", "h", "body")), Submission(entries[6:])],
            seals,
        )
    for week in ("2026-W47", "2026-W48"):
        save_lists(store, [make_list("A", week)], NOW, "test")
    head = read_list(store, "Nordby", "A").head  # type: ignore[union-attr]  # saved just above
    for i in (3, 4):
        give_feedback(store, ANE, head, f"SYN{i:06d}", "disagree", "other", NOW)
        note_view(store, "ane", f"SYN{i:06d}", NOW)


def holds(store: Store, text: str) -> list[str]:
    """The tables in which a text stands anywhere."""
    with store.reading() as connection:
        return [
            t.name for t in metadata.sorted_tables if any(text in repr(tuple(r)) for r in connection.execute(select(t)))
        ]


@pytest.mark.parametrize("pseudonym", ["p3", "SYN000003"])
def test_everything_of_a_person_is_given_out_and_nothing_of_anyone_else(lived_in: Store, pseudonym: str) -> None:
    told = export_person(lived_in, pseudonym, "admin", NOW)
    assert told["cases"] == ["SYN000003"]
    assert [row["seq"] for row in told["scores"]] == [4, 10]
    assert [(row["week"], row["p"], row["due_on"]) for row in told["lists"]] == [
        ("2026-W47", 0.87, "2026-11-27"), ("2026-W48", 0.87, "2026-11-27"),
    ]  # fmt: skip
    assert told["lists"][0]["reasons"][0]["text_da"] == "Æ ø å"
    assert [(f["by"], f["kind"]) for f in told["feedback"]] == [("ane", "disagree")]
    assert [r["act"] for r in told["record"]] == ["case-viewed"]
    text = json.dumps(told)
    assert "SYN000004" not in text
    assert '"p4"' not in text
    assert noted(lived_in, "person-exported", [pseudonym])[0].by == "admin"


def test_a_person_deleted_is_nowhere_and_both_chains_are_whole(lived_in: Store, seals: Seals) -> None:
    anchors = verify(lived_in, seals).anchor, verify_lists(lived_in).anchor
    export_person(lived_in, "p3", "admin", NOW)
    gone = erase_person(lived_in, "p3", "the person asked", "admin", NOW, lambda: seals)
    assert (gone.n_cases, gone.n_scores, gone.n_list_rows, gone.n_feedback, gone.n_views) == (1, 2, 2, 1, 2)
    assert holds(lived_in, "SYN000003") == holds(lived_in, "'p3'") == []
    assert len(holds(lived_in, "SYN000004")) == 4
    scores, lists = verify(lived_in, seals, anchors[0]), verify_lists(lived_in, anchors[1])
    assert (scores.n_faults, scores.n_erased) == (0, 2)
    assert (lists.n_faults, lists.n_erased, lists.n_payloads) == (0, 2, 22)
    assert feedback_of_case(lived_in, "SYN000003") == []
    [record] = noted(lived_in, "person-deleted")
    assert record.detail["reason"] == "the person asked"
    assert record.detail["n_scores"] == 2
    again = erase_person(lived_in, "p3", "again", "admin", NOW, lambda: seals)
    assert not again.is_anything
    assert len(noted(lived_in, "person-deleted")) == 1
    assert export_person(lived_in, "p3", "admin", NOW)["lists"] == []


def test_who_has_two_cases_loses_both_also_where_only_one_is_named_with_the_person(
    begun: Store, seals: Seals, make_list: MakeList, make_case: Callable[..., ListedCase]
) -> None:
    here = [make_case(1, person_key="p9"), make_case(2, person_key="p9")]
    save_lists(begun, [make_list(week="2026-W47", cases=here)], NOW, "test")
    # A case that left and is no longer in the register stands on the next list without its person.
    left = ListedCase(case_id="SYN000001", person_key="", section="left", why_left="not_open")
    save_lists(begun, [make_list(cases=[left, make_case(3)])], NOW, "test")
    gone = erase_person(begun, "p9", "asked", "admin", NOW, lambda: seals)
    assert (gone.n_cases, gone.n_list_rows) == (2, 3)
    assert holds(begun, "SYN000001") == []
    assert verify_lists(begun).n_faults == 0


def test_an_empty_pseudonym_is_refused(lived_in: Store, seals: Seals) -> None:
    with pytest.raises(CaseDataError, match="name a person"):
        export_person(lived_in, "", "admin", NOW)
    with pytest.raises(CaseDataError, match="name a person"):
        erase_person(lived_in, "", "asked", "admin", NOW, lambda: seals)


def test_a_deletion_that_fails_has_deleted_nothing(
    lived_in: Store, seals: Seals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise RuntimeError("pulled the plug")

    before = holds(lived_in, "SYN000003")
    monkeypatch.setattr(module, "forget_subjects", fail)
    with pytest.raises(RuntimeError, match="plug"):
        erase_person(lived_in, "p3", "asked", "admin", NOW, lambda: seals)
    assert holds(lived_in, "SYN000003") == before
    assert len(before) == 4
    monkeypatch.undo()
    with pytest.raises(StoreError, match="RISK_LEDGER_KEY"):
        erase_person(lived_in, "p3", "asked", "admin", NOW, lambda: Seals(b"another key"))
    assert holds(lived_in, "SYN000003") == before


def test_without_a_score_no_secret_is_asked_for(store: Store, make_list: MakeList) -> None:
    def no_secret() -> Seals:
        raise ConfigError("RISK_LEDGER_KEY is not set")

    save_lists(store, [make_list()], NOW, "test")
    assert erase_person(store, "p3", "asked", "admin", NOW, no_secret).n_list_rows == 1
    expire(store, Retention(), NOW + timedelta(days=3000), "test", no_secret)
    assert verify_lists(store).n_faults == 0


def test_nothing_of_a_deleted_person_stays_in_the_files(
    tmp_path: Path, seals: Seals, make_list: MakeList, make_case: Callable[..., ListedCase]
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    cases = [make_case(i, case_id=f"FINDME{i:03d}", person_key=f"KEY{i:03d}") for i in range(40)]
    save_lists(store, [make_list(cases=cases)], NOW, "test")

    def found(text: bytes) -> bool:
        return any(text in f.read_bytes() for f in tmp_path.iterdir())

    assert found(b"FINDME007")
    erase_person(store, "KEY007", "asked", "admin", NOW, lambda: seals)
    assert not found(b"FINDME007")
    assert not found(b"KEY007")
    assert found(b"FINDME008")
    store.close()


# ---- retention --------------------------------------------------------------------------------------------------------


def n_rows(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


KEPT = (ledger_payload, worklist_case, feedback, web_session, idempotency)


@pytest.fixture
def old(lived_in: Store) -> Store:
    add_account(lived_in, ANE, "en hel sætning", NOW, "test")
    open_session(lived_in, ANE, NOW)
    check_password(lived_in, "nobody", "wrong", NOW)
    return lived_in


@pytest.mark.parametrize(
    ("days", "gone"),
    [
        (0.9, {"web_session"}),
        (2, {"web_session", "sign_in_failure", "idempotency"}),
        (366, {"web_session", "sign_in_failure", "idempotency", "audit"}),
        (731, {"web_session", "sign_in_failure", "idempotency", "audit", "worklist_case", "feedback"}),
        (
            1826,
            {"web_session", "sign_in_failure", "idempotency", "audit", "worklist_case", "feedback", "ledger_payload"},
        ),
    ],
)
def test_each_table_lets_go_in_its_own_time(old: Store, seals: Seals, days: float, gone: set[str]) -> None:
    later = NOW + timedelta(days=days)
    would = expire(old, Retention(), later, "test", lambda: seals, dry_run=True)
    assert {t for t, n in would.items() if n} == gone
    assert [n_rows(old, t) for t in KEPT] == [12, 24, 2, 1, 1]  # a dry run takes nothing
    assert expire(old, Retention(), later, "test", lambda: seals) == would
    assert [n_rows(old, t) > 0 for t in KEPT] == [t.name not in gone for t in KEPT]
    assert verify(old, seals).n_faults == 0
    assert verify_lists(old).n_faults == 0
    again = expire(old, Retention(), later, "test", lambda: seals)
    assert not any(again.values())
    assert [r.detail for r in noted(old, "expired")] == [would]


def test_retention_takes_no_record_of_deletions_exports_or_accounts(old: Store, seals: Seals) -> None:
    erase_person(old, "p3", "asked", "admin", NOW, lambda: seals)
    export_person(old, "p4", "admin", NOW)
    expire(old, Retention(), NOW + timedelta(days=4000), "test", lambda: seals)
    with old.reading() as connection:
        acts = set(connection.execute(select(audit.c.act)).scalars())
    assert acts == {"lists-erased", "person-deleted", "person-exported", "account-added", "expired"}


def test_a_list_that_has_lost_its_cases_still_counts_in_the_overview_of_its_week(old: Store, seals: Seals) -> None:
    expire(old, Retention(), NOW + timedelta(days=731), "test", lambda: seals)
    found = read_list(old, "Nordby", "A")
    assert found is not None
    assert (found.rows, found.head.figures["n_open"]) == ([], 12)


def test_the_days_are_settings_of_the_office() -> None:
    keep = retention_of(Settings(keep_scores_days=1, keep_lists_days=2, keep_feedback_days=3, keep_views_days=4))
    assert (keep.scores, keep.lists, keep.feedback, keep.views) == (1, 2, 3, 4)
    assert retention_of(Settings()) == Retention()
