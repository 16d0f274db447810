"""From values to a page: the templates of ``serving/pages/web``, in the reader's language, with what stands on every page."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any, cast
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serving.language import LANGUAGES, Language, Speaker
from serving.store.accounts import Account, Role
from serving.web.house import House, Refusal, Visit
from serving.web.rules import PAGES

# The menu, in this order; a role sees the pages that are for it.
_MENU = ("/list", "/weeks", "/overview", "/model", "/accounts")


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("serving", "pages/web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,  # the code is not read again either: half a new version would break pages until a restart
    )


@cache
def stylesheet(language: Language) -> str:
    """The style of all pages; each sheet of paper says what the list is not for, in the reader's language."""
    say = Speaker(language).say
    return _templates().get_template("web.css").render(footer=say("list.footer"), page=say("list.page"))


@cache
def running_version() -> str:
    return version("risk52")


def house_of(request: Request) -> House:
    return cast(House, request.app.state.house)


def visit_of(request: Request) -> Visit:
    return cast(Visit, request.state.visit)


def account_of(request: Request) -> Account:
    """Who is signed in; the guard lets nobody else through to a page that asks."""
    account = visit_of(request).account
    assert account is not None
    return account


def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template, with the menu, the language and the form token of this visit."""
    visit, house = visit_of(request), house_of(request)
    speaker, account = visit.speaker, visit.account
    role = account.role if account else None
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    made = (
        _templates()
        .get_template(name)
        .render(
            say=speaker.say,
            speaker=speaker,
            languages=LANGUAGES,
            account=account,
            menu=[p for p in _MENU if role is not None and role in cast("frozenset[Role]", PAGES["GET", p])],
            here=here if request.method == "GET" else "/",
            path=request.url.path,
            token=house.form_token(visit.browser),
            version=running_version(),
            link=link,
            **{"is_made_up": False, **values},
        )
    )
    return HTMLResponse(made, status)


def link(path: str, **query: object) -> str:
    """An address of ours with its parameters; empty ones are left out.

    >>> link("/list", team="Nord", page=2, band="")
    '/list?team=Nord&page=2'
    """
    given = {k: v for k, v in query.items() if v not in ("", None)}
    return path + (f"?{urlencode(given)}" if given else "")


def problem(request: Request, refusal: Refusal) -> HTMLResponse:
    """The page of a problem: what happened and what to do, in no more words than a stranger may read."""
    made = page(request, "problem.html.j2", refusal.status, kind=refusal.kind, request_id=request.state.request_id)
    if refusal.retry_after:
        made.headers["Retry-After"] = str(refusal.retry_after)
    return made
