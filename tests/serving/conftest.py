"""A model that looks at every attribute, learned from made-up cases, and a service around it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from models import catalogue
from models.bundle import Bundle
from models.calibration import Calibrator
from risk import features, schema
from risk.outcomes import OUTCOME_DTYPE, observe, read_outcome_definition
from risk.register import Register, make_register
from risk.scoring import entry_weeks
from risk.snapshot import snapshot_rows
from serving.api import create_app
from serving.description import EXAMPLE
from serving.settings import Settings
from serving.sources import FolderSource
from serving.store.engine import open_store
from serving.store.keys import create_key

AS_OF = date(2026, 11, 23)


def random_value(rng: np.random.Generator, attribute: schema.Attribute) -> Any:
    if attribute.kind == "category":
        return str(rng.choice(attribute.levels))
    if attribute.kind == "flag":
        return bool(rng.random() < 0.5)
    return float(np.round(rng.uniform(attribute.low, attribute.high), 1))


@pytest.fixture(scope="session")
def wide_register() -> Register:
    """400 made-up cases with every attribute and every kind of fact; the long ones expect to be long."""
    rng = np.random.default_rng(5)
    n = 400
    opened = np.datetime64("2024-09-02") + rng.integers(0, 760, n)
    registered = opened + rng.integers(2, 35, n)
    is_long = rng.random(n) < 0.3
    closed = registered + np.where(is_long, rng.integers(280, 500, n), rng.integers(20, 280, n))
    closed[closed >= np.datetime64(AS_OF)] = np.datetime64("NaT")
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in range(n)],
            "person_key": [f"p{i}" for i in range(n)],
            "opened_on": opened,
            "registered_on": registered,
            "closed_on": closed,
            "close_reason": np.where(np.isnat(closed), None, "recovered"),
            "office": "Nordby",
            "team": rng.choice(["A", "B"], n),
        }
    )
    for name, attribute in schema.case_attributes().items():
        cases[name] = [random_value(rng, attribute) if rng.random() > 0.2 else None for _ in range(n)]
    facts = []
    for i, case_id in enumerate(cases["case_id"]):
        known_on = registered[i] + rng.integers(0, 21)
        facts.append((case_id, known_on, "expected_recovery", "over_26w" if is_long[i] else "under_8w"))
        for name in rng.choice([f for f in schema.fact_attributes() if f != "objection"], 8):
            text = str(random_value(rng, schema.fact_attributes()[name]))
            text = text.lower() if text in ("True", "False") else text
            facts.append((case_id, registered[i] + rng.integers(0, 200), name, text))
    table = pd.DataFrame(facts, columns=list(schema.FACT_KEYS))
    table = table[table["known_on"] < np.datetime64(AS_OF)]
    return make_register(cases, table, AS_OF, source="by hand", is_synthetic=True)


@pytest.fixture(scope="session")
def wide_bundle(wide_register: Register) -> Bundle:
    """A linear hazard with all features of the allow-list, looked at eight weeks after opening."""
    outcome = read_outcome_definition()
    names = list(features.default_features())
    encoded = wide_register.encoded
    days = np.maximum(encoded.opened_on + np.timedelta64(57, "D"), encoded.registered_on + np.timedelta64(1, "D"))
    is_here = (np.isnat(encoded.closed_on) | (encoded.closed_on >= days)) & (days <= np.datetime64(AS_OF))
    rows = snapshot_rows(wide_register, np.flatnonzero(is_here), days[is_here])
    X = features.feature_frame(features.build_features(rows, names))
    y = observe(wide_register.cases, outcome, AS_OF)[is_here]
    learner = catalogue.make("linear", random_state=1, penalties=(30.0,), ratios=())
    learner.fit(X, y, entry_weeks(rows, outcome))
    numbers = [n for n in names if not features.catalogue()[n].levels]
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": [],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        "ranges": {n: [float(X[n].min()), float(X[n].max())] for n in numbers},
        "learner": "linear",
        "trained_as_of": "2026-11-16",
        "training_window": ["2024-10-29", "2026-11-16"],
        "n_cases": int(is_here.sum()),
        "is_synthetic": True,
    }
    return Bundle(learner, None, meta=meta)


@pytest.fixture(scope="session")
def calibrated(wide_bundle: Bundle) -> Bundle:
    """The bundle with a calibrator learned from made-up outcomes that the score overstates."""
    rng = np.random.default_rng(7)
    p = rng.uniform(0.05, 0.95, 3000)
    y = np.zeros(len(p), dtype=OUTCOME_DTYPE)
    y["closed"], y["weeks"] = True, np.where(rng.random(len(p)) < 0.7 * p, 80.0, 30.0)
    found = Calibrator().fit(p, y, 52.0, rng.uniform(0, 25, len(p)), weights=np.ones(len(p)))
    return Bundle(wide_bundle.learner, found, meta=wide_bundle.meta)


@pytest.fixture(scope="session")
def bundle_folder(wide_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wide_bundle.save(tmp_path_factory.mktemp("model") / "bundle")


LEDGER_KEY = "for tests only: 0123456789 abcdefghij"


def make_key(url: str, *scopes: str, office: str = "Nordby", days: int = 30) -> str:
    """An API key in the store at ``url``."""
    store = open_store(url)
    key = create_key(store, "case system", office, scopes or ("admin",), days, datetime.now(UTC))
    store.close()
    return key


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of each kind: SQLite always; PostgreSQL where RISK_TEST_POSTGRES names a server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with request.getfixturevalue("postgresql")() as address:
        yield address


@pytest.fixture(scope="session")
def first_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A fresh store with one key that may do everything, to be copied."""
    place = tmp_path_factory.mktemp("first") / "store.db"
    return place, make_key(f"sqlite:///{place}")


@pytest.fixture
def serve(
    bundle_folder: Path, first_store: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., TestClient]]:
    """Start the service on the day the cases are looked at, with settings of choice and a key that may do everything."""
    opened: list[TestClient] = []

    def _serve(source: Any = None, **settings: Any) -> TestClient:
        place = shutil.copy(first_store[0], tmp_path_factory.mktemp("store"))
        settings = {"ledger_key": LEDGER_KEY, "keys_seconds": 0, "store": f"sqlite:///{place}"} | settings
        headers = bearer(first_store[1])
        app = create_app(Settings(**settings), source or FolderSource(bundle_folder), today=lambda: AS_OF)
        client = TestClient(app, raise_server_exceptions=False, headers=headers)
        opened.append(client)
        return client.__enter__()

    yield _serve
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    return serve(refresh_seconds=0.0)


class Server:
    """``risk serve --dev`` in a process of its own."""

    def __init__(self, model: Path | str, home: Path, settings: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._model, self._settings = str(model), {"RISK_HOME": str(home), "RISK_REFRESH_SECONDS": "0"} | settings
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = settings.get("RISK_STORE", f"sqlite:///{home / 'store-dev.db'}")
        self._log = home / "serve.log"  # a pipe that nobody reads would fill up and stop the service

    def start(self) -> float:
        """Start it; the seconds until it was ready."""
        began = time.monotonic()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "risk", "serve", "--dev", "--model", self._model, "--port", str(self.port)],
                env=os.environ | self._settings,
                stdout=log,
                stderr=log,
            )
        while time.monotonic() - began < 60:
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except OSError:
                assert self.process.poll() is None, self._log.read_text()
                time.sleep(0.05)
        raise TimeoutError("not ready within a minute")

    def ask(self, case_id: str, n: int = 1) -> list[dict[str, Any]]:
        case = EXAMPLE["cases"][0]
        cases = [case | {"case_id": f"{case_id}-{i}"} for i in range(n)]
        request = urllib.request.Request(
            f"{self.url}/v1/scores",
            json.dumps(EXAMPLE | {"as_of": "2026-11-20", "cases": cases}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            told: list[dict[str, Any]] = json.load(answer)["results"]
            return told

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Start the service in a process of its own: the model, its RISK_HOME, further settings of its environment."""
    made: list[Server] = []

    def _start(model: Path | str, home: Path, **settings: str) -> Server:
        made.append(Server(model, home, settings))
        made[-1].start()
        return made[-1]

    yield _start
    for server in made:
        server.stop()
