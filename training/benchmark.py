"""``risk benchmark``: the Slagelse table from an office's own register."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from risk.options import DAY


@click.command("benchmark")
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--workforce", type=int, help="Persons in the workforce of the office's area (arbejdsstyrken).")
@click.option(
    "--period", "periods", type=(DAY, DAY), multiple=True, metavar="FROM TO",
    help="First and last day. May be given several times [default: the last two whole calendar years].",
)  # fmt: skip
@click.option("--rates", type=click.Path(path_type=Path), help="A file of rates of your own; default: the shipped one.")
@click.option("--outcome", type=click.Path(path_type=Path), help="An outcome definition of your own.")
@click.option("--out", type=click.Path(path_type=Path), help="A file for the table (.json: the numbers).")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(
    register: Path,
    workforce: int | None,
    periods: tuple[tuple[date, date], ...],
    rates: Path | None,
    outcome: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Put a REGISTER's own figures beside those that Slagelse and its peers published for 2009.

    Share of the workforce on benefit, duration, share past 52 weeks (of spells begun and of running spells: two numbers),
    new spells after closing, and cost per case, per period. Counts under 5 are not shown.
    """
    from risk.files import whole_file
    from risk.outcomes import read_outcome_definition
    from risk.progress import working
    from risk.rates import read_rates
    from risk.register import read_register
    from training.benchmark_measures import Period
    from training.benchmark_table import as_facts, benchmark, in_words

    prices, definition = read_rates(rates), read_outcome_definition(outcome)
    asked = [Period(since, until) for since, until in periods] or None
    with working("measuring"):
        found = benchmark(read_register(register), definition, prices, asked, workforce)
    words, facts = in_words(found), json.dumps(as_facts(found), ensure_ascii=False, indent=1)
    if out is not None:
        with whole_file(out) as made:
            made.write_text((facts if out.suffix == ".json" else words) + "\n", "utf-8")
    click.echo(facts if as_json else words)
