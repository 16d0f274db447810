"""The week's list and earlier weeks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response

from risk.priority import SECTIONS
from serving.store.feedback import KINDS, REASONS, Feedback, feedback_of_list
from serving.store.listed import COOLING, LEFT, REMAINDER, ListedCase, ListHead, StoredList
from serving.store.worklists import weeks_of
from serving.web.choosing import BANDS, DUE, PAGE_ROWS, SORTS, Asked, chosen, pages, read_asked
from serving.web.reach import Place, list_at, place_of
from serving.web.render import house_of, link, page, visit_of
from serving.web.telling import Teller

# Every answer but a disagreement, which comes with a reason.
PLAIN_KINDS = tuple(k for k in KINDS if k != "disagree")
_HEADS = ("rank", "case_id", "age", "duty", "chance", "reasons", "milestone", "change")
_CLASS = {"case_id": "case"}
_SORT_OF_HEAD = {
    "rank": "rank",
    "case_id": "case_id",
    "age": "age",
    "duty": "due_on",
    "chance": "chance",
    "change": "change",
}


def add_pages(app: FastAPI) -> None:
    @app.get("/list")
    def show_list(request: Request) -> Response:
        """The list of a team and week, filtered and sorted as the address says."""
        given = request.query_params
        place = place_of(request, given.get("team", ""), given.get("week", ""))
        found = list_at(request, place)
        speaker = visit_of(request).speaker
        if found is None:
            empty: dict[str, Any] = {"title": speaker.say("web_list.title_none"), "team": place.team, "facts": []}
            return page(request, "list.html.j2", **empty, saved="")
        return page(request, "list.html.j2", **_list_page(request, place, found))

    @app.get("/weeks")
    def show_weeks(request: Request) -> Response:
        """The weeks for which the team has a list."""
        place = place_of(request, request.query_params.get("team", ""))
        store = house_of(request).store
        weeks = weeks_of(store, place.office, place.team) if place.team else []
        pairs = [(t, t) for t in place.teams]
        return page(request, "weeks.html.j2", team=place.team, teams=place.teams, pairs=pairs, weeks=weeks)


def answer_choices(teller: Teller) -> dict[str, Any]:
    """What the form of an answer offers: everything but a disagreement, and the reasons for one."""
    return {
        "kinds": [(k, teller.say(f"feedback_kind.{k}")) for k in PLAIN_KINDS],
        "reasons_why": [(r, teller.say(f"feedback_reason.{r}")) for r in REASONS],
    }


def list_place(head: ListHead) -> dict[str, object]:
    """What a form says of the list it stands on."""
    return {"team": head.team, "week": head.week, "revision": head.revision}


def _list_page(request: Request, place: Place, found: StoredList) -> dict[str, Any]:
    house, given = house_of(request), request.query_params
    teller = Teller(found.head, visit_of(request).speaker)
    newest = weeks_of(house.store, place.office, place.team)[0].week
    is_older = found.head.week != newest
    base = {"team": place.team, "week": found.head.week if is_older else ""}
    said = feedback_of_list(house.store, found.head)
    latest = {case_id: entries[-1] for case_id, entries in said.items()}
    asked = read_asked(given, KINDS)
    rows = chosen(found.rows, asked, found.head.as_of, {c: f.kind for c, f in latest.items()})
    here, numbers = pages(len(rows), asked.page)
    shown = rows[PAGE_ROWS * (here - 1) : PAGE_ROWS * here]
    daily, lines = teller.week_lines()
    words = teller.rows

    def cell(case: ListedCase) -> dict[str, Any]:
        key, answer = house.case_key(case.case_id), latest.get(case.case_id)
        return words.row(case) | {
            "key": key,
            "href": link(f"/case/{key}", **base),
            "section": teller.section_short(case.section),
            "answer": teller.answer(answer) if answer else "",
        }

    return {
        "title": teller.title(),
        "team": place.team,
        "week": found.head.week,
        "facts": teller.facts(),
        "made_with": teller.made_with(),
        "daily": daily,
        "lines": lines,
        "warning": teller.warning(),
        "about": teller.about(),
        "is_made_up": bool(found.head.about["is_synthetic"]),
        "is_older": is_older,
        "newest": link("/list", team=place.team),
        "can_answer": not is_older,
        "list_place": list_place(found.head),
        "back": link("/list", **(base | asked.query(page=here))),
        "saved": _saved(given.get("answered", ""), shown, latest, teller, house.case_key),
        "asked": asked,
        "choices": _choices(place.teams, found.rows, teller),
        "plain": link("/list", **base),
        "count": _count(len(rows), here, teller),
        "heads": _heads(asked, teller),
        "head": {h: teller.say(f"page_column.{h}") for h in _HEADS},
        "parts": _parts(shown, asked, teller, cell),
        "pages": [_page_link(p, here, base, asked) for p in numbers],
        "left": [
            {"case_id": c.case_id, "why": teller.say(f"left.{c.why_left}")} for c in found.rows if c.section == LEFT
        ],
        "left_intro": teller.say("left.intro", last_week=found.head.about["last_week"]),
        **answer_choices(teller),
    }


def _saved(key: str, shown: Sequence[ListedCase], latest: dict[str, Feedback], teller: Teller, case_key: Any) -> str:
    """That the answer just given is kept, read back from the store."""
    case = next((c for c in shown if key and case_key(c.case_id) == key and c.case_id in latest), None)
    return (
        ""
        if case is None
        else teller.say("web_answer.saved", answer=teller.answer(latest[case.case_id]), case_id=case.case_id)
    )


def _count(n: int, here: int, teller: Teller) -> str:
    if n < 2:
        return teller.say("web_list.count_one" if n else "web_list.count_none")
    first, last = PAGE_ROWS * (here - 1) + 1, min(n, PAGE_ROWS * here)
    number = teller.speaker.number
    return teller.say("web_list.count", first=number(first), last=number(last), n=number(n))


def _heads(asked: Asked, teller: Teller) -> list[tuple[str, str, str]]:
    """Class, words and ``aria-sort`` of each column."""
    out = []
    for name in _HEADS:
        is_by_this = _SORT_OF_HEAD.get(name) == asked.sort
        starts_high = asked.sort in ("chance", "age")
        way = "descending" if asked.falling != starts_high else "ascending"
        out.append((_CLASS.get(name, name), teller.say(f"page_column.{name}"), way if is_by_this else ""))
    return [*out, ("answer", teller.say("web_answer.title"), "")]


def _parts(shown: Sequence[ListedCase], asked: Asked, teller: Teller, cell: Any) -> list[dict[str, Any]]:
    """The list's sections in its own order; one table when it is sorted otherwise."""
    if not shown:
        return []
    if asked.sort != "rank" or asked.falling:
        by = teller.say(f"web_list.sort_{asked.sort}")
        caption = teller.say("web_list.caption_sorted", by=by)
        return [{"code": "all", "name": "", "why": "", "caption": caption, "rows": [cell(c) for c in shown]}]
    parts = []
    for code in dict.fromkeys(c.section for c in shown):
        name = teller.section(code)
        rows = [cell(c) for c in shown if c.section == code]
        parts.append({"code": code, "name": name, "why": teller.section_why(code), "caption": name, "rows": rows})
    return parts


def _choices(teams: Sequence[str], rows: Sequence[ListedCase], teller: Teller) -> dict[str, list[tuple[str, str]]]:
    """What each field of the form offers, as (value, words)."""
    say, there = teller.say, {c.section for c in rows}
    any_of = ("", say("web_list.any"))
    sections = [s for s in (*SECTIONS, REMAINDER, COOLING) if s in there]
    kinds = [(k, say(f"feedback_kind.{k}")) for k in KINDS]
    return {
        "team": [(t, t) for t in teams],
        "section": [("", say("web_list.all_listed")), *((s, teller.section(s)) for s in sections)],
        "band": [any_of, *((b, say("web_list.band_none" if b == "none" else f"band.{b}")) for b in BANDS)],
        "due": [any_of, *((d, say(f"web_list.due_{d}")) for d in DUE)],
        "answer": [any_of, ("none", say("web_list.answer_none")), ("any", say("web_list.answer_any")), *kinds],
        "sort": [(s, say(f"web_list.sort_{s}")) for s in SORTS],
    }


def _page_link(p: int, here: int, base: dict[str, str], asked: Asked) -> dict[str, Any]:
    if not p:
        return {"text": "…", "is_here": False, "href": ""}
    return {"text": str(p), "is_here": p == here, "href": link("/list", **(base | asked.query(page=p)))}
