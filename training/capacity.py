"""``risk capacity``: what a caseload does to timeliness and to the time left for risk."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from risk.options import DAY


@click.command("capacity")
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--as-of", type=DAY, required=True, help="The first day of the simulated weeks.")
@click.option(
    "--norm", "norms", type=float, multiple=True, default=(45.0, 75.0, 90.0), show_default=True,
    help="Caseload norm: open cases per worker. May be given several times.",
)  # fmt: skip
@click.option("--weeks", type=click.IntRange(4, 260), default=52, show_default=True, help="How many weeks.")
@click.option("--runs", type=click.IntRange(10, 10_000), default=200, show_default=True, help="How many times over.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed gives the same numbers."
)
@click.option("--team", help="One team only [default: every team, each with workers of its own].")
@click.option(
    "--effect", type=float, nargs=2, metavar="LOW HIGH",
    help="What a talk beyond duties may multiply the weekly chance of closing by; the trials: 0.80 1.51 [default: none].",
)  # fmt: skip
@click.option("--hours", type=float, help="Hours of talks per worker and week [default: the policy's].")
@click.option("--rules-of", type=DAY, help="Follow-up rules of another day [default: --as-of].")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy file of your own; default: the shipped one.")
@click.option(
    "--model", default="models:/risk52@champion", show_default=True, help="A registered model, or a bundle's folder."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the page, the plot (SVG) and the numbers (JSON)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(
    register: Path,
    as_of: date,
    norms: tuple[float, ...],
    weeks: int,
    runs: int,
    seed: int,
    team: str | None,
    effect: tuple[float, float] | None,
    hours: float | None,
    rules_of: date | None,
    policy: Path | None,
    model: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Simulate a REGISTER's teams week by week at several caseload norms.

    Shows, per norm and with the range over runs: follow-ups held in time, recent high-risk cases talked to before week 13,
    cases past week 52, hours for duties and for risk, and what waits at the end. What a talk does to the length of a case
    is not known; unless --effect is given it does nothing, and the cases past week 52 are then the same at every norm.
    """
    from models.registry import champion_bundle
    from risk.files import check_folder
    from risk.policy import read_policy
    from risk.progress import working
    from risk.register import read_register
    from training.capacity_page import FILES, as_facts, write_folder
    from training.capacity_study import Question, study
    from training.capacity_words import in_words

    question = Question(as_of, norms, weeks, runs, seed, team, effect, hours, rules_of)
    question.check()
    if out is not None:
        check_folder(out, FILES)
    rules = read_policy(policy)
    with working("simulating the weeks"):
        found = study(read_register(register), champion_bundle(model), rules, question)
    if out is not None:
        write_folder(found, out)
    click.echo(json.dumps(as_facts(found), ensure_ascii=False, indent=1) if as_json else in_words(found))
    if out is not None and not as_json:
        click.echo(f"\nwritten to {out}: {', '.join(FILES)}")
