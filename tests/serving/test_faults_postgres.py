"""PostgreSQL stopped and started again under load, on a server made for this test alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from serving.description import EXAMPLE
from serving.start import Behind
from serving.store.ledger import find
from serving.store.tables import ledger_payload
from serving.store.verify import verify

N_RESTARTS = 10 if os.environ.get("RISK_FULL_FAULTS") else 2


class Postgres:
    """A server on a socket of its own: no port, no password, gone at the end."""

    def __init__(self, tools: Path, place: Path) -> None:
        self._tools, self._place = tools, place
        self.url = f"postgresql://risk@/postgres?host={place}"
        self._run("initdb", "-D", f"{place}/data", "-U", "risk", "--auth=trust", "--encoding=UTF8", "-N")
        self.start()

    def _run(self, tool: str, *words: str) -> None:
        # PostgreSQL does not run as root.
        lower = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        # No pipe: the server that pg_ctl leaves behind would hold it open.
        subprocess.run([*lower, str(self._tools / tool), *words], cwd="/", stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)  # fmt: skip

    def start(self) -> None:
        options = f"-k {self._place} -c listen_addresses=''"
        self._run("pg_ctl", "-D", f"{self._place}/data", "-l", f"{self._place}/log", "-w", "-o", options, "start")

    def stop(self, how: str) -> None:
        self._run("pg_ctl", "-D", f"{self._place}/data", "-m", how, "-w", "stop")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "")]
    if not found[-1].is_file():
        pytest.skip("no PostgreSQL server is installed on this machine")
    # The path of a socket may not be long, so it lies in the system's own place for what is temporary.
    place = Path(tempfile.mkdtemp(prefix="pg"))
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(place, user.pw_uid, user.pw_gid)
    server = Postgres(found[-1].parent, place)
    yield server
    server.stop("immediate")
    shutil.rmtree(place)


class Asking:
    """Callers who send a request again under its key until it is answered with 200, as the integration page asks."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.is_over = client, threading.Event()
        self.gives_up_at = float("inf")
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.statuses: Counter[tuple[int, str, bool]] = Counter()
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(4)]

    def _ask(self, i: int) -> None:
        n = 0
        while not self.is_over.is_set():
            name, key = f"SYN{i}-{n}", uuid4().hex
            body = EXAMPLE | {"cases": [EXAMPLE["cases"][0] | {"case_id": name}]}
            while name not in self.acknowledged:
                answered = self.client.post("/v1/scores", json=body, headers={"Idempotency-Key": key})
                code = "" if answered.status_code == 200 else answered.json()["code"]
                self.statuses[answered.status_code, code, "retry-after" in answered.headers] += 1
                if answered.status_code == 200:
                    self.acknowledged[name] = answered.json()["results"][0]
                elif self.is_over.wait(0.02) and time.monotonic() > self.gives_up_at:
                    return
            n += 1

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gives_up_at = time.monotonic() + 30  # what was refused just now is still asked for until it is answered
        self.is_over.set()
        for thread in self._threads:
            thread.join()
        print(f"answers: {dict(self.statuses)}")

    def has_more_than(self, n: int) -> bool:
        return len(self.acknowledged) > n


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 300  # a guard against waiting for ever, and no measure of anything
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_restart_of_postgresql_costs_no_score_and_makes_none_twice(
    postgres: Postgres, serve: Callable[..., TestClient]
) -> None:
    client = serve(refresh_seconds=0, environment="development", store=postgres.url, rate="1000000/minute")
    behind: Behind = client.app.state.behind  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    with Asking(client) as asking:
        for i in range(N_RESTARTS):
            had = len(asking.acknowledged)
            wait_for(lambda n=had: asking.has_more_than(n + 20))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            postgres.stop("immediate" if i % 2 else "fast")  # pulled out, and asked to go
            refused = asking.statuses.copy()
            wait_for(
                lambda before=refused: asking.statuses[503, "not-recorded", True] > before[503, "not-recorded", True]
            )  # type: ignore[misc]  # as above
            assert client.get("/health/live").status_code == 200
            assert client.get("/health/ready").status_code == 503
            postgres.start()
        had = len(asking.acknowledged)
        wait_for(lambda: asking.has_more_than(had + 20))
    assert client.get("/health/ready").status_code == 200
    assert set(asking.statuses) == {(200, "", False), (503, "not-recorded", True)}
    with behind.store.reading() as connection:
        names = connection.execute(select(ledger_payload.c.case_id)).scalars().all()
    assert Counter(names) == Counter(list(asking.acknowledged)), "each case once, and none that nobody was told of"
    for told in asking.acknowledged.values():
        past = find(behind.store, told["score_id"])
        assert past is not None
        assert past.output is not None
        assert told["score_id"] in past.output
    found = verify(behind.store, behind.seals)
    assert (found.n_faults, found.n_rows) == (0, len(asking.acknowledged))
