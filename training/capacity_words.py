"""What a capacity study found, in words: a table to read aloud, and the sentences below it."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import Any

from risk.capacity.plausible import (
    COPENHAGEN_NORM,
    COPENHAGEN_SOURCE,
    COPENHAGEN_TIMELINESS,
    WRITTEN_MINUTES,
    AtNinety,
)
from risk.capacity.results import Measure
from training.capacity_study import AtNorm, Study

Row = tuple[str, list[str]]
WIDTH = 110
CANNOT = (
    "It compares caseloads under one set of rules, hours and curves. It says when the hours run out, and what then waits.",
    "It does not say what a talk is worth: that is not known, and is a setting. Talks are as long at 90 cases as "
    "at 45, and nobody is written to instead of talked to because time is short; it knows nothing of workers who leave.",
    "The range holds 95 of 100 runs of this simulation: chance alone. It holds neither doubt about the model nor about "
    "the assumptions.",
)


def percent(m: Measure) -> str:
    """``93 % (85-97)``, or what is missing.

    >>> percent(Measure(0.926, 0.851, 0.968))
    '93 % (85-97)'
    """
    if math.isnan(m.value):
        return "not known"
    return f"{100 * m.value:.0f} % ({100 * m.low:.0f}-{100 * m.high:.0f})"


def amount(m: Measure, decimals: int = 0) -> str:
    """``1,143 (1,106-1,181)``, or what is missing."""
    if math.isnan(m.value):
        return "not known"
    return f"{m.value:,.{decimals}f} ({m.low:,.{decimals}f}-{m.high:,.{decimals}f})"


def table(found: Study) -> list[Row]:
    """The rows of the table: what is measured, and one cell per norm."""
    horizon, h = found.horizon, f"{found.hours:g}"
    rows: list[Row] = []

    def add(text: str, cell: Any) -> None:
        rows.append((text, [cell(n) for n in found.norms]))

    add("workers", lambda n: f"{n.result.n_workers:.1f}")
    add("follow-ups held in the week they fell due (timeliness)", lambda n: percent(n.result.timeliness))
    add("   weeks a follow-up was late, mean", lambda n: amount(n.result.weeks_late, 1))
    add("   follow-ups waiting at the end", lambda n: amount(n.result.backlog))
    add("timeliness, if overdue follow-ups are left for last", lambda n: percent(n.overdue_last.timeliness))
    add("   follow-ups waiting at the end", lambda n: amount(n.overdue_last.backlog))
    add("longest follow-up that keeps timeliness at 90 %", _minutes)
    add("new high-risk cases talked to before week 13", lambda n: percent(n.result.reached))
    add("   with a talk beyond the follow-ups", lambda n: percent(n.result.reached_extra))
    add(f"hours per worker and week, of {h}: follow-ups", lambda n: f"{n.result.duty_hours.value:.1f}")
    add("   talks beyond them, by risk", lambda n: f"{n.result.risk_hours.value:.1f}")
    add("   not used", lambda n: f"{n.result.free_hours.value:.1f}")
    add(f"cases that pass week {horizon}, if a talk changes nothing", lambda n: amount(n.result.passed))
    for i, effect in enumerate(found.question.effect or ()):
        add(
            f"   if a talk beyond duties makes closing x {effect:.2f}",
            lambda n, i=i: amount(n.with_effect[i].passed),
        )
    add(f"running past week {horizon} at the end, now {found.n_past:,}", lambda n: amount(n.result.past))
    return rows


def _minutes(n: AtNorm) -> str:
    if n.longest_minutes is None:
        return "not known" if math.isnan(n.result.timeliness.value) else "under 5 min"
    return f"{n.longest_minutes} min"


def findings(found: Study) -> list[str]:
    """What the table says, in sentences."""
    minutes = found.policy.capacity.minutes.follow_up
    kept = [n.result.norm for n in found.norms if n.result.timeliness.value >= COPENHAGEN_TIMELINESS[0]]
    lost = [n for n in found.norms if n.result.timeliness.value < COPENHAGEN_TIMELINESS[0]]
    out = []
    if found.rules.first_weeks is None:
        out.append("The rules in force ask for no follow-up: nothing is said of timeliness.")
    if kept:
        out.append(f"Timeliness stays at 90 % or more with {_norms(kept)} cases a worker.")
    for n in lost:
        shorter = (
            f"a follow-up would have to take {n.longest_minutes} minutes instead of {minutes}"
            if n.longest_minutes is not None
            else "even five minutes a follow-up would be too long"
        )
        out.append(
            f"With {n.result.norm:g} cases a worker it falls to {100 * n.result.timeliness.value:.0f} %, a follow-up being "
            f"{n.result.weeks_late.value:.1f} weeks late on average. To keep 90 %, {shorter}."
        )
    if lost:
        out.append(
            "Held with the earliest due first, a queue makes nearly everyone wait a little: past the point where the hours run "
            "out, timeliness falls at once, and not in step with the caseload."
        )
    gamed = [n for n in lost if n.overdue_last.timeliness.value >= n.result.timeliness.value + 0.1]
    if gamed:
        last = gamed[-1]
        out.append(
            f"Beware of the number alone: if whoever is overdue is left for last, {last.result.norm:g} cases a worker show a "
            f"timeliness of {100 * last.overdue_last.timeliness.value:.0f} %, while {last.overdue_last.backlog.value:,.0f} "
            "cases wait at the end and may never be talked to."
        )
    if found.question.effect is None:
        out.append(
            f"The cases past week {found.horizon} are the same at every norm because a talk is taken to change nothing. That is "
            "an assumption, not a finding; see what would follow with --effect 0.80 1.51, the range of the Danish trials."
        )
    else:
        out.append(
            "The rows with an effect show what would follow if a talk beyond duties had it from that week on. The trials "
            "found 1.51, 1.12 and 0.80: help, next to nothing, and harm cannot be told apart in advance."
        )
    return out


def _norms(norms: list[float]) -> str:
    words = [f"{n:g}" for n in norms]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def believable(found: Study) -> list[str]:
    """The simulation held against the register and against Copenhagen."""
    own = found.own
    agrees = own.closed_low <= own.closed_register <= own.closed_high
    out = [
        f"Closings: the register closed {own.closed_register:.1f} cases a week in its last 13 weeks; the first 13 simulated "
        f"weeks close {own.closed_simulated:.1f} ({own.closed_low:.1f}-{own.closed_high:.1f}). "
        + (
            "They agree."
            if agrees
            else "They differ by more than chance: the model's curves, or the season, are off by that much."
        ),
        f"Cases open today that pass week {found.horizon} within the weeks: {found.passed_by_curves:,.0f} by the curves alone.",
    ]
    if math.isnan(own.timeliness_register):
        out.append("Timeliness: the register records no follow-ups to hold the simulation against.")
    else:
        out.append(
            f"Timeliness: the register shows {100 * own.timeliness_register:.0f} % for the last "
            f"{found.policy.timeliness.weeks} weeks. Its caseload and hours are not those of a norm here, and it counts days "
            "where the simulation counts weeks."
        )
    return [*out, _copenhagen(found)]


def _copenhagen(found: Study) -> str:
    low = COPENHAGEN_TIMELINESS[0]
    said = [
        f"{COPENHAGEN_SOURCE}, with {COPENHAGEN_NORM} cases a worker. The simulation with {COPENHAGEN_NORM} cases gives "
        + "; ".join(
            f"{'nothing to count' if math.isnan(a.timeliness) else f'{100 * a.timeliness:.0f} %'} under the rule set "
            f"{a.rules.name} ({a.asked:.1f} follow-ups a worker and week asked for, {a.asked_hours:.1f} hours of {a.hours:g}; {_written(a)}"
            f"{', an office setting nobody checked against the law' if a.rules.basis == 'office' else ''})"
            for a in found.ninety
        )
        + "."
    ]
    then = found.ninety[-1]
    if then.timeliness >= low:
        said.append(
            "Under the rules of its own time it is reproduced: what differs today is how often a follow-up is due, not how "
            "hard anyone works."
        )
    elif then.timeliness_written >= low:
        said.append(
            "Under the rules of its own time the two lengths lie on either side of it: too little time if every follow-up is a "
            "talk, enough if those that may be written are. Which of Copenhagen's follow-ups were talks, how long they took, "
            "and which share of its cases needed them every four weeks is not known to us; give your own minutes in the policy."
        )
    elif not math.isnan(then.timeliness):
        why = (
            "more follow-ups are asked for than fit"
            if then.asked_hours > then.hours
            else "almost as many are asked for as fit"
        )
        said.append(
            f"It is not reproduced under the rules of its own time: {why} into the week, and a queue near its limit is late. "
            "Copenhagen's answer says where the difference goes: timeliness is met at any resource level, and a higher "
            "caseload shows as less individual treatment, that is in shorter talks, which the simulation holds fixed. "
            "How long Copenhagen's talks were, and which share of its cases needed them every four weeks, is not known to us."
        )
    return " ".join(said)


def _written(a: AtNinety) -> str:
    """What shorter follow-ups in writing would change."""
    if math.isnan(a.timeliness_written):
        return "nothing to shorten"
    return f"{100 * a.timeliness_written:.0f} % if what may be held in writing took {WRITTEN_MINUTES} minutes"


def in_words(found: Study) -> str:
    """Everything as text of a terminal's width."""
    heads = [f"{n.result.norm:g} cases" for n in found.norms]
    rows = table(found)
    first = max(len(text) for text, _ in rows) + 2
    width = max(14, *(len(c) + 2 for _, cells in rows for c in cells), *(len(h) + 2 for h in heads))
    lines = [title(found), *([MADE_UP] if found.is_synthetic else []), ""]
    lines.append(" " * first + "".join(h.rjust(width) for h in heads))
    lines.append("open cases per worker".ljust(first) + "".join("a worker".rjust(width) for _ in heads))
    lines += [text.ljust(first) + "".join(c.rjust(width) for c in cells) for text, cells in rows]
    lines.append(f"In brackets: the range of 95 in 100 of {found.question.n_runs} runs.")
    for heading, texts in sections(found):
        lines += ["", heading]
        lines += [
            line
            for text in texts
            for line in wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        ]
    return "\n".join(lines)


def sections(found: Study) -> list[tuple[str, list[str]]]:
    """Headings and sentences below the table."""
    return [
        ("What the table says", findings(found)),
        ("Is it to be believed?", believable(found)),
        ("What it can and cannot say", list(CANNOT)),
        ("Assumptions, with their sources", [f"{a.what}: {a.value} [{a.source}]" for a in found.assumptions]),
    ]


MADE_UP = "The cases are made up: no number here is a real office's."


def title(found: Study) -> str:
    q = found.question
    where = f"team {q.team}" if q.team else f"{len(found.starts)} teams"
    return (
        f"What a caseload does: {where}, {found.n_open:,} open cases, {q.n_weeks} weeks from {q.as_of}, {q.n_runs} runs"
    )
