"""How fast, against what is there anyway: every number is a ratio of two things timed in turn in one run.

    python -m benchmarks.speed                       # about a quarter of an hour on one core
    python -m benchmarks.speed --only scoring        # one part: results/speed_scoring.md
    python -m benchmarks.speed --smoke --out out/    # seconds; shows that it runs, its ratios mean nothing

One thread for both sides, CPU seconds of the process, the median over rounds. Limits are those of the plan: a ratio
outside its limit is shown as such and not hidden.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks import peers, sets
from benchmarks.machine import command, describe
from benchmarks.quality_page import grid
from benchmarks.speed_memory import fit_memory
from benchmarks.speed_rows import classifier, make_rows
from models import catalogue, metrics
from models.arrays import expit
from models.contract import Learner
from risk.files import whole_file

RESULTS = Path(__file__).parent / "results"
WEEK = 52.0
OURS = ("linear", "hazard", "direct", "stacked")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the plan's sizes, or just enough to run."""

    fit_rows: int = 100_000
    fit_columns: int = 40
    trees: int = 300
    train_rows: int = 50_000
    score_rows: int = 1_000_000
    columns: int = 30
    rounds: int = 3
    one_case: int = 400
    peer_rows: int = 5_000


SMOKE = Sizes(1500, 6, 5, 1500, 2000, 5, 1, 5, 200)


@dataclass(frozen=True)
class Ratio:
    """One line of the table: ``value`` (in ``unit``) must be at most ``limit``, or at least, as ``at_least`` says."""

    what: str
    value: float
    limit: float
    unit: str
    detail: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def in_turn(rounds: int, *jobs: Callable[[], Any]) -> list[float]:
    """Median CPU seconds of each job; the jobs take turns, so that a busy machine is busy for all of them."""
    seconds = np.empty((rounds, len(jobs)))
    for r in range(rounds):
        for j, job in enumerate(jobs):
            began = time.process_time()
            job()
            seconds[r, j] = time.process_time() - began
    return [float(s) for s in np.median(seconds, axis=0)]


def fitting(size: Sizes) -> Iterator[Ratio]:
    """The hazard learner against a plain classifier with the same trees on the same cases."""
    made = make_rows(size.fit_rows, size.fit_columns, seed=1)
    fixed = {"n_estimators": size.trees, "patience": 0}
    hazard = catalogue.make("hazard", **fixed)
    ours, plain = in_turn(
        min(size.rounds, 2),
        lambda: hazard.fit(made.X, made.y, made.entry),
        lambda: classifier(made, size.trees, hazard.get_params()["num_leaves"]),
    )
    rows = f"{size.fit_rows:,} x {size.fit_columns}"
    yield Ratio(
        "fit hazard / plain classifier",
        ours / plain,
        3.0,
        "x",
        f"{rows}, {size.trees} trees: {ours:.1f} s, {plain:.1f} s",
    )
    grown, matrix = fit_memory(size.fit_rows, size.fit_columns, size.trees)
    detail = f"{rows}: {grown / 2**20:.0f} MiB more in a process of its own, matrix {matrix / 2**20:.0f} MiB"
    yield Ratio("memory to fit hazard / feature matrix", grown / matrix, 2.0, "x", detail)


def scoring(size: Sizes) -> Iterator[Ratio]:
    """A million cases: tables against trees, trees against bare trees; then one case with its reasons."""
    made = make_rows(size.train_rows, size.columns, seed=2, categories=0)
    many = make_rows(size.score_rows, size.columns, seed=3, categories=0)
    bare = classifier(made, size.trees, 31)
    fixed = {"n_estimators": size.trees, "patience": 0}
    additive = catalogue.make("additive", **fixed).fit(made.X, made.y, made.entry)
    direct = catalogue.make("direct", num_leaves=31, **fixed).fit(made.X, made.y, made.entry)
    hazard = catalogue.make("hazard", num_leaves=31, **fixed).fit(made.X, made.y, made.entry)
    matrix = additive.columns_.encode(many.X)
    with_age = np.column_stack([matrix, many.entry])
    rows = f"{size.score_rows:,} cases"
    tables, trees = in_turn(
        size.rounds,
        lambda: score_with_parts(additive, matrix, many.entry),
        lambda: bare.predict(matrix, num_threads=1),
    )
    yield Ratio(
        f"score additive with contributions / Booster.predict {size.trees} x 31", tables / trees, 0.15, "x",
        f"{rows}: {1e6 * tables / len(matrix):.2f} and {1e6 * trees / len(matrix):.2f} microseconds a case",
    )  # fmt: skip
    ours, own = in_turn(
        size.rounds,
        lambda: direct.survival_encoded(matrix, [WEEK], many.entry),
        lambda: direct.booster_.predict(with_age, raw_score=True, num_threads=1),
    )
    yield Ratio(
        "score direct / Booster.predict of its trees", ours / own, 1.1, "x", f"{rows}: {ours:.1f} s, {own:.1f} s"
    )
    some = slice(0, max(len(matrix) // 10, 1))
    bands = bands_ahead(hazard, many.entry[some])
    with_band = np.column_stack([with_age[some], np.zeros(len(matrix[some]))])
    ours, own = in_turn(
        size.rounds,
        lambda: hazard.survival_encoded(matrix[some], [WEEK], many.entry[some]),
        lambda: hazard.booster_.predict(with_band, raw_score=True, num_threads=1),
    )
    detail = f"{len(matrix[some]):,} cases, {bands:.2f} bands of weeks ahead on average: {ours:.2f} s, {own:.2f} s"
    yield Ratio("score hazard / Booster.predict, per remaining period", ours / own / bands, 1.2, "x", detail)
    small = catalogue.make("direct", num_leaves=8, **fixed).fit(made.X, made.y, made.entry)
    yield reasons(small, with_age[: max(len(matrix) // 50, 1)], size.rounds)
    for learner, limit in ((additive, 60.0), (direct, 3000.0)):
        micro = one_case(learner, matrix, many.entry, size.one_case)
        yield Ratio(f"one case with reasons, {learner.name}", micro, limit, "microseconds", "encoded input, median")


def reasons(direct: Learner, with_age: Floats, rounds: int) -> Ratio:
    """What each column adds, for many rows at once, against LightGBM's Shapley values of the same trees."""
    matrix, entry = np.ascontiguousarray(with_age[:, :-1]), np.ascontiguousarray(with_age[:, -1])
    direct.contributions_encoded(matrix, WEEK, entry)  # the tables are made once, on first use
    ours, own = in_turn(
        rounds,
        lambda: direct.contributions_encoded(matrix, WEEK, entry),
        lambda: direct.booster_.predict(with_age, pred_contrib=True, num_threads=1),
    )
    n_trees, n_leaves = direct.booster_.num_trees(), direct.get_params()["num_leaves"]
    return Ratio(
        f"reasons of direct / Booster.predict(pred_contrib=True), {n_trees} x {n_leaves}", ours / own, 0.1, "x",
        f"{len(matrix):,} cases: {1e6 * ours / len(matrix):.1f} and {1e6 * own / len(matrix):.0f} microseconds a case",
    )  # fmt: skip


def score_with_parts(learner: Learner, matrix: Floats, entry: Floats) -> tuple[Floats, Floats]:
    """Probability and every contribution of each row."""
    parts, base = learner.contributions_encoded(matrix, WEEK, entry)
    return expit(base + parts.sum(axis=1)), parts


def one_case(learner: Learner, matrix: Floats, entry: Floats, n: int) -> float:
    """Median CPU microseconds from one encoded row to its probability and its three weightiest features."""
    seconds = []
    for i in range(n):
        row, age = matrix[i : i + 1], entry[i : i + 1]
        began = time.process_time()
        p = learner.survival_encoded(row, [WEEK], age)
        parts, _ = learner.contributions_encoded(row, WEEK, age)
        top = np.argsort(-np.abs(parts[0]))[:3]
        seconds.append(time.process_time() - began)
        assert p.shape == (1, 1)
        assert len(top) == 3
    return 1e6 * float(np.median(seconds))


def bands_ahead(hazard: Any, entry: Floats) -> float:
    """In how many bands of weeks a case is still to be scored, on average."""
    exposed = hazard.periods_.exposure(entry, np.full(len(entry), WEEK)) > 0
    return float(np.mean([len(np.unique(hazard.band_[row])) for row in exposed]))


def against_peers(size: Sizes, found: sets.CensoredSet) -> Iterator[Ratio]:
    """Fitting time against SurvivalBoost and a forest of 200 trees, and what it buys: Brier on the rows left over."""
    lot = np.random.default_rng(0).permutation(len(found))
    train, test = found.take(np.sort(lot[: size.peer_rows])), found.take(np.sort(lot[size.peer_rows :]))
    scores: dict[str, tuple[float, float]] = {}
    defaults: dict[str, dict[str, Any]] = {"forest": {"min_samples_leaf": 10}, "survivalboost": {}}
    installed = [n for n in defaults if peers.is_installed(n)]
    for name in (*OURS, *installed):
        if name in peers.PEERS:
            learner: Any = peers.PEERS[name](found.week, defaults[name])
        else:
            known = catalogue.learner_class(name)._get_param_names()
            given = {"horizons": found.horizons, "horizon": found.week}
            learner = catalogue.make(name, **{k: v for k, v in given.items() if k in known})
        began = time.process_time()
        learner.fit(train.X, train.y, entry=train.entry, groups=train.group)
        seconds = time.process_time() - began
        p = learner.survival(test.X, [found.week], test.entry)[:, 0]
        scores[name] = (seconds, metrics.brier(test.judged, p, found.week, entry=test.entry))
    for peer in installed:
        for ours in OURS:
            (mine, brier), (theirs, peer_brier) = scores[ours], scores[peer]
            better = "equal or better" if brier <= peer_brier else "WORSE"
            detail = f"{found.name}, {len(train):,} rows: {mine:.2f} s, {theirs:.1f} s; Brier {brier:.4f}, {peer_brier:.4f}: {better}"
            limit = 20.0 if peer == "survivalboost" else 5.0
            yield Ratio(f"fit {peers.PEERS[peer].title} / fit {ours}", theirs / mine, limit, "x", detail, at_least=True)


@click.command()
@click.option("--smoke", is_flag=True, help="Tiny sizes: does it run?")
@click.option("--only", type=click.Choice(["fitting", "scoring", "peers"]), help="One part; all when not given.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True, help="Folder of the results."
)
def main(smoke: bool, only: str | None, out: Path) -> None:
    """Time everything and write the table."""
    began = time.time()
    size = SMOKE if smoke else Sizes()
    found, notes = _peer_set(smoke)
    size = replace(size, peer_rows=min(size.peer_rows, len(found) * 2 // 3))
    parts: dict[str, Callable[[], Iterator[Ratio]]] = {
        "fitting": lambda: fitting(size),
        "scoring": lambda: scoring(size),
        "peers": lambda: against_peers(size, found),
    }
    ratios = []
    with threadpool_limits(1):
        for kind, part in parts.items():
            for ratio in part() if only in (None, kind) else ():
                click.echo(f"{ratio.what}: {ratio.value:.3g} {ratio.unit} ({ratio.detail})", err=True)
                ratios.append(ratio)
    head = {"command": command("benchmarks.speed"), "machine": describe()}
    head |= {"seconds": str(round(time.time() - began)), "sizes": json.dumps(asdict(size))}
    notes = notes if only in (None, "peers") else []
    text = page(ratios, notes, head)
    name = f"speed_{only}" if only else "speed"
    with whole_file(out / f"{name}.md") as path:
        path.write_text(text, encoding="utf-8")
    with whole_file(out / f"{name}.json") as path:
        made = [asdict(r) | {"holds": r.holds} for r in ratios]
        path.write_text(json.dumps({"head": head, "notes": notes, "ratios": made}, indent=1) + "\n", encoding="utf-8")
    click.echo(text)


def _peer_set(smoke: bool) -> tuple[sets.CensoredSet, list[str]]:
    name = "support2"
    notes = [f"{n}: not installed" for n in ("forest", "survivalboost") if not peers.is_installed(n)]
    if peers.is_installed("survivalboost"):
        notes += [
            "SurvivalBoost grows its trees with a classifier that it hands no seed: its Brier moves from run to run."
        ]
    if smoke or not sets.is_installed(name):
        notes += [] if smoke else ["support2: SurvSet is not installed; the injury durations instead"]
        name = "injury_smoke" if smoke else "injury_censored"
    return sets.load(name), notes


def page(ratios: list[Ratio], notes: list[str], head: dict[str, str]) -> str:
    """The table in Markdown."""
    rows = [
        [r.what, f"{r.value:.3g} {r.unit}", f"{'at least' if r.at_least else 'at most'} {r.limit:g}", "yes" if r.holds else "**no**",
         r.detail]
        for r in ratios
    ]  # fmt: skip
    parts = [
        "# Speed and memory, as ratios in one run",
        f"`{head['command']}`; {head['machine']}; {head['seconds']} s. One thread on both sides, CPU seconds, medians of "
        f"rounds in turn. Sizes: {head['sizes']}.",
        grid(["", "measured", "limit", "holds", "detail"], rows),
        *notes,
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
