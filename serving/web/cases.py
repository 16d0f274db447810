"""A case's page, and the answers given to cases."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from risk.errors import CaseDataError
from serving.language import share_of_100
from serving.store.audit import note_view
from serving.store.feedback import Feedback, feedback_of_case, give_feedback
from serving.store.listed import Earlier, ListedCase, StoredList
from serving.store.worklists import history_of, weeks_of
from serving.web.curve import Drawing, draw
from serving.web.house import Refusal
from serving.web.lists import answer_choices, list_place
from serving.web.reach import case_of, list_at, place_of
from serving.web.render import account_of, house_of, link, page, visit_of
from serving.web.rules import way_back
from serving.web.telling import Teller
from serving.worklist import labels_of


def add_pages(app: FastAPI) -> None:
    @app.get("/case/{key}")
    def show_case(request: Request) -> Response:
        """One case; that it was looked at is recorded first, and without the record it is not shown."""
        given, house = request.query_params, house_of(request)
        place = place_of(request, given.get("team", ""), given.get("week", ""))
        found = list_at(request, place)
        case = case_of(request, found, request.path_params["key"])
        assert found is not None
        note_view(house.store, account_of(request).name, case.case_id, house.now())
        is_newest = found.head.week == weeks_of(house.store, place.office, place.team)[0].week
        return page(request, "case.html.j2", **_case_page(request, found, case, is_newest))

    @app.post("/feedback")
    def answer(request: Request) -> Response:
        """Keep an answer to a case of the team's newest list, then show the page it came from again."""
        form, house = request.state.form, house_of(request)
        place = place_of(request, form.get("team", ""))
        found = list_at(request, place)
        if found is None:
            raise Refusal(404, "not_found")
        if (form.get("week"), form.get("revision")) != (found.head.week, str(found.head.revision)):
            raise Refusal(409, "not_newest")  # an answer is kept with the list and the model it was given on
        case = case_of(request, found, form.get("key", ""))
        kind, _, reason = form.get("answer", "").partition(":")
        try:
            give_feedback(house.store, account_of(request), found.head, case.case_id, kind, reason, house.now())
        except CaseDataError:
            raise Refusal(400, "no_answer") from None
        return RedirectResponse(_after(form.get("back", ""), form["key"]), 303)


def _after(back: str, key: str) -> str:
    """The page the answer came from, told which case was answered, at the row of that case."""
    parts = urlsplit(way_back(back, "/list"))
    query = {k: v for k, v in parse_qsl(parts.query) if k != "answered"}
    return f"{link(parts.path, **query, answered=key)}#s{key}"


def _case_page(request: Request, found: StoredList, case: ListedCase, is_newest: bool) -> dict[str, Any]:
    house, teller = house_of(request), Teller(found.head, visit_of(request).speaker)
    head, speaker, key = found.head, teller.speaker, house.case_key(case.case_id)
    base = {"team": head.team, "week": "" if is_newest else head.week}
    answers = feedback_of_case(house.store, case.case_id)
    year, week = head.week.split("-W")
    where = {"team": head.team, "week": int(week), "year": year}
    drawing = _drawing(case, teller.horizon)
    reasons = [teller.rows.reason(r) for r in case.reasons] if case.p is not None else []
    row = teller.rows.row(case) | {"key": key, "answer": ""}
    return {
        "title": teller.say("web_case.title", case_id=case.case_id),
        "row": row,
        "where": teller.say("web_case.where", **where, rank=case.rank)
        if case.rank
        else f"{teller.say('web_case.where_no_rank', **where)} · {teller.section(case.section)}",
        "opened": teller.say(
            "web_case.opened", opened_on=speaker.day(case.opened_on), weeks=speaker.number(case.age_weeks or 0.0)
        ),
        "to_list": link("/list", **base),
        "back": link(f"/case/{key}", **base),
        "is_made_up": bool(head.about["is_synthetic"]),
        "horizon": teller.horizon,
        "chance": _chance_lines(case, teller),
        "drawing": drawing,
        "base_of_100": "" if case.base_rate is None else share_of_100(case.base_rate),
        "curve_words": _curve_words(case, teller) if drawing else "",
        "curve_rows": _curve_rows(case, teller),
        "curve_points": teller.say("web_case.curve_weekly" if case.course else "web_case.curve_points"),
        "up": [r for r in reasons if r["direction"] == "up"],
        "down": [r for r in reasons if r["direction"] == "down"],
        "has_score": case.p is not None,
        "no_reasons": teller.say("web_case.no_reasons" if case.p is not None else "web_case.nothing_to_explain"),
        "missing": labels_of(case.unknown, speaker),
        "history": [_earlier(e, teller) for e in reversed(history_of(house.store, case.case_id)) if e.week < head.week],
        "answers": [_answer(f, teller) for f in reversed(answers)],
        "saved": teller.say("web_answer.saved", answer=teller.answer(answers[-1]), case_id=case.case_id)
        if answers and request.query_params.get("answered") == key
        else "",
        "can_answer": is_newest,
        "list_place": list_place(head),
        "made_with": teller.say(
            "web_case.made_with", **{k: asdict(head)[k] for k in ("model_version", "policy_version", "revision")}
        ),
        **answer_choices(teller),
    }


def _chance_lines(case: ListedCase, teller: Teller) -> list[str]:
    """The chance in sentences, each weaker than the one before; why there is none, without one."""
    if case.p is None:
        return [teller.say("web_case.no_chance"), teller.rows.note(case)]
    frequency = teller.speaker.frequency(case.p)
    out = [teller.say("web_case.of_100", frequency=frequency[:1].upper() + frequency[1:])]
    if case.base_rate is not None:
        out.append(teller.say("web_case.same_age", n=share_of_100(case.base_rate)))
    if case.interval is not None:
        low, high = (share_of_100(p) for p in case.interval)
        out.append(teller.say("web_case.interval", low=low, high=high))
    out += [told for told in (teller.rows.note(case), teller.rows.cost(case)) if told]
    return [*out, teller.say("web_case.estimate")]


def _drawing(case: ListedCase, horizon: int) -> Drawing | None:
    return draw(case.age_weeks or 0.0, case.curve, case.base_rate, horizon, case.course) if case.curve else None


def _curve_words(case: ListedCase, teller: Teller) -> str:
    week, p = case.curve[-1]
    said = teller.say(
        "web_case.curve_desc", from_week=teller.speaker.number(case.age_weeks or 0.0), end=share_of_100(p), to_week=week
    )
    return (
        said if case.base_rate is None else said + teller.say("web_case.curve_base", base=share_of_100(case.base_rate))
    )


def _curve_rows(case: ListedCase, teller: Teller) -> list[tuple[int, str, str]]:
    """Week, the day it ends, and how many of 100 are open then."""
    if case.opened_on is None:
        return []
    return [
        (week, teller.speaker.day(case.opened_on + timedelta(weeks=week)), teller.speaker.frequency(p))
        for week, p in case.curve
    ]


def _earlier(earlier: Earlier, teller: Teller) -> dict[str, Any]:
    speaker = teller.speaker
    return {
        "week": earlier.week,
        "on": speaker.day(earlier.as_of),
        "chance": speaker.frequency(earlier.p) if earlier.p is not None else "",
        "band": earlier.band,
        "place": str(earlier.rank) if earlier.rank else teller.section(earlier.section),
        "model": earlier.model_version,
    }


def _answer(given: Feedback, teller: Teller) -> dict[str, str]:
    return {"what": teller.answer(given), "who": given.by, "when": teller.said_on(given), "list": given.week}
