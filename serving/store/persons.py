"""What the ledger holds of a person's cases: given out, and erased, by pseudonym; the chain stays whole.

Erasing removes the payload with its salt. What stays is that some score was given at some time by some model, and a row
of the chain that says which rows were emptied and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from serving.store.engine import Store
from serving.store.ledger import SCORE, Seals, Submission, append, erasure_entry, instant
from serving.store.tables import idempotency, ledger, ledger_payload

# Below the number of values one statement may hold on either database.
PORTION = 500


def export_cases(store: Store, case_ids: Collection[str]) -> list[dict[str, Any]]:
    """Every score recorded of these cases, the oldest first: when, by whom, by which model, what was asked and told."""
    wanted = (
        select(ledger, ledger_payload.c.case_id, ledger_payload.c.input, ledger_payload.c.output)
        .join(ledger_payload, ledger.c.seq == ledger_payload.c.seq)
        .order_by(ledger.c.seq)
    )
    hidden = {"prev_hash", "hash", "input_hash", "output_hash", "detail", "kind"}
    told: list[dict[str, Any]] = []
    with store.reading() as connection:
        for portion in _portions(sorted(case_ids)):
            rows = connection.execute(wanted.where(ledger_payload.c.case_id.in_(portion))).mappings()
            told += [{k: v for k, v in row.items() if k not in hidden} for row in rows]
    return sorted(told, key=lambda row: row["seq"])


def erase_cases(store: Store, seals: Seals, case_ids: Collection[str], reason: str, by: str) -> int:
    """Erase what is personal of these cases' scores; how many scores it was.

    Raises
    ------
    StoreError
        Nothing was erased.
    """
    asked = [
        select(ledger_payload.c.seq).where(ledger_payload.c.case_id.in_(portion))
        for portion in _portions(sorted(case_ids))
    ]
    return _erase(store, seals, asked, reason, by)


def erase_older(store: Store, seals: Seals, before: datetime, by: str) -> int:
    """Retention: erase what is personal of scores given before an instant; how many scores it was.

    Raises
    ------
    StoreError
        Nothing was erased.
    """
    old = select(ledger_payload.c.seq).join(ledger, ledger.c.seq == ledger_payload.c.seq)
    asked = old.where(ledger.c.at < instant(before), ledger.c.kind == SCORE)
    return _erase(store, seals, [asked], "retention", by)


def _erase(store: Store, seals: Seals, asked: list[Select[Any]], reason: str, by: str) -> int:
    with store.writing() as connection:
        seqs = sorted(seq for statement in asked for seq in connection.execute(statement).scalars())
        if not seqs:
            return 0
        entry = erasure_entry(instant(datetime.now(UTC)), by, reason, seqs)
        append(connection, [Submission([entry])], seals)
        for portion in _portions(seqs):
            connection.execute(delete(ledger_payload).where(ledger_payload.c.seq.in_(portion)))
        _forget_answers(connection, seqs)
    if store.is_sqlite:
        _scrub(store)
    return len(seqs)


def _forget_answers(connection: Connection, seqs: list[int]) -> None:
    """Answers kept for repetition hold the same outcomes."""
    kept = connection.execute(
        select(idempotency.c.caller, idempotency.c.key, idempotency.c.first_seq, idempotency.c.last_seq)
    )
    gone = set(seqs)
    for caller, key, first, last in kept.all():
        if not gone.isdisjoint(range(first, last + 1)):
            connection.execute(delete(idempotency).where(idempotency.c.caller == caller, idempotency.c.key == key))


def _scrub(store: Store) -> None:
    """SQLite blanks what it deletes (``secure_delete``), but the WAL still holds it until it is written back."""
    with store.plain() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _portions(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), PORTION):
        yield values[start : start + PORTION]
