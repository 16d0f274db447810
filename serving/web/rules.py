"""Who may ask for which page: every route is denied unless it is listed here with the roles it is for."""

from __future__ import annotations

import re

from serving.store.accounts import Role

ANYONE: frozenset[str] = frozenset({"anyone"})
SIGNED_IN: frozenset[Role] = frozenset({"caseworker", "leader", "scientist", "admin"})
CASES: frozenset[Role] = frozenset({"caseworker", "leader"})
LEADER: frozenset[Role] = frozenset({"leader"})
SCIENTIST: frozenset[Role] = frozenset({"scientist"})
ADMIN: frozenset[Role] = frozenset({"admin"})

# (method, route as it is declared): the roles it is for. What team's cases a role sees is decided by serving.web.reach.
PAGES: dict[tuple[str, str], frozenset[str] | frozenset[Role]] = {
    ("GET", "/web.css"): ANYONE,
    ("GET", "/icon.svg"): ANYONE,
    ("GET", "/sign-in"): ANYONE,
    ("POST", "/sign-in"): ANYONE,
    ("POST", "/language"): ANYONE,
    ("GET", "/help"): ANYONE,
    ("GET", "/accessibility"): ANYONE,
    ("GET", "/"): SIGNED_IN,
    ("POST", "/sign-out"): SIGNED_IN,
    ("GET", "/password"): SIGNED_IN,
    ("POST", "/password"): SIGNED_IN,
    ("GET", "/list"): CASES,
    ("GET", "/weeks"): CASES,
    ("GET", "/case/{key}"): CASES,
    ("POST", "/feedback"): CASES,
    ("GET", "/overview"): LEADER,
    ("GET", "/model"): SCIENTIST,
    ("GET", "/accounts"): ADMIN,
    ("POST", "/accounts/add"): ADMIN,
    ("POST", "/accounts/disable"): ADMIN,
    ("POST", "/accounts/password"): ADMIN,
}

HOME: dict[Role, str] = {"caseworker": "/list", "leader": "/list", "scientist": "/model", "admin": "/accounts"}

# A way back leads to a page of ours, in characters that mean nothing else to a browser.
_WAY_BACK = re.compile(r"(/[A-Za-z0-9_-]*(?:/[A-Za-z0-9_-]+)?)(\?[A-Za-z0-9=&%+._~*-]*)?")
_PAGES_BACK = re.compile("|".join(re.sub(r"\{\w+\}", "[A-Za-z0-9_-]+", p) for m, p in PAGES if m == "GET"))


def way_back(asked: str, otherwise: str = "/") -> str:
    """Where to go after a form: a page of this application, whatever the form said.

    >>> way_back("/list?team=Nord"), way_back("//elsewhere.example"), way_back("/no-such-page")
    ('/list?team=Nord', '/', '/')
    """
    shaped = _WAY_BACK.fullmatch(asked) if len(asked) <= 1000 else None
    return asked if shaped and _PAGES_BACK.fullmatch(shaped[1]) else otherwise
