"""What a reader of the lists is told in sentences: how to read them, how the week looks for a team, and small counts."""

from __future__ import annotations

from typing import Any

from risk.priority import SECTIONS
from serving.language import LANGUAGES, Speaker
from serving.ordering import order_lines, section_words
from serving.worklist import Lists

LEAST_SHOWN = 5
OVERVIEW = ("open", "duty", "overdue", "risk", "past_horizon", "shortfall", "timely")
REVIEW_DAYS = 91


def title(lists: Lists, speaker: Speaker) -> str:
    """The heading of the week."""
    year, week = lists.worklist.week.split("-W")
    return speaker.say("list.title_week", week=int(week), year=year)


def about_lines(lists: Lists, speaker: Speaker) -> list[str]:
    """How the list is to be read, and what it does not say."""
    horizon = lists.worklist.horizon_weeks
    return [
        speaker.say("list.chance_is", horizon=horizon),
        speaker.say("band_why.text"),
        speaker.say("list.effect"),
        speaker.say("list.human"),
    ]


def fact_lines(lists: Lists, revision: int, speaker: Speaker) -> list[str]:
    """When, with what and compared with what the lists were made."""
    work, say = lists.worklist, speaker.say
    return [
        say("list.as_of", as_of=speaker.day(work.as_of)),
        say("list.earlier", last_week=work.last_week) if work.last_week else say("list.no_earlier"),
        say(
            "list.model",
            model_version=work.model_version,
            policy_version=work.policy.version,
            rules=speaker.pick(lists.duties.rules.label),
            revision=revision,
        ),
    ]


def review_line(lists: Lists, speaker: Speaker) -> str:
    """A warning from a quarter before the law changes: the dates of the duties may soon be wrong; else empty."""
    rules = lists.duties.rules
    is_near = rules.review_from is not None and (rules.review_from - lists.worklist.as_of).days <= REVIEW_DAYS
    return speaker.pick(rules.review_why) if is_near else ""


def overview_cells(team: Any, speaker: Speaker) -> list[str]:
    """The counts of one team as an overview may show them, in the order of ``OVERVIEW``."""
    counts = (team.n_open, team.n_duty, team.n_overdue, team.n_risk + team.n_audit, team.n_past_horizon, team.shortfall)
    enough = team.n_fell_due >= LEAST_SHOWN and team.has_follow_ups
    timely = speaker.percent(team.n_met / team.n_fell_due) if enough else "–"
    return [*(small_hidden(int(n), speaker) for n in counts), timely]


def team_lines(team: Any, lists: Lists, speaker: Speaker) -> list[str]:
    """What the week looks like for one team, in sentences; ``team`` is a row of ``worklist.teams``."""
    return [line for line, _ in _marked_lines(team, lists, speaker)]


def daily_lines(team: Any, lists: Lists, speaker: Speaker) -> list[str]:
    """Those of :func:`team_lines` that whoever works from the list needs every day; the rest is there to look up."""
    return [line for line, is_daily in _marked_lines(team, lists, speaker) if is_daily]


def _marked_lines(team: Any, lists: Lists, speaker: Speaker) -> list[tuple[str, bool]]:
    """Each line, and whether it is needed every day."""
    work, rules = lists.worklist, lists.duties.rules
    say, capacity = speaker.say, work.policy.capacity
    unit = say(f"unit.{capacity.unit}")
    out = []
    if rules.first_weeks is None:
        out.append((say("lines.no_rules"), True))
    else:
        out.append((say("lines.duties", n_duty=team.n_duty, n_overdue=team.n_overdue), True))
    if team.capacity:
        whole = speaker.number(team.capacity, 0 if float(team.capacity).is_integer() else 1)
        out.append((say("lines.places", capacity=whole, unit=unit, risk_places=team.risk_places), True))
    else:
        out.append((say("lines.no_capacity", horizon=work.horizon_weeks), True))
    if capacity.unit == "hours" and team.n_duty:
        out.append((say("lines.duty_hours", hours=speaker.number(team.duty_minutes / 60, 1)), False))
    if team.shortfall and team.capacity:
        out.append((say("lines.shortfall", shortfall=team.shortfall), True))
    if rules.first_weeks is not None:
        out += _timeliness_lines(team, lists, speaker)
    return [*out, *_account_lines(team, lists, speaker)]


def _timeliness_lines(team: Any, lists: Lists, speaker: Speaker) -> list[tuple[str, bool]]:
    weeks, rules, say = lists.worklist.policy.timeliness.weeks, lists.duties.rules, speaker.say
    if not team.has_follow_ups:
        first = say("lines.untracked")
    elif team.n_fell_due:
        share = speaker.percent(team.n_met / team.n_fell_due)
        first = say("lines.timely", weeks=weeks, share=share, n_met=team.n_met, n_fell_due=team.n_fell_due)
    else:
        first = say("lines.timely_none", weeks=weeks)
    basis = say(f"lines.basis_{rules.basis}", rules=speaker.pick(rules.label), source=speaker.pick(rules.source))
    return [(first, True), (basis, False)]


def _account_lines(team: Any, lists: Lists, speaker: Speaker) -> list[tuple[str, bool]]:
    policy, say = lists.worklist.policy, speaker.say
    n_excluded = {e.fact: int(getattr(team, f"n_excluded_{e.fact}")) for e in policy.exclusions}
    n_listed = sum(int(getattr(team, f"n_{s}")) for s in SECTIONS)
    account = say(
        "lines.account",
        n_open=team.n_open,
        n_listed=n_listed,
        n_cooling=team.n_cooling,
        n_remainder=team.n_remainder,
        n_excluded=sum(n_excluded.values()),
    )
    out = [(account, False)]
    if any(n_excluded.values()):
        counts = {f"n_{f}": n_excluded.get(f, 0) for f in ("objection", "standby", "protected_address")}
        out.append((say("lines.excluded", **counts), False))
    if team.n_excluded_due:
        out.append((say("lines.excluded_due", n_excluded_due=team.n_excluded_due), True))
    if team.n_audit:
        out.append((say("lines.audit", n_audit=team.n_audit), False))
    return out + [(line, False) for line in order_lines(team, lists.worklist, speaker)]


def kept_words(team: Any, lists: Lists) -> dict[str, dict[str, Any]]:
    """What is kept in words with a team's list, by language: policies and rules change, a list of the past does not.

    ``title``, ``lines`` (``daily`` are those of them that are needed every day), ``warning`` and ``about`` as on the files; the name, the short name and the purpose of each section;
    ``currency`` of the expected cost, where the policy orders by it, else empty.
    """
    parts, work = ("section", "section_short", "section_why"), lists.worklist
    return {
        language: {
            "title": title(lists, speaker),
            "about": about_lines(lists, speaker),
            "currency": work.outlook.currency if work.policy.order.needs_cost else "",
            "lines": team_lines(team, lists, speaker),
            "daily": daily_lines(team, lists, speaker),
            "warning": review_line(lists, speaker),
            "sections": {s: [section_words(p, s, work, speaker) for p in parts] for s in SECTIONS},
        }
        for language, speaker in ((lang, Speaker(lang)) for lang in LANGUAGES)
    }


def small_hidden(n: int, speaker: Speaker) -> str:
    """A count for an overview that leaves the desk: 1 to 4 are hidden."""
    return speaker.say("overview.hidden") if 0 < n < LEAST_SHOWN else speaker.number(n)
