"""Who may do what: every route is denied unless it is listed here with the scope it asks for.

The gate stands before the application. A caller who cannot be recognised gets one answer, whatever was wrong: 401 in the
same words, so that nobody learns from trying. What a scope allows ends at the caller's office.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from limits import RateLimitItem, parse
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from risk.errors import ConfigError
from serving.problems import KINDS, problem_response
from serving.store.keys import EVERY_OFFICE, SCOPES, KeyRing
from serving.tokens import Issuer
from serving.turnstile import Turnstile

PUBLIC = "public"
ADMIN = "admin"

# (method, route as it is declared): the scope it asks for. "admin" includes all scopes.
ROLES: dict[tuple[str, str], str] = {
    ("POST", "/v1/scores"): "score:write",
    ("POST", "/v1/scores:batch"): "score:write",
    ("GET", "/v1/scores/{score_id}"): "score:write",
    ("GET", "/v1/model"): "model:read",
    ("GET", "/v1/dictionary"): "model:read",
    ("GET", "/version"): "model:read",
    ("GET", "/metrics"): "model:read",
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("HEAD", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,  # there in development only
    ("HEAD", "/docs"): PUBLIC,
    ("GET", "/docs/oauth2-redirect"): PUBLIC,
    ("HEAD", "/docs/oauth2-redirect"): PUBLIC,
}
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/=-]{1,8192})")


@dataclass(frozen=True)
class Caller:
    """Who asks: ``name`` is a key's prefix or a token's subject, never a secret."""

    name: str
    office: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or ADMIN in self.scopes

    def sees(self, office: str) -> bool:
        return self.office in (office, EVERY_OFFICE)


DEVELOPER = Caller("development", EVERY_OFFICE, frozenset(SCOPES))


class Doorkeeper:
    """Recognises callers and counts what they ask.

    Parameters
    ----------
    is_open : bool
        Development on this machine without a key: everyone is :data:`DEVELOPER`.
    rate, denied_rate : str
        Requests of one caller, and failed tries from one address, e.g. ``600/minute``.

    Raises
    ------
    ConfigError
        A rate cannot be read.
    """

    def __init__(
        self,
        keys: KeyRing,
        issuer: Issuer | None,
        rate: str,
        denied_rate: str,
        is_open: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys, self._issuer, self._is_open, self._now = keys, issuer, is_open, now
        self._asked = Turnstile(read_rate("RISK_RATE", rate))
        self._denied = Turnstile(read_rate("RISK_DENIED_RATE", denied_rate))

    async def recognise(self, scope: Scope) -> Caller | None:
        if self._is_open:
            return DEVELOPER
        token = _bearer(scope)
        if token is None:
            return None
        key = self._keys.find(token, self._now())
        if key is not None:
            return _caller_of(key.prefix, key.office, key.scopes)
        if self._issuer is None or token.count(".") != 2:
            return None
        if self._issuer.needs_keys(token):
            await asyncio.to_thread(self._issuer.fetch_keys)
        told = self._issuer.check(token)
        return None if told is None else Caller(_subject(told[0]), told[1], told[2])

    def seconds_to_wait(self, caller: Caller) -> int:
        """Count a request of a caller; 0, or the seconds until the next one is welcome."""
        return self._asked.seconds_to_wait(caller.name)

    def seconds_to_wait_denied(self, scope: Scope) -> int:
        """Count a failed try from an address."""
        return self._denied.seconds_to_wait((scope.get("client") or ("?", 0))[0])


def read_rate(setting: str, text: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError:
        raise ConfigError(f"{setting} is not a rate; write for instance 600/minute") from None


@lru_cache(maxsize=256)
def _caller_of(prefix: str, office: str, scopes: tuple[str, ...]) -> Caller:
    return Caller(f"key:{prefix}", office, frozenset(scopes))


def _subject(subject: str) -> str:
    """A subject may be a person's name or address: the ledger keeps what tells one from another, and no more."""
    return f"sub:{hashlib.sha256(subject.encode()).hexdigest()[:16]}"


def _bearer(scope: Scope) -> str | None:
    """The token of the one Authorization header, if there is exactly one and it holds nothing else."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    shaped = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    return None if shaped is None else shaped[1].decode("ascii")


class Gate:
    """ASGI middleware that lets through what is listed, for those who may."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper, of: Callable[[], Starlette]) -> None:
        self.app, self._keeper, self._of = app, keeper, of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = self._wanted(scope)
        if wanted == PUBLIC:
            await self.app(scope, receive, send)
            return
        caller = await self._keeper.recognise(scope)
        if caller is None:
            seconds = self._keeper.seconds_to_wait_denied(scope)
            code, headers = ("rate-limited", {"Retry-After": str(seconds)}) if seconds else ("unauthorized", {})
        elif seconds := self._keeper.seconds_to_wait(caller):
            code, headers = "rate-limited", {"Retry-After": str(seconds)}
        elif wanted is None or not caller.may(wanted):
            code, headers = "forbidden", {}
        else:
            scope["state"]["caller"] = caller
            await self.app(scope, receive, send)
            return
        if code == "unauthorized":
            headers = {"WWW-Authenticate": 'Bearer realm="risk52"'}
        await problem_response(KINDS[code], scope["state"]["request_id"], headers=headers)(scope, receive, send)

    def _wanted(self, scope: Scope) -> str | None:
        """The scope asked for; None where no list names the route; an address without a route is told as such to all."""
        exact = ROLES.get((scope["method"], scope["path"]))
        if exact is not None and "{" not in scope["path"]:
            return exact
        for route in self._of().routes:
            if route.matches(scope)[0] == Match.FULL:
                return ROLES.get((scope["method"], getattr(route, "path", "")))
        return PUBLIC
