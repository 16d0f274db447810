"""The head of an answer leaves with its body, and never later than without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.sending import InOneWrite


class Wire(asyncio.Transport):
    """A transport that keeps each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, some: Any) -> None:
        assert not self.is_closed
        if some:
            self.writes.append(bytes(some))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/parts":

        async def parts() -> Any:
            yield b"HTTP/1.1 looks like a head\r\n\r\n"
            await asyncio.sleep(0.001)
            yield b"the rest"

        await StreamingResponse(parts())(scope, receive, send)
    elif scope["path"] == "/broken":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        raise RuntimeError("no more of it")
    else:
        body = await Request(scope, receive).body()
        await Response(b"said " + body)(scope, receive, send)


def wire_after(asked: bytes) -> Wire:
    async def ask() -> Wire:
        wire, config = Wire(), Config(answering, http=InOneWrite, lifespan="off", log_config=None)
        config.load()
        protocol = InOneWrite(config, ServerState(), {})
        protocol.connection_made(wire)
        protocol.data_received(asked)
        await asyncio.sleep(0.05)
        protocol.connection_lost(None)
        return wire

    return asyncio.run(ask())


def request(method: str, path: str, body: bytes = b"", *more: bytes) -> bytes:
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"content-length: %d" % len(body), *more, b"", body])


@pytest.mark.parametrize("more", [(), (b"connection: close",)])
def test_head_and_body_are_one_write(more: tuple[bytes, ...]) -> None:
    (whole,) = wire_after(request("POST", "/", b"it", *more)).writes
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"said it"


def test_answers_on_one_connection_are_a_write_each() -> None:
    writes = wire_after(request("POST", "/", b"one") + request("POST", "/", b"two")).writes
    assert [whole.partition(b"\r\n\r\n")[2] for whole in writes] == [b"said one", b"said two"]


def test_a_head_that_no_body_follows_leaves_all_the_same() -> None:
    (whole,) = wire_after(request("HEAD", "/")).writes
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\n")


def test_whoever_waits_to_be_told_to_go_on_is_told_at_once() -> None:
    writes = wire_after(request("POST", "/", b"it", b"expect: 100-continue")).writes
    assert writes[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert writes[1].endswith(b"said it")


def test_parts_leave_in_their_order_whatever_they_look_like() -> None:
    whole = b"".join(wire_after(request("GET", "/parts")).writes)
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"1e\r\nHTTP/1.1 looks like a head\r\n\r\n\r\n8\r\nthe rest\r\n0\r\n\r\n"


def test_an_answer_that_breaks_off_shows_its_head_and_ends_the_connection() -> None:
    wire = wire_after(request("GET", "/broken"))
    assert b"".join(wire.writes).startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.is_closed
