"""``risk web``: what it refuses to start with, and how it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from risk.__main__ import main

KEY = "for tests only: 9876543210 zyxwvutsrq"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, dict[str, Any]]]:
    """What the command hands to the server, instead of waiting for callers."""
    calls: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **how: calls.append((app, how)))
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    for name in ("RISK_WEB_KEY", "RISK_STORE", "RISK_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return calls


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["web", *words])
    return int(end.value.code or 0)


def test_it_starts_with_a_secret_and_writes_no_access_log(
    started: list[tuple[Any, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_WEB_KEY", KEY)
    assert run("--port", "8099") == 0
    app, how = started[0]
    assert how["access_log"] is False
    assert (how["host"], how["port"]) == ("127.0.0.1", 8099)
    with TestClient(app, base_url="https://page.test") as client:
        assert client.get("/sign-in").status_code == 200


def test_it_does_not_start_without_a_secret(
    started: list[tuple[Any, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 6
    assert "RISK_WEB_KEY" in capsys.readouterr().err
    assert not started


def test_development_listens_to_this_machine_only_and_keeps_a_store_of_its_own(
    started: list[tuple[Any, dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dev", "--host", "0.0.0.0") == 6
    assert "can be reached from other machines" in capsys.readouterr().err
    assert run("--dev") == 0
    started[0][0].state.house.store.close()
    assert (tmp_path / "store-dev.db").is_file()
    assert not (tmp_path / "store.db").exists()
    assert "not for real ones" in capsys.readouterr().out
