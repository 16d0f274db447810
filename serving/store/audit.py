"""The record of who did or saw what: accounts, views of cases, exports, deletions. Rows are only added.

A view names the case by its pseudonym; when a person is deleted the pseudonym goes and the row stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from serving.store.engine import Store
from serving.store.ledger import instant
from serving.store.tables import audit

VIEW = "case-viewed"
ERASED = "erased"


@dataclass(frozen=True)
class Noted:
    """One row of the record."""

    at: str
    by: str
    act: str
    subject: str
    detail: dict[str, Any]


def note(
    connection: Connection, now: datetime, by: str, act: str, subject: str = "", detail: dict[str, Any] | None = None
) -> None:
    """Add a row in the transaction of what it tells of, so that neither is there without the other."""
    text = json.dumps(detail or {}, separators=(",", ":"), sort_keys=True)
    connection.execute(insert(audit), {"at": instant(now), "by": by, "act": act, "subject": subject, "detail": text})


def note_view(store: Store, by: str, case_id: str, now: datetime) -> None:
    """Record that somebody looked at a case.

    Raises
    ------
    StoreError
        It could not be recorded; the case should not be shown then.
    """
    with store.writing() as connection:
        note(connection, now, by, VIEW, case_id)


def noted(
    store: Store, act: str | None = None, subjects: Collection[str] | None = None, last: int = 1000
) -> list[Noted]:
    """The last rows, the newest first, of one kind or of some cases and persons when asked for."""
    wanted = select(audit).order_by(audit.c.id.desc()).limit(last)
    if act is not None:
        wanted = wanted.where(audit.c.act == act)
    if subjects is not None:
        wanted = wanted.where(audit.c.subject.in_(sorted(subjects)))
    with store.reading() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [Noted(r["at"], r["by"], r["act"], r["subject"], json.loads(r["detail"])) for r in rows]


def forget_subjects(connection: Connection, subjects: Collection[str]) -> int:
    """Take these pseudonyms out of the record; how many rows named one."""
    named = audit.c.subject.in_(sorted(subjects))
    return int(connection.execute(update(audit).where(named).values(subject=ERASED)).rowcount)
