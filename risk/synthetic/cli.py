"""``risk synth``: make a synthetic register, or an extract as a Danish office would export it."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import click

from risk.options import DAY


@click.command(name="synth")
@click.option("--cases", "n_cases", type=click.IntRange(1, 999_999), required=True, help="How many cases.")
@click.option("--seed", type=click.IntRange(0), required=True, help="The same seed gives the same register.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the register (or of the extract)."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["register", "danish"]),
    default="register",
    show_default=True,
    help="A register, or sager.csv and oplysninger.csv as a Danish office exports them, to be read with 'risk intake'.",
)
@click.option(
    "--scenario",
    type=click.Choice(["plain", "drift", "regime"]),
    default="plain",
    show_default=True,
    help="plain: one law throughout; drift: mix and pace change in the last 18 months; regime: the law changes.",
)
@click.option("--extract-on", type=DAY, help="Date of the extract, yyyy-mm-dd [default: 2026-11-16].")
@click.option(
    "--years", type=click.FloatRange(0.5, 30), default=5.0, show_default=True, help="Years in which cases open."
)
def command(
    n_cases: int, seed: int, out: Path, style: str, scenario: str, extract_on: date | None, years: float
) -> None:
    """Make a synthetic register whose true risk is known.

    The truth (chance of passing week 52 per case and landmark) is written beside the register, to OUT.truth.parquet,
    for tests and benchmarks only.
    """
    from risk.files import check_folder, whole_file
    from risk.register import check_place, write_register
    from risk.synthetic import synthesise
    from risk.synthetic.danish import FILES, write_danish

    if style == "danish":
        check_folder(out, FILES)
    else:
        check_place(out, is_synthetic=True)
    register, truth = synthesise(n_cases, seed, extract_on=extract_on, scenario=scenario, years=years)
    out = Path(os.path.abspath(out))
    if style == "danish":
        write_danish(register, out)
    else:
        write_register(register, out)
    truth_path = out.with_name(out.name + ".truth.parquet")
    with whole_file(truth_path) as made:
        truth.to_parquet(made, index=False)
    click.echo(f"{len(register):,} synthetic cases ({scenario}), extract of {register.extract_on}: {out}")
    click.echo(f"the truth about them, for tests and benchmarks only: {truth_path}")
