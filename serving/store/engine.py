"""Opening the store: SQLite in a file by default, PostgreSQL by its address; the same tables and promises on both.

SQLite runs in WAL with a full sync at every commit, so an acknowledged write survives a kill and a power cut; a writer waits
``BUSY_SECONDS`` for another and takes the write lock at the start of its transaction, never half-way through.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from risk.errors import ConfigError, StoreError
from risk.home import home

BUSY_SECONDS = 5.0
MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES = "risk_writes"


class Store:
    """An open store.

    Every failure of the database leaves here as a :class:`risk.errors.StoreError` that names its kind and never a
    statement or a value; a block that fails has written nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads and sees one state of the store."""
        with telling(self.engine), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; it is committed when the block ends well."""
        with telling(self.engine), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def plain(self) -> Iterator[Connection]:
        """No transaction: for what a database does only outside of one."""
        with telling(self.engine), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self.engine.dispose()


def default_url() -> str:
    return f"sqlite:///{home() / 'store.db'}"


def open_store(url: str | None = None) -> Store:
    """The store at ``url`` (the one in RISK_HOME when not given), with its tables as this version has them.

    Raises
    ------
    ConfigError
        The address is not one of SQLite or PostgreSQL.
    StoreError
        The store cannot be reached, read or brought up to date.
    """
    address = _address(url or default_url())
    if address.get_backend_name() == "sqlite":
        try:
            Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
        except OSError as why:
            raise StoreError(f"cannot make the store's folder ({why.strerror}); set RISK_STORE") from None
        engine = create_engine(address, pool_size=4, connect_args={"timeout": BUSY_SECONDS})
        _prepare_sqlite(engine)
    else:
        engine = create_engine(address, pool_size=4, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    try:
        with telling(engine):
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise ConfigError("RISK_STORE is not an address; write sqlite:////path/store.db or postgresql://...") from None
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not address.database or address.database == ":memory:":
        raise ConfigError("the store is a SQLite file or a PostgreSQL database; see RISK_STORE in docs/integration.md")
    return address


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # the driver begins nothing by itself; "begun" below does
        for pragma in (
            f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            raw.execute(f"PRAGMA {pragma}")
        _into_wal(raw)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return
        raw: Any = connection.connection  # on the driver itself: this runs with every score
        raw.driver_connection.execute("BEGIN IMMEDIATE" if options.get(_WRITES, False) else "BEGIN")


def _into_wal(raw: Any) -> None:
    """Switching a new file to WAL does not wait for others who are just doing the same; so it is tried again."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as why:
            if "locked" not in str(why) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; two processes that start at once do it one after the other.

    Raises
    ------
    StoreError
        The store was made by a later version.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: True})
        with connection.begin():
            alone(connection)
            has_version = inspect(connection).has_table("alembic_version")
            at = MigrationContext.configure(connection).get_current_revision() if has_version else None
            if at == scripts.get_current_head():
                return
            if at is not None and at not in {s.revision for s in scripts.walk_revisions()}:
                raise StoreError("the store was made by a later version of Risk52; upgrade, or use another RISK_STORE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def alone(connection: Connection) -> None:
    """Keep other processes out of what must be done once, until the transaction ends; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5252)")


@contextmanager
def telling(engine: Engine) -> Iterator[None]:
    """A driver's message can quote a statement with its values, so only the kind of the failure goes on."""
    try:
        yield
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as why:
        kind = type(getattr(why, "orig", None) or why).__name__
        said = _known_trouble(str(why))
        raise StoreError(f"the store failed ({kind}{said}); see 'If the store fails' in docs/integration.md") from None


def _known_trouble(message: str) -> str:
    known = {
        "database is locked": "another process holds it",
        "disk is full": "the disk is full",
        "readonly database": "it cannot be written",
        "unable to open": "it cannot be opened",
        "not a database": "the file is not a store",
        "malformed": "the file is damaged",
    }
    return next((f": {text}" for sign, text in known.items() if sign in message), "")
