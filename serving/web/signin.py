"""Signing in and out, and one's own password. Whoever fails learns nothing of why: not the name, not the lock."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from risk.errors import ConfigError
from serving.access import read_rate
from serving.store.accounts import LEAST_PASSWORD, check_password, set_password
from serving.store.sessions import close_session, open_session
from serving.web.house import Refusal
from serving.web.render import account_of, house_of, page, visit_of
from serving.web.rules import way_back


class Tries:
    """Counts tries to sign in per address, right or wrong: each costs a tenth of a second of work.

    Raises
    ------
    ConfigError
        The rate cannot be read.
    """

    def __init__(self, rate: str) -> None:
        self._rate = read_rate("RISK_SIGN_IN_RATE", rate)
        self._counter = FixedWindowRateLimiter(MemoryStorage())

    def count(self, request: Request) -> None:
        """Count one; raises :class:`Refusal` when it is one too many."""
        who = request.client.host if request.client else "?"
        if not self._counter.hit(self._rate, who):
            ends_at = self._counter.get_window_stats(self._rate, who).reset_time
            raise Refusal(429, "too_many", max(1, round(ends_at - datetime.now(UTC).timestamp())))


def add_pages(app: FastAPI) -> None:
    tries: Tries = app.state.tries

    @app.get("/sign-in")
    def ask(request: Request) -> Response:
        given = request.query_params
        note = next((n for n in ("expired", "out") if n in given), "")
        return _form(request, way_back(given.get("back", "")), note)

    @app.post("/sign-in")
    def sign_in(request: Request) -> Response:
        """A session of its own for whoever gives the right password; the one before it ends."""
        tries.count(request)
        form, house, visit = request.state.form, house_of(request), visit_of(request)
        back, now = way_back(form.get("back", "")), house.now()
        account = check_password(house.store, form.get("name", ""), form.get("password", ""), now)
        if account is None:
            return _form(request, back, "wrong", 401)
        if visit.account is not None:
            close_session(house.store, visit.browser)
        answer = RedirectResponse(back, 303)
        house.set_cookie(answer, house.session_cookie, open_session(house.store, account, now))
        answer.delete_cookie(house.form_cookie, path="/", secure=house.is_secure, httponly=True, samesite="strict")
        return answer

    @app.post("/sign-out")
    def sign_out(request: Request) -> Response:
        house = house_of(request)
        close_session(house.store, visit_of(request).browser)
        answer = RedirectResponse("/sign-in?out=1", 303)
        answer.delete_cookie(house.session_cookie, path="/", secure=house.is_secure, httponly=True, samesite="strict")
        return answer

    @app.get("/password")
    def ask_password(request: Request) -> Response:
        return _password(request, "done" if "done" in request.query_params else "")

    @app.post("/password")
    def change_password(request: Request) -> Response:
        """One's own password; all sessions of the account end, and this browser gets a new one."""
        form, house, account = request.state.form, house_of(request), account_of(request)
        if form.get("new") != form.get("again"):
            return _password(request, "differ", 400)
        tries.count(request)
        now = house.now()
        if check_password(house.store, account.name, form.get("old", ""), now) is None:
            return _password(request, "wrong", 400)
        try:
            set_password(house.store, account.name, form.get("new", ""), now, by=account.name)
        except ConfigError:
            return _password(request, "short", 400)
        answer = RedirectResponse("/password?done=1", 303)
        house.set_cookie(answer, house.session_cookie, open_session(house.store, account, now))
        return answer


def _form(request: Request, back: str, note: str, status: int = 200) -> Response:
    return page(
        request,
        "signin.html.j2",
        status,
        back=back,
        note=note,
        minutes=f"{house_of(request).settings.session_idle_minutes:g}",
    )


def _password(request: Request, note: str, status: int = 200) -> Response:
    return page(request, "password.html.j2", status, note=note, least=LEAST_PASSWORD)
