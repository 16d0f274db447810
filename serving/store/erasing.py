"""Taking what is personal out of the store, in a transaction that also records it; the chains stay whole and say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, select

from serving.store.audit import note
from serving.store.blockrows import drop_blocks, empty_rows, held_in
from serving.store.engine import Store
from serving.store.ledger import Entry, Seals, Submission, append, erasure_entry, instant
from serving.store.tables import idempotency, ledger, ledger_block, ledger_payload, worklist, worklist_case

# Below the number of values one statement may hold on either database.
PORTION = 500
LISTS_ERASED = "lists-erased"
# Asked for only when a score is erased: a store without a ledger needs no secret.
Secret = Callable[[], Seals]


def erase_scores(
    connection: Connection, seals: Secret, case_ids: Collection[str], reason: str, by: str, now: datetime
) -> int:
    """Erase what is personal of these cases' scores; how many scores it was.

    Raises
    ------
    StoreError
        The end of the ledger does not carry our seal, or a block of it is damaged.
    """
    seqs: list[int] = []
    for portion in portions(sorted(case_ids)):
        seqs += connection.execute(select(ledger_payload.c.seq).where(ledger_payload.c.case_id.in_(portion))).scalars()
    emptied = empty_rows(connection, case_ids)
    _record(connection, seals, erasure_entry(instant(now), by, reason, seqs, emptied), [*seqs, *emptied])
    _drop_payloads(connection, seqs)
    return len(seqs) + sum(map(len, emptied.values()))


def erase_scores_before(connection: Connection, seals: Secret, before: datetime, by: str, now: datetime) -> int:
    """Retention: erase what is personal of scores given before an instant; how many scores it was.

    Raises
    ------
    StoreError
        The end of the ledger does not carry our seal.
    """
    single, many = (
        list(connection.execute(select(kept.c.seq).join(ledger, ledger.c.seq == kept.c.seq).where(ledger.c.at < instant(before))).scalars())
        for kept in (ledger_payload, ledger_block)
    )  # fmt: skip
    _record(connection, seals, erasure_entry(instant(now), by, "retention", [*single, *many]), [*single, *many])
    n = len(single) + sum(held_in(connection, portion) for portion in portions(many))
    _drop_payloads(connection, single)
    for portion in portions(many):
        drop_blocks(connection, portion)
    return n


def _record(connection: Connection, seals: Secret, entry: Entry, seqs: Sequence[int]) -> None:
    """Say in the chain what goes, if anything does, and forget the answers kept for repetition that hold the same."""
    if seqs:
        append(connection, [Submission([entry])], seals())
        _forget_answers(connection, seqs)


def _drop_payloads(connection: Connection, seqs: list[int]) -> None:
    for portion in portions(seqs):
        connection.execute(delete(ledger_payload).where(ledger_payload.c.seq.in_(portion)))


def _forget_answers(connection: Connection, seqs: Sequence[int]) -> None:
    kept = connection.execute(
        select(idempotency.c.caller, idempotency.c.key, idempotency.c.first_seq, idempotency.c.last_seq)
    )
    gone = set(seqs)
    for caller, key, first, last in kept.all():
        if not gone.isdisjoint(range(first, last + 1)):
            connection.execute(delete(idempotency).where(idempotency.c.caller == caller, idempotency.c.key == key))


def erase_rows(connection: Connection, case_ids: Collection[str], by: str, now: datetime) -> int:
    """Erase these cases from all lists and record which places were emptied; how many there were."""
    places: dict[int, list[int]] = defaultdict(list)
    for portion in portions(sorted(case_ids)):
        here = worklist_case.c.case_id.in_(portion)
        for list_id, place in connection.execute(select(worklist_case.c.list_id, worklist_case.c.place).where(here)):
            places[list_id].append(place)
        connection.execute(delete(worklist_case).where(here))
    if places:
        note(connection, now, by, LISTS_ERASED, detail={"rows": {k: sorted(v) for k, v in sorted(places.items())}})
    return sum(len(v) for v in places.values())


def erase_lists_before(connection: Connection, before: datetime, by: str, now: datetime) -> int:
    """Retention: erase all cases from lists made before an instant; how many rows it was. What a list summed up stays."""
    old = select(worklist.c.id).where(worklist.c.made_at < instant(before))
    has_rows = and_(worklist.c.id.in_(old), worklist.c.id.in_(select(worklist_case.c.list_id).distinct()))
    lists = list(connection.execute(select(worklist.c.id).where(has_rows).order_by(worklist.c.id)).scalars())
    n = 0
    for portion in portions(lists):
        n += int(connection.execute(delete(worklist_case).where(worklist_case.c.list_id.in_(portion))).rowcount)
    if lists:
        note(connection, now, by, LISTS_ERASED, detail={"lists": lists})
    return n


def scrub(store: Store) -> None:
    """SQLite blanks what it deletes (``secure_delete``), but the WAL still holds it until it is written back."""
    if store.is_sqlite:
        with store.plain() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def portions(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), PORTION):
        yield values[start : start + PORTION]
