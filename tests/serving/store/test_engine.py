"""Opening the store: tables as declared, settings that keep what is written, and failures without values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, func, insert, inspect, select

from risk.errors import ConfigError, StoreError
from serving.store.engine import Store, open_store
from serving.store.ledger import Seals, begin_chain
from serving.store.tables import ledger, ledger_head, ledger_payload, metadata


def test_the_migrations_make_the_tables_that_are_declared(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert {"alembic_version", *metadata.tables} == set(inspect(connection).get_table_names())


def test_opening_again_changes_nothing_and_many_may_open_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(store_url), range(4)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: begin_chain(s, Seals(b"k")), stores))
    with stores[0].reading() as connection:
        assert connection.execute(select(func.count()).select_from(ledger_head)).scalar() == 1
    for one in stores:
        one.close()


def test_a_store_of_a_later_version_is_refused(store: Store, store_url: str) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="later version"):
        open_store(store_url)


def test_sqlite_syncs_at_every_commit_and_holds_to_foreign_keys(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'deep' / 'er' / 'store.db'}")
    with store.reading() as connection:

        def pragma(name: str) -> Any:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2  # FULL
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 5000
        assert pragma("secure_delete") == 1
    store.close()


def test_a_payload_without_its_row_is_refused_and_nothing_of_the_block_stays(begun: Store) -> None:
    row = {"case_id": "SYN000123", "salt": "s", "input": "{}", "output": "{}"}

    def half() -> None:
        with begun.writing() as connection:
            connection.execute(ledger_head.update().values(n=7))
            connection.execute(insert(ledger_payload), {"seq": 99, **row})

    with pytest.raises(StoreError) as raised:
        half()
    assert "SYN000123" not in str(raised.value)
    assert raised.value.__cause__ is None
    with begun.reading() as connection:
        assert connection.execute(select(ledger_head.c.n)).scalar() == 0
        assert connection.execute(select(func.count()).select_from(ledger)).scalar() == 0


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://root@host/x", "sqlite://", "sqlite:///:memory:", "postgres", "oracle://x"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"RISK_STORE|PostgreSQL"):
        open_store(url)


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(StoreError) as raised:
        open_store("postgresql://risk:hemmelig@127.0.0.1:1/risk")
    assert "hemmelig" not in str(raised.value)


def test_a_file_that_is_not_a_store_is_told(tmp_path: Path) -> None:
    place = tmp_path / "store.db"
    place.write_bytes(b"this is not a database at all, whatever it is called" * 40)
    with pytest.raises(StoreError, match="not a store"):
        open_store(f"sqlite:///{place}")
    (tmp_path / "a file").write_text("x")
    with pytest.raises(StoreError, match="RISK_STORE"):
        open_store(f"sqlite:///{tmp_path / 'a file' / 'store.db'}")


def test_a_table_added_by_hand_is_noticed_by_the_test_above(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    engine = create_engine(store.engine.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE api_key ADD COLUMN surprise TEXT")
        assert compare_metadata(MigrationContext.configure(connection), metadata) != []
    engine.dispose()
    store.close()
