"""``risk score`` and ``risk serve``: the two ways a score leaves the house."""

from __future__ import annotations

import ipaddress
import logging
from datetime import date
from pathlib import Path

import click

from risk.errors import ConfigError
from risk.options import DAY

CHAMPION = "models:/risk52@champion"


@click.command("score")
@click.argument("register", type=click.Path(path_type=Path))
@click.option("--as-of", type=DAY, required=True, help="The day to look from; what was recorded before it counts.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Parquet file to write.")
@click.option("--model", default=CHAMPION, show_default=True, help="A registered model, or the folder of a bundle.")
@click.option("--reasons", type=click.IntRange(0, 10), default=0, show_default=True, help="Reasons told per case.")
def score_command(register: Path, as_of: date, out: Path, model: str, reasons: int) -> None:
    """Score every open case of REGISTER into a Parquet file, the highest chance of passing week 52 first.

    Cases past week 52, cases that lack what the model needs and persons who have objected stand last, without a rank.
    The file is written whole or not at all.
    """
    from models.registry import champion_bundle
    from risk.register import read_register
    from serving.batch import reasons_of, score_register, write_scores

    read = read_register(register)
    bundle = champion_bundle(model)
    scores = score_register(read, as_of, bundle)
    told = reasons_of(read, scores, as_of, bundle, reasons) if reasons else None
    write_scores(out, scores, read, as_of, told)
    counts = scores.frame["status"].value_counts()
    click.echo(
        f"{out}: {len(scores.frame)} open cases on {as_of}, {counts.get('scored', 0)} scored, "
        f"{counts.get('past_horizon', 0)} past week {scores.horizon_weeks}, {counts.get('abstained', 0)} without a score "
        f"(model {scores.model_version})"
    )
    if scores.frame.empty:
        click.echo("No case was open that day; the file is valid and empty.")


@click.command("serve")
@click.option("--model", help=f"A registered model or the folder of a bundle.  [default: RISK_MODEL, or {CHAMPION}]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8052, show_default=True)
@click.option(
    "--trust-network",
    is_flag=True,
    help="Listen beyond this machine. The service asks nobody who they are: a proxy in front of it must.",
)
def serve_command(model: str | None, host: str, port: int, trust_network: bool) -> None:
    """Start the scoring service for case systems; stop it with Ctrl-C.

    POST /v1/scores scores one open case or many; /health/ready says whether a model is in service; /openapi.json
    describes the rest. Further settings are environment variables (RISK_MAX_CASES, RISK_ENVIRONMENT=development, ...).
    """
    import uvicorn

    from serving.api import create_app
    from serving.settings import read_settings

    if not (_is_loopback(host) or trust_network):
        raise ConfigError(
            f"{host} can be reached from other machines, and the service asks nobody who they are; put a proxy that "
            "does in front of it and add --trust-network, or listen on 127.0.0.1"
        )
    settings = read_settings(model=model)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("risk.serving").setLevel(logging.INFO)
    click.echo(f"Risk52 listens on http://{host}:{port} (model {settings.model}); stop with Ctrl-C")
    # The access log is off because it would write addresses as they were asked for; the door writes its own line.
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=30,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
