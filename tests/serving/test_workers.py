"""Several workers behind one port: each answers, all record into one chain, they count together and stop together."""

from __future__ import annotations

import re
import signal
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from serving.api_cli import serve_command
from serving.start import KNOWN_TO_ALL
from serving.store.engine import open_store
from serving.store.ledger import Seals
from serving.store.verify import verify

LINE = re.compile(r" (\d+) INFO risk\.serving: POST /v1/scores 200 ")


def workers_in(log: Path) -> set[str]:
    """Process ids of those that answered."""
    return set(LINE.findall(log.read_text()))


def test_two_workers_keep_one_chain_count_together_and_finish_what_they_began(
    start_server: Callable[..., Any], bundle_folder: Path, tmp_path: Path, store_url: str
) -> None:
    server = start_server(bundle_folder, tmp_path, RISK_WORKERS="2", RISK_STORE=store_url)
    log, asked, until = tmp_path / "serve.log", 0, time.monotonic() + 60
    with ThreadPoolExecutor(6) as pool:
        # Workers start one after the other, and whoever is first takes all until the other is there too.
        while asked < 60 or (len(workers_in(log)) < 2 and time.monotonic() < until):
            told = list(pool.map(lambda i: server.ask(f"SYN{i}", 3), range(asked, asked + 12)))
            assert [len(t) for t in told] == [3] * 12
            asked += 12
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
            counts = answer.read().decode()
        assert f'risk_outcomes_total{{status="scored"}} {3.0 * asked}' in counts
        assert counts.count('risk_model_info{version="') == 1
        last = [pool.submit(server.ask, f"LAST{i}", 300) for i in range(4)]
        time.sleep(0.3)  # on their way, and not yet all answered: 1,200 cases take longer than this
        server.process.send_signal(signal.SIGTERM)
        assert [len(call.result(60)) for call in last] == [300] * 4
    assert server.process.wait(60) in (0, -signal.SIGTERM)
    workers = workers_in(log)
    assert len(workers) == 2
    assert str(server.process.pid) not in workers
    store = open_store(server.store)
    found = verify(store, Seals(KNOWN_TO_ALL.encode()))
    store.close()
    assert (found.n_faults, found.n_payloads) == (0, 3 * asked + 1200)


def test_what_every_worker_would_refuse_is_refused_before_any_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    monkeypatch.delenv("RISK_LEDGER_KEY", raising=False)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("started all the same"))
    done = CliRunner().invoke(serve_command, ["--workers", "2"])
    assert "RISK_LEDGER_KEY is not set" in str(done.exception)
    assert "listens" not in done.output
