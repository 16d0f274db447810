"""Migrations: forwards and backwards, with what is there before left alone."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import func, inspect, select

from serving.store.engine import MIGRATIONS, Store, migrate
from serving.store.ledger import Entry, Seals, Submission, append
from serving.store.tables import ledger, metadata
from serving.store.verify import verify

FIRST = {"ledger", "ledger_payload", "ledger_head", "idempotency", "api_key"}


def go_back(store: Store, revision: str) -> set[str]:
    """Downgrade; the tables left."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    with store.reading() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_going_back_one_version_and_forward_again_keeps_the_ledger(
    begun: Store, seals: Seals, entry: Callable[..., Entry]
) -> None:
    with begun.writing() as connection:
        append(connection, [Submission([entry(1)])], seals)
    assert go_back(begun, "0001") == FIRST
    migrate(begun.engine)
    with begun.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
        assert connection.execute(select(func.count()).select_from(ledger)).scalar() == 1
    assert verify(begun, seals).n_faults == 0


def test_going_all_the_way_back_leaves_nothing(store: Store) -> None:
    assert go_back(store, "base") == set()
    migrate(store.engine)
    with store.reading() as connection:
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())
