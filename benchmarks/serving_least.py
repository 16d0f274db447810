"""The least a batch can cost: the same bytes taken in and sent out, and as many committed to the disk, with nothing in between.

What comes in is decoded by the fastest reader there is for it, as what is not decoded cannot be scored; nothing is checked,
scored, explained or hashed. So it says where a service written in Python on this machine would end that did no work.
"""

from __future__ import annotations

import os
import sqlite3
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa
from fastapi import FastAPI, Request, Response

from benchmarks.serving_bodies import ARROW, Body

# Of each case our ledger keeps about so much: its row of a packed block, a hash, a salt and its id.
KEPT_BYTES = 160


def keep_answer(home: Path, body: Body, n: int, answer: bytes) -> str:
    """Lay down what will be answered to such a body; the path to ask it under."""
    name = f"{'arrow' if body.media == ARROW else 'json'}-{n}"
    (home / f"least-{name}").write_bytes(answer)
    return f"/least/{name}"


def add_least(app: FastAPI) -> None:
    """Add the routes that answer with what was laid down."""

    @app.post("/least/{name}")
    async def least(name: str, request: Request) -> Response:
        body = await request.body()
        kind, n = name.split("-")
        if kind == "arrow":
            pa.ipc.open_stream(pa.py_buffer(body)).read_all()
        else:
            msgspec.json.decode(body)
        with _store() as transaction:
            transaction.execute("INSERT INTO kept (body) VALUES (?)", (os.urandom(KEPT_BYTES * int(n)),))
        return Response(_answer(name), media_type=request.headers["content-type"])


@cache
def _answer(name: str) -> bytes:
    return (Path(os.environ["RISK_HOME"]) / f"least-{name}").read_bytes()


@cache
def _store() -> sqlite3.Connection:
    """As durable as the ledger: committed to the disk before the answer."""
    store = sqlite3.connect(Path(os.environ["RISK_HOME"]) / "least.db")
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute("CREATE TABLE IF NOT EXISTS kept (body BLOB)")
    return store
