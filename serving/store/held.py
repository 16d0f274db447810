"""A connection held by whoever writes again and again: begun and committed on the driver, so that a score costs no layers.

It promises what :meth:`serving.store.engine.Store.writing` does: written whole or not at all, and every failure leaves as a
:class:`risk.errors.StoreError` without a statement or a value.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Pool, PoolProxiedConnection

from serving.store.engine import Store, telling
from serving.store.pen import Pen

T = TypeVar("T")
# A server may have closed a connection that lay idle; one that was used just now is still there.
IDLE_SECONDS = 1.0


class Held:
    """Opens a connection when it is first needed, and a new one after a failure; used from one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: PoolProxiedConnection | None = None
        self._pool: Pool | None = None
        self._used_at = 0.0

    def write(self, what: Callable[[Pen], T]) -> T:
        """Let ``what`` write in a transaction of its own, committed when it ends well.

        Raises
        ------
        StoreError
            The store failed; nothing was written.
        """
        with telling(self._store.engine):
            raw = self._connection()
            try:
                cursor = raw.cursor()
                if self._store.is_sqlite:
                    cursor.execute("BEGIN IMMEDIATE")
                done = what(Pen(cursor, self._store.engine.dialect.name))
                cursor.close()
                raw.commit()
            except BaseException:
                self.close()
                raise
            self._used_at = time.monotonic()
            return done

    def close(self) -> None:
        """Give up the connection; what it had begun and not committed is undone."""
        held, self._open = self._open, None
        if held is not None:
            with contextlib.suppress(self._store.engine.dialect.loaded_dbapi.Error):
                held.rollback()  # where the connection itself is broken, what was begun went with it
            held.invalidate()

    def _connection(self) -> Any:
        """The driver's own connection; a new one when the store's pool was emptied, or the server may have gone."""
        if self._open is not None and (self._pool is not self._store.engine.pool or not self._is_alive()):
            self.close()
        if self._open is None:
            self._pool = self._store.engine.pool
            self._open = self._store.engine.raw_connection()
        return self._open.driver_connection

    def _is_alive(self) -> bool:
        if self._store.is_sqlite or time.monotonic() - self._used_at < IDLE_SECONDS:
            return True
        raw: Any = self._open and self._open.driver_connection
        try:
            raw.execute("SELECT 1")
            raw.rollback()
        except self._store.engine.dialect.loaded_dbapi.Error:
            return False
        return True
