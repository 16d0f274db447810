"""The registry down, slow or wrong: the service goes on with the last good model, and says so."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models import registry
from models.approval import sign_folder
from models.bundle import Bundle
from models.signing import SigningKey
from risk.errors import BundleError
from serving.champion import MOST_LOOKS_LEFT, SLOW, Champion
from serving.description import EXAMPLE
from serving.settings import Settings
from serving.sources import FolderSource, RegistrySource, Source
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

CHAMPION = "models:/risk52@champion"


class Hanging(Source):
    """A source that does not answer until the test lets it; then it has another model."""

    def __init__(self, first: Bundle, second: Bundle) -> None:
        self.bundles, self.number = {"1": first, "2": second}, 1
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.n_asked = 0

    def mark(self) -> str:
        self.n_asked += 1
        self.goes_on.wait(60)
        return str(self.number)

    def open(self, mark: str) -> Bundle:
        return self.bundles[mark]

    def keep(self, mark: str) -> None: ...

    def kept(self) -> tuple[str, Bundle] | None:
        return None


@pytest.fixture
def hanging(wide_bundle: Bundle) -> Iterator[Hanging]:
    source = Hanging(wide_bundle, Bundle(wide_bundle.learner, None, meta=wide_bundle.meta | {"n_cases": 7}))
    yield source
    source.goes_on.set()


def champion_of(client: TestClient) -> Champion:
    found: Champion = client.app.state.champion  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    return found


def ready(client: TestClient) -> dict[str, Any]:
    answered = client.get("/health/ready")
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


def test_a_registry_that_hangs_costs_no_request_anything_and_is_heard_when_it_answers(
    serve: Callable[..., TestClient], hanging: Hanging
) -> None:
    client = serve(source=hanging, refresh_seconds=0, registry_seconds=0.05)
    champion = champion_of(client)
    first = client.get("/v1/model").json()["version"]
    hanging.goes_on.clear()
    hanging.number = 2
    asked = hanging.n_asked
    for _ in range(3):
        assert not champion.refresh()
        assert client.post("/v1/scores", json=EXAMPLE).json()["results"][0]["model_version"] == first
    assert ready(client)["registry"] == SLOW
    assert hanging.n_asked == asked + 1, "one look at a time, however long it takes"
    assert f'risk_model_trouble{{code="{SLOW}"}} 1.0' in client.get("/metrics").text
    hanging.goes_on.set()
    until = threading.Event()
    for _ in range(200):
        if champion.refresh():
            break
        until.wait(0.05)
    assert client.get("/v1/model").json()["version"] == hanging.bundles["2"].version != first
    assert ready(client)["registry"] is None
    assert "risk_model_swaps_total 1.0" in client.get("/metrics").text


def test_a_hanging_registry_does_not_keep_the_service_from_stopping(hanging: Hanging, wide_bundle: Bundle) -> None:
    champion = Champion(hanging, patience=0.05)
    assert champion.refresh()
    hanging.goes_on.clear()
    assert not champion.refresh()
    waiting = [t for t in threading.enumerate() if t.name == "champion"]
    assert waiting
    assert all(t.daemon for t in waiting), "the process does not wait for them"


@pytest.fixture
def registered(risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report) -> Callable[..., int]:
    """Register a version and make it the champion."""

    def _registered(**meta: Any) -> int:
        run = make_run()
        bundle = Bundle(run.bundle.learner, None, meta=run.bundle.meta | meta)
        number = log_run(replace(run, bundle=bundle), small_report).version
        assert number is not None
        registry.set_alias("champion", number)
        return number

    return _registered


def files_of(number: int) -> Path:
    version = registry.find_version(str(number))
    return next(
        Path(registry.client().get_run(version.run_id).info.artifact_uri.removeprefix("file://")).rglob("bundle.json")
    ).parent


@pytest.mark.parametrize("how", ["gone", "not a database", "locked away", "model refused"])
def test_a_restart_without_a_registry_serves_the_copy_of_the_last_good_model(
    serve: Callable[..., TestClient], registered: Callable[..., int], risk_home: Path, how: str
) -> None:
    number = registered()
    first = serve(source=RegistrySource(CHAMPION), refresh_seconds=0)
    version = first.get("/v1/model").json()["version"]
    assert not ready(first)["is_copy"]
    if how == "gone":
        (risk_home / "mlflow.db").unlink()
    elif how == "not a database":
        (risk_home / "mlflow.db").write_bytes(b"not a database")
    elif how == "locked away":
        shutil.rmtree(risk_home / "artifacts")
    else:
        learner = files_of(number) / "learner.json"
        learner.write_bytes(learner.read_bytes() + b" ")
    second = serve(source=RegistrySource(CHAMPION), refresh_seconds=0)
    told = ready(second)
    assert told["is_copy"]
    assert told["registry"] == ("bundle" if how == "model refused" else "registry")
    assert told["model_version"] == version
    assert "risk_model_is_copy 1.0" in second.get("/metrics").text


def test_the_copy_is_used_only_when_it_is_whole(
    serve: Callable[..., TestClient], registered: Callable[..., int], risk_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registered()
    assert Champion(RegistrySource(CHAMPION)).refresh()
    (risk_home / "mlflow.db").unlink()
    [learner] = (risk_home / "kept").rglob("learner.json")
    whole = learner.read_bytes()
    learner.write_bytes(whole[:-1])
    champion = Champion(RegistrySource(CHAMPION))
    assert not champion.refresh()
    assert champion.current is None
    assert "is not the file that was saved" in caplog.text
    learner.write_bytes(whole)
    assert not champion.refresh()
    assert champion.current is not None
    [pointer] = (risk_home / "kept").rglob("current.json")
    pointer.write_text("{")
    again = Champion(RegistrySource(CHAMPION))
    assert not again.refresh()
    assert again.current is None
    assert "current.json is damaged" in caplog.text


def test_the_copy_keeps_its_signature_and_is_refused_without_one(
    registered: Callable[..., int], risk_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SigningKey.make()
    number = registered()
    sign_folder(files_of(number), key)
    monkeypatch.setenv("RISK_SIGNING_PUBLIC_KEYS", key.public.text)
    assert Champion(RegistrySource(CHAMPION)).refresh()
    (risk_home / "mlflow.db").unlink()
    champion = Champion(RegistrySource(CHAMPION))
    champion.refresh()
    assert champion.current is not None
    assert champion.current.bundle.signed_by == key.public.name
    [signatures] = (risk_home / "kept").rglob("signatures.json")
    signatures.unlink()
    unsigned = Champion(RegistrySource(CHAMPION))
    unsigned.refresh()
    assert unsigned.current is None


def test_a_copy_that_cannot_be_kept_does_not_keep_the_model_out_of_service(
    registered: Callable[..., int], risk_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registered()
    (risk_home / "kept").write_text("a file in the way")
    champion = Champion(RegistrySource(CHAMPION))
    assert champion.refresh()
    assert "no copy of the model could be kept" in caplog.text


def test_a_service_that_started_with_the_copy_takes_up_the_registry_when_it_is_back(
    registered: Callable[..., int], risk_home: Path
) -> None:
    registered()
    assert Champion(RegistrySource(CHAMPION)).refresh()
    (risk_home / "mlflow.db").rename(risk_home / "away.db")
    champion = Champion(RegistrySource(CHAMPION))
    assert not champion.refresh()
    assert (champion.is_copy, champion.trouble) == (True, "registry")
    (risk_home / "away.db").rename(risk_home / "mlflow.db")
    assert not champion.refresh()
    assert (champion.is_copy, champion.trouble) == (False, None)
    second = registered(n_cases=7)
    assert champion.refresh()
    assert champion.current is not None
    assert champion.current.mark == str(second)
    [pointer] = (risk_home / "kept").rglob("current.json")
    assert json.loads(pointer.read_text())["mark"] == str(second)


def test_the_registry_held_by_another_writer_is_waited_for_no_longer_than_said(
    registered: Callable[..., int], risk_home: Path
) -> None:
    registered()
    champion = Champion(RegistrySource(CHAMPION), patience=0.2)
    while not champion.refresh():
        assert champion.trouble == SLOW
    held = sqlite3.connect(risk_home / "mlflow.db", isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    assert not champion.refresh()
    assert champion.trouble == SLOW
    assert champion.current is not None
    held.execute("COMMIT")
    held.close()
    for _ in range(200):
        if champion.refresh() or champion.trouble is None:
            break
    assert champion.trouble is None


class Refusing(Hanging):
    def open(self, mark: str) -> Bundle:
        self.n_opened = getattr(self, "n_opened", 0) + 1
        if mark == "2":
            raise BundleError("damaged")
        return super().open(mark)


def test_a_model_that_was_refused_is_not_fetched_again_at_every_look(wide_bundle: Bundle) -> None:
    source = Refusing(wide_bundle, wide_bundle)
    champion = Champion(source)
    assert champion.refresh()
    source.number, source.n_opened = 2, 0
    for _ in range(100):
        assert not champion.refresh()
        assert champion.trouble == "bundle"
    # Tried at looks 1, 2, 4, 8, 16, 32, then every 20th: 52, 72, 92.
    assert source.n_opened == 9
    assert MOST_LOOKS_LEFT == 19
    source.number = 1
    assert not champion.refresh()
    assert champion.trouble is None


def test_only_a_model_that_somebody_vouches_for_is_put_in_service_where_keys_are_named(
    serve: Callable[..., TestClient], bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    plain = serve(refresh_seconds=0).get("/v1/model").json()
    assert (plain["signed_by"], [w["code"] for w in plain["warnings"]]) == (None, ["signature-not-asked-for"])
    folder, key = Path(shutil.copytree(bundle_folder, tmp_path / "bundle")), SigningKey.make()
    monkeypatch.setenv("RISK_SIGNING_PUBLIC_KEYS", key.public.text)
    with caplog.at_level(logging.ERROR, "risk.serving"):
        client = serve(source=FolderSource(folder), refresh_seconds=0)
    assert client.get("/health/ready").status_code == 503
    assert "is not signed" in caplog.text
    sign_folder(folder, key)
    assert champion_of(client).refresh()
    told = client.get("/v1/model").json()
    assert (told["signed_by"], told["warnings"]) == (key.public.name, [])


def test_a_setting_for_slow_registries_has_bounds() -> None:
    assert Settings().registry_seconds == 8.0
    with pytest.raises(ValueError, match="registry_seconds"):
        Settings(registry_seconds=0)
