"""A connection with bounds: what arrives is whole in time, has a head of bounded size, and is refused as a problem.

The server's own protocol waits as long as a caller likes, keeps a head of any length and answers what is not HTTP in plain
text. A proxy in front bounds all of it too; a service that is reached without one must not depend on that.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import ClassVar
from weakref import WeakSet

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from serving.door import HEADERS
from serving.problems import KINDS, problem_response
from serving.sending import InOneWrite
from serving.store.drawn import random_digits

log = logging.getLogger("risk.serving")
MOST_HEAD_BYTES = 65_536
RECEIVE_SECONDS = 60.0  # from the first byte, or from the connection, to the last byte of a request
LINGER_SECONDS = 2.0  # a caller that is still sending when it is refused would otherwise lose the answer
LOOK_SECONDS = 1.0
# Java's HttpClient asks over plain HTTP for HTTP/2 with its first request. Declining is no more than going on, but the parser
# would take the body for the other protocol: the wish is put under another name before it is read.
_FIRST = 4_096
_ASKS_FOR_HTTP_2 = re.compile(rb"\r\nUpgrade:[ \t]*h2c[ \t]*\r\n", re.IGNORECASE)


class Bounded(InOneWrite):
    """The server's protocol for HTTP/1.1, with a bound on the time and on the head of a request."""

    _looked_after: ClassVar[WeakSet[ServerState]] = WeakSet()
    _since: float | None = None  # when the request that is still being received began
    _head: int | None = None  # bytes read, before those that came now, of a head that has not ended
    _now: int = 0  # bytes that came now
    _stuck: float | None = None  # since when the other side has not read what it asked for
    _refusal = "not-http"
    _refused: float | None = None  # when; what comes after it is not read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server narrows it
        super().connection_made(transport)
        self._since = self.loop.time()
        if self.server_state not in self._looked_after:
            self._looked_after.add(self.server_state)
            self.loop.call_later(LOOK_SECONDS, _look_after, self.loop, self.server_state)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._since, self._head = self.loop.time(), 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is not None:  # nothing here asks for what may follow a body, and without end it could
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        read, self._head = (self._head or 0) + self._now, None
        if read > MOST_HEAD_BYTES and sum(len(name) + len(value) + 4 for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refusal = "head-too-large"
            raise ValueError("the head is too large")  # ends the parsing; what is told is a problem
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._since = None

    def data_received(self, data: bytes) -> None:
        if self._refused is not None:
            return
        self._now = len(data)
        if data.find(b"h2c", 0, _FIRST) >= 0 and self._head is None and (self._since is None or self.cycle is None):
            data = _ASKS_FOR_HTTP_2.sub(b"\r\nX-Would-Like: h2c\r\n", data, count=1)
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MOST_HEAD_BYTES:
                self.refuse("head-too-large")

    def _unsupported_upgrade_warning(self) -> None:
        """A request for another protocol is answered in this one, as HTTP has it; that needs no line of the log."""

    def send_400_response(self, msg: str) -> None:
        """What the server tells when it cannot read a request."""
        self.refuse(self._refusal)

    def look(self, now: float) -> None:
        """Give up on a request that has been arriving for too long, and on an answer that nobody takes."""
        if self._refused is not None and now - self._refused > LINGER_SECONDS:
            self.transport.close()
        if self._since is not None and now - self._since > RECEIVE_SECONDS:
            self.refuse("too-slow")
        self._stuck = (self._stuck or now) if self.flow.write_paused else None
        if self._stuck is not None and now - self._stuck > RECEIVE_SECONDS:
            self.transport.abort()

    def refuse(self, code: str) -> None:
        """Tell why and close: what else comes here could not be told apart. What came whole before it is answered first."""
        self._since = self._head = None
        cycle = self.cycle
        if self._refused is not None or self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            cycle.disconnected = True  # whoever waits for the rest of it need not wait longer
            cycle.message_event.set()
        if cycle is None or cycle.response_complete or not cycle.response_started:
            answer = problem_response(KINDS[code], random_digits(), headers=HEADERS | {"Connection": "close"})
            head = [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
            self.transport.write(b"".join([STATUS_LINE[answer.status_code], *head, b"\r\n", answer.body]))
        log.info("a connection was closed: %s", code)
        self.transport.write_eof()
        self._refused = self.loop.time()


def _look_after(loop: asyncio.AbstractEventLoop, state: ServerState) -> None:
    """Look at every connection of a server, and again in a while: a timer for each request would cost as much as its door."""
    now = loop.time()
    for connection in list(state.connections):
        if isinstance(connection, Bounded):
            connection.look(now)
    if state.connections:
        loop.call_later(LOOK_SECONDS, _look_after, loop, state)
    else:
        Bounded._looked_after.discard(state)
