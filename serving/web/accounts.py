"""The administrator's page: who may sign in, and as what; no case."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from risk.errors import ConfigError
from serving.language import LANGUAGES, Language
from serving.store.accounts import (
    LEAST_PASSWORD,
    ROLES,
    Account,
    Role,
    accounts,
    add_account,
    disable_account,
    set_password,
)
from serving.web.render import account_of, house_of, page, visit_of

_DONE = ("added", "changed", "closed")


def add_pages(app: FastAPI) -> None:
    @app.get("/accounts")
    def show_accounts(request: Request) -> Response:
        done = next((d for d in _DONE if d in request.query_params), "")
        return _page(request, done)

    @app.post("/accounts/add")
    def add(request: Request) -> Response:
        """Make an account; what does not fit is said on the page, and nothing is made."""
        form, house, by = request.state.form, house_of(request), account_of(request).name
        new = Account(
            form.get("name", "").strip(),
            cast(Role, form.get("role", "")),
            form.get("office", "").strip(),
            form.get("team", "").strip() or None,
            cast(Language, form.get("language", "")),
        )
        return _tried(
            request, "added", lambda: add_account(house.store, new, form.get("password", ""), house.now(), by)
        )

    @app.post("/accounts/disable")
    def disable(request: Request) -> Response:
        name, house, by = request.state.form.get("name", ""), house_of(request), account_of(request).name
        if name == by:
            return _page(request, wrong=visit_of(request).speaker.say("web_accounts.own"))
        return _tried(request, "closed", lambda: disable_account(house.store, name, house.now(), by))

    @app.post("/accounts/password")
    def password(request: Request) -> Response:
        form, house, by = request.state.form, house_of(request), account_of(request).name
        return _tried(
            request,
            "changed",
            lambda: set_password(house.store, form.get("name", ""), form.get("password", ""), house.now(), by),
        )


def _tried(request: Request, done: str, act: Callable[[], object]) -> Response:
    """The page again after an act, with what came of it."""
    try:
        act()
    except ConfigError:
        return _page(request, wrong=visit_of(request).speaker.say("web_accounts.not_done", n=LEAST_PASSWORD))
    return RedirectResponse(f"/accounts?{done}=1", 303)


def _page(request: Request, done: str = "", wrong: str = "") -> Response:
    say = visit_of(request).speaker.say
    listed = accounts(house_of(request).store)
    open_ones = [(a.account.name, a.account.name) for a in listed if a.is_active]
    return page(
        request,
        "accounts.html.j2",
        400 if wrong else 200,
        done=done,
        wrong=wrong,
        listed=listed,
        own=account_of(request).name,
        roles=[(r, say(f"web_role.{r}")) for r in ROLES],
        tongues=[(lang, say(f"web.{lang}")) for lang in LANGUAGES],
        open_ones=open_ones,
        least=LEAST_PASSWORD,
    )
