"""Tens of thousands of requests that nearly fit, or do not fit at all, against a service of one's own.

    python -m benchmarks.fuzz --requests 20000      # some tens of minutes; prints the answers by status and what was wrong

Half of them are drawn by Schemathesis from the committed description (``docs/openapi.json``), valid and invalid; the other
half are bodies made here: numbers at their ends, days that are none, digits of other scripts, names twice, deep nesting,
long texts, wrong types, bodies cut off or with a byte changed, damaged Arrow streams; every other one in JSON is long enough
to be read in columns. CPR-shaped numbers are planted among these.

Wrong is: a 500, a status the description does not name for the operation, an answer that is neither JSON nor a problem, a
planted value that comes back, and a request that is not answered.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks.serving_bodies import ARROW, as_arrow
from serving.description import EXAMPLE
from serving.desk import SMALL_BYTES

DESCRIPTION = json.loads((Path(__file__).parents[1] / "docs" / "openapi.json").read_text("utf-8"))
PLANTED = ("0101801234", "010180-1234")
# As a number of its own: within a longer run of digits it is none.
_PLANTED = re.compile(r"(?<![0-9])(0101801234|010180-1234)(?![0-9])")
JSON = {"Content-Type": "application/json"}
PATHS = ("/v1/scores", "/v1/scores:batch")
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "-1e308",
    "1e400",
    "-0.0",
    "1" + "0" * 400,
    "-1",
    "0.1e-400",
    "٣٧",
    "３７",
    "0x10",
    "1_0",
)
DAYS = (
    "2199-12-31",
    "2200-01-01",
    "0001-01-01",
    "2026-02-29",
    "2026-W53-1",
    "２０２６-11-01",
    "2026-11-31",
    "20261101",
    "2026-11-1",
    "tomorrow",
)


@dataclass
class Findings:
    """Answers by operation and status, and what was wrong with any."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        return sum(self.answers.values())

    def look_at(self, method: str, path: str, response: Any) -> None:
        """Note an answer and everything that is wrong with it."""
        operation = DESCRIPTION["paths"].get(path, {}).get(method.lower())
        name = f"{method} {path}" if operation else "elsewhere"
        self.answers[name, response.status_code] += 1
        documented = operation["responses"] if operation else {"401", "403", "404", "405"}
        if response.status_code >= 500 and not (path == "/health/ready" and response.status_code == 503):
            self.wrong[f"{name}: {response.status_code}"] += 1
        elif str(response.status_code) not in documented and response.status_code != 304:
            self.wrong[f"{name}: {response.status_code} is not described"] += 1
        kind = response.headers.get("content-type", "")
        kind = kind[0] if isinstance(kind, list) else kind  # Schemathesis has a list for each header
        if response.status_code >= 400 and response.status_code != 503 and kind != "application/problem+json":
            self.wrong[f"{name}: {response.status_code} is not a problem"] += 1
        said = response.text + str(dict(response.headers))
        if _PLANTED.search(said):
            self.wrong[f"{name}: a planted value came back"] += 1


def request_by_hand(rng: random.Random) -> tuple[str, bytes, dict[str, str]]:
    """One odd request: path, body and headers."""
    way = rng.choice(WAYS)
    body, headers = way(rng)
    if headers == JSON and rng.random() < 0.5:
        body += b" " * SMALL_BYTES  # large requests are read in another way
    return rng.choice(PATHS), body, headers


def _changed(rng: random.Random, value: str) -> bytes:
    """The example with ``value``, raw JSON, in the place of something."""
    text = json.dumps(EXAMPLE)
    places = [str(v) if not isinstance(v, bool | str) else json.dumps(v) for v in _leaves(EXAMPLE)]
    return text.replace(rng.choice(places), value, 1).encode("utf-8", "surrogatepass")


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _leaves(inner)
    else:
        yield node


def _number(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    return _changed(rng, rng.choice(NUMBERS)), JSON


def _day(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    return _changed(rng, json.dumps(rng.choice(DAYS), ensure_ascii=False)), JSON


def _planted(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    planted = rng.choice(PLANTED)
    values = (planted, {planted: 1}, [planted], f"Jens {planted} Hansen", planted[:6] + " " + planted[-4:])
    return _changed(rng, json.dumps(rng.choice(values))), JSON


def _long(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    return _changed(rng, json.dumps("x" * rng.choice((65, 5_000, 1_000_000)))), JSON


def _twice(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    name = rng.choice(("as_of", "cases", PLANTED[0]))
    return b'{"%s": 1, "%s": 2, ' % (name.encode(), name.encode()) + json.dumps(EXAMPLE)[1:].encode(), JSON


def _deep(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    n = rng.choice((10, 500, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    return _changed(rng, opening * n + "1" + closing * n), JSON


def _wrong_type(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    kinds = (
        "text/plain",
        "application/xml",
        "application/json; charset=latin-1",
        "multipart/form-data",
        "",
        "application/x-json",
    )
    return json.dumps(EXAMPLE).encode(), {"Content-Type": rng.choice(kinds)}


def _compressed(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    return rng.randbytes(60), JSON | {"Content-Encoding": rng.choice(("gzip", "br", "identity", PLANTED[0]))}


def _cut(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(EXAMPLE).encode()
    return text[: rng.randrange(len(text))], JSON


def _bytes(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    text = bytearray(json.dumps(EXAMPLE).encode())
    for _ in range(rng.randrange(1, 4)):
        text[rng.randrange(len(text))] = rng.randrange(256)
    return bytes(text), JSON


def _stream(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """An Arrow stream, whole, cut off, or with some bytes changed."""
    stream = bytearray(_whole_stream())
    for _ in range(rng.choice((0, 1, 1, 3))):
        stream[rng.randrange(len(stream))] = rng.randrange(256)
    return bytes(stream[: rng.choice((len(stream), rng.randrange(len(stream))))]), {"Content-Type": ARROW}


@cache
def _whole_stream() -> bytes:
    return as_arrow(3).content


def _odd_header(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    odd = rng.choice((PLANTED[0], "x" * 300, "../../etc", "a b", "", "good-key-1234", "01018012" + "34567890"))
    return json.dumps(EXAMPLE).encode(), JSON | {rng.choice(("Idempotency-Key", "X-Request-Id", "If-None-Match")): odd}


def _false_word(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    case = EXAMPLE["cases"][0] | {rng.choice(("opened_on", "registered_on", "attributes", "facts", "case_id", PLANTED[0])):
                                  rng.choice((None, [], {}, True, 7, "x", -1.5, [[]], {"a": {}}, "\ud800", "\x00"))}  # fmt: skip
    return json.dumps(EXAMPLE | {"cases": [case] * rng.choice((0, 1, 3))}).encode(), JSON


WAYS: tuple[Callable[[random.Random], tuple[bytes, dict[str, str]]], ...] = (
    _number, _day, _planted, _long, _twice, _deep, _wrong_type, _compressed, _cut, _bytes, _stream, _odd_header, _false_word,
)  # fmt: skip


def by_hand(client: Any, n: int, seed: int, found: Findings) -> None:
    """Send ``n`` odd requests."""
    rng = random.Random(seed)
    for _ in range(n):
        path, body, headers = request_by_hand(rng)
        found.look_at("POST", path, client.post(path, content=body, headers=headers))


def by_description(app: Any, client: Any, n: int, seed: int, found: Findings) -> None:
    """Send ``n`` requests that Schemathesis draws, over all operations in equal parts, valid and invalid in turn."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given
    from hypothesis import seed as seeded
    from hypothesis import settings as examples

    operations = [o.ok() for o in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    goal, at_once = found.n + n, max(1, min(50, n // len(operations)))
    for round_ in range(n):
        for operation in operations:
            left = goal - found.n
            if left <= 0:
                return
            mode = modes[round_ % 2] if _can(operation, modes[round_ % 2]) else modes[0]
            strategy = operation.as_strategy(generation_mode=mode)

            @seeded(seed + round_)
            @examples(
                max_examples=min(left, at_once), deadline=None, database=None, phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=strategy)
            def ask(case: Any) -> None:
                response = case.call(session=client)
                found.look_at(case.method.upper(), case.operation.path, response)

            ask()


def _can(operation: Any, mode: Any) -> bool:
    """An operation without parameters and body has no invalid request."""
    from schemathesis import GenerationMode

    return mode == GenerationMode.POSITIVE or bool(operation.body) or bool(list(operation.iter_parameters()))


def run(requests: int, seed: int) -> Findings:
    """Ask a service with a model of its own ``requests`` times."""
    from starlette.testclient import TestClient

    from benchmarks.serving import SMOKE, make_bundle
    from serving.api import create_app
    from serving.settings import Settings
    from serving.sources import FolderSource

    found = Findings()
    with TemporaryDirectory() as folder:
        bundle = make_bundle("linear", SMOKE, Path(folder))
        settings = Settings(
            environment="development", store=f"sqlite:///{folder}/store.db", refresh_seconds=0, rate="100000000/minute"
        )
        app = create_app(settings, FolderSource(bundle), today=lambda: date(2026, 11, 23))
        with TestClient(app, raise_server_exceptions=False) as client:
            by_hand(client, requests // 2, seed, found)
            by_description(app, client, requests - found.n, seed, found)
    return found


def table(found: Findings) -> str:
    lines = ["| operation | status | answers |", "|---|---|---|"]
    lines += [f"| {name} | {status} | {n:,} |" for (name, status), n in sorted(found.answers.items())]
    return "\n".join([*lines, f"\n{found.n:,} requests, {sum(found.wrong.values())} wrong"])


@click.command()
@click.option("--requests", type=click.IntRange(min=2), default=20_000, show_default=True)
@click.option("--seed", type=int, default=52, show_default=True)
def main(requests: int, seed: int) -> None:
    """Send odd requests to a service and count what comes back; ends with 1 when anything was wrong."""
    found = run(requests, seed)
    click.echo(table(found))
    for what, n in found.wrong.most_common():
        click.echo(f"WRONG {what} ({n} times)")
    if found.wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
