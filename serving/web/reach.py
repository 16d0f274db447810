"""How far a visitor sees: own team, or the teams of the own office; whatever lies beyond does not exist for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from serving.store.listed import EXCLUDED, LEFT, ListedCase, StoredList
from serving.store.worklists import teams_of
from serving.web.house import Refusal
from serving.web.render import account_of, house_of

_WEEK = re.compile(r"\d{4}-W\d{2}")


@dataclass(frozen=True)
class Place:
    """What a page is about: one team of those the visitor may see, and the week asked for (None: the newest)."""

    office: str
    team: str
    teams: tuple[str, ...]
    week: str | None


def place_of(request: Request, team: str = "", week: str = "") -> Place:
    """The team and week a request asks for.

    Raises
    ------
    Refusal
        404, in the same words for a team that is not the visitor's and for one that does not exist.
    """
    account = account_of(request)
    if account.role == "caseworker":
        teams: tuple[str, ...] = (account.team or "",)
    else:
        teams = tuple(teams_of(house_of(request).store, account.office))
    chosen = team or (teams[0] if teams else "")
    is_mine = chosen in teams and account.may_read(account.office, chosen)
    if (chosen and not is_mine) or (week and not _WEEK.fullmatch(week)):
        raise Refusal(404, "not_found")
    return Place(account.office, chosen, teams, week or None)


def list_at(request: Request, place: Place) -> StoredList | None:
    """The list of a place; None when the team has none yet.

    Raises
    ------
    Refusal
        404 when a week was asked for that has none.
    """
    found = house_of(request).lists.read(place.office, place.team, place.week) if place.team else None
    if found is None and place.week is not None:
        raise Refusal(404, "not_found")
    return found


def case_of(request: Request, found: StoredList | None, key: str) -> ListedCase:
    """The case of a list by its name in addresses.

    Raises
    ------
    Refusal
        404: it is not on the list, or it is one that is counted and never shown (a protected address, an objection).
    """
    name = house_of(request).case_key
    for case in found.rows if found else ():
        if case.section not in (LEFT, EXCLUDED) and name(case.case_id) == key:
            return case
    raise Refusal(404, "not_found")
