"""A store of each kind: SQLite always; PostgreSQL where RISK_TEST_POSTGRES names a database, each test in a schema of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from risk.errors import StoreError
from serving.store.engine import Store, open_store
from serving.store.ledger import Entry, Seals, Submission, Written, begin_chain, score_entry
from serving.store.writer import Writer


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    server = os.environ.get("RISK_TEST_POSTGRES")
    if not server:
        pytest.skip("RISK_TEST_POSTGRES names no PostgreSQL database to test on")
    name = f"t{uuid4().hex[:12]}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    engine.dispose()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def seals() -> Seals:
    return Seals(b"a key for tests only, 32 characters")


@pytest.fixture
def begun(store: Store, seals: Seals) -> Store:
    """A store whose chain has begun and holds nothing yet."""
    begin_chain(store, seals)
    return store


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Make the entry of the i-th made-up score."""

    def _entry(i: int, case_id: str | None = None, at: str | None = None) -> Entry:
        return score_entry(
            score_id=f"{i:032x}",
            at=at or f"2026-11-23T10:00:00.{i:06d}Z",
            caller="key:abc",
            office="Nordby",
            request_id=f"request-{i}",
            model_version="9ba0be476961",
            as_of="2026-11-23",
            status="scored",
            case_id=case_id or f"SYN{i:06d}",
            given=f'{{"case_id":"SYN{i:06d}"}}',
            told=f'{{"p_exceed_52w":0.{i}}}',
        )

    return _entry


def hand_over(writer: Writer, entry: Entry) -> Future[Written]:
    """One entry for the ledger; the future ends as the writer tells."""
    future: Future[Written] = Future()

    def told(outcome: list[Written] | StoreError) -> None:
        if isinstance(outcome, StoreError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome[0])

    writer.submit([Submission([entry])], told)
    return future


@pytest.fixture
def hand() -> Callable[[Writer, Entry], Future[Written]]:
    return hand_over
