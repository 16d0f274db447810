"""What it costs to score a register file, against bare ``Booster.predict`` on the same rows; all in one run.

    python -m benchmarks.batch                       # a million cases; some minutes
    python -m benchmarks.batch --smoke --out out/    # seconds; shows that it runs, its ratios mean nothing

*Bare*: ``Booster.predict`` of 300 trees of 31 leaves, grown by LightGBM's own settings, on a matrix that is in memory
already; nothing else is counted.
*Ours*: ``risk score``: a register folder in (cases, and every fact ever recorded of them), a ranked Parquet file out, with
the curve of every case. *Additive* and *direct* are the learners as they come; *direct, 300 x 31* has as many trees as the
bare one, as large. One thread each. Every measurement is a process of its own, and they take turns; CPU is that of the process, which a
busy machine disturbs less than the clock on the wall. The peak of memory is that of the whole process.

The cases are made up: those open before week 52 of a synthetic register, over and over under new ids, each time with
three in ten of their attributes exchanged with others' so that hardly two are alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import command, describe
from benchmarks.memory import peak
from models import catalogue
from models.bundle import Bundle
from risk import features, schema
from risk.files import whole_file
from risk.outcomes import observe, read_outcome_definition
from risk.register import GROUP_ROWS, Register, write_register
from risk.scoring import entry_weeks
from risk.snapshot import is_open, snapshot_rows, take_snapshot
from risk.synthetic import synthesise

RESULTS = Path(__file__).parent / "results"
BARE, LEAVES = "bare", 31
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "additive": ("additive", {}),
    "direct": ("direct", {}),
    "direct, 300 x 31": ("direct", {"n_estimators": 300, "num_leaves": LEAVES, "patience": 0}),
}


@dataclass(frozen=True)
class Measured:
    """One process."""

    name: str
    round: int
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    rows: int


def make_models(register: Register, folder: Path, trees: int) -> None:
    """A bundle per learner, learned at registration, and plain trees beside them."""
    outcome, names, encoded = read_outcome_definition(), list(features.default_features()), register.encoded
    days = encoded.registered_on + np.timedelta64(1, "D")
    is_here = (days <= np.datetime64(register.extract_on)) & (np.isnat(encoded.closed_on) | (encoded.closed_on >= days))
    rows = snapshot_rows(register, np.flatnonzero(is_here), days[is_here])
    X = features.feature_frame(features.build_features(rows, names))
    y = observe(register.cases, outcome, register.extract_on)[is_here]
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": [],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        "is_synthetic": True,
    }
    for name, (learner_name, given) in LEARNERS.items():
        few = {"n_estimators": min(trees, given["n_estimators"])} if "n_estimators" in given else {}
        learner = catalogue.make(learner_name, random_state=1, **(given | few))
        learner.fit(X, y, entry_weeks(rows, outcome))
        Bundle(learner, None, meta=meta).save(folder / name)
    # What it learns does not matter here, only how long its trees take: they are grown to their full size.
    matrix = np.column_stack([learner.columns_.encode(X), entry_weeks(rows, outcome)])
    open_past = lgb.Dataset(matrix, y["weeks"] > 26, categorical_feature=learner.columns_.categories)
    settings = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.05, "verbose": -1, "num_threads": 1}
    lgb.train(settings, open_past, num_boost_round=trees).save_model(folder / f"{BARE}.txt")


def tile(register: Register, n: int, folder: Path) -> None:
    """A register folder of ``n`` cases open before week 52, over and over under new ids, written group by group."""
    day = np.datetime64(register.extract_on)
    young = is_open(register, day) & (register.encoded.opened_on > day - np.timedelta64(360, "D"))
    few = register.of_cases(young)
    write_register(few, folder)
    cases, facts = pq.read_table(folder / "cases.parquet"), pq.read_table(folder / "facts.parquet")
    place = pd.Index(few.cases["case_id"]).get_indexer(few.facts["case_id"])
    made: dict[str, list[pa.Table]] = {"cases": [], "facts": []}
    rng = np.random.default_rng(1)
    writers = {
        what: pq.ParquetWriter(folder / f"{what}.parquet", table.schema)
        for what, table in (("cases", cases), ("facts", facts))
    }
    for first in range(0, n, len(cases)):
        m = min(len(cases), n - first)
        ids = np.array([f"SYN{first + i:07d}" for i in range(m)], dtype=object)
        k = int(np.searchsorted(place, m))
        for what, table, named in (("cases", cases.slice(0, m), ids), ("facts", facts.slice(0, k), ids[place[:k]])):
            column = pa.array(named, table.schema.field("case_id").type)
            mixed = _exchanged(table, rng) if what == "cases" else table
            made[what].append(mixed.set_column(table.schema.get_field_index("case_id"), "case_id", column))
            ready = pa.concat_tables(made[what])
            whole = len(ready) if first + m == n else len(ready) // GROUP_ROWS * GROUP_ROWS
            if whole:  # full groups only, as a register is written
                writers[what].write_table(ready.slice(0, whole), row_group_size=GROUP_ROWS)
            made[what] = [ready.slice(whole)]
    for writer in writers.values():
        writer.close()


def _exchanged(cases: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The same cases, three in ten of their attributes from another case."""
    for name in schema.case_attributes():
        if name in cases.column_names:
            own, other = np.arange(len(cases)), rng.integers(0, len(cases), len(cases))
            taken = cases[name].take(pa.array(np.where(rng.random(len(cases)) < 0.3, other, own)))
            cases = cases.set_column(cases.schema.get_field_index(name), cases.schema.field(name), taken)
    return cases


def job(name: str, place: Path, as_of: date) -> int:
    """Score the file as the command does; how many cases it was."""
    from serving.batch import score_file
    from serving.inservice import InService

    model = InService(Bundle.open(place / name), name)
    return score_file(place / "register", as_of, model, place / "scores.parquet").n_listed


def bare(place: Path, as_of: date) -> tuple[int, float, float]:
    """Rows, CPU and wall seconds of ``Booster.predict`` alone, on the rows of the file."""
    from risk.parts import RegisterParts
    from serving.inservice import InService

    model = InService(Bundle.open(place / "direct"), BARE)
    names = model.meta["features"]
    blocks = []
    for part in RegisterParts(place / "register", sorted({s for n in names for s in features.catalogue()[n].sources})):
        snapshot = take_snapshot(part, as_of)
        built = features.build_features(snapshot, names)
        blocks.append(np.column_stack([*(built[n] for n in names), entry_weeks(snapshot, model.outcome)]))
    matrix = np.concatenate(blocks)
    booster = lgb.Booster(model_file=place / f"{BARE}.txt")
    cpu, wall = time.process_time(), time.perf_counter()
    booster.predict(matrix, raw_score=True, num_threads=1)
    return len(matrix), time.process_time() - cpu, time.perf_counter() - wall


def child(name: str, place: Path, as_of: date) -> None:
    """One measurement, told as JSON."""
    cpu, wall = time.process_time(), time.perf_counter()
    if name == BARE:
        rows, cpu_seconds, wall_seconds = bare(place, as_of)
    else:
        rows = job(name, place, as_of)
        cpu_seconds, wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
    told = {"rows": rows, "cpu_seconds": cpu_seconds, "wall_seconds": wall_seconds, "peak_mib": peak() / 2**20}
    click.echo(json.dumps(told))


def measure(name: str, round_: int, place: Path, as_of: date) -> Measured:
    line = [sys.executable, "-m", "benchmarks.batch", "--child", name, "--place", str(place), "--day", str(as_of)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    # As an installed program runs: from modules that were compiled before.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | one
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{name} failed: {done.stderr[-600:]}")
    return Measured(name, round_, **json.loads(done.stdout))


def page(found: list[Measured], said: str) -> str:
    """Medians over the rounds, and ratios to the bare prediction."""
    lines = ["# What it costs to score a register file", "", said, "",
             "| what | rows | CPU s | wall s | peak MiB | CPU : bare | wall : bare |", "|---|---|---|---|---|---|---|"]  # fmt: skip

    def middle(name: str, what: str) -> float:
        return statistics.median(getattr(m, what) for m in found if m.name == name)

    for name in dict.fromkeys(m.name for m in found):
        cpu, wall = middle(name, "cpu_seconds"), middle(name, "wall_seconds")
        lines.append(
            f"| {name} | {middle(name, 'rows'):,.0f} | {cpu:.2f} | {wall:.2f} | {middle(name, 'peak_mib'):,.0f} "
            f"| {cpu / middle(BARE, 'cpu_seconds'):.2f} | {wall / middle(BARE, 'wall_seconds'):.2f} |"
        )
    return "\n".join([*lines, ""])


@click.command()
@click.option("--cases", type=click.IntRange(1, 9_999_999), default=1_000_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--smoke", is_flag=True, help="Seconds instead of minutes; the ratios mean nothing.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--child", "child_name", hidden=True)
@click.option("--place", type=click.Path(path_type=Path), hidden=True)
@click.option("--day", hidden=True)
def main(cases: int, rounds: int, smoke: bool, out: Path, child_name: str | None, place: Path, day: str) -> None:
    """Score a file of made-up cases with each learner in turn, and write the table."""
    if child_name is not None:
        child(child_name, place, date.fromisoformat(day))
        return
    cases, rounds, learned_from, trees = (500, 1, 600, 10) if smoke else (cases, rounds, 20_000, 300)
    with TemporaryDirectory() as folder:
        place = Path(folder)
        register, _ = synthesise(learned_from, 3)
        make_models(register, place, trees)
        tile(register, cases, place / "register")
        n_facts = pq.read_metadata(place / "register/facts.parquet").num_rows
        names = [BARE, *LEARNERS]
        found = [measure(name, r, place, register.extract_on) for r in range(rounds) for name in names]
    said = f"`{command('benchmarks.batch')}`; {n_facts:,} facts; medians of {rounds} rounds; {describe()}"
    text = page(found, said)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (("batch.md", text), ("batch.json", json.dumps([asdict(m) for m in found], indent=1))):
        with whole_file(out / name) as made:
            made.write_text(content, "utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
