"""What is written at every score, on the database's own driver: the layers above it would cost more than the database does.

The text of each statement is made once per kind of database from the declared tables, and all rows of a table go down in
one call. Rows are tuples in the order of the table's columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Table

from serving.store.tables import ledger_head


class Head(NamedTuple):
    """The end of the chain: how many rows there are, the hash of the last and the seal on both."""

    n: int
    hash: str
    seal: str


class Pen:
    """A cursor of the driver, inside the transaction of ``connection``; errors of the driver leave it as they are."""

    def __init__(self, connection: Connection) -> None:
        self._cursor, self._dialect = connection.connection.cursor(), connection.dialect.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:  # a cursor that failed goes with its connection; closing it could fail anew
            self._cursor.close()

    def head(self) -> Head | None:
        """The end row, held until the transaction ends."""
        self._cursor.execute(_head_text(self._dialect))
        row = self._cursor.fetchone()
        return None if row is None else Head(*row)

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
def _insert_text(table: Table, dialect: str) -> str:
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([_mark(dialect)] * len(names))})"


@cache
def _move_text(dialect: str) -> str:
    return (
        f"UPDATE {ledger_head.name} SET {', '.join(f'{name} = {_mark(dialect)}' for name in Head._fields)} WHERE id = 1"
    )
