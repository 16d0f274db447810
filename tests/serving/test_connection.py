"""What arrives too slowly, with too long a head or as something else than HTTP is told so in a problem and closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from serving import connection
from serving.connection import MOST_HEAD_BYTES, Bounded
from serving.problems import KINDS

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
LARGE = 8_000_000
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


@pytest.fixture
def seen() -> list[bytes | None]:
    """The bodies the application was given; None for a request that broke off."""
    return []


@pytest.fixture
def talk(seen: list[bytes | None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Talk to a server of this process; what the talker returns. A request may take 0.3 s to arrive."""
    monkeypatch.setattr(connection, "RECEIVE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.3)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                seen.append(None)
                return
            body, more = body + message["body"], message["more_body"]
        seen.append(body)
        if scope["path"] == "/later":
            await asyncio.sleep(0.6)
        told = b"x" * LARGE if scope["path"] == "/large" else body
        length = [(b"content-length", str(len(told)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": told})

    async def with_server(talker: Talk, n: int) -> list[Any]:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                port=0,
                http=Bounded,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=1,
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def one() -> Any:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await asyncio.wait_for(talker(reader, writer), 20)
            finally:
                writer.close()

        told = await asyncio.gather(*(one() for _ in range(n)))
        server.should_exit = True
        await serving
        return told

    return lambda talker, n=1: asyncio.run(with_server(talker, n))


def saying(*parts: bytes) -> Talk:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        return await reader.read()

    return talker


def problem_of(answer: bytes) -> str:
    """The code of a problem that is an answer to itself: whole, dressed, and the last on its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    problem = json.loads(body)
    assert int(status.split()[1]) == problem["status"] == KINDS[problem["code"]].status
    assert headers["content-type"] == "application/problem+json"
    assert (headers["connection"], headers["cache-control"]) == ("close", "no-store")
    assert int(headers["content-length"]) == len(body)
    return str(problem["code"])


@pytest.mark.parametrize(
    "sent", [b"", b"PO", POST, POST + b"X-Half: ", POST + b"\r\n12"], ids=["nothing", "method", "head", "name", "body"]
)
def test_a_request_that_does_not_arrive_in_time_is_told_so(talk: Any, seen: list[Any], sent: bytes) -> None:
    (answer,) = talk(saying(sent))
    assert problem_of(answer) == "too-slow"
    assert seen == ([None] if sent.endswith(b"12") else [])


def test_a_request_that_trickles_in_is_not_given_more_time(talk: Any) -> None:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        told = asyncio.ensure_future(reader.read())
        writer.write(POST + b"X-Long: ")
        while not told.done():
            writer.write(b"a")
            await asyncio.sleep(0.02)
        return await told

    assert problem_of(talk(talker)[0]) == "too-slow"


def test_many_waiting_callers_are_all_given_up(talk: Any) -> None:
    assert {problem_of(answer) for answer in talk(saying(b"POST"), 50)} == {"too-slow"}


def test_a_connection_is_kept_between_requests_and_while_an_answer_is_made(talk: Any, seen: list[Any]) -> None:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for path in (b"/", b"/later", b"/"):
            writer.write(POST.replace(b"/ ", path + b" ") + b"\r\nhello")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(5) == b"hello"
            await asyncio.sleep(0.5)

    talk(talker)
    assert seen == [b"hello"] * 3


@pytest.mark.parametrize("n", [1, 5_000])
@pytest.mark.parametrize("pieces", [1, 9])
def test_a_head_has_a_bounded_size_however_it_comes(talk: Any, seen: list[Any], n: int, pieces: int) -> None:
    def request(size: int) -> bytes:
        return POST + b"".join(b"X-%04d: %s\r\n" % (i, b"a" * (size // n - 7)) for i in range(n)) + b"\r\nhello"

    def sent(size: int) -> bytes:
        whole = request(size)
        step = -(-len(whole) // pieces)
        (answer,) = talk(saying(*(whole[i : i + step] for i in range(0, len(whole), step))))
        return bytes(answer)

    assert problem_of(sent(MOST_HEAD_BYTES + 8_000)) == "head-too-large"
    assert seen == []


def test_a_caller_that_never_ends_its_head_is_told_so_and_cut_off(talk: Any) -> None:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(POST + b"X-Long: ")
        try:
            while True:
                writer.write(b"a" * 8_000)
                await writer.drain()
                await asyncio.sleep(0.001)
        except ConnectionError:
            pass
        return reader._buffer  # type: ignore[attr-defined]  # the answer came before the end

    assert problem_of(bytes(talk(talker)[0])) == "head-too-large"


def test_a_head_of_the_most_that_is_allowed_is_read(talk: Any, seen: list[Any]) -> None:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        fixed = len(POST) - len(b"POST / HTTP/1.1\r\n") + len(b"X-Long: \r\n")
        writer.write(POST + b"X-Long: " + b"a" * (MOST_HEAD_BYTES - fixed) + b"\r\n\r\nhello")
        return await reader.readuntil(b"\r\n\r\n")

    assert talk(talker)[0].startswith(b"HTTP/1.1 200")
    assert seen == [b"hello"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"post / HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 3\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
    ids=["tls", "http2", "method", "two lengths", "length and chunks"],
)
def test_what_is_not_http_is_told_so(talk: Any, seen: list[Any], sent: bytes) -> None:
    assert problem_of(talk(saying(sent))[0]) == "not-http"
    assert seen == []


def test_fields_behind_a_body_are_let_go(talk: Any, seen: list[Any]) -> None:
    head = POST.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked\r\nConnection: close")
    trailer = b"".join(b"X-%05d: %s\r\n" % (i, b"a" * 60) for i in range(9_000))
    (answer,) = talk(saying(head + b"\r\n5\r\nhello\r\n0\r\n" + trailer + b"\r\n"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert seen == [b"hello"]


def test_what_came_whole_is_answered_before_a_broken_request_behind_it_ends_the_connection(
    talk: Any, seen: list[Any]
) -> None:
    (answer,) = talk(saying(POST.replace(b"/ ", b"/later ") + b"\r\nhello" + b"\x16\x03\x01broken\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"hello")
    assert answer.count(b"HTTP/1.1") == 1
    assert seen == [b"hello"]


def test_an_answer_that_nobody_takes_is_given_up(talk: Any) -> None:
    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(POST.replace(b"/ ", b"/large ") + b"\r\nhello")
        await asyncio.sleep(1.5)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        try:
            return len(await reader.read())
        except ConnectionError:
            return 0

    assert talk(talker)[0] < LARGE


def test_no_other_protocol_is_spoken(talk: Any) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    (answer,) = talk(saying(asked + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_caller_that_would_rather_speak_http_2_is_answered_with_what_it_sent(talk: Any, seen: list[Any]) -> None:
    """As Java's HttpClient asks unless it is told to speak HTTP/1.1, for its first and for a later request."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"

    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(POST + wish + b"\r\nhello")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(5) == b"hello"

    talk(talker)
    assert seen == [b"hello"] * 2
