"""The list as a page to read and print: one self-contained HTML file, without scripts and without outside addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from risk.priority import SECTIONS
from serving.language import Speaker
from serving.listing import case_values
from serving.ordering import section_words
from serving.rowwords import RowWords
from serving.sentences import OVERVIEW, about_lines, fact_lines, overview_cells, review_line, team_lines, title
from serving.store.listed import ListedCase
from serving.worklist import Lists, team_names

_HEADS = ("rank", "case_id", "age", "duty", "chance", "reasons", "milestone", "change", "done")
_HEAD_CLASS = {"case_id": "case"}


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


def pages(lists: Lists, revision: int, speaker: Speaker) -> tuple[str, dict[str, str]]:
    """The page of all teams, and the page of each team alone by its short name."""
    names = team_names(lists.worklist.teams)
    short = slugs(names)
    rows = lists.worklist.rows
    place = rows.groupby(["office", "team"], sort=True).indices
    cases, words = _cases(lists), _row_words(lists, speaker)
    sections = {}
    for name, slug, team in zip(names, short, lists.worklist.teams.itertuples(), strict=True):
        mine = [cases[i] for i in place.get((team.office, team.team), [])]
        # The rows are most of the work, and the same on both pages.
        rows_of_team = _team_rows(slug, team, mine, lists, words)
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


def _row_words(lists: Lists, speaker: Speaker) -> RowWords:
    """Tells of the rows of the lists."""
    work = lists.worklist
    currency = work.outlook.currency if work.policy.order.needs_cost else ""
    return RowWords(speaker, work.horizon_weeks, currency, {m.name: m.label for m in work.policy.milestones})


def _team_rows(slug: str, team: Any, cases: list[ListedCase], lists: Lists, tell: RowWords) -> str:
    """The tables of a team: its sections, and who left."""
    work, speaker = lists.worklist, tell.speaker
    say = speaker.say
    parts = []
    for code in SECTIONS:
        mine = [tell.row(c) for c in cases if c.section == code]
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


def _cases(lists: Lists) -> list[ListedCase]:
    """The rows of the lists, with the reasons that are shown."""
    work = lists.worklist
    return [
        ListedCase(**values, person_key="", reasons=tuple(lists.reasons.get(values["case_id"], ())))
        for values in case_values(work.rows, work.p_name)
    ]
