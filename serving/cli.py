"""The commands of the serving room; what they need is imported when they run."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import click

from risk.options import DAY


@click.command("list")
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--as-of", type=DAY, required=True, help="The day to look, e.g. the Monday of the week: yyyy-mm-dd.")
@click.option("--capacity", type=int, help="Cases a team can take on in the week, the same for every team.")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy file of your own; default: the shipped one.")
@click.option("--rates", type=click.Path(path_type=Path), help="A file of rates of your own, for an order by cost.")
@click.option(
    "--model", default="models:/risk52@champion", show_default=True, help="A registered model, or a bundle's folder."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where the week's folder goes [default: RISK_HOME/lists].")
@click.option("--previous", type=click.Path(path_type=Path), help="The earlier list [default: last week's, in --out].")
@click.option(
    "--language", type=click.Choice(["da", "en"]), default="da", show_default=True, help="Language of the list."
)
@click.option(
    "--store/--no-store",
    "wants_store",
    default=None,
    help="Also put the lists into the store, for 'risk web' [default: when RISK_STORE is set or RISK_HOME has a store].",
)
@click.option("--dev", is_flag=True, help="Put them into the store of 'risk web --dev' instead of that of production.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def list_command(
    register: Path,
    as_of: date,
    capacity: int | None,
    policy: Path | None,
    rates: Path | None,
    model: str,
    out: Path | None,
    previous: Path | None,
    language: str,
    wants_store: bool | None,
    dev: bool,
    as_json: bool,
) -> None:
    """Write the week's lists of a REGISTER: whom to talk to, why, and what is due.

    Per team, statutory follow-ups that are due come first; what is left of the week goes to the cases most likely to last
    more than 52 weeks, or as the policy orders them. Writes CSV, Excel, a page to print and JSON into one folder per week,
    e.g. 2026-W48. A second run of a week that differs is a new revision, in the folder and in the store; the first stays.
    """
    from models.registry import champion_bundle
    from risk.home import home
    from risk.policy import read_policy
    from risk.progress import telling
    from risk.rates import read_rates
    from risk.register import read_register
    from serving.insight import look_into
    from serving.keeping import keep_lists, store_for_lists
    from serving.language import Speaker
    from serving.weekly import find_last_week, make_lists, summary, write_lists
    from serving.worklist import last_week_of, read_content

    if capacity is not None and policy is not None:
        raise click.UsageError("give --capacity or --policy, not both: a policy file sets the capacity of each team")
    rules = read_policy(policy) if capacity is None else read_policy().with_places(capacity)
    prices = read_rates(rates)
    folder = out or home() / "lists"
    earlier = last_week_of(read_content(previous)) if previous else find_last_week(folder, as_of)
    speaker = Speaker("en" if language == "en" else "da")
    with ExitStack() as opened, telling() as step:
        store = store_for_lists(wants_store, is_dev=dev)
        if store is not None:
            opened.callback(store.close)
        step("reading the register", 0.0)
        cases = read_register(register)
        step("opening the model", 0.25)
        bundle = champion_bundle(model)
        step("scoring and prioritising", 0.5)
        lists = make_lists(cases, as_of, bundle, rules, earlier, prices)
        step("writing the lists", 0.75)
        written_in: list[str] = []
        told = summary(lists, write_lists(lists, folder, speaker, written_in.append)) | {"written_in": written_in}
        if store is not None:
            step("putting the lists into the store", 0.85)
            saved = keep_lists(store, lists, look_into(lists, bundle), datetime.now(UTC), "risk list")
            told["store_revision"] = saved.revision
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{told['week']}: {told['n_open']} open cases in {told['n_teams']} teams; {told['n_listed']} listed, "
        f"{told['n_duty']} with a due date ({told['n_overdue']} overdue), {told['n_risk']} beyond them, "
        f"{told['n_closing']} about to close, "
        f"{told['n_past_horizon']} past {lists.worklist.horizon_weeks} weeks, {told['n_no_score']} without a score"
    )
    if told["n_teams_short"]:
        click.echo(f"{told['n_teams_short']} teams have more duties than places; all duties are listed")
    click.echo(f"written to {told['folder']}: worklist.html, .xlsx, .csv, .json, and one page per team in teams/")
    if written_in:
        click.echo(f"left as they were, because somebody has written in them: {', '.join(written_in)}")
    if "store_revision" in told:
        click.echo(f"in the store as revision {told['store_revision']}, for 'risk web'")
