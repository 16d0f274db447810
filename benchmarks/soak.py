"""A service under load for ten minutes: does its memory grow, are its files closed, what does a request leave in the store?

    python -m benchmarks.soak                              # some twelve minutes; writes benchmarks/results/soak.md
    python -m benchmarks.soak --minutes 0.1 --out out/     # seconds; shows that it runs

The service runs as in production (key, rate limit, ledger on the disk) in a process of its own. Callers together send
``--rate`` requests a second, each a case with facts of its own, now and then fifty at once. Memory (RSS) and open files are read
every second. The slope is a straight line through the readings after the warm-up; its interval comes from blocks of a
twentieth of the time, since neighbouring readings are alike.

The warm-up sends as many requests as the soak itself will, as fast as they are answered. Then all that has a bound is full: pages
of the database, and above all what the allocator holds back, for each thread and each size of a piece, which is the most that ever
was in use at one moment: such records come ever more seldom. What grows with every request goes on growing after the warm-up.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.machine import command, describe
from benchmarks.serving import LEDGER_KEY, SMOKE, Sizes, free_port, make_bundle, started
from risk.files import whole_file
from serving.description import EXAMPLE

RESULTS = Path(__file__).parent / "results"
CALLERS, MANY, BLOCKS = 4, 50, 20


@dataclass(frozen=True)
class Reading:
    """What the service held at one moment."""

    seconds: float
    rss_mb: float
    files: int
    requests: int


@dataclass(frozen=True)
class Slope:
    """A growth per hour and its 95 % interval."""

    per_hour: float
    low: float
    high: float


def slope(seconds: npt.ArrayLike, values: npt.ArrayLike) -> Slope:
    """Growth per hour of values read at ``seconds``, by least squares through the means of ``BLOCKS`` blocks."""
    hours = np.array([b.mean() for b in np.array_split(np.asarray(seconds, dtype=np.float64), BLOCKS)]) / 3600
    means = np.array([b.mean() for b in np.array_split(np.asarray(values, dtype=np.float64), BLOCKS)])
    line = stats.linregress(hours, means)
    reach = stats.t.ppf(0.975, BLOCKS - 2) * line.stderr
    return Slope(float(line.slope), float(line.slope - reach), float(line.slope + reach))


class Callers:
    """Threads that send requests until told to stop, each the next as soon as one is answered; or so many a second together."""

    def __init__(self, port: int, key: str) -> None:
        self._url, self._key, self._pause = f"http://127.0.0.1:{port}/v1/scores", key, 0.0
        self.statuses: Counter[str] = Counter()
        self.n_cases = 0
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(CALLERS)]

    def _ask(self, i: int) -> None:
        rng, n = random.Random(i), 0
        while not self._is_over.is_set():
            began, size = time.monotonic(), MANY if rng.random() < 0.01 else 1
            body = json.dumps(EXAMPLE | {"cases": [_case(rng, f"SYN{i}-{n}-{j}") for j in range(size)]}).encode()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
            if rng.random() < 0.5:
                headers["Idempotency-Key"] = f"soak-{i}-{n}-key"
            try:
                with urllib.request.urlopen(urllib.request.Request(self._url, body, headers), timeout=30) as answer:
                    told = str(answer.status)
                    answer.read()
            except OSError as why:
                told = str(getattr(why, "code", type(why).__name__))
            with self._lock:
                self.statuses[told] += 1
                self.n_cases += size if told == "200" else 0
            n += 1
            self._is_over.wait(max(0.0, self._pause - (time.monotonic() - began)))

    def n_answered(self) -> int:
        return sum(self.statuses.copy().values())

    def slow_down(self, rate: float) -> None:
        """From now on so many requests a second."""
        self._pause = CALLERS / rate

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def _case(rng: random.Random, case_id: str) -> dict[str, object]:
    case = EXAMPLE["cases"][0]
    hours, word = rng.uniform(0, 37), rng.choice(("under_8w", "8_13w", "13_26w", "over_26w", "made up"))
    facts = [*case["facts"], {"known_on": "2026-11-03", "name": "expected_recovery", "value": word}]
    return case | {"case_id": case_id, "attributes": case["attributes"] | {"weekly_hours": hours}, "facts": facts}


def read(process: int, began: float, callers: Callers) -> Reading:
    """Resident memory and open files of a process, from /proc."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return Reading(time.monotonic() - began, rss, files, callers.n_answered())


@dataclass(frozen=True)
class Soaked:
    """A whole run: readings after the warm-up, answers of both together."""

    readings: list[Reading]
    statuses: dict[str, int]
    n_cases: int
    warm_up: float
    store_bytes: int


def soak(minutes: float, rate: float, sizes: Sizes) -> Soaked:
    """Run the service under load for so long, after a warm-up of as many requests."""
    seconds = 60 * minutes
    with TemporaryDirectory() as work:
        home = Path(work) / "home"
        home.mkdir()
        bundle = make_bundle("additive", sizes, Path(work))
        risk = [sys.executable, "-m", "risk"]
        environment = os.environ | {"RISK_HOME": str(home), "RISK_LEDGER_KEY": LEDGER_KEY}
        made = subprocess.run([*risk, "keys", "create", "soak", "--office", "*", "--scope", "score:write"],
                              env=environment, capture_output=True, text=True, check=True)  # fmt: skip
        port = free_port()
        line = [*risk, "serve", "--model", str(bundle), "--port", str(port)]
        with started("ours", line, "/health/ready", port, home) as server:
            empty = _store_bytes(home)
            began, readings = time.monotonic(), []
            with Callers(port, made.stdout.strip()) as callers:
                while callers.n_answered() < rate * seconds:
                    time.sleep(min(0.1, seconds / BLOCKS))
                callers.slow_down(rate)
                warm_up = time.monotonic() - began
                while time.monotonic() - began < warm_up + seconds:
                    readings.append(read(server.process.pid, began, callers))
                    time.sleep(min(1.0, seconds / (4 * BLOCKS)))
        grown = _store_bytes(home) - empty
    return Soaked(readings, dict(callers.statuses), callers.n_cases, warm_up, grown)


def _store_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in home.glob("store.db*"))


def page(found: Soaked, said: str) -> str:
    """The findings as a page."""
    later = found.readings
    n, seconds = later[-1].requests - later[0].requests, later[-1].seconds - later[0].seconds
    last = later[len(later) // 2 :]
    at = [r.seconds for r in later]
    memory, files = slope(at, [r.rss_mb for r in later]), slope(at, [r.files for r in later])
    at_last = slope([r.seconds for r in last], [r.rss_mb for r in last])
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(found.statuses.items()))
    return "\n".join(
        [
            "# A service under load", "", said, "",
            f"{n:,} requests in {seconds / 60:.1f} minutes ({n / seconds:.0f} a second), after a warm-up of {later[0].requests:,} in "
            f"{found.warm_up:.0f} s; answers: {answers}.", "",
            "| | at the start | at the end | growth per hour (95 % interval) |", "|---|---|---|---|",
            f"| memory, MB | {later[0].rss_mb:.1f} | {later[-1].rss_mb:.1f} | {memory.per_hour:+.2f} ({memory.low:+.2f} to {memory.high:+.2f}) |",
            f"| memory in the second half, MB | {last[0].rss_mb:.1f} | {last[-1].rss_mb:.1f} | {at_last.per_hour:+.2f} ({at_last.low:+.2f} to {at_last.high:+.2f}) |",
            f"| open files | {later[0].files} | {later[-1].files} | {files.per_hour:+.2f} ({files.low:+.2f} to {files.high:+.2f}) |", "",
            f"The store grew by {found.store_bytes / 2**20:.1f} MB, {found.store_bytes / max(found.n_cases, 1):,.0f} bytes per scored case "
            "(half of the requests under an Idempotency-Key, whose answers go again after a day).", "",
        ]
    )  # fmt: skip


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.05), default=10.0, show_default=True)
@click.option("--rate", type=click.FloatRange(min=1.0), default=50.0, show_default=True, help="Requests a second.")
@click.option("--smoke", is_flag=True, help="With a model of few trees.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=False, help="Folder of soak.md.")
def main(minutes: float, rate: float, smoke: bool, out: Path) -> None:
    """Keep a service under load and write what it held over the time."""
    found = soak(minutes, rate, SMOKE if smoke else Sizes())
    text = page(found, f"`{command('benchmarks.soak')}` on {describe()}.")
    with whole_file(out / "soak.md") as made:
        made.write_text(text, "utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
