"""What a request costs, against the least it could cost and against what is there anyway; all in one run on loopback.

    python -m benchmarks.serving                       # some minutes
    python -m benchmarks.serving --smoke --out out/    # seconds; shows that it runs, its ratios mean nothing

*Floor*: FastAPI with the same request and response models and a constant answer; nothing is looked at, scored or kept.
*Ours*: the service as it runs in production: key, rate limit, score, reasons, and a ledger row on the disk before the answer.
*Peer*: ``mlflow models serve`` of the same bundle, sent built features, which answers without reasons and keeps nothing.

Every server is a process of its own, asked over ``CONNECTIONS`` kept-alive connections by a client in another process.
Servers take turns, round by round. CPU is that of the server's processes (user and system), which a busy machine disturbs
less than requests per second; both are told.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from benchmarks.machine import command, describe
from models import catalogue
from models.bundle import Bundle
from risk import features
from risk.files import whole_file
from risk.outcomes import observe, read_outcome_definition
from risk.scoring import entry_weeks
from risk.snapshot import snapshot_rows
from risk.synthetic import synthesise

RESULTS = Path(__file__).parent / "results"
CONNECTIONS = 8
LEDGER_KEY = "for benchmarks only: 0123456789 abcdef"


@dataclass(frozen=True)
class Sizes:
    cases: int = 4000
    trees: int = 300
    seconds: float = 4.0
    rounds: int = 3
    batch: int = 1000
    batches: int = 4


SMOKE = Sizes(cases=400, trees=10, seconds=0.3, rounds=1, batch=20, batches=1)


@dataclass(frozen=True)
class Served:
    """What one server did in one round."""

    server: str
    round: int
    requests: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.cpu_seconds / self.requests


def make_bundle(learner_name: str, sizes: Sizes, folder: Path) -> Path:
    """A bundle learned from a synthetic register at registration."""
    register, _ = synthesise(sizes.cases, 3)
    outcome, names, encoded = read_outcome_definition(), list(features.default_features()), register.encoded
    days = encoded.registered_on + np.timedelta64(1, "D")
    is_here = (days <= np.datetime64(register.extract_on)) & (np.isnat(encoded.closed_on) | (encoded.closed_on >= days))
    rows = snapshot_rows(register, np.flatnonzero(is_here), days[is_here])
    X = features.feature_frame(features.build_features(rows, names))
    given = {"n_estimators": sizes.trees} if learner_name in ("additive", "hazard", "direct") else {}
    learner = catalogue.make(learner_name, random_state=1, **given)
    learner.fit(X, observe(register.cases, outcome, register.extract_on)[is_here], entry_weeks(rows, outcome))
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
    return Bundle(learner, None, meta=meta).save(folder / learner_name)


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
    uvicorn.run(app, port=port, access_log=False, log_level="critical")


class Server:
    """A server in processes of its own."""

    def __init__(self, name: str, line: list[str], ready: str, port: int, home: Path) -> None:
        environment = os.environ | {
            "RISK_HOME": str(home), "RISK_LEDGER_KEY": LEDGER_KEY, "RISK_RATE": "100000000/minute",
            "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # MLflow starts uvicorn by its name
        }  # fmt: skip
        self.name, self.port = name, port
        self._log = (home / f"{name}.log".replace(" ", "-")).open("wb")
        self.process = subprocess.Popen(
            line, env=environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        until = time.monotonic() + 180
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise click.ClickException(f"{name} did not start: {Path(self._log.name).read_text()[-600:]}")

    def cpu_seconds(self) -> float:
        """User and system seconds of the server's own processes (its session)."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # a process that has just ended
            if int(fields[3]) == self.process.pid:
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self._log.close()


@contextmanager
def started(name: str, line: list[str], ready: str, port: int, home: Path) -> Iterator[Server]:
    server = Server(name, line, ready, port, home)
    try:
        yield server
    finally:
        server.stop()


async def _ask(port: int, request: bytes, until: float, most: int, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until and len(took) < most:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise click.ClickException(f"answered {head[:40]!r} {(await reader.read(400))!r}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        took.append(time.perf_counter() - began)
    writer.close()


def measure(server: Server, round_: int, path: str, body: bytes, headers: dict[str, str], seconds: float, most: int = 10**9) -> Served:  # fmt: skip
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    request = "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode() + body
    took: list[float] = []

    async def all_of_them(n: int) -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_ask(server.port, request, until, most, took) for _ in range(n)))

    asyncio.run(_ask(server.port, request, time.perf_counter() + 60, 3, []))
    cpu, began = server.cpu_seconds(), time.perf_counter()
    asyncio.run(all_of_them(CONNECTIONS if most > 1000 else 1))
    ended, used = time.perf_counter(), server.cpu_seconds() - cpu
    p50, p99 = (1000 * float(np.quantile(took, q)) for q in (0.5, 0.99))
    return Served(server.name, round_, len(took), ended - began, max(used, 0.01), p50, p99)


def free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def bodies(bundle: Path, n: int) -> tuple[bytes, bytes]:
    """``n`` cases as we take them, and their built features as MLflow takes them."""
    from datetime import date

    from serving.description import EXAMPLE
    from serving.rows import read_rows, taken

    case, as_of = EXAMPLE["cases"][0], date.fromisoformat(EXAMPLE["as_of"])
    cases = [case | {"case_id": f"SYN{i:06d}"} for i in range(n)]
    rows = taken(read_rows(cases, as_of, 200))
    names = Bundle.open(bundle).meta["features"]
    frame = features.feature_frame(features.build_features(rows, names)).assign(entry_weeks=rows.age_weeks)
    # A number that is null in every row reaches a pyfunc model as an object and is refused: the peer is sent known ones.
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].fillna(1.5)
    split = json.loads(frame.to_json(orient="split", index=False))
    return json.dumps(EXAMPLE | {"cases": cases}).encode(), json.dumps({"dataframe_split": split}).encode()


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
    one, one_peer = bodies(bundle, 1)
    some, some_peer = bodies(bundle, sizes.batch)
    found = []
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
        turns = [(floor, "/v1/scores", one, some, {}), (ours, "/v1/scores", one, some, bearer)]
        if with_peer:
            model = write_mlmodel(bundle, work / learner_name / "mlmodel")
            line = [
                sys.executable,
                "-m",
                "mlflow",
                "models",
                "serve",
                "-m",
                str(model),
                "--env-manager",
                "local",
                "-p",
                str(ports[2]),
            ]
            peer = stack.enter_context(started("mlflow", line, "/ping", ports[2], home))
            turns.append((peer, "/invocations", one_peer, some_peer, {}))
        for round_ in range(sizes.rounds):
            for server, path, small, large, headers in turns:
                found.append(measure(server, round_, path, small, headers, sizes.seconds))
                batch = measure(server, round_, path, large, headers, 120.0, most=sizes.batches)
                found.append(Served(**asdict(batch) | {"server": f"{server.name}, batch of {sizes.batch}"}))
    return found


def _answer(port: int, body: bytes, headers: dict[str, str]) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/scores", body, {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def page(tables: dict[str, list[Served]], said: str) -> str:
    lines = ["# What a request costs", "", said, ""]
    for learner_name, found in tables.items():
        middle = {
            name: _middle([s for s in found if s.server == name]) for name in dict.fromkeys(s.server for s in found)
        }
        lines += [f"## {learner_name}", "", "| server | requests/s | CPU µs | p50 ms | p99 ms | requests/s : floor | CPU : floor | CPU mlflow : this |",
                  "|---|---|---|---|---|---|---|---|"]  # fmt: skip
        for name, row in middle.items():
            kind = name.partition(",")[1] + name.partition(",")[2]
            floor, peer = middle["floor" + kind], middle.get("mlflow" + kind)
            ratio = f"{peer['cpu_us'] / row['cpu_us']:.1f}" if peer else "-"
            lines.append(
                f"| {name} | {row['per_second']:,.1f} | {row['cpu_us']:,.0f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} "
                f"| {row['per_second'] / floor['per_second']:.2f} | {row['cpu_us'] / floor['cpu_us']:.2f} | {ratio} |"
            )
        lines.append("")
    return "\n".join(lines)


def _middle(rows: list[Served]) -> dict[str, float]:
    names = ("per_second", "cpu_us", "p50_ms", "p99_ms")
    return {name: statistics.median(getattr(row, name) for row in rows) for name in names}


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
