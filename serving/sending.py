"""An answer leaves in one call of the system: its head waits for its body.

The server writes the head of an answer as soon as it is there and its body a few microseconds later. To send each is a call of
its own, and wakes the caller for a head that is of no use alone; both cost more than most of what makes the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD, _INTERIM, _END = b"HTTP/1.1 ", b"HTTP/1.1 1", b"\r\n\r\n"
_LARGE = 65_536  # to copy more than this costs as much as a call of the system


class HeadWithBody:
    """A transport that keeps the head of an answer back until more is written, the answer ends or the transport closes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head = transport, b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, some: bytes) -> None:
        if self._head and len(some) > _LARGE:
            self.let_go()
        elif self._head:
            some, self._head = self._head + some, b""
        elif some.startswith(_HEAD) and some.endswith(_END) and not some.startswith(_INTERIM):
            self._head = some
            return
        self._transport.write(some)

    def let_go(self) -> None:
        """Write a head that no body follows."""
        if self._head:
            head, self._head = self._head, b""
            if not self._transport.is_closing():
                self._transport.write(head)

    def write_eof(self) -> None:
        self.let_go()
        self._transport.write_eof()

    def close(self) -> None:
        self.let_go()
        self._transport.close()


class InOneWrite(HttpToolsProtocol):
    """The server's own protocol, behind :class:`HeadWithBody`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server narrows it
        super().connection_made(cast(asyncio.Transport, HeadWithBody(transport)))

    def on_response_complete(self) -> None:
        cast(HeadWithBody, self.transport).let_go()
        super().on_response_complete()
