"""When things break: no acknowledged score is lost, nothing is answered that was not recorded, and the service comes back."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from risk.errors import StoreError
from serving.description import EXAMPLE
from serving.settings import Settings
from serving.start import Behind, seals_of
from serving.store.blocks import Block
from serving.store.blocktext import Template, header_of
from serving.store.engine import Store, open_store
from serving.store.held import Held
from serving.store.ledger import Seals, Submission, append, begin_chain, block_entry, find, score_entry
from serving.store.verify import verify

# RISK_FULL_FAULTS=1 asks for the sizes of a release; pytest -s then also prints how long each start took.
AS_OF = date(2026, 11, 23)
N_KILLS = 100 if os.environ.get("RISK_FULL_FAULTS") else 5
SEALS = seals_of(Settings(environment="development"))


def behind(client: TestClient) -> Behind:
    found: Behind = client.app.state.behind  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    return found


@pytest.fixture
def server(start_server: Callable[..., Any], bundle_folder: Path, tmp_path: Path) -> Any:
    return start_server(bundle_folder, tmp_path)


def ask_until_it_is_gone(server: Any, name: str, acknowledged: list[dict[str, Any]]) -> None:
    n = 30 if name.endswith("-0") else 1  # thirty are recorded in one row of the ledger
    for i in range(100_000):
        try:
            acknowledged.extend(server.ask(f"{name}-{i}", n))
        except (OSError, HTTPException):  # URLError is an OSError
            return


def test_a_kill_under_load_loses_no_acknowledged_score(server: Any) -> None:
    """Killed at random points, started again: every score a caller has seen is there, to the letter, and the chain is whole."""
    rng, acknowledged = random.Random(4), list[dict[str, Any]]()
    for round_ in range(N_KILLS):
        callers = [
            threading.Thread(target=ask_until_it_is_gone, args=(server, f"R{round_}-{i}", acknowledged))
            for i in range(4)
        ]
        for caller in callers:
            caller.start()
        time.sleep(0.2 + rng.random() / 2)
        server.process.send_signal(signal.SIGKILL)
        for caller in callers:
            caller.join(60)
        server.stop()
        print(
            f"kill {round_ + 1}: ready again in {server.start():.1f} s, {len(acknowledged)} scores acknowledged so far"
        )
    assert len(acknowledged) > 20
    store = open_store(server.store)
    for told in acknowledged:
        past = find(store, told["score_id"])
        assert past is not None
        assert past.output is not None
        assert json.loads(past.output) == told
    found = verify(store, SEALS)
    store.close()
    assert found.n_faults == 0, found.faults
    assert found.n_payloads >= len(acknowledged)
    assert found.n_rows < found.n_payloads


def test_a_stop_finishes_what_was_begun(server: Any) -> None:
    """SIGTERM: requests already taken are answered; the process ends by itself with status 0."""
    server.ask("warm")
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(server.ask, f"LAST{i}", 400) for i in range(3)]
        time.sleep(0.3)  # on their way, and not yet all answered: 1,200 cases take longer than this
        server.process.send_signal(signal.SIGTERM)
        answered = [len(call.result(60)) for call in calls]
    assert answered == [400, 400, 400]
    assert server.process.wait(30) in (0, -signal.SIGTERM)
    store = open_store(server.store)
    found = verify(store, SEALS)
    store.close()
    assert (found.n_faults, found.n_payloads) == (0, 1201)


def a_block(i: int) -> Block:
    """Two made-up rows."""
    header = header_of(AS_OF, [Template(('{"p":', "}"), ("n2",))], [], [])
    ids, numbers = [f"MANY{i}-{j}" for j in range(2)], np.array([[0.0, 0.0, 0.5], [1.0, 0.0, 0.25]])
    none = np.zeros((2, 0), dtype=np.int64)
    return Block(
        header, np.arange(2), ids, np.zeros((2, 2)), np.zeros(2, dtype=np.int64), np.zeros((0, 3)), numbers, none, []
    )


def entries(i: int) -> Submission:
    """Two single scores and a block of two."""
    known = {
        "at": "2026-11-23T10:00:00.000000Z",
        "caller": "key:a",
        "office": "N",
        "request_id": "r",
        "model_version": "m",
    }
    made = [
        score_entry(
            score_id=f"{10 * i + j:032x}", as_of="2026-11-23", status="scored", case_id=f"SYN{i}", given="{}", told="{}", **known
        )
        for j in range(2)
    ]  # fmt: skip
    return Submission([*made, block_entry(a_block(i), block_id=f"{i:024x}", as_of="2026-11-23", **known)])


class Watched(sqlite3.Connection):
    """Tells before every statement and every commit, down at the driver, where none goes unseen."""

    def cursor(self, *_: Any, **__: Any) -> sqlite3.Cursor:  # type: ignore[override]  # any call may fail
        return super().cursor(WatchedCursor)

    def execute(self, *given: Any) -> sqlite3.Cursor:
        return self.cursor().execute(*given)

    def commit(self) -> None:
        before_a_call()
        super().commit()


class WatchedCursor(sqlite3.Cursor):
    def execute(self, *given: Any) -> sqlite3.Cursor:
        before_a_call()
        return super().execute(*given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        before_a_call()
        return super().executemany(*given)


CALLS_LEFT, SAID = [0], [""]


def before_a_call() -> None:
    CALLS_LEFT[0] -= 1
    if CALLS_LEFT[0] == 0:
        raise sqlite3.OperationalError(SAID[0])


def watched(path: Path) -> Store:
    store = open_store(f"sqlite:///{path}")
    begin_chain(store, SEALS)
    event.listen(store.engine, "do_connect", lambda *given: given[3].update(factory=Watched))
    store.engine.dispose()
    return store


def calls_of_a_write(store: Store | Held) -> int:
    """How many calls go to the database for one group of writes, its beginning and its commit included."""
    write(store, 99)  # on a connection that is there already, as the ones that will fail are
    CALLS_LEFT[0] = 1_000_000
    write(store, 98)
    return 1_000_000 - CALLS_LEFT[0]


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("kind", ["locked", "disk"])
def test_whichever_write_fails_nothing_of_the_group_stays_and_the_next_is_written(
    tmp_path: Path, kind: str, is_held: bool
) -> None:
    SAID[0] = {"locked": "database is locked", "disk": "database or disk is full"}[kind]
    counting = watched(tmp_path / "count.db")
    n_calls = calls_of_a_write(Held(counting) if is_held else counting)
    counting.close()
    assert n_calls >= 7  # begin, read the end, three tables, move the end, commit
    store = watched(tmp_path / "store.db")
    into = Held(store) if is_held else store
    write(into, 97)  # a connection is there
    for n in range(1, n_calls + 1):
        CALLS_LEFT[0] = n
        with pytest.raises(StoreError, match="holds it" if kind == "locked" else "disk is full"):
            write(into, n)
        CALLS_LEFT[0] = -1
        found = verify(store, SEALS)
        assert (found.n_faults, found.n_rows) == (0, 3 * n), f"call {n}"
        write(into, n)
    assert verify(store, SEALS).n_rows == 3 * (n_calls + 1)
    store.close()


def write(into: Store | Held, i: int) -> None:
    if isinstance(into, Held):
        into.write(lambda pen: append(pen, [entries(i)], SEALS))
        return
    with into.writing() as connection:
        append(connection, [entries(i)], SEALS)


def test_a_held_connection_is_let_go_when_the_store_lets_go_of_all(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    begin_chain(store, SEALS)
    opened: list[Any] = []
    event.listen(store.engine, "connect", lambda raw, _: opened.append(raw))
    store.engine.dispose()
    held = Held(store)
    for i in (1, 2, 3):
        write(held, i)
    assert len(opened) == 1
    store.engine.dispose()
    write(held, 4)
    assert len(opened) == 2
    held.close()
    write(held, 5)
    held.close()
    assert verify(store, SEALS).n_rows == 15
    store.close()


def test_a_full_disk_is_told_and_the_service_goes_on_when_there_is_room(client: TestClient) -> None:
    store = behind(client).store
    assert client.post("/v1/scores", json=EXAMPLE).status_code == 200

    def limit(pages: int) -> None:
        """SQLite's own limit on pages stands for the disk: it fails with the same SQLITE_FULL."""

        def set_limit(raw: Any, *_: Any) -> None:
            raw.execute(f"PRAGMA max_page_count = {pages}")

        store.engine.dispose()
        event.listen(store.engine, "connect", set_limit)

    limit(1)
    case = EXAMPLE["cases"][0]
    many = EXAMPLE | {"cases": [case | {"case_id": f"SYN{i:06d}"} for i in range(60)]}
    refused = client.post("/v1/scores", json=many)
    assert (refused.status_code, refused.json()["code"]) == (503, "not-recorded")
    limit(1_000_000)
    assert client.post("/v1/scores", json=many).status_code == 200
    found = verify(store, behind(client).seals)
    assert (found.n_faults, found.n_payloads) == (0, 61)


def test_eight_writers_on_one_sqlite_file_wait_for_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    first = open_store(url)
    begin_chain(first, SEALS)

    def writes(k: int) -> None:
        store = open_store(url)
        for i in range(6):
            write(store, 100 * (k + 1) + i)
        store.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(writes, range(8)))
    found = verify(first, SEALS)
    first.close()
    assert (found.n_faults, found.n_rows) == (0, 8 * 6 * 3)


def test_a_store_held_by_another_is_waited_for_and_then_told(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    import serving.store.engine as engine

    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.3)
    client = serve(refresh_seconds=0)
    held = sqlite3.connect(behind(client).store.engine.url.database or "", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    refused = client.post("/v1/scores", json=EXAMPLE)
    assert (refused.status_code, refused.json()["code"]) == (503, "not-recorded")
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200
    held.execute("COMMIT")
    held.close()
    assert client.post("/v1/scores", json=EXAMPLE).status_code == 200
    assert verify(behind(client).store, behind(client).seals).n_rows == 1


def test_the_key_that_seals_is_shown_by_nothing() -> None:
    seals = Seals(b"hemmelig", older=b"hemmelig")
    assert "hemmelig" not in repr(seals)
    assert "hemmelig" not in repr(Settings(ledger_key="hemmelig"))  # type: ignore[arg-type]  # pydantic turns the text into a secret
