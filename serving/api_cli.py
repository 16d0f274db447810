"""``risk score`` and ``risk serve``: the two ways a score leaves the house."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from risk.errors import OutputError
from risk.options import DAY

CHAMPION = "models:/risk52@champion"


@click.command("score")
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--as-of", type=DAY, required=True, help="The day to look from; what was recorded before it counts.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write: .parquet, or .csv.")
@click.option("--model", default=CHAMPION, show_default=True, help="A registered model, or the folder of a bundle.")
@click.option("--reasons", type=click.IntRange(0, 10), default=0, show_default=True, help="Reasons told per case.")
@click.option("--top", type=click.IntRange(min=1), help="Write only so many cases with the highest chances.")
def score_command(register: Path, as_of: date, out: Path, model: str, reasons: int, top: int | None) -> None:
    """Score every open case of REGISTER into a ranked file, the highest chance of passing week 52 first.

    Cases past week 52, cases that lack what the model needs and persons who have objected stand last, without a rank;
    with --top they are left out. The register is read in parts, so it may be larger than memory. The file is written
    whole or not at all.
    """
    from models.registry import champion_bundle
    from risk.progress import telling
    from risk.register import about_register
    from serving.batch import score_file
    from serving.inservice import InService

    if out.suffix.lower() not in (".parquet", ".csv"):
        raise OutputError(f"{out.name or out}: scores are written as .parquet or .csv; name a file that ends so")
    about_register(register)  # a wrong path is told before a model is fetched
    with telling() as step:
        step("opening the model", 0.0)
        in_service = InService(champion_bundle(model), model)
        found = score_file(register, as_of, in_service, out, reasons, top, step)
    statuses = found.statuses
    click.echo(
        f"{out}: {found.n_listed} of {found.n_open} open cases on {as_of}, {statuses['scored']} scored, "
        f"{statuses['past_horizon']} past week {found.horizon_weeks}, {statuses['abstained']} without a score "
        f"(model {found.model_version})"
    )
    if not found.n_open:
        click.echo("No case was open that day; the file is valid and empty.")


@click.command("serve")
@click.option("--model", help=f"A registered model or the folder of a bundle.  [default: RISK_MODEL, or {CHAMPION}]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8052, show_default=True)
@click.option(
    "--dev",
    is_flag=True,
    help="Try it out on this machine: no key and no secret is asked for, a store of its own, and the page /docs.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    envvar="RISK_WORKERS",
    show_default=True,
    help="Processes that share the port and the store.",
)
def serve_command(model: str | None, host: str, port: int, dev: bool, workers: int) -> None:
    """Start the scoring service for case systems; stop it with Ctrl-C.

    POST /v1/scores scores open cases; /health/ready says whether a model is in service; /openapi.json describes the rest.
    It starts when RISK_LEDGER_KEY is set and somebody may ask ('risk keys create'); --dev does without both. Further
    settings are environment variables (RISK_STORE, RISK_MAX_CASES, ...); docs/integration.md lists them.
    """
    from serving.running import run
    from serving.settings import read_settings

    settings = read_settings(model=model, environment="development" if dev else None)

    def begin() -> None:
        click.echo(f"Risk52 listens on http://{host}:{port} (model {settings.model}); stop with Ctrl-C")
        if settings.environment == "development":
            click.echo("Development: for made-up cases on this machine, not for real ones.")

    run(settings, host, port, workers, begin)
