"""Does the 90 % interval around a score hold the case's true chance? On the made-up register, where that is known.

    python -m benchmarks.interval_coverage                       # some minutes on one core
    python -m benchmarks.interval_coverage --smoke --out out/    # seconds; shows that it runs

Each model is trained as ``risk train`` does it and judged on cases of another register, drawn from the same world, at the
landmarks they passed in the year before the extract. Their true chance is that of the oracle who sees all that is recorded. Beside the
interval as it is served stands the one of recalibration alone, which covers the share among cases of one score, and the width of
one that nobody can have: as wide in log-odds for every case, and just as wide as it must be to hold the truth that often.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from benchmarks.machine import command, describe
from benchmarks.quality_page import grid
from models.calibration import Calibrator
from risk.files import whole_file
from risk.synthetic import synthesise
from training.certainty import learn_spread
from training.fit import fit, prepare
from training.landmarks import LandmarkRows, landmark_rows
from training.plan import Plan, read_plan

RESULTS = Path(__file__).parent / "results"
# How the interval widens was chosen on registers 0 to 3, judged on 991, and 10 to 12, judged on 992: here it meets others.
FIRST, JUDGED = 20, 993
COVERAGE, DECILES = 0.9, 10
LEARNERS = ("additive", "linear", "hazard", "direct", "stacked")  # all that may serve
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Cases no model has seen, and what is true of them."""

    rows: LandmarkRows
    X: pd.DataFrame
    truth: Floats


def judged_cases(n_cases: int, seed: int, plan: Plan) -> Judged:
    """Landmark rows of the last 52 weeks of a register of its own."""
    register, truth = synthesise(n_cases, seed)
    rows = landmark_rows(register, plan.landmarks.at, plan.outcome, register.extract_on)
    since = np.datetime64(register.extract_on, "D") - np.timedelta64(364, "D")
    rows = rows.take((rows.snapshot.as_of >= since) & (rows.entry < plan.outcome.horizon_weeks))
    keys = pd.DataFrame({"case_id": rows.snapshot.case_id, "landmark": rows.landmark})
    known = keys.merge(truth, on=["case_id", "landmark"], how="left", validate="one_to_one")
    return Judged(rows, rows.table(plan.features.names()), known["p_observable"].to_numpy())


def one_model(name: str, n_cases: int, seed: int, judged: Judged, plan: Plan) -> dict[str, Any]:
    """Train one learner on one register and see what its intervals hold."""
    register, _ = synthesise(n_cases, seed)
    material = prepare(register, plan, register.extract_on)
    bundle = fit(name, material, plan)
    calibrator = bundle.calibrator
    assert isinstance(calibrator, Calibrator)
    entry, truth = judged.rows.entry, judged.truth
    week = float(plan.outcome.horizon_weeks)
    raw = bundle.learner.survival(judged.X[list(material.names)], [week], entry)[:, 0]
    p = calibrator.apply(raw, entry)
    map_only = inside(calibrator.interval(raw, entry, COVERAGE), truth)
    learn_spread(bundle.learner, calibrator, material, plan)
    ends = calibrator.interval(raw, entry, COVERAGE)
    held = inside(ends, truth)
    decile = np.argsort(np.argsort(p, kind="stable"), kind="stable") * DECILES // len(p)
    landmarks = [m for m in plan.landmarks.names if (judged.rows.landmark == m).any()]
    return {
        "cases": n_cases,
        "learner": name,
        "seed": seed,
        "n_judged": len(p),
        "held": float(held.mean()),
        "held_by_map_alone": float(map_only.mean()),
        "width": float((ends[1] - ends[0]).mean()),
        "width_by_truth": width_by_truth(p, truth),
        "mean_error": float(np.abs(p - truth).mean()),
        "by_landmark": {m: float(held[judged.rows.landmark == m].mean()) for m in landmarks},
        "by_decile": [float(held[decile == d].mean()) for d in range(DECILES)],
    }


def inside(ends: tuple[Floats, Floats], truth: Floats) -> npt.NDArray[np.bool_]:
    """Which true chances lie between the two ends, (n,)."""
    return (ends[0] <= truth) & (truth <= ends[1])


def width_by_truth(p: Floats, truth: Floats) -> float:
    """Mean width of the interval of constant width in log-odds that holds the share asked for of these cases."""
    x, at = (logit(np.clip(v, 1e-6, 1 - 1e-6)) for v in (p, truth))
    half = np.quantile(np.abs(x - at), COVERAGE)
    return float((expit(x + half) - expit(x - half)).mean())


def page(records: list[dict[str, Any]], head: dict[str, str]) -> str:
    """The tables in Markdown: means over seeds, and the range of the seeds where there are several."""
    keys = list(dict.fromkeys((r["cases"], r["learner"]) for r in records))
    groups = {k: [r for r in records if (r["cases"], r["learner"]) == k] for k in keys}
    marks = list(records[0]["by_landmark"])
    whole = [
        [f"{n:,}", name, _range([r["held"] for r in of]), _range([r["held_by_map_alone"] for r in of]),
         f"{np.mean([r['width'] for r in of]):.3f}", f"{np.mean([r['width_by_truth'] for r in of]):.3f}",
         f"{np.mean([r['mean_error'] for r in of]):.3f}", str(len(of))]
        for (n, name), of in groups.items()
    ]  # fmt: skip
    by_mark = [
        [f"{n:,}", name, *(f"{100 * np.mean([r['by_landmark'][m] for r in of]):.0f}" for m in marks)]
        for (n, name), of in groups.items()
    ]
    by_decile = [
        [f"{n:,}", name, *(f"{100 * np.mean([r['by_decile'][d] for r in of]):.0f}" for d in range(DECILES))]
        for (n, name), of in groups.items()
    ]
    parts = [
        f"# What the {COVERAGE:.0%} interval of a score holds",
        f"`{head['command']}`; {head['machine']}; {head['seconds']} s. Trained as of the extract date, at most 30,000 landmark "
        f"rows (plan demo); judged on {records[0]['n_judged']:,} landmark rows of another register. In per cent: how often the true chance of "
        "a case, given all that is recorded of it, lies inside. *By the truth* is the width of the interval of one width in log-odds for all "
        f"cases that holds {COVERAGE:.0%} of them, which only who knows the truth can draw.",
        grid(["cases", "learner", "interval as served", "recalibration alone", "mean width", "by the truth", "mean error of p", "registers"], whole),
        "## By landmark",
        grid(["cases", "learner", *marks], by_mark),
        "## By tenth of the score, lowest first",
        grid(["cases", "learner", *(str(d + 1) for d in range(DECILES))], by_decile),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _range(shares: list[float]) -> str:
    mean = f"{100 * np.mean(shares):.0f}"
    return mean if len(shares) == 1 else f"{mean} ({100 * min(shares):.0f} to {100 * max(shares):.0f})"


@click.command()
@click.option("--smoke", is_flag=True, help="Tiny sizes: does it run?")
@click.option("--cases", multiple=True, type=int, default=(5_000, 30_000), show_default=True, help="Register sizes.")
@click.option("--registers", default=3, show_default=True, help="Registers of each size (one of the larger ones).")
@click.option("--first", default=FIRST, show_default=True, help="Seed of the first register; the others follow.")
@click.option("--learner", "learners", multiple=True, default=LEARNERS, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder of the results.")
def main(smoke: bool, cases: tuple[int, ...], registers: int, first: int, learners: tuple[str, ...], out: Path) -> None:
    """Train, judge and write the tables."""
    began = time.time()
    plan = read_plan("demo")
    if smoke:
        cases, registers, learners = (1200,), 1, ("linear",)
        plan = plan.changed(landmarks={"at": ("registration", 13)}, calibration={"least_each": 10})
    judged = judged_cases(600 if smoke else 6_000, JUDGED, plan)
    records = []
    for n in cases:
        for seed in range(first, first + (registers if n <= 5_000 else 1)):
            for name in learners:
                records.append(one_model(name, n, seed, judged, plan))
                click.echo(json.dumps(records[-1]), err=True)
    head = {"command": command("benchmarks.interval_coverage"), "machine": describe()}
    head["seconds"] = str(round(time.time() - began))
    text = page(records, head)
    with whole_file(out / "interval_coverage.md") as path:
        path.write_text(text, encoding="utf-8")
    with whole_file(out / "interval_coverage.json") as path:
        path.write_text(json.dumps({"head": head, "records": records}, indent=1) + "\n", encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
