"""Servers in processes of their own, asked in turn over kept-alive connections, and what each of them did."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, socket

import click
import numpy as np

from benchmarks.serving_bodies import Body

CONNECTIONS = 8
LEDGER_KEY = "for benchmarks only: 0123456789 abcdef"


@dataclass(frozen=True)
class Sizes:
    cases: int = 4000
    trees: int = 300
    seconds: float = 4.0
    rounds: int = 3
    batch: int = 1000
    largest: int = 5000
    batches: int = 25


SMOKE = Sizes(cases=400, trees=10, seconds=0.3, rounds=1, batch=20, largest=40, batches=1)


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
    n_cases: int = 1

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def rows_per_second(self) -> float:
        return self.n_cases * self.per_second

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.cpu_seconds / self.requests


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


@dataclass(frozen=True)
class Turn:
    """What one server is asked in each round, under the name it has in the table."""

    server: Server
    name: str
    path: str
    body: Body
    n_cases: int
    headers: dict[str, str]


async def _ask(port: int, request: bytes, until: float, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        is_good = head.startswith(b"HTTP/1.1 200")
        await reader.readexactly(_length(head, b"" if is_good else await reader.read(400)))
        took.append(time.perf_counter() - began)
    writer.close()


def _ask_alone(port: int, request: bytes, most: int) -> list[float]:
    """Ask so many times over one connection; how long each took.

    A plain socket and one buffer: an answer is several megabytes, and what a caller does with them is not the server's time.
    """
    took, taken = list[float](), memoryview(bytearray(64 << 20))
    with create_connection(("127.0.0.1", port)) as asking:
        while len(took) < most:
            began = time.perf_counter()
            asking.sendall(request)
            here, whole = 0, len(taken)
            while here < whole:
                n = asking.recv_into(taken[here:])
                if not n:
                    raise click.ClickException("the connection was closed before the answer was whole")
                here += n
                if whole == len(taken) and (end := bytes(taken[: min(here, 16384)]).find(b"\r\n\r\n")) >= 0:
                    whole = end + 4 + _length(bytes(taken[: end + 4]), bytes(taken[end + 4 : here]))
            took.append(time.perf_counter() - began)
    return took


def _length(head: bytes, begun: bytes) -> int:
    """Bytes of an answer, which must be a good one."""
    if not head.startswith(b"HTTP/1.1 200"):
        raise click.ClickException(f"answered {head[:40]!r} {begun[:400]!r}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(length.split(b":")[1])


def measure(server: Server, round_: int, turn: Turn, sizes: Sizes) -> Served:
    """Ask for so many seconds over all connections, or so many batches over one."""
    body, is_batch = turn.body, turn.n_cases > 1
    lines = [
        f"POST {turn.path} HTTP/1.1",
        "Host: x",
        f"Content-Length: {len(body.content)}",
        f"Content-Type: {body.media}",
    ]
    head = "\r\n".join([*lines, *(f"{k}: {v}" for k, v in turn.headers.items()), "", ""])
    request, took = head.encode() + body.content, list[float]()

    async def all_of_them() -> None:
        until = time.perf_counter() + sizes.seconds
        await asyncio.gather(*(_ask(server.port, request, until, took) for _ in range(CONNECTIONS)))

    _ask_alone(server.port, request, 3)
    cpu, began = server.cpu_seconds(), time.perf_counter()
    if is_batch:
        took = _ask_alone(server.port, request, sizes.batches)
    else:
        asyncio.run(all_of_them())
    ended, used = time.perf_counter(), server.cpu_seconds() - cpu
    p50, p99 = (1000 * float(np.quantile(took, q)) for q in (0.5, 0.99))
    return Served(turn.name, round_, len(took), ended - began, max(used, 0.01), p50, p99, turn.n_cases)


def free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
