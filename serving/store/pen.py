"""What is written at every score, on the database's own driver: the layers above it would cost more than the database does.

The text of each statement is made once per kind of database from the declared tables, and all rows of a table go down in
one call. Rows are tuples in the order of the table's columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Table

from serving.store.tables import idempotency, ledger_head


class Head(NamedTuple):
    """The end of the chain: how many rows there are, the hash of the last and the seal on both."""

    n: int
    hash: str
    seal: str


class Pen:
    """Writes with a cursor of the driver, in a transaction that is not its own; the driver's errors leave it as they are."""

    def __init__(self, cursor: Any, dialect: str) -> None:
        self._cursor, self._dialect = cursor, dialect

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """One that writes in the transaction of a connection; its cursor goes with that."""
        return cls(connection.connection.cursor(), connection.dialect.name)

    def head(self) -> Head | None:
        """The end row, held until the transaction ends."""
        self._cursor.execute(_head_text(self._dialect))
        row = self._cursor.fetchone()
        return None if row is None else Head(*row)

    def answered(self, caller: str, key: str) -> tuple[str, str] | None:
        """What a caller asked under a key before, as a hash, and what was answered."""
        self._cursor.execute(_answered_text(self._dialect), (caller, key))
        row = self._cursor.fetchone()
        return None if row is None else (row[0], row[1])

    def add(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows, each with all columns of the table."""
        if rows:
            self._cursor.executemany(_insert_text(table, self._dialect), rows)

    def move_head(self, head: Head) -> None:
        self._cursor.execute(_move_text(self._dialect), head)


def _mark(dialect: str) -> str:
    return "?" if dialect == "sqlite" else "%s"


@cache
def _head_text(dialect: str) -> str:
    text = f"SELECT {', '.join(Head._fields)} FROM {ledger_head.name}"
    return text if dialect == "sqlite" else f"{text} FOR UPDATE"  # SQLite has locked the whole store already


@cache
def _answered_text(dialect: str) -> str:
    mark = _mark(dialect)
    return f"SELECT request_hash, body FROM {idempotency.name} WHERE caller = {mark} AND key = {mark}"


@cache
def _insert_text(table: Table, dialect: str) -> str:
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([_mark(dialect)] * len(names))})"


@cache
def _move_text(dialect: str) -> str:
    return (
        f"UPDATE {ledger_head.name} SET {', '.join(f'{name} = {_mark(dialect)}' for name in Head._fields)} WHERE id = 1"
    )
