"""Requests that come in together are scored together, and none of them can harm another."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from serving import desk
from serving.api import create_app
from serving.description import EXAMPLE
from serving.settings import read_settings
from serving.sources import FolderSource
from serving.store.verify import verify

BASE: dict[str, Any] = EXAMPLE["cases"][0]


def one_case(case_id: str) -> bytes:
    return json.dumps(EXAMPLE | {"cases": [BASE | {"case_id": case_id}]}).encode()


async def ask(app: Any, body: bytes) -> tuple[int, dict[str, Any]]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/v1/scores",
        "raw_path": b"/v1/scores", "query_string": b"", "root_path": "", "scheme": "http", "state": {},
        "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1), "server": ("x", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent))


@pytest.fixture
def app(bundle_folder: Path, tmp_path: Path) -> Any:
    settings = read_settings(environment="development", store=f"sqlite:///{tmp_path}/store.db", refresh_seconds=0)
    return create_app(settings, FolderSource(bundle_folder))


def asked_at_once(app: Any, bodies: list[bytes]) -> list[tuple[int, dict[str, Any]]]:
    async def all_of_them() -> list[tuple[int, dict[str, Any]]]:
        async with app.router.lifespan_context(app):
            answered = await asyncio.gather(*(ask(app, body) for body in bodies))
            found = verify(app.state.behind.store, app.state.behind.seals)
            assert found.n_faults == 0
            assert found.n_rows == sum(len(told.get("results", [])) for _, told in answered)
            return answered

    return asyncio.run(all_of_them())


def test_requests_that_come_in_together_are_scored_in_one_go(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, real = [], desk.answer

    def counted(rows: Any, *others: Any) -> Any:
        sizes.append(len(rows))
        return real(rows, *others)

    monkeypatch.setattr(desk, "answer", counted)
    answered = asked_at_once(app, [one_case(f"SYN{i:06d}") for i in range(6)])
    assert sizes == [6]
    assert [told["results"][0]["case_id"] for _, told in answered] == [f"SYN{i:06d}" for i in range(6)]
    assert len({told["results"][0]["score_id"] for _, told in answered}) == 6
    assert len({told["request_id"] for _, told in answered}) == 6


def test_what_breaks_on_one_request_breaks_no_other(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = desk.answer

    def breaks_on_one(rows: Any, *others: Any) -> Any:
        if any(row.case_id == "SYN000003" for row in rows):
            raise ZeroDivisionError
        return real(rows, *others)

    monkeypatch.setattr(desk, "answer", breaks_on_one)
    bodies = [one_case(f"SYN{i:06d}") for i in range(6)]
    answered = asked_at_once(app, [*bodies, b"no JSON", one_case("0101801234")])
    assert [status for status, _ in answered] == [200, 200, 200, 500, 200, 200, 400, 422]
