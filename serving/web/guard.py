"""The guard before every page: who is asking, may they, is the form ours; and what holds for every answer.

What is not listed in :mod:`serving.web.rules` is refused. A form counts only with the token that was put into it for this
browser and session, sent from a page of ours. What breaks by accident becomes a page without its message.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
import traceback
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from risk.errors import StoreError
from serving.language import LANGUAGES, Speaker
from serving.store.accounts import Account
from serving.store.sessions import find_session
from serving.web.house import House, Refusal, Visit
from serving.web.rules import ANYONE, PAGES

log = logging.getLogger("risk.web")
MOST_FORM_BYTES, MOST_FORM_FIELDS = 16_384, 40
LANGUAGE_COOKIE = "risk52_language"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: a browser then sends the origin of a form as "null", and it could not be told from a stranger's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    of : callable
        The application whose routes are looked up.
    show : callable
        Makes the page of a refusal: ``show(request, refusal)``.
    """

    def __init__(
        self, app: ASGIApp, house: House, of: Callable[[], Starlette], show: Callable[[Request, Refusal], Response]
    ) -> None:
        self.app, self._house, self._of, self._show = app, house, of, show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, began, status = Request(scope, receive), time.perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"], state["visit"] = uuid4().hex, self._stranger(request)

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(request, MutableHeaders(scope=message))
            await send(message)

        try:
            try:
                state["visit"] = await self._visit(request)
                turned_away = await self._turned_away(request)
                await (turned_away or self.app)(scope, receive, send_dressed)
            except Refusal as refusal:
                await self._show(request, refusal)(scope, receive, send_dressed)
            except StoreError as why:
                log.error("%s (request %s)", why, state["request_id"])
                await self._show(request, Refusal(503, "store"))(scope, receive, send_dressed)
            except Exception as broke:
                # Without its message: an exception's text can quote what it choked on.
                place = traceback.extract_tb(broke.__traceback__)[-1]
                where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
                log.error("%s at %s (request %s)", type(broke).__name__, where, state["request_id"])
                if status:
                    raise ConnectionError("the answer broke off") from None
                await self._show(request, Refusal(500, "broken"))(scope, receive, send_dressed)
        finally:
            route = state.get("route", "no route")  # as it is declared: an address could hold anything
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
            ms = 1000 * (time.perf_counter() - began)
            log.info("%s %s %d %.1f ms (request %s)", method, route, status, ms, state["request_id"])

    def _dress(self, request: Request, headers: MutableHeaders) -> None:
        headers["X-Request-Id"] = request.state.request_id
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self._house.is_secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        visit: Visit = request.state.visit
        if visit.is_new_browser and "text/html" in headers.get("content-type", ""):
            fresh = Response()
            self._house.set_cookie(fresh, self._house.form_cookie, visit.browser)
            headers.append("set-cookie", fresh.headers["set-cookie"])

    def _stranger(self, request: Request) -> Visit:
        """A visit of nobody we know."""
        known = request.cookies.get(self._house.form_cookie, "")
        is_new = not (30 <= len(known) <= 60 and known.isascii())
        return Visit(None, _speaker(request, None), secrets.token_urlsafe(32) if is_new else known, is_new, False)

    async def _visit(self, request: Request) -> Visit:
        visit: Visit = request.state.visit
        token = request.cookies.get(self._house.session_cookie, "")
        if not token or _is_file(request):
            return visit
        limits = self._house.settings
        account = await asyncio.to_thread(
            find_session,
            self._house.store,
            token,
            self._house.now(),
            idle_minutes=limits.session_idle_minutes,
            longest_hours=limits.session_hours,
        )
        if account is None:
            return Visit(None, visit.speaker, visit.browser, visit.is_new_browser, had_session=True)
        return Visit(account, _speaker(request, account), token, is_new_browser=False, had_session=True)

    async def _turned_away(self, request: Request) -> Response | None:
        """None when the request may go on; a redirect to the sign-in for a page that needs one."""
        visit: Visit = request.state.visit
        allowed = self._allowed(request.scope)
        if allowed is not ANYONE:
            if visit.account is None and request.method == "GET":
                return RedirectResponse(_to_sign_in(request, visit), 303)
            if visit.account is None:
                raise Refusal(401, "expired")
            if visit.account.role not in allowed:
                raise Refusal(403, "forbidden")
        if request.method == "POST":
            request.state.form = await self._form(request)
        return None

    def _allowed(self, scope: Scope) -> frozenset[str]:
        """The roles the address is for; an address that is listed nowhere is for nobody.

        Raises
        ------
        Refusal
            There is no such address, or not with this method.
        """
        is_there = False
        for route in self._of().routes:
            match = route.matches(scope)[0]
            if match == Match.FULL:
                scope["state"]["route"] = getattr(route, "path", "")
                return PAGES.get((scope["method"], getattr(route, "path", "")), frozenset())
            is_there = is_there or match == Match.PARTIAL
        raise Refusal(405, "method") if is_there else Refusal(404, "not_found")

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of a form that is surely ours.

        Raises
        ------
        Refusal
            It is too large, not a form, or not from a page that was made for this browser.
        """
        site, origin = request.headers.get("sec-fetch-site", "same-origin"), request.headers.get("origin")
        is_ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        if not is_ours or site not in ("same-origin", "none"):
            raise Refusal(403, "strange_form")
        if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            raise Refusal(400, "bad_form")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_FORM_BYTES:
                raise Refusal(413, "too_large")
        try:
            fields = dict(parse_qsl(body.decode("ascii"), True, errors="strict", max_num_fields=MOST_FORM_FIELDS))
        except ValueError:
            raise Refusal(400, "bad_form") from None
        if any("\x00" in text for text in fields.values()):  # no browser sends one, and PostgreSQL keeps none
            raise Refusal(400, "bad_form")
        wanted = self._house.form_token(request.state.visit.browser)
        if not hmac.compare_digest(fields.get("token", "").encode(), wanted.encode()):
            raise Refusal(403, "strange_form")
        return fields


def _is_file(request: Request) -> bool:
    """The two files every page asks for, which are the same for all."""
    return request.url.path in ("/web.css", "/icon.svg")


def _speaker(request: Request, account: Account | None) -> Speaker:
    """In the language chosen on this browser, else that of the account, else Danish."""
    asked = (request.cookies.get(LANGUAGE_COOKIE), account.language if account else None)
    return Speaker(next((lang for a in asked for lang in LANGUAGES if lang == a), LANGUAGES[0]))


def _to_sign_in(request: Request, visit: Visit) -> str:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    given = {"back": back} if back != "/" else {}
    given |= {"expired": "1"} if visit.had_session else {}
    return "/sign-in" + (f"?{urlencode(given)}" if given else "")
