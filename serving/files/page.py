"""The list as a page to read and print: one self-contained HTML file, without scripts and without outside addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import pandas as pd

from risk.priority import SECTIONS
from serving.language import Speaker, share_of_100
from serving.ordering import cost_words, section_words
from serving.sentences import OVERVIEW, about_lines, fact_lines, overview_cells, review_line, team_lines, title
from serving.worklist import ARROWS, N_REASONS, Lists, plain_text, team_names

_HEADS = ("rank", "case_id", "age", "duty", "chance", "reasons", "milestone", "change", "done")
_HEAD_CLASS = {"case_id": "case"}
_BY_VALUE = ("risk", "audit")  # an expected cost is shown only where it orders


@cache
def _templates() -> jinja2.Environment:
    found = {
        f.name: f.read_text("utf-8") for f in resources.files("serving").joinpath("pages").iterdir() if f.is_file()
    }
    return jinja2.Environment(
        loader=jinja2.DictLoader(found), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )


def slugs(names: Sequence[str]) -> list[str]:
    """Short names for files and links: small letters, digits and hyphens, no two equal.

    >>> slugs(["Team Øst", "Team-Øst", "東"])
    ['team-oest', 'team-oest-2', 'team']
    """
    out: list[str] = []
    for name in names:
        letters = name.lower().replace("æ", "ae").replace("ø", "oe").replace("å", "aa")
        ascii_only = unicodedata.normalize("NFKD", letters).encode("ascii", "ignore").decode()
        base = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:60] or "team"
        tried, n = base, 1
        while tried in out:
            n += 1
            tried = f"{base}-{n}"
        out.append(tried)
    return out


def pages(lists: Lists, words: pd.DataFrame, revision: int, speaker: Speaker) -> tuple[str, dict[str, str]]:
    """The page of all teams, and the page of each team alone by its short name.

    Parameters
    ----------
    words : DataFrame
        :func:`serving.worklist.rows_in_words` of the lists.
    """
    names = team_names(lists.worklist.teams)
    short = slugs(names)
    rows = lists.worklist.rows
    place = rows.groupby(["office", "team"], sort=True).indices
    cells = _cells(lists, words, speaker)
    sections = {}
    for name, slug, team in zip(names, short, lists.worklist.teams.itertuples(), strict=True):
        mine = [cells[i] for i in place.get((team.office, team.team), [])]
        # The rows are most of the work, and the same on both pages.
        rows_of_team = _team_rows(slug, team, mine, lists, speaker)
        both = [
            _team_section(name, slug, team, rows_of_team, lists, speaker, is_alone=alone) for alone in (False, True)
        ]
        sections[slug] = (both[0], both[1])
    whole = _page(lists, [s for s, _ in sections.values()], "", names, short, revision, speaker)
    alone = {
        slug: _page(lists, [sections[slug][1]], name, names, short, revision, speaker)
        for name, slug in zip(names, short, strict=True)
    }
    return whole, alone


def _page(
    lists: Lists,
    sections: list[str],
    only: str,
    names: Sequence[str],
    short: Sequence[str],
    revision: int,
    speaker: Speaker,
) -> str:
    say = speaker.say
    # Every printed sheet says that the cases are made up: a page may be found without its first one.
    mark = f"{say('list.synthetic')} " if lists.register.is_synthetic else ""
    style = (
        _templates().get_template("worklist.css").render(mark=mark, footer=say("list.footer"), page=say("list.page"))
    )
    overview = [
        {"name": n, "slug": s, "cells": overview_cells(t, speaker)}
        for n, s, t in zip(names, short, lists.worklist.teams.itertuples(), strict=True)
    ]
    return (
        _templates()
        .get_template("worklist.html.j2")
        .render(
            language=speaker.language,
            title=title(lists, speaker),
            only=only,
            style=style,
            say=say,
            made_up=say("list.synthetic") if lists.register.is_synthetic else "",
            purpose=say("list.purpose"),
            warning=review_line(lists, speaker),
            facts=fact_lines(lists, revision, speaker),
            about=about_lines(lists, speaker),
            overview=overview,
            overview_heads=[say(f"overview.{w}", horizon=lists.worklist.horizon_weeks) for w in OVERVIEW],
            sections=sections,
        )
    )


def _team_rows(slug: str, team: Any, cells: list[dict[str, Any]], lists: Lists, speaker: Speaker) -> str:
    """The tables of a team: its sections, and who left."""
    work, say = lists.worklist, speaker.say
    parts = []
    for code in SECTIONS:
        mine = [c for c in cells if c["section"] == code]
        if mine:
            words = [section_words(part, code, work, speaker) for part in ("section", "section_why")]
            parts.append({"code": code, "name": words[0], "why": words[1], "rows": mine})
    left = work.left[(work.left["office"] == team.office) & (work.left["team"] == team.team)]
    heads = [(_HEAD_CLASS.get(h, h), say(f"page_column.{h}", horizon=work.horizon_weeks)) for h in _HEADS]
    return (
        _templates()
        .get_template("parts.html.j2")
        .render(
            say=say,
            slug=slug,
            parts=parts,
            heads=heads,
            no_reasons=say("page_column.no_reasons"),
            left=[{"case_id": r.case_id, "why": say(f"left.{r.why}")} for r in left.itertuples()],
            left_intro=say("left.intro", last_week=work.last_week),
        )
    )


def _team_section(
    name: str, slug: str, team: Any, parts: str, lists: Lists, speaker: Speaker, *, is_alone: bool
) -> str:
    say = speaker.say
    return (
        _templates()
        .get_template("team.html.j2")
        .render(
            say=say,
            name=name,
            slug=slug,
            title=title(lists, speaker),
            made_up=say("list.synthetic") if lists.register.is_synthetic else "",
            purpose=say("list.purpose"),
            lines=team_lines(team, lists, speaker),
            parts=parts,
            is_alone=is_alone,
            to_top="" if is_alone else say("list.to_top"),
        )
    )


def _cells(lists: Lists, words: pd.DataFrame, speaker: Speaker) -> list[dict[str, Any]]:
    """What the page shows of each row, in the order of the rows."""
    work, say = lists.worklist, speaker.say
    opened, due, milestone_on = (speaker.days(words[c]) for c in ("opened_on", "due_on", "milestone_on"))
    out = []
    for i, (row, text) in enumerate(zip(plain_text(work.rows).itertuples(), words.itertuples(), strict=True)):
        late = int(row.overdue_days)  # type: ignore[arg-type]
        overdue = "" if not late else say("page_column.overdue_one" if late == 1 else "page_column.overdue", n=late)
        reasons = lists.reasons.get(str(row.case_id), [])[:N_REASONS] if text.frequency else []
        out.append(
            {
                "section": row.section,
                "rank": row.rank,
                "case_id": row.case_id,
                "age": say("page_column.weeks", weeks=speaker.number(float(row.age_weeks), 0)),  # type: ignore[arg-type]
                "opened": say("page_column.opened", opened_on=opened[i]),
                "due": due[i],
                "duty": text.duty,
                "planned": say("page_column.planned") if row.is_planned else "",
                "late": overdue,
                "frequency": text.frequency,
                "band": text.band,
                "same_age": _same_age(row.base_rate, speaker),
                "cost": cost_words(float(row.cost_ahead), work, speaker) if row.section in _BY_VALUE else "",  # type: ignore[arg-type]
                "note": text.note,
                "reasons": [
                    (
                        ARROWS[r.direction],
                        say(f"page_column.{r.direction}"),
                        r.text(speaker.language),
                        speaker.day(r.known_on),
                    )
                    for r in reasons
                ],
                "milestone": text.milestone,
                "milestone_on": milestone_on[i],
                "change": text.change,
            }
        )
    return out


def _same_age(base_rate: Any, speaker: Speaker) -> str:
    return "" if pd.isna(base_rate) else speaker.say("page_column.same_age", n=share_of_100(base_rate))
