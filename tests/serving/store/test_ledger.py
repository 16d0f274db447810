"""The ledger: rows only at the end, whole or not at all, replayed to the bit, and a chain that tells of every change."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from risk.errors import StoreError
from serving.store.chain import GENESIS, Link, link_hash
from serving.store.engine import Store, open_store
from serving.store.erasing import erase_scores, erase_scores_before
from serving.store.ledger import (
    Entry,
    Repeatable,
    Seals,
    Submission,
    Written,
    append,
    begin_chain,
    find,
    forget_repeats,
    seal,
)
from serving.store.persons import erase_person, export_person
from serving.store.tables import idempotency, ledger, ledger_head, ledger_payload
from serving.store.verify import verify
from serving.store.writer import Writer

N = 12
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MakeEntry = Callable[..., Entry]
Hand = Callable[[Writer, Entry], Future[Written]]


def count(store: Store, table: Any = ledger) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def filled(begun: Store, seals: Seals, entry: MakeEntry) -> Store:
    """Twelve scores, three to a request."""
    with begun.writing() as connection:
        append(connection, [Submission([entry(i) for i in range(j, j + 3)]) for j in range(0, N, 3)], seals)
    return begun


def test_the_hash_of_a_row_is_that_of_its_fields_and_the_row_before() -> None:
    link = Link("score", "id", "at", "who", "", "req", "model", "2026-11-23", "scored", "in", "out")
    # printf '%s' '[1,"000...0","score","id","at","who","","req","model","2026-11-23","scored","in","out",""]' | sha256sum
    assert link_hash(1, GENESIS, link) == "e66cc17a7d61322d4ddf4f948591e0396582be5559f4e8473916805f69e0a660"
    assert link_hash(2, GENESIS, link) != link_hash(1, GENESIS, link) != link_hash(1, "1" * 64, link)


def test_what_was_written_is_found_again_to_the_letter(filled: Store, entry: MakeEntry) -> None:
    for i in range(N):
        past = find(filled, f"{i:032x}")
        assert past is not None
        assert (past.seq, past.input, past.output) == (
            i + 1,
            f'{{"case_id":"SYN{i:06d}"}}',
            f'{{"p_exceed_52w":0.{i}}}',
        )
        assert past.link.at == entry(i).link.at
    assert find(filled, "f" * 32) is None


def test_a_chain_as_it_was_written_is_whole(filled: Store, seals: Seals) -> None:
    found = verify(filled, seals)
    assert (found.n_faults, found.n_rows, found.n_payloads) == (0, N, N)
    assert verify(filled, seals, anchor=found.anchor).n_faults == 0
    assert "RISK_LEDGER_KEY" in verify(filled).faults[0]


COLUMNS = [c.name for c in ledger.c if c.name != "seq"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [1, 7, N])
def test_an_edited_field_of_any_row_is_found(filled: Store, seals: Seals, column: str, seq: int) -> None:
    with filled.writing() as connection:
        connection.execute(update(ledger).where(ledger.c.seq == seq).values({column: "2"}))
    assert verify(filled, seals).n_faults > 0


@pytest.mark.parametrize("column", ["case_id", "salt", "input", "output"])
def test_an_edited_payload_is_found(filled: Store, seals: Seals, column: str) -> None:
    with filled.writing() as connection:
        connection.execute(update(ledger_payload).where(ledger_payload.c.seq == 5).values({column: "2"}))
    assert verify(filled, seals).faults == ["row 5: the payload was changed after it was written"]


@pytest.mark.parametrize("seq", [1, 6, N])
def test_a_deleted_row_is_found_also_the_last(filled: Store, seals: Seals, seq: int) -> None:
    with filled.writing() as connection:
        connection.execute(delete(ledger_payload).where(ledger_payload.c.seq == seq))
        connection.execute(delete(ledger).where(ledger.c.seq == seq))
    assert verify(filled, seals).n_faults > 0


def test_a_payload_deleted_without_a_record_is_found(filled: Store, seals: Seals) -> None:
    with filled.writing() as connection:
        connection.execute(delete(ledger_payload).where(ledger_payload.c.seq == 4))
    assert verify(filled, seals).faults == ["row 4: the payload is gone, and no erasure is on record"]


def test_two_rows_that_changed_places_are_found(filled: Store, seals: Seals) -> None:
    with filled.writing() as connection:
        rows = {r["seq"]: dict(r) for r in connection.execute(select(ledger)).mappings()}
        connection.execute(update(ledger).where(ledger.c.seq == 4).values(score_id="x"))
        for seq, other in ((5, 4), (4, 5)):
            connection.execute(update(ledger).where(ledger.c.seq == seq).values(rows[other] | {"seq": seq}))
    assert verify(filled, seals).n_faults > 0


@pytest.mark.parametrize("cut", [1, 5, N])
def test_a_tail_cut_off_with_a_new_end_written_is_found_by_the_seal_and_by_the_anchor(
    filled: Store, seals: Seals, cut: int
) -> None:
    anchor = verify(filled, seals).anchor

    def cut_off(key: bytes) -> None:
        with filled.writing() as connection:
            connection.execute(delete(ledger_payload).where(ledger_payload.c.seq > N - cut))
            connection.execute(delete(ledger).where(ledger.c.seq > N - cut))
            last = connection.execute(select(ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)).scalar() or GENESIS
            connection.execute(update(ledger_head).values(n=N - cut, hash=last, seal=seal(key, N - cut, last)))

    cut_off(b"not the key")
    assert "not sealed" in verify(filled, seals).faults[-1]
    cut_off(seals.key)  # an insider with the key is caught by what was kept elsewhere
    assert verify(filled, seals).n_faults == 0
    assert verify(filled, seals, anchor=anchor).faults == [f"the anchor was taken at {N} rows, and there are {N - cut}"]


def test_rows_written_anew_by_someone_with_the_key_do_not_pass_the_anchor(
    filled: Store, seals: Seals, entry: MakeEntry
) -> None:
    anchor = verify(filled, seals).anchor
    with filled.writing() as connection:
        for table in (ledger_payload, ledger, ledger_head):
            connection.execute(delete(table))
    begin_chain(filled, seals)
    with filled.writing() as connection:
        append(connection, [Submission([entry(i + 1) for i in range(N + 2)])], seals)
    assert verify(filled, seals).n_faults == 0
    assert verify(filled, seals, anchor=anchor).faults == [f"row {N} is not the row the anchor was taken at"]


def test_nothing_is_added_behind_an_end_that_is_not_ours(filled: Store, seals: Seals, entry: MakeEntry) -> None:
    for key in (b"other", b""):
        with pytest.raises(StoreError, match="RISK_LEDGER_KEY"), filled.writing() as connection:
            append(connection, [Submission([entry(50)])], Seals(key))
    assert count(filled) == N
    changed = Seals(b"the new key", older=seals.key)
    with filled.writing() as connection:
        append(connection, [Submission([entry(50)])], changed)
    assert verify(filled, Seals(b"the new key")).n_faults == 0


def test_begun_twice_is_begun_once_and_a_lost_end_is_not_made_up(filled: Store, seals: Seals) -> None:
    begin_chain(filled, seals)
    assert verify(filled, seals).n_faults == 0
    with filled.writing() as connection:
        connection.execute(delete(ledger_head))
    with pytest.raises(StoreError, match="no end row"):
        begin_chain(filled, seals)


def test_a_persons_scores_are_given_out_and_nobody_elses(begun: Store, seals: Seals, entry: MakeEntry) -> None:
    with begun.writing() as connection:
        append(connection, [Submission([entry(i, case_id=f"SYN{i % 3}") for i in range(9)])], seals)
    told = export_person(begun, "SYN1", "admin", NOW)["scores"]
    assert [row["seq"] for row in told] == [2, 5, 8]
    assert told[0]["output"] == {"p_exceed_52w": 0.1}
    assert told[0]["model_version"] == "9ba0be476961"
    assert "hash" not in told[0]
    assert export_person(begun, "SYN9", "admin", NOW)["scores"] == []


def test_what_is_erased_is_gone_and_the_chain_is_whole(begun: Store, seals: Seals, entry: MakeEntry) -> None:
    with begun.writing() as connection:
        kept = Repeatable("key:abc", "again", "h", "the answer")
        append(connection, [Submission([entry(i, case_id=f"SYN{i % 3}") for i in range(9)], kept)], seals)
    anchor = verify(begun, seals).anchor
    assert erase_person(begun, "SYN1", "the person asked", "key:admin", NOW, lambda: seals).n_scores == 3
    assert export_person(begun, "SYN1", "admin", NOW)["scores"] == []
    found = verify(begun, seals, anchor=anchor)
    assert (found.n_faults, found.n_rows, found.n_erased, found.n_payloads) == (0, 10, 3, 6)
    past = find(begun, f"{1:032x}")
    assert past is not None
    assert (past.input, past.output) == (None, None)
    assert count(begun, idempotency) == 0
    assert erase_person(begun, "SYN1", "again", "key:admin", NOW, lambda: seals).n_scores == 0
    assert count(begun) == 10


def test_nothing_of_an_erased_payload_stays_in_the_files(tmp_path: Path, seals: Seals, entry: MakeEntry) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    begin_chain(store, seals)
    with store.writing() as connection:
        append(connection, [Submission([entry(i, case_id=f"FINDME{i % 2}") for i in range(40)])], seals)

    def holds(text: bytes) -> bool:
        return any(text in f.read_bytes() for f in tmp_path.iterdir())

    assert holds(b"FINDME1")
    erase_person(store, "FINDME1", "the person asked", "admin", NOW, lambda: seals)
    assert not holds(b"FINDME1")
    assert holds(b"FINDME0")
    store.close()


def test_retention_erases_what_is_older_and_says_so(begun: Store, seals: Seals, entry: MakeEntry) -> None:
    days = [f"2026-11-{d:02d}T10:00:00.000000Z" for d in range(1, 11)]
    with begun.writing() as connection:
        append(connection, [Submission([entry(i, at=at) for i, at in enumerate(days)])], seals)
    with begun.writing() as connection:
        assert erase_scores_before(connection, lambda: seals, datetime(2026, 11, 5, tzinfo=UTC), "admin", NOW) == 4
    found = verify(begun, seals)
    assert (found.n_faults, found.n_erased, found.n_payloads) == (0, 4, 6)


def test_an_erasure_record_made_up_afterwards_is_found(filled: Store, seals: Seals) -> None:
    with filled.writing() as connection:
        erase_scores(connection, lambda: seals, ["SYN000003"], "asked", "admin", NOW)
    with filled.writing() as connection:
        connection.execute(delete(ledger_payload).where(ledger_payload.c.seq == 9))
        connection.execute(update(ledger).where(ledger.c.seq == N + 1).values(detail='{"reason":"asked","seqs":[4,9]}'))
    assert f"row {N + 1} was changed after it was written" in verify(filled, seals).faults


def test_a_request_sent_again_is_written_once_and_answered_alike(begun: Store, seals: Seals, entry: MakeEntry) -> None:
    first = Submission([entry(1)], Repeatable("key:abc", "k1", "hash", "first answer"))
    again = Submission([entry(2)], Repeatable("key:abc", "k1", "hash", "second answer"))
    other = Submission([entry(3)], Repeatable("key:abc", "k1", "other hash", "third answer"))
    stranger = Submission([entry(4)], Repeatable("key:xyz", "k1", "other hash", "fourth answer"))
    with begun.writing() as connection:  # also within one group
        assert append(connection, [first, again], seals) == [Written(), Written("first answer")]
    with begun.writing() as connection:
        told = append(connection, [again, other, stranger], seals)
    assert told == [Written("first answer"), Written(is_clash=True), Written()]
    assert count(begun) == 2
    assert verify(begun, seals).n_faults == 0
    later = datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(hours=25)
    assert forget_repeats(begun, lambda: datetime(2026, 11, 23, 12, tzinfo=UTC)) == 0
    assert forget_repeats(begun, lambda: later) == 2


def test_many_who_write_at_once_make_one_chain_in_few_transactions(
    begun: Store, seals: Seals, entry: MakeEntry, hand: Hand
) -> None:
    writer = Writer(begun, seals)
    order = list(range(300))
    random.Random(1).shuffle(order)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: hand(writer, entry(i)).result(30), order))
    writer.close()
    assert count(begun) == 300
    assert verify(begun, seals).n_faults == 0
    with pytest.raises(StoreError, match="closed"):
        hand(writer, entry(999))


def test_what_was_handed_over_before_closing_is_written(
    begun: Store, seals: Seals, entry: MakeEntry, hand: Hand
) -> None:
    writer = Writer(begun, seals)
    futures = [hand(writer, entry(i)) for i in range(100)]
    writer.close()
    assert all(f.result(0) == Written() for f in futures)
    assert count(begun) == 100


def test_two_processes_share_one_chain(
    begun: Store, store_url: str, seals: Seals, entry: MakeEntry, hand: Hand
) -> None:
    """Two writers with connections of their own, as two workers have."""
    stores = [open_store(store_url) for _ in range(2)]
    writers = [Writer(s, seals) for s in stores]
    futures = [hand(writers[i % 2], entry(i)) for i in range(120)]
    assert all(f.result(60) == Written() for f in futures)
    for one in (*writers, *stores):
        one.close()
    assert verify(begun, seals).n_rows == 120
    assert verify(begun, seals).n_faults == 0


def test_a_group_that_cannot_be_written_is_told_to_all_and_the_writer_goes_on(
    begun: Store, seals: Seals, entry: MakeEntry, hand: Hand
) -> None:
    writer = Writer(begun, seals)
    assert hand(writer, entry(1)).result(30) == Written()
    broken = hand(writer, entry(1))  # the id is taken
    with pytest.raises(StoreError) as raised:
        broken.result(30)
    assert "SYN" not in str(raised.value)
    assert writer.trouble is not None
    assert hand(writer, entry(2)).result(30) == Written()
    assert writer.trouble is None
    writer.close()
    assert verify(begun, seals).n_rows == 2


def test_a_row_needs_every_field(begun: Store) -> None:
    with pytest.raises(StoreError), begun.writing() as connection:
        connection.execute(insert(ledger), {"seq": 1, "kind": "score"})
