"""The champion moves while people ask: no request fails, and each answer comes from one model."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import registry
from models.bundle import Bundle
from serving.settings import Settings
from serving.start import seals_of
from serving.store.engine import open_store
from serving.store.verify import verify
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

IS_FULL = bool(os.environ.get("RISK_FULL_FAULTS"))
N_SWAPS = 100 if IS_FULL else 10
CALLERS, PER_SECOND = 5, 50


@pytest.fixture
def two_versions(risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report) -> dict[int, str]:
    """Two registered versions and the versions of their bundles."""
    run = make_run()
    found = {}
    for n_cases in (1, 2):
        bundle = Bundle(run.bundle.learner, None, meta=run.bundle.meta | {"n_cases": n_cases})
        number = log_run(replace(run, bundle=bundle), small_report).version
        assert number is not None
        found[number] = bundle.version
    return found


class Load:
    """Callers who together ask so many times a second, three cases at a time, and note which models answered."""

    def __init__(self, server: Any) -> None:
        self.server, self.is_over = server, threading.Event()
        self.answered: list[set[str]] = []
        self.failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(CALLERS)]

    def _ask(self, i: int) -> None:
        n = 0
        while not self.is_over.is_set():
            began = time.monotonic()
            try:
                self.answered.append({told["model_version"] for told in self.server.ask(f"C{i}-{n}", 3)})
            except BaseException as why:
                self.failed.append(why)
            n += 1
            self.is_over.wait(max(0.0, CALLERS / PER_SECOND - (time.monotonic() - began)))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()
        print(f"{len(self.answered)} requests answered, failures: {dict(Counter(map(str, self.failed)))}")


def wait_for(is_so: Callable[[], bool]) -> float:
    """Seconds until something is so; the end after five minutes is a guard, and no measure of anything."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > 300:
            raise TimeoutError
        time.sleep(0.02)
    return time.monotonic() - began


def test_the_champion_moves_under_load_and_nobody_notices(
    start_server: Callable[..., Any], two_versions: dict[int, str], risk_home: Path
) -> None:
    registry.set_alias("champion", 1)
    server = start_server("models:/risk52@champion", risk_home, RISK_REFRESH_SECONDS="0.2")
    took = []
    with Load(server) as load:
        for i in range(N_SWAPS):
            wanted = 2 - i % 2  # version 2 first, then back, and so on
            registry.set_alias("champion", wanted)
            took.append(wait_for(lambda w=wanted: load.answered[-1:] == [{two_versions[w]}]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    print(
        f"{N_SWAPS} swaps, {len(load.answered)} requests, longest swap {max(took):.1f} s, {len(load.failed)} failures"
    )
    assert load.failed == []
    assert all(len(versions) == 1 for versions in load.answered)
    assert {v for versions in load.answered for v in versions} == set(two_versions.values())
    server.stop()
    store = open_store(server.store)
    found = verify(store, seals_of(Settings(environment="development")))
    store.close()
    assert (found.n_faults, found.n_rows) == (0, 3 * len(load.answered))
