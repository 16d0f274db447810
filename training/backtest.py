"""The backtest: retrain as it would have happened, score the weeks that followed, and see what came of it.

At each origin the register is cut to what was known then, every learner is fitted with the same :func:`training.fit.fit`
that makes the final model, and the landmark rows of the weeks after it are scored by :mod:`risk.scoring`, as the list
and the service would have done. Outcomes are those known today. Metrics are computed per landmark and origin; the line
over all origins is the plain mean of the origins' numbers, never a pool of their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from models import metrics
from risk.errors import TooFewCasesError
from risk.register import Register
from risk.weeks import as_days
from training import judging
from training.comparison import Losses, compare
from training.landmarks import week_before
from training.origin import LIST_COLUMNS, METRIC_COLUMNS, Detail, Origin, joined
from training.plan import Plan
from training.results import Backtest

Progress = Callable[[str, float], None]
_CALIBRATION_COLUMNS = ["landmark", "learner", "bin", "p_mean", "observed", "low", "high", "n"]
_SPLIT_COLUMNS = [
    "origin",
    "train_from",
    "judged_from",
    "judged_to",
    "followed_to",
    "n_train_rows",
    "n_train_cases",
    "n_judged_rows",
    "n_judged_exceeded",
    "is_whole",
]


def origins(known: Register, as_of: date, plan: Plan) -> tuple[list[date], str]:
    """Days on which the model would have been trained, oldest first, and a word when the register is young.

    The newest is chosen so that every case of the weeks judged could be followed to the horizon by ``as_of``. When there
    is too little history before it, one earlier-judged origin remains whose older landmarks alone can be followed.
    """
    asked, horizon = plan.backtest, plan.outcome.horizon_weeks
    first: date = as_days(known.cases["registered_on"]).min().astype(object)
    least = first + timedelta(weeks=asked.least_history_weeks)
    if asked.at:
        inside = sorted(d for d in set(asked.at) if first < d < as_of)
        return inside, "" if inside else f"none of the planned origins lies between {first} and {as_of}"
    newest = week_before(as_of, horizon + asked.window_weeks)
    days = [newest - timedelta(weeks=k * asked.spacing_weeks) for k in range(asked.origins)]
    enough = sorted(d for d in days if d >= least)
    if enough:
        return enough, ""
    ages = [float(a) for a in plan.landmarks.at if not isinstance(a, str) and a < horizon]
    latest = week_before(as_of, asked.window_weeks + horizon - max(ages, default=0.0))
    if least <= latest:
        return [least], "the register is young: only landmarks late enough to be followed to the horizon are judged"
    return [], (
        f"the register begins {first} and is looked at from {as_of}: too young to train, wait {horizon} weeks and judge; "
        f"a backtest needs about {asked.least_history_weeks + asked.window_weeks + horizon} weeks"
    )


def backtest(
    known: Register, as_of: date, plan: Plan, progress: Progress = lambda text, share: None
) -> tuple[Backtest, Detail]:
    """Judge every learner of the plan at every origin.

    Parameters
    ----------
    known : Register
        Cut at ``as_of``.
    progress : callable
        Told in words what is being done, and the share done.

    Returns
    -------
    Backtest, Detail
        Both empty, with a note, when the register is too young.
    """
    days, note = origins(known, as_of, plan)
    seen: list[Origin] = []
    losses: list[Losses] = []
    detail = Detail({}, {})
    tables: dict[str, list[pd.DataFrame]] = {"metrics": [], "lists": []}
    for day in days:
        try:
            seen.append(Origin.at(known, day, as_of, plan))
        except TooFewCasesError as why:
            note = f"{note}; origin {day} was left out: {why}".lstrip("; ")
    names = _to_fit(seen, plan)
    for number, origin in enumerate(seen):
        for j, name in enumerate(names):
            progress(f"backtest {origin.day}: {name}", (number + j / len(names)) / len(seen))
            origin.score(name, plan)
        tables["metrics"] += [origin.landmark_metrics(plan, detail), origin.list_metrics(plan, detail)]
        tables["lists"].append(origin.lists())
        losses += origin.losses(plan)
    if not seen:
        return empty(note or "no origin could be judged"), detail
    for name in names:
        detail.mondays[name] = pd.concat([o.mondays[name] for o in seen], ignore_index=True)
    by_origin = joined(tables["metrics"], METRIC_COLUMNS)
    both = joined([by_origin, over_origins(by_origin, detail)], METRIC_COLUMNS)
    made = Backtest(
        metrics=both.assign(origin=pd.to_datetime(both["origin"])),
        calibration=_calibration_tables(seen, plan),
        lists=joined(tables["lists"], LIST_COLUMNS),
        splits=pd.DataFrame([o.split(plan) for o in seen], columns=_SPLIT_COLUMNS),
        note=note,
        comparisons=compare(losses, plan.learners.candidates),
    )
    return made, detail


def empty(note: str) -> Backtest:
    """A backtest that could not be made, and why."""
    return Backtest(
        metrics=pd.DataFrame(columns=METRIC_COLUMNS),
        calibration=pd.DataFrame(columns=_CALIBRATION_COLUMNS),
        lists=pd.DataFrame(columns=LIST_COLUMNS),
        splits=pd.DataFrame(columns=_SPLIT_COLUMNS),
        note=note,
    )


def _to_fit(seen: list[Origin], plan: Plan) -> list[str]:
    """Every learner of the plan; of the candidates only the one that will serve where there are too few rows to compare on."""
    if any(origin.cells for origin in seen):
        return list(plan.all_learners)
    serves = plan.learners.candidates[0] if plan.champion == "auto" else plan.champion
    return [name for name in plan.all_learners if name == serves or name not in plan.learners.candidates]


def over_origins(by_origin: pd.DataFrame, detail: Detail) -> pd.DataFrame:
    """The mean over origins of every number, with the interval of that mean: persons drawn within each origin."""
    made: list[dict[str, object]] = []
    for keys, table in by_origin.groupby(["landmark", "learner", "metric"], sort=False):
        landmark, learner, metric = map(str, keys)
        found = judging.mean_of(metric, [detail.draws[o, landmark, learner][metric] for o in table["origin"]])
        counts = {"n": int(table["n"].sum()), "n_exceed": int(table["n_exceed"].sum())}
        made.append({"origin": pd.NaT, "landmark": landmark, "learner": learner, "metric": metric, **found, **counts})
    return pd.DataFrame(made, columns=METRIC_COLUMNS)


def _calibration_tables(seen: list[Origin], plan: Plan) -> pd.DataFrame:
    """Observed against predicted by bins of the score, the origins of a landmark together."""
    horizon, made = float(plan.outcome.horizon_weeks), []
    for landmark in plan.landmarks.names:
        there = [(o, *o.cells[landmark]) for o in seen if landmark in o.cells]
        for name in seen[0].p if there else ():
            at = [(o, here[cell.at], cell.w) for o, here, cell in there]
            p = np.concatenate([o.p[name][rows] for o, rows, _ in at])
            scored = np.isfinite(p)
            y = np.concatenate([o.rows.y[rows] for o, rows, _ in at])[scored]
            entry = np.concatenate([o.rows.entry[rows] for o, rows, _ in at])[scored]
            w = np.concatenate([w for _, _, w in at])[scored]
            found = metrics.calibration(y, p[scored], horizon, entry=entry, weights=w, bins=plan.backtest.bins)
            made.append(found.table.assign(landmark=landmark, learner=name, bin=np.arange(len(found.table))))
    return joined(made, _CALIBRATION_COLUMNS)
