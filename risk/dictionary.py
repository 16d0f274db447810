"""The data dictionary: every attribute with its levels, unit, marks and purpose, made from the declaration."""

from __future__ import annotations

from pathlib import Path

import click

from risk import schema
from risk.files import whole_file

MARKS = {
    "H": "health data (GDPR art. 9)",
    "U": "union-related (GDPR art. 9)",
    "P": "protected by equality law",
    "Q": "quasi-identifier",
    "L": "leakage danger: a caseworker's forecast, an intervention, or known only afterwards",
    "T": "carries calendar time, so it tells who was followed up",
}
USES = {
    "feature": "may be learned from",
    "audit": "kept out of the model; read by the fairness step only",
    "steering": "duties, exclusions, allocation; never learned from",
    "off": "kept, not learned from unless a plan names it and says why",
}


def as_markdown() -> str:
    """The whole dictionary as one Markdown page."""
    from risk import features

    lines = [
        "# Data dictionary",
        "",
        "Made by `risk dictionary --out docs/data-dictionary.md` from `risk/attributes.toml`; do not edit by hand.",
        "",
        f"Schema version {schema.SCHEMA_VERSION}. A register holds **cases** (one row per spell of benefit) and **facts** (one row "
        "per dated piece of knowledge). A fact counts from the day after it was recorded.",
        "",
        "Marks: " + "; ".join(f"**{m}** {text}" for m, text in MARKS.items()) + ".",
        "",
        "Use: " + "; ".join(f"**{u}** {text}" for u, text in USES.items()) + ".",
        "",
        "## Keys of a case",
        "",
        "| column | meaning |",
        "|---|---|",
        "| `case_id` | the case's number in the source system |",
        "| `person_key` | a pseudonym: keyed hash of the CPR number, made at the border |",
        "| `opened_on` | first day of absence |",
        "| `registered_on` | the day the office learned of it |",
        "| `closed_on` | the day it closed; empty while open |",
        "| `close_reason` | one of: " + ", ".join(f"`{r}`" for r in schema.CLOSE_REASONS) + " |",
        "| `office`, `team` | who works on it; never learned from |",
    ]
    for title, chosen in (
        ("Attributes known at registration", schema.case_attributes()),
        ("Facts that arrive later", schema.fact_attributes()),
    ):
        lines += [
            "",
            f"## {title}",
            "",
            "| name | Danish heading | meaning | known | marks | use | purpose |",
            "|---|---|---|---|---|---|---|",
        ]
        for a in chosen.values():
            marks = " ".join(a.marks) or "-"
            lines.append(
                f"| `{a.name}` | `{a.danish}` | {a.label[1]} ({_values(a)}) | {a.known} | {marks} | {a.use} | {a.purpose} |"
            )
    lines += [
        "",
        "## Features",
        "",
        "The allow-list a model may choose from; marks and use follow from the attributes a feature is computed from.",
        "",
        "| feature | family | computed from | marks | use |",
        "|---|---|---|---|---|",
    ]
    for f in features.catalogue().values():
        sources = ", ".join(f"`{s}`" for s in f.sources) or "dates of the case"
        lines.append(f"| `{f.name}` | {f.family} | {sources} | {' '.join(f.marks) or '-'} | {f.use} |")
    return "\n".join(lines) + "\n"


def _values(attribute: schema.Attribute) -> str:
    if attribute.kind == "category":
        return ", ".join(f"`{code}` {english}" for code, (_, english) in attribute.labels.items())
    if attribute.kind == "flag":
        return "true or false"
    return f"{attribute.unit}, {attribute.low:g} to {attribute.high:g}"


@click.command("dictionary")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
def command(out: Path | None) -> None:
    """Write the data dictionary: every attribute, its levels, legal marks and purpose."""
    if out is None:
        click.echo(as_markdown(), nl=False)
        return
    with whole_file(out) as made:
        made.write_text(as_markdown(), "utf-8")
    click.echo(f"written: {out}")
