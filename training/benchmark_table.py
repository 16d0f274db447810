"""The Slagelse table: an office's own figures per period beside those published for 2009, with every measure spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from textwrap import wrap
from typing import Any

from risk.errors import TooFewCasesError
from risk.outcomes import OutcomeDefinition
from risk.rates import Rates
from risk.register import Register
from risk.weeks import DAYS_PER_WEEK
from training.benchmark_measures import AFTER_DAYS, Cell, Period, measure

WIDTH = 110
PUBLISHED = "Jobindsats.dk, January to September 2009, in the Slagelse best-practice case"
WARNING = (
    "The published rows do not share a denominator; do not multiply them together. 23 % of all spells past 52 weeks would "
    "alone make the mean longer than 12 weeks, more than the 9.9 published: the published share is most likely of running "
    "spells, and its duration the weeks within the period. Nor is 7-23 % the chance of a new case to pass week 52.",
    "A difference from 2009 holds all the rules changed since: employer period, duration limit, reassessment, "
    "reimbursement. Compare periods of one office first, offices of one year next, and 2009 last.",
    "A table like this describes; it does not say why one office is lower than another.",
)


@dataclass(frozen=True)
class Measured:
    """One of our measures: its name, label, how it is shown, and its definition."""

    name: str
    label: str
    shown: str
    definition: str


@dataclass(frozen=True)
class Group:
    """A row of the published table, in Danish and English, with what was published and our measures of it."""

    label: str
    danish: str
    slagelse: str
    peers: str
    measures: tuple[Measured, ...]


def groups(outcome: OutcomeDefinition) -> tuple[Group, ...]:
    """The five rows of the published table."""
    h = outcome.horizon_weeks
    clock = "first day of absence" if outcome.clock == "absence" else "registration"
    return (
        Group("Share of the workforce on benefit", "andel af arbejdsstyrken på sygedagpenge", "2.6 %", "3.5-4.2 %", (
            Measured("average_share", "on an average day", "share",
                     "days on benefit over the days of the period, over the workforce; part-time counts in full. "
                     "The published figure most likely is of this kind: it is about what full-time persons were of the "
                     "workforce in 2011-12, while some 14-17 % of it get benefit at some time in a year"),
            Measured("persons_share", "at some time in the period", "share",
                     "persons with at least one day on benefit in the period, over the workforce; grows with the period"),
        )),
        Group("Duration on benefit, weeks", "varighed på sygedagpenge, uger", "7.6", "8.3-9.9", (
            Measured("weeks_in_period", "within the period, per spell", "weeks",
                     "weeks on benefit inside the period, mean of the spells on benefit in it; most likely the published kind"),
            Measured("weeks_completed", "whole length of completed spells", "weeks",
                     "weeks from the first day of benefit to closing, mean of the spells closed in the period; long spells "
                     "still running are not in it"),
        )),
        Group(f"Share of spells past {h} weeks", f"andel forløb over {h} uger", "7 %", "7-23 %", (
            Measured("begun_past", "of spells begun, at this period's pace", "share",
                     f"chance that a spell registered in the period lasts past week {h} from {clock}, if closings go on as in the "
                     "period: product-limit estimate with late entry, open and moved-away cases censored, never dropped"),
            Measured("running_past", "of spells running on the last day", "share",
                     f"spells on benefit at the end of the period that are past week {h}, of all then on benefit; long spells "
                     "weigh more the longer they last. Most likely the published kind"),
        )),
        Group("Still in work 3 months after closing", "fortsat i arbejde 3 måneder efter", "57.5 %", "47.6-57.4 %", (
            Measured("in_work", "in work", "share", "a register of cases holds no employment; link it to say"),
            Measured("no_new_spell", "no new case of the same person", "share",
                     f"spells closed in the period, other than by moving away or death, without a new absence of the person within "
                     f"{AFTER_DAYS} days; closings of the last five months are left out. Not the same as being in work"),
        )),
        Group("Expenditure per case, DKK", "udgift pr. sag, kr.", "6,993", "9,382", (
            Measured("net_per_spell", "net of state reimbursement", "amount",
                     "days on benefit in the period at the case's own weekly benefit, or the highest rate where that is not "
                     "recorded (then an upper bound), less the state's share by week with benefit, over the spells on benefit "
                     "in the period. Weeks are counted per case; the law counts them over all benefits"),
            Measured("gross_per_spell", "gross", "amount", "the same before reimbursement"),
            Measured("net_per_workforce", "net per person of the workforce", "amount",
                     "Slagelse published 1,861 for three quarters of 2007 and 1,480 for those of 2009"),
        )),
    )  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """The table: cells per period, and what a reader must know."""

    periods: tuple[Period, ...]
    cells: tuple[dict[str, Cell], ...]
    outcome: OutcomeDefinition
    rates: Rates
    workforce: int | None
    extract_on: date
    is_synthetic: bool
    notes: tuple[str, ...]


def benchmark(
    register: Register,
    outcome: OutcomeDefinition,
    rates: Rates,
    periods: Sequence[Period] | None = None,
    workforce: int | None = None,
) -> Benchmark:
    """Measure every period; the last two whole calendar years when none is given.

    Raises
    ------
    AsOfError, ConfigError
        See :func:`training.benchmark_measures.measure`.
    TooFewCasesError
        When the register has no case.
    """
    if not len(register):
        raise TooFewCasesError("the register has no case; read an extract with 'risk intake' first")
    chosen = tuple(periods) if periods else _last_years(register)
    cells = tuple(measure(register, p, outcome, rates, workforce) for p in chosen)
    return Benchmark(
        chosen, cells, outcome, rates, workforce, register.extract_on, register.is_synthetic, _notes(register, chosen, outcome, cells)
    )  # fmt: skip


def _first_day(register: Register) -> date:
    first: date = register.encoded.registered_on.min().astype(object)
    return first


def _last_years(register: Register) -> tuple[Period, ...]:
    """The last two whole calendar years that the register covers; the whole register when it covers none."""
    first, last = _first_day(register), register.extract_on - timedelta(days=1)
    year = register.extract_on.year - 1
    years = [Period(date(y, 1, 1), date(y, 12, 31)) for y in (year - 1, year)]
    return tuple(p for p in years if p.since >= first) or (Period(min(first, last), last),)


def _notes(
    register: Register, periods: Sequence[Period], outcome: OutcomeDefinition, cells: Sequence[dict[str, Cell]]
) -> tuple[str, ...]:
    """What is peculiar to this table."""
    first = _first_day(register)
    settled = first + timedelta(days=outcome.horizon_weeks * DAYS_PER_WEEK)
    out = [
        f"{p.label}: the register begins on {first}, less than {outcome.horizon_weeks} weeks before this period; older spells "
        "are missing, so the numbers of running spells and of length are too low."
        for p in periods
        if p.since < settled
    ]
    for p, told in zip(periods, cells, strict=True):
        if told["net_per_spell"].note and told["net_per_spell"].value is not None:
            out.append(f"{p.label}: priced with {told['net_per_spell'].note}; give the right ones with --rates.")
    return tuple(out)


def shown(cell: Cell, how: str) -> str:
    """The number as a person reads it, or a mark that points to the reason.

    >>> shown(Cell(0.1234, 100), "share"), shown(Cell(6993.4, 9), "amount"), shown(Cell(7.61, 9), "weeks")
    ('12.3 %', '6,993', '7.6')
    """
    if cell.value is None:
        return "<5" if cell.note.startswith("fewer than") else "not known"
    if how == "share":
        return f"{100 * cell.value:.1f} %"
    return f"{cell.value:,.1f}" if how == "weeks" else f"{cell.value:,.0f}"


def in_words(found: Benchmark) -> str:
    """The table and its definitions as text."""
    heads = [p.label for p in found.periods]
    width = max(12, *(len(h) + 2 for h in heads))
    lines = [
        "The Slagelse table (Slagelse-tabellen) from this office's register, beside the figures published for 2009"
    ]
    if found.is_synthetic:
        lines.append("The cases are made up: no number of this register is a real office's.")
    lines.append("")
    first = 44

    def line(text: str, cells: Sequence[str], slagelse: str = "", peers: str = "") -> None:
        lines.append(
            (text.ljust(first) + "".join(c.rjust(width) for c in cells) + slagelse.rjust(16) + peers.rjust(14)).rstrip()
        )

    line("", heads, "Slagelse 2009", "peers 2009")
    for what, text in (("n_spells", "spells on benefit in the period"), ("n_persons", "persons")):
        line(text, [shown(c[what], "amount") for c in found.cells])
    reasons: dict[str, list[str]] = {}
    for group in groups(found.outcome):
        line(group.label, ["" for _ in heads], group.slagelse, group.peers)
        for m in group.measures:
            line(f"   {m.label}", [shown(c[m.name], m.shown) for c in found.cells])
            for p, c in zip(found.periods, found.cells, strict=True):
                if c[m.name].value is None:
                    reasons.setdefault(f"{m.label}: {c[m.name].note}", []).append(p.label)
    lines.append(f"Published figures: {PUBLISHED}.")
    for heading, texts in _sections(found, reasons):
        lines += ["", heading]
        for text in texts:
            lines += wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def _sections(found: Benchmark, reasons: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    definitions = [
        f"{group.label} ({group.danish}), {m.label}: {m.definition}."
        for group in groups(found.outcome)
        for m in group.measures
    ]
    on_benefit = (
        "On benefit: from the day after the waiting days (employer period, or two weeks for unemployed and self-employed) to "
        "the day of closing; a case that never gets there counts only among spells begun and spells closed."
    )
    missing = [f"{why} ({', '.join(where)})." for why, where in reasons.items()]
    settings = (
        f"Rates {found.rates.version}, outcome definition {found.outcome.version}, extract of {found.extract_on}, workforce "
        f"{'not given' if found.workforce is None else f'{found.workforce:,}'}."
    )
    parts = [
        ("Before comparing", [*WARNING, *found.notes]),
        ("What is missing", missing),
        ("What is measured", [on_benefit, *definitions, settings]),
    ]
    return [(heading, texts) for heading, texts in parts if texts]


def as_facts(found: Benchmark) -> dict[str, Any]:
    """The same for a machine; a number that is not shown is null, with the reason."""
    return {
        "is_synthetic": found.is_synthetic,
        "extract_on": found.extract_on.isoformat(),
        "workforce": found.workforce,
        "rates_version": found.rates.version,
        "outcome_version": found.outcome.version,
        "published_source": PUBLISHED,
        "warning": [*WARNING, *found.notes],
        "rows": [
            {
                "label": group.label,
                "danish": group.danish,
                "slagelse_2009": group.slagelse,
                "peers_2009": group.peers,
                "measures": [asdict(m) for m in group.measures],
            }
            for group in groups(found.outcome)
        ],
        "periods": [
            {"from": p.since.isoformat(), "to": p.until.isoformat(), "cells": {n: asdict(c) for n, c in told.items()}}
            for p, told in zip(found.periods, found.cells, strict=True)
        ],
    }
