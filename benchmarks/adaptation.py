"""Recent, still open cases earn their keep: how soon each way of learning follows a change of law.

    python -m benchmarks.adaptation --change slump   # about ten minutes on one core
    python -m benchmarks.adaptation --cases 1500 --every 12 --out out/

A synthetic register that changes on a known day is looked at every few months, before the change and after. At each look
every way learns from what was known then, and is asked about the cases of the weeks that follow; what it expects is set
against their true chance, which the register was made with. The ways:

- *censored, change looked for*: the linear hazard learner on all landmark rows, open cases included, which then looks for a
  day in the last two years since which cases close otherwise, all of them or those opened since, and follows what it
  finds (``[recent] weeks = 104`` of a plan);
- *censored, newest year*: the same learner on the landmark rows of the newest 52 weeks only;
- *censored, whole history*: the same learner on all rows;
- *matured, newest half-year* and *newest year* of cohorts: a classifier on the newest 26 or 52 weeks of openings that could
  all be followed past week 52, the fairest form of learning from matured cases only: nothing is biased, but all is old;
- *matured, as usual*: the classifier on every row with a known outcome, however young its cohort.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.adaptation_page import draw, page
from benchmarks.machine import command, describe
from models import catalogue
from risk.files import whole_file
from risk.register import Register
from risk.synthetic import synthesise
from training.fit import refresh
from training.landmarks import LandmarkRows, landmark_rows, register_at
from training.plan import Plan, read_plan

RESULTS = Path(__file__).parent / "results"
EXTRACT_ON = date(2026, 11, 16)
YEAR, HALF = timedelta(weeks=52), timedelta(weeks=26)
MONTH = 365.25 / 12
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "pace": (
        "every case closes more slowly, at all ages, and more of the new ones are hard ones",
        {"scenario": "drift"},
    ),
    "slump": (
        "every case closes at 0.6 times the pace, at all ages, and more of the new ones are hard ones",
        {"scenario": "drift", "pace": 0.6},
    ),
    "cap": (
        "a cap at week 52 before, reassessment from week 22 after (as in July 2014)",
        {"scenario": "regime", "law": "cap"},
    ),
    "reassessment": (
        "reassessment from week 22 before, none after (as from 2027)",
        {"scenario": "regime", "law": "reassessment"},
    ),
    "entrants": (
        "cases opened from that day on close at 0.6 times the pace, and more of them are hard ones; those already open go on as before",
        {"scenario": "drift", "pace": 0.6, "only_new": True},
    ),
    "entrants_law": (
        "cases opened from that day on have a reassessment from week 22 and no cap at week 52; those already open keep the cap",
        {"scenario": "regime", "law": "cap", "only_new": True},
    ),
}


@dataclass(frozen=True)
class Look:
    """One look: the day, the rows known then, and rows with their true chance to be asked about."""

    day: date
    learned: LandmarkRows
    asked: LandmarkRows
    p_true: npt.NDArray[np.float64]


def looks(made: Register, truth: pd.DataFrame, days: list[date], plan: Plan, asked_weeks: int) -> list[Look]:
    """The looks of ``days``; the rows asked about are those of the ``asked_weeks`` after each."""
    out = []
    for day in days:
        known = register_at(made, day)
        learned = landmark_rows(known, plan.landmarks.at, plan.outcome, day)
        until = day + timedelta(weeks=asked_weeks)
        asked = landmark_rows(made, plan.landmarks.at, plan.outcome, made.extract_on, since=day, until=until)
        keys = pd.DataFrame({"case_id": asked.snapshot.case_id, "landmark": asked.landmark})
        p = keys.merge(truth, on=["case_id", "landmark"], how="left", validate="one_to_one")["p_true"]
        out.append(Look(day, learned, asked, p.to_numpy()))
    return out


@dataclass(frozen=True)
class Way:
    """A learner, the rows it learns from, how many weeks back a change is looked for afterwards, and how it is drawn."""

    learner: str
    rows: Callable[[LandmarkRows, date], LandmarkRows]
    colour: str
    line: str
    recent: int | None = None


def everything(rows: LandmarkRows, day: date) -> LandmarkRows:
    """All rows known."""
    return rows


def newest_year(rows: LandmarkRows, day: date) -> LandmarkRows:
    """Rows of the 52 weeks before ``day``, by the day they were looked at."""
    return rows.take(rows.snapshot.as_of >= np.datetime64(day - YEAR, "D"))


def newest_cohorts(rows: LandmarkRows, day: date, width: timedelta = YEAR) -> LandmarkRows:
    """Rows of cases opened 52 weeks before ``day`` and in the ``width`` before that: the newest followed past week 52."""
    oldest, youngest = np.datetime64(day - YEAR - width, "D"), np.datetime64(day - YEAR, "D")
    return rows.take((rows.started_on >= oldest) & (rows.started_on < youngest))


OURS = "censored, change looked for"
MATURED = ("matured, newest half-year", "matured, newest year", "matured, as usual")
WAYS = {
    OURS: Way("linear", everything, "C0", "-", recent=104),
    "censored, newest year": Way("linear", newest_year, "C0", "--"),
    "censored, whole history": Way("linear", everything, "C0", ":"),
    "matured, newest half-year": Way("matured_only", partial(newest_cohorts, width=HALF), "C3", "-"),
    "matured, newest year": Way("matured_only", newest_cohorts, "C3", "--"),
    "matured, as usual": Way("matured_only", everything, "C3", ":"),
}


def expected(look: Look, plan: Plan) -> dict[str, float]:
    """Mean probability that each way gives the rows asked about."""
    names, fitted, out = list(plan.features.names()), {}, {}
    asked, horizon = look.asked.table(names), [float(plan.outcome.horizon_weeks)]
    for name, way in sorted(WAYS.items(), key=lambda item: item[1].recent or 0):
        rows = way.rows(look.learned, look.day)
        X = rows.table(names)
        known = [c for c in names if X[c].notna().any()]
        key = way.learner, way.rows  # a way that looks for a change starts from what its twin has learned
        if key not in fitted:
            learner = catalogue.make(way.learner, random_state=plan.seed)
            fitted[key] = learner.fit(X[known], rows.y, rows.entry, groups=rows.snapshot.person)
        if way.recent:
            refresh(fitted[key], rows, X[known], way.recent)
        out[name] = float(fitted[key].survival(asked[known], horizon, look.asked.entry).mean())
    return out


def curve(
    n_cases: int, seed: int, change: str, months: list[int], asked_weeks: int = 8, years: float = 6.5
) -> pd.DataFrame:
    """One row per month and way: ``month`` (since the change), ``way``, ``expected``, ``true``, ``error``, ``n``."""
    plan = read_plan("default")
    switch_on = EXTRACT_ON - timedelta(days=round((max(months) + 2) * MONTH + asked_weeks * 7 / 2))
    made, truth = synthesise(
        n_cases, seed, extract_on=EXTRACT_ON, years=years, switch_on=switch_on, **CHANGES[change][1]
    )
    days = [switch_on + timedelta(days=round(m * MONTH)) for m in months]
    rows = []
    for month, look in zip(months, looks(made, truth, days, plan, asked_weeks), strict=True):
        true = float(look.p_true.mean())
        for way, p in expected(look, plan).items():
            rows.append((month, way, p, true, p - true, len(look.p_true)))
            click.echo(f"seed {seed}, month {month:+d}, {way}: expected {p:.3f}, true {true:.3f}", err=True)
    return pd.DataFrame(rows, columns=["month", "way", "expected", "true", "error", "n"])


@click.command()
@click.option("--cases", type=click.IntRange(300), default=13_000, show_default=True, help="Cases of each register.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Registers, averaged.")
@click.option("--until", type=click.IntRange(6), default=30, show_default=True, help="Last month after the change.")
@click.option("--every", type=click.IntRange(1), default=3, show_default=True, help="Months between looks.")
@click.option("--change", type=click.Choice(list(CHANGES)), default="pace", show_default=True, help="What changes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True, help="Folder of the results."
)
def main(cases: int, seeds: int, until: int, every: int, change: str, out: Path) -> None:
    """Draw the curve and say how many months each way needs."""
    began = time.time()
    months = list(range(-2 * every, until + 1, every))
    with threadpool_limits(1):
        tables = [curve(cases, seed, change, months) for seed in range(seeds)]
    every_one = pd.concat(tables)
    every_one["worst"] = every_one["error"].abs()
    what = {"expected": "mean", "true": "mean", "error": "mean", "worst": "max"}
    mean = every_one.groupby(["month", "way"], sort=False).agg(what).reset_index()
    name = f"adaptation_{change}"
    head = (
        f"{seeds} synthetic registers of {cases:,} cases. What changes: {CHANGES[change][0]}. "
        f"{describe()}, {time.time() - began:,.0f} s. What each way is:"
    )
    explained = (__doc__ or "").split("The ways:\n\n")[1].strip()
    text = page(
        mean, list(WAYS), OURS, MATURED, [f"`{command('benchmarks.adaptation')}`", head, explained], f"{name}.svg"
    )
    with whole_file(out / f"{name}.svg") as path:
        draw(mean, {way: (how.colour, how.line) for way, how in WAYS.items()}, path)
    with whole_file(out / f"{name}.md") as path:
        path.write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
