"""What a request costs, against the least it could cost and against what is there anyway; all in one run on loopback.

    python -m benchmarks.serving                       # some minutes
    python -m benchmarks.serving --smoke --out out/    # seconds; shows that it runs, its ratios mean nothing

*Floor*: FastAPI with the same request and response models and a constant answer; nothing is looked at, scored or kept.
*Ours*: the service as it runs in production: key, rate limit, score, reasons, and a ledger row on the disk before the answer.
*Least*: a batch of the same bytes in and out, decoded and with a commit to the disk, and no other work: where any service ends.
*Peer*: ``mlflow models serve`` of the same bundle, sent built features, which answers without reasons and keeps nothing.

Every server is a process of its own, asked over ``CONNECTIONS`` kept-alive connections by a client in another process.
Servers take turns, round by round. CPU is that of the server's processes (user and system), which a busy machine disturbs
less than requests per second; both are told.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import pyarrow as pa
from scipy.special import logit

from benchmarks.machine import command, describe
from benchmarks.serving_bodies import ARROW, Body, as_arrow, as_features, as_json
from benchmarks.serving_least import add_least, keep_answer
from benchmarks.serving_servers import (
    CONNECTIONS,
    LEDGER_KEY,
    SMOKE,
    Served,
    Sizes,
    Turn,
    free_port,
    measure,
    started,
)
from models import catalogue
from models.bundle import Bundle
from models.calibration import Calibrator
from risk import features
from risk.files import whole_file
from risk.outcomes import observe, read_outcome_definition
from risk.scoring import entry_weeks
from risk.snapshot import snapshot_rows
from risk.synthetic import synthesise

RESULTS = Path(__file__).parent / "results"


def make_bundle(learner_name: str, sizes: Sizes, folder: Path) -> Path:
    """A bundle learned from a synthetic register at registration, with a calibrator as a trained model has one."""
    register, _ = synthesise(sizes.cases, 3)
    outcome, names, encoded = read_outcome_definition(), list(features.default_features()), register.encoded
    days = encoded.registered_on + np.timedelta64(1, "D")
    is_here = (days <= np.datetime64(register.extract_on)) & (np.isnat(encoded.closed_on) | (encoded.closed_on >= days))
    rows = snapshot_rows(register, np.flatnonzero(is_here), days[is_here])
    X = features.feature_frame(features.build_features(rows, names))
    given = {"n_estimators": sizes.trees} if learner_name in ("additive", "hazard", "direct") else {}
    learner = catalogue.make(learner_name, random_state=1, **given)
    y, entry = observe(register.cases, outcome, register.extract_on)[is_here], entry_weeks(rows, outcome)
    learner.fit(X, y, entry)
    p = learner.survival(X, [float(outcome.horizon_weeks)], entry)[:, 0]
    calibrator = Calibrator().fit(
        p, y, outcome.horizon_weeks, entry, opened=encoded.opened_on[is_here], cut_on=register.extract_on
    )
    if not calibrator.is_identity:
        # An interval around every score, at the price of a trained model's; how wide it is means nothing here.
        calibrator.learn_spread(logit(p), entry, np.full((2, len(p)), 0.05))
    numbers = [n for n in names if not features.catalogue()[n].levels and X[n].notna().any()]
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": [],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        "ranges": {n: [float(np.nanmin(X[n])), float(np.nanmax(X[n]))] for n in numbers},
        "learner": learner_name,
        "trained_as_of": "2026-11-16",
        "is_synthetic": True,
    }
    return Bundle(learner, calibrator, meta=meta).save(folder / learner_name)


def write_mlmodel(bundle: Path, folder: Path) -> Path:
    """The bundle as ``mlflow models serve`` takes it; the same loader as a registered model has."""
    from mlflow.models import Model
    from mlflow.pyfunc import save_model

    save_model(
        str(folder), loader_module="models.pyfunc", data_path=str(bundle), pip_requirements=[], mlflow_model=Model()
    )
    return folder


def serve_floor(port: int) -> None:
    """The same messages, validated and written by the framework, around a constant answer."""
    import uvicorn
    from fastapi import FastAPI

    from serving.answers import CaseAnswer, ScoresAnswer
    from serving.messages import request_message

    asked: Any = request_message()
    app = FastAPI()
    constant = ScoresAnswer.model_validate_json((Path(os.environ["RISK_HOME"]) / "answer.json").read_text("utf-8"))
    one: CaseAnswer = constant.results[0]

    async def score_cases(body: Any) -> ScoresAnswer:
        return constant.model_copy(update={"results": [one] * len(body.cases)})

    score_cases.__annotations__["body"] = asked
    app.post("/v1/scores", response_model=ScoresAnswer)(score_cases)
    app.post("/v1/scores:batch", response_model=ScoresAnswer)(score_cases)
    app.get("/health/ready")(lambda: "ready")
    add_least(app)
    uvicorn.run(app, port=port, access_log=False, log_level="critical")


def run(learner_name: str, sizes: Sizes, work: Path, with_peer: bool) -> list[Served]:
    home = work / learner_name / "home"
    home.mkdir(parents=True)
    bundle = make_bundle(learner_name, sizes, work / learner_name)
    risk = [sys.executable, "-m", "risk"]
    environment = os.environ | {"RISK_HOME": str(home), "RISK_LEDGER_KEY": LEDGER_KEY}
    made = subprocess.run([*risk, "keys", "create", "bench", "--office", "*", "--scope", "score:write"], env=environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    bearer = {"Authorization": f"Bearer {made.stdout.strip()}"}
    ports = [free_port() for _ in range(3)]
    one, some = as_json(1), as_json(sizes.batch)
    found: list[Served] = []
    with ExitStack() as stack:
        ours = stack.enter_context(
            started(
                "ours",
                [*risk, "serve", "--model", str(bundle), "--port", str(ports[0])],
                "/health/ready",
                ports[0],
                home,
            )
        )
        (home / "answer.json").write_bytes(_answer(ports[0], one, bearer))
        floor = stack.enter_context(
            started(
                "floor",
                [sys.executable, "-m", "benchmarks.serving", "--floor", str(ports[1])],
                "/health/ready",
                ports[1],
                home,
            )
        )
        batch = f"batch of {sizes.batch}"
        turns = [
            Turn(floor, "floor", "/v1/scores", one, 1, {}),
            Turn(floor, f"floor, {batch}", "/v1/scores:batch", some, sizes.batch, {}),
            Turn(ours, "ours", "/v1/scores", one, 1, bearer),
            Turn(ours, f"ours, {batch}", "/v1/scores:batch", some, sizes.batch, bearer),
            *(
                Turn(ours, f"ours, Arrow batch of {n}", "/v1/scores:batch", as_arrow(n), n, bearer)
                for n in (sizes.batch, sizes.largest)
            ),
        ]
        for turn in [t for t in turns if t.server is ours]:
            told = check_scored(ports[0], turn)
            if turn.n_cases > 1:
                path = keep_answer(home, turn.body, turn.n_cases, told)
                turns.append(Turn(floor, turn.name.replace("ours", "least"), path, turn.body, turn.n_cases, {}))
        if with_peer:
            model = write_mlmodel(bundle, work / learner_name / "mlmodel")
            line = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local", "-p",
                    str(ports[2])]  # fmt: skip
            peer = stack.enter_context(started("mlflow", line, "/ping", ports[2], home))
            turns.append(Turn(peer, "mlflow", "/invocations", as_features(bundle, 1), 1, {}))
            many = as_features(bundle, sizes.batch)
            turns.append(Turn(peer, f"mlflow, {batch}", "/invocations", many, sizes.batch, {}))
        for round_ in range(sizes.rounds):
            found += [measure(turn.server, round_, turn, sizes) for turn in turns]
    return found


def check_scored(port: int, turn: Turn) -> bytes:
    """The answer to a turn. What is measured must be scoring: a service refuses faster than it scores.

    Raises
    ------
    click.ClickException
        Not every case of the request was scored.
    """
    told = _answer(port, turn.body, turn.headers, turn.path)
    if turn.body.media == ARROW:
        n = pa.ipc.open_stream(told).read_all().column("status").to_pylist().count("scored")
    else:
        n = json.loads(told)["n_scored"]
    if n != turn.n_cases:
        raise click.ClickException(
            f"{turn.name}: {n:,} of {turn.n_cases:,} cases were scored; mend benchmarks/serving_bodies.py"
        )
    return told


def _answer(port: int, body: Body, headers: dict[str, str], path: str = "/v1/scores") -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body.content, {"Content-Type": body.media, **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


HEADINGS = (
    "server", "requests/s", "rows/s", "CPU µs a row", "p50 ms", "p99 ms", "rows/s : floor", "CPU : floor", "p99 : floor's p50",
    "rows/s : mlflow", "CPU mlflow : this",
)  # fmt: skip


def page(tables: dict[str, list[Served]], said: str) -> str:
    lines = ["# What a request costs", "", said, ""]
    for learner_name, found in tables.items():
        names = dict.fromkeys(s.server for s in found)
        middle = {name: _middle([s for s in found if s.server == name]) for name in names}
        lines += [f"## {learner_name}", "", f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
        lines += [f"| {' | '.join([name, *_cells(name, middle)])} |" for name in middle]
        lines.append("")
    return "\n".join(lines)


def _cells(name: str, middle: dict[str, dict[str, float]]) -> list[str]:
    """One row's numbers; a batch of any size stands beside the batches in JSON of the others, case by case."""

    def beside(server: str) -> list[dict[str, float]]:
        return [row for other, row in middle.items() if other.startswith(server) and ("," in other) == ("," in name)]

    row, floor, peer = middle[name], beside("floor")[0], next(iter(beside("mlflow")), None)
    return [
        f"{row['per_second']:,.1f}", f"{row['rows_per_second']:,.0f}", f"{row['cpu_us']:,.1f}", f"{row['p50_ms']:.1f}",
        f"{row['p99_ms']:.1f}", f"{row['rows_per_second'] / floor['rows_per_second']:.2f}", f"{row['cpu_us'] / floor['cpu_us']:.2f}",
        f"{row['p99_ms'] / floor['p50_ms']:.1f}",
        f"{row['rows_per_second'] / peer['rows_per_second']:.1f}" if peer else "-",
        f"{peer['cpu_us'] / row['cpu_us']:.1f}" if peer else "-",
    ]  # fmt: skip


def _middle(rows: list[Served]) -> dict[str, float]:
    names = ("per_second", "rows_per_second", "p50_ms", "p99_ms")
    middle = {name: statistics.median(getattr(row, name) for row in rows) for name in names}
    return middle | {"cpu_us": statistics.median(row.cpu_us / row.n_cases for row in rows)}


@click.command()
@click.option("--learner", "learners", multiple=True, default=("additive", "linear"), show_default=True)
@click.option("--smoke", is_flag=True, help="Seconds instead of minutes; the ratios mean nothing.")
@click.option("--peer/--no-peer", default=True, help="Also ask 'mlflow models serve'.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--floor", "floor_port", type=int, hidden=True)
def main(learners: tuple[str, ...], smoke: bool, peer: bool, out: Path, floor_port: int | None) -> None:
    """Ask the floor, our service and MLflow's in turn, and write the table."""
    if floor_port is not None:
        serve_floor(floor_port)
        return
    sizes = SMOKE if smoke else Sizes()
    with TemporaryDirectory() as folder:
        tables = {name: run(name, sizes, Path(folder), peer) for name in learners}
    said = f"`{command('benchmarks.serving')}`; {CONNECTIONS} connections (batches: 1), medians of {sizes.rounds} rounds; {describe()}"
    text = page(tables, said)
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / "serving.md") as made:
        made.write_text(text, "utf-8")
    with whole_file(out / "serving.json") as made:
        made.write_text(
            json.dumps({name: [asdict(s) for s in found] for name, found in tables.items()}, indent=1), "utf-8"
        )
    click.echo(text)


if __name__ == "__main__":
    main()
