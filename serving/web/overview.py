"""A leader's overview of the teams of an office: shares and counts, none of them of a single worker, small ones hidden."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from serving.language import Speaker
from serving.store.engine import Store
from serving.store.feedback import OverrideRate, override_rates
from serving.store.overview import TeamOverview, overview
from serving.web.render import account_of, house_of, page, visit_of

N_WEEKS = 13


def add_pages(app: FastAPI) -> None:
    @app.get("/overview")
    def show_overview(request: Request) -> Response:
        """The teams of the leader's office in the newest week, and how often each was contradicted, week by week."""
        account, store, speaker = account_of(request), house_of(request).store, visit_of(request).speaker
        told = office_told(store, account.office, speaker)
        weeks, by_week = _by_week(override_rates(store, account.office, N_WEEKS), speaker)
        values = {"told": told, "weeks": weeks, "by_week": by_week, "is_made_up": told.get("is_made_up", False)}
        return page(request, "overview.html.j2", office=account.office, **values)


def office_told(store: Store, office: str, speaker: Speaker) -> dict[str, Any]:
    """What the table of an office's teams shows; empty when there is no list yet."""
    teams = overview(store, office)
    if not teams:
        return {}
    year, week = teams[0].week.split("-W")
    return {
        "caption": speaker.say("web_overview.caption", office=office, week=int(week), year=year),
        "horizon": teams[0].horizon_weeks,
        "rows": [_team(t, speaker) for t in teams],
        "is_made_up": any(t.is_synthetic for t in teams),
        "is_hidden": any(t.hidden or (t.override and t.override.n_judged is None) for t in teams),
    }


def _team(team: TeamOverview, speaker: Speaker) -> dict[str, Any]:
    say = speaker.say

    def told(name: str, value: float | None, is_share: bool = True) -> str:
        if value is None:
            return say("web.hidden") if name in team.hidden else "–"
        return speaker.percent(value) if is_share else speaker.number(value)

    return {
        "team": team.team,
        "cells": [
            told("n_open", team.n_open, is_share=False),
            told("timeliness", team.timeliness),
            told("cases_per_worker", team.cases_per_worker, is_share=False),
            told("share_past", team.share_past),
            told("share_past_expected", team.share_past_expected),
            told("coverage", team.coverage),
        ],
        "override": _rate(team.override, speaker),
    }


def _rate(rate: OverrideRate | None, speaker: Speaker) -> dict[str, str]:
    """The share that disagreed, and a word when it is worth a talk."""
    if rate is None or rate.n_judged == 0:
        return {"share": "–", "flag": ""}
    share = speaker.percent(rate.share) if rate.share is not None else speaker.say("web_overview.not_shown")
    return {"share": share, "flag": speaker.say(f"web_overview.{rate.flag}") if rate.flag else ""}


def _by_week(rates: list[OverrideRate], speaker: Speaker) -> tuple[list[str], list[dict[str, Any]]]:
    """The weeks, newest first, and each team's rate in them."""
    weeks = sorted({r.week for r in rates}, reverse=True)
    found = {(r.team, r.week): r for r in rates}
    teams = dict.fromkeys(r.team for r in rates)
    return weeks, [{"team": t, "rates": [_rate(found.get((t, w)), speaker) for w in weeks]} for t in teams]
