"""The door: what holds for every request and every answer, whatever the route.

Gives each request an id, adds the headers that keep case data out of caches and frames, writes one line of log without a
value or an address, and turns whatever broke by accident into a problem without its message.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.counting import Counts
from serving.lines import Line
from serving.messages import could_name_a_person
from serving.problems import KINDS, problem_response
from serving.store.drawn import random_digits

log = logging.getLogger("risk.serving")
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
DOCS = "/docs"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Ending:
    """A route that will go: deprecated since a day, gone from a later day, told under an address."""

    since: date
    gone: date
    told_at: str

    def headers(self) -> dict[str, str]:
        since, gone = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (self.since, self.gone))
        return {
            "Deprecation": f"@{int(since.timestamp())}",  # RFC 9745
            "Sunset": format_datetime(gone, usegmt=True),  # RFC 8594
            "Link": f'<{self.told_at}>; rel="deprecation"',
        }


# Routes that will go, by their path as declared. None today.
ENDINGS: dict[str, Ending] = {}


_ENCODED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_NAMES = frozenset(name for name, _ in _ENCODED)
_ENCODED_DOCS = [(name, value) for name, value in _ENCODED if name != b"content-security-policy"]


class Door:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self._counts = app, counts
        self._answered = Line(log, "%s %s %d %d cases %.1f ms (request %s)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = _id_of(scope["headers"])
        scope.setdefault("state", {})["request_id"] = given
        began, status = time.perf_counter(), 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message["headers"], given, scope)
            await send(message)

        try:
            await self.app(scope, receive, send_dressed)
        except Exception as broke:
            log.error("%s at %s (request %s)", type(broke).__name__, _where(broke), given)
            if status:  # the answer has begun; nothing honest can be added to it
                raise ConnectionError("the answer broke off") from None
            await problem_response(KINDS["internal"], given)(scope, receive, send_dressed)
        finally:
            route = getattr(scope.get("route"), "path", "no route")  # the template: an address could hold anything
            cases = scope["state"].get("n_cases", 0)
            method, seconds = _method(scope), time.perf_counter() - began
            self._counts.answered(method, route, status, seconds)
            self._answered(method, route, status, cases, 1000 * seconds, given)


def _dress(headers: list[tuple[bytes, bytes]], given: str, scope: Scope) -> None:
    """Add what every answer carries; what the route has set stays, but for the id."""
    ours = _ENCODED_DOCS if scope["path"] == DOCS else _ENCODED
    there = {name for name, _ in headers}
    headers += ours if there.isdisjoint(_NAMES) else [pair for pair in ours if pair[0] not in there]
    headers.append((b"x-request-id", given.encode()))
    ending = ENDINGS.get(getattr(scope.get("route"), "path", "")) if ENDINGS else None
    if ending is not None:
        headers += [(name.lower().encode(), value.encode()) for name, value in ending.headers().items()]


def _id_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The caller's own id when it can be nothing else, or a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _SAFE_ID.fullmatch(text) and not could_name_a_person(text) else random_digits()
    return random_digits()


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _where(broke: BaseException) -> str:
    """The innermost places, without the message: an exception's text can quote what it choked on."""
    frames = traceback.extract_tb(broke.__traceback__)[-3:]
    return " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in reversed(frames))
