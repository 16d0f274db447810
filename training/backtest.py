"""The backtest: retrain as it would have happened, score the weeks that followed, and see what came of it.

At each origin the register is cut to what was known then, every learner is fitted with the same :func:`training.fit.fit`
that makes the final model, and the landmark rows of the weeks after it are scored by :mod:`risk.scoring`, as the list
and the service would have done. Outcomes are those known today. Metrics are computed per landmark and origin; the line
over all origins is the plain mean of the origins' numbers, never a pool of their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import censoring, metrics
from risk.errors import TooFewCasesError
from risk.register import Register
from risk.scoring import entry_weeks, score_snapshot
from risk.snapshot import take_snapshot
from risk.weeks import Floats, as_days, monday_of
from training import judging
from training.comparison import Losses, compare
from training.fit import Material, fit, prepare
from training.landmarks import LandmarkRows, landmark_rows, outcomes_of, register_at, week_before
from training.plan import Plan
from training.results import Backtest

BASELINE, RULE, LIST = "baseline", "longest_open", "list"
Progress = Callable[[str, float], None]
_METRIC_COLUMNS = ["origin", "landmark", "learner", "metric", "value", "low", "high", "n", "n_exceed"]
_CALIBRATION_COLUMNS = ["landmark", "learner", "bin", "p_mean", "observed", "low", "high", "n"]
_LIST_COLUMNS = ["origin", "monday", "learner", "n_open", "n_listed", "precision", "recall", "rule_precision"]
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


@dataclass
class Detail:
    """What a backtest found, row by row, for the steps that look closer (choice of learner, gates, fairness).

    Attributes
    ----------
    mondays : dict of DataFrame
        Per learner, one row per open case and simulated Monday: ``origin, monday, position, person, team, p, held`` (share
        of a place on the list), ``outcome, w`` (1 exceeded; censoring weight, 0 where not known).
    draws : dict
        ``(origin, landmark, learner) -> {metric: (B,) draws}``.
    """

    mondays: dict[str, pd.DataFrame]
    draws: dict[tuple[date, str, str], dict[str, Floats]]


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
    seen: list[_Origin] = []
    losses: list[Losses] = []
    detail = Detail({}, {})
    tables: dict[str, list[pd.DataFrame]] = {"metrics": [], "lists": []}
    for day in days:
        try:
            seen.append(_Origin.at(known, day, as_of, plan))
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
    by_origin = _joined(tables["metrics"], _METRIC_COLUMNS)
    both = _joined([by_origin, over_origins(by_origin, detail)], _METRIC_COLUMNS)
    made = Backtest(
        metrics=both.assign(origin=pd.to_datetime(both["origin"])),
        calibration=_calibration_tables(seen, plan),
        lists=_joined(tables["lists"], _LIST_COLUMNS),
        splits=pd.DataFrame([o.split(plan) for o in seen], columns=_SPLIT_COLUMNS),
        note=note,
        comparisons=compare(losses, plan.learners.candidates),
    )
    return made, detail


def empty(note: str) -> Backtest:
    """A backtest that could not be made, and why."""
    return Backtest(
        metrics=pd.DataFrame(columns=_METRIC_COLUMNS),
        calibration=pd.DataFrame(columns=_CALIBRATION_COLUMNS),
        lists=pd.DataFrame(columns=_LIST_COLUMNS),
        splits=pd.DataFrame(columns=_SPLIT_COLUMNS),
        note=note,
    )


def _to_fit(seen: list[_Origin], plan: Plan) -> list[str]:
    """Every learner of the plan; of the candidates only the one that will serve where there are too few rows to compare on."""
    if any(origin.cells for origin in seen):
        return list(plan.all_learners)
    serves = plan.learners.candidates[0] if plan.champion == "auto" else plan.champion
    return [name for name in plan.all_learners if name == serves or name not in plan.learners.candidates]


class _Origin:
    """One simulated retraining and the weeks after it."""

    def __init__(self, day: date, material: Material, rows: LandmarkRows, known: Register, window: tuple[date, date]):
        self.day, self.material, self.rows, self.known, self.window = day, material, rows, known, window
        self.p: dict[str, Floats] = {}
        self.mondays: dict[str, pd.DataFrame] = {}
        self.cells: dict[str, tuple[npt.NDArray[np.int64], judging.Cell]] = {}

    @classmethod
    def at(cls, known: Register, day: date, as_of: date, plan: Plan) -> _Origin:
        material = prepare(register_at(known, day), plan, day)
        until = min(day + timedelta(weeks=plan.backtest.window_weeks), as_of)
        rows = landmark_rows(known, plan.landmarks.at, plan.outcome, as_of, since=day, until=until)
        origin = cls(day, material, rows.take(rows.entry < plan.outcome.horizon_weeks), known, (day, until))
        origin._make_cells(plan)
        origin._look_on_mondays(plan, as_of)
        return origin

    def _make_cells(self, plan: Plan) -> None:
        rows, horizon = self.rows, float(plan.outcome.horizon_weeks)
        for j, landmark in enumerate(plan.landmarks.names):
            here = np.flatnonzero(rows.landmark == landmark)
            cell = judging.make_cell(
                rows.y[here],
                rows.entry[here],
                rows.started_on[here],
                rows.cut_on,
                horizon,
                rows.snapshot.person[here],
                plan.backtest.draws,
                plan.seed + j,
            )
            if len(cell.at) >= plan.backtest.least_rows and cell.n_exceeded >= plan.backtest.least_exceeded:
                self.cells[landmark] = (here, cell)

    def _look_on_mondays(self, plan: Plan, as_of: date) -> None:
        """The Mondays to list, and what is known today of the cases open on them."""
        definition, horizon = plan.outcome, float(plan.outcome.horizon_weeks)
        y = outcomes_of(self.known, definition, as_of)
        started = definition.clock_start(self.known.cases)
        team = self.known.cases["team"].to_numpy(dtype=object)
        self._snapshots = []
        for monday in _mondays(*self.window, plan.backtest.mondays):
            snapshot = take_snapshot(self.known, monday)
            entry = entry_weeks(snapshot, definition)
            # Only the cases that compete for places first: among all, "longest first" is nearly always right, never early.
            at, under = snapshot.position, entry < min(horizon, plan.capacity.first_until_week)
            judged = under & censoring.judged_rows(y[at], horizon, started[at], as_of)
            w = np.zeros(len(at))
            if judged.any():
                here = at[judged]
                w[judged] = censoring.weights(y[here], horizon, entry[judged], started[here], cut_on=as_of)
            table = pd.DataFrame(
                {
                    "origin": self.day,
                    "monday": monday,
                    "position": at,
                    "person": snapshot.person,
                    "team": team[at],
                    "competes": under,
                    "outcome": np.nan_to_num(censoring.exceeds(y[at], horizon)),
                    "w": w,
                }
            )
            self._snapshots.append((snapshot, table))

    def score(self, name: str, plan: Plan) -> None:
        """Train one learner as of the origin and score what came after, through the same door as the list."""
        bundle = fit(name, self.material, plan)
        self.p[name] = score_snapshot(self.rows.snapshot, bundle).p_exceed
        parts = []
        for snapshot, table in self._snapshots:
            p = score_snapshot(snapshot, bundle).p_exceed
            listable = np.isfinite(p) & table["competes"].to_numpy()
            parts.append(_listed(table[listable].assign(p=p[listable]), plan))
        self.mondays[name] = _joined(parts, [*self._snapshots[0][1].columns, "p", "held"] if self._snapshots else [])

    def landmark_metrics(self, plan: Plan, detail: Detail) -> pd.DataFrame:
        made = []
        for landmark, (here, cell) in self.cells.items():
            at = here[cell.at]
            for name in self.p:
                p = self.p[name][at]
                scored = np.isfinite(p)  # a case that misses what scoring requires is listed by deadline, not by score
                used = cell if scored.all() else _narrowed(cell, scored)
                baseline, rule = self.p[BASELINE][at][scored], self.p[RULE][at][scored]
                draws = judging.draw_metrics(used, p[scored], baseline, rule, plan.capacity.share)
                detail.draws[self.day, landmark, name] = draws
                rows, horizon = at[scored], float(plan.outcome.horizon_weeks)
                found = metrics.calibration(
                    self.rows.y[rows], p[scored], horizon, entry=self.rows.entry[rows], weights=used.w
                )
                slope, intercept = judging.calibration_errors(used, p[scored])
                detail.draws[self.day, landmark, name] |= {
                    "calibration_slope": np.array([found.slope, slope]),
                    "calibration_intercept": np.array([found.intercept, intercept]),
                    "calibration_ici": judging.ici_draws(used, p[scored], found.ici, plan.seed),
                }
                table = judging.summary(detail.draws[self.day, landmark, name])
                made.append(table.assign(origin=self.day, landmark=landmark, learner=name, **_counts(used)))
        return _joined(made, _METRIC_COLUMNS)

    def losses(self, plan: Plan) -> list[Losses]:
        """Squared distances of the candidates from what came, row by row, for the choice between them."""
        made = []
        for landmark, (here, cell) in self.cells.items():
            at = here[cell.at]
            loss = {name: (cell.outcome - self.p[name][at]) ** 2 for name in plan.learners.candidates}
            made.append(Losses(self.day, landmark, self.rows.snapshot.person[at].astype(np.int64), cell.w, loss))
        return made

    def list_metrics(self, plan: Plan, detail: Detail) -> pd.DataFrame:
        """Of all listed cases of the origin's Mondays together: how many went long, and how many long ones were listed."""
        made = []
        for name in self.p:
            draws, counts = judging.list_draws(self.mondays[name], self.mondays[RULE], plan.backtest.draws, plan.seed)
            detail.draws[self.day, LIST, name] = draws
            made.append(judging.summary(draws).assign(origin=self.day, landmark=LIST, learner=name, **counts))
        return _joined(made, _METRIC_COLUMNS)

    def lists(self) -> pd.DataFrame:
        rule = {m: _precision(t) for m, t in self.mondays[RULE].groupby("monday")}
        made = [
            {
                "origin": self.day,
                "monday": monday,
                "learner": name,
                "n_open": len(table),
                "n_listed": float(table["held"].sum()),
                "precision": _precision(table),
                "recall": _recall(table),
                "rule_precision": rule[monday],
            }
            for name, frame in self.mondays.items()
            for monday, table in frame.groupby("monday")
        ]
        return pd.DataFrame(made, columns=_LIST_COLUMNS)

    def split(self, plan: Plan) -> dict[str, object]:
        whole = censoring.whole_cohort(self.rows.started_on, self.rows.cut_on, plan.outcome.horizon_weeks)
        days = self.material.rows.snapshot.as_of
        return {
            "origin": self.day,
            "train_from": days.min().astype(object),
            "judged_from": self.window[0],
            "judged_to": self.window[1],
            "followed_to": self.rows.cut_on,
            "n_train_rows": len(self.material.rows),
            "n_train_cases": len(np.unique(self.material.rows.snapshot.position)),
            "n_judged_rows": len(self.rows),
            "n_judged_exceeded": int((censoring.exceeds(self.rows.y, plan.outcome.horizon_weeks) == 1).sum()),
            "is_whole": bool(whole.all()),
        }


def over_origins(by_origin: pd.DataFrame, detail: Detail) -> pd.DataFrame:
    """The mean over origins of every number, with the interval of that mean: persons drawn within each origin."""
    made: list[dict[str, object]] = []
    for keys, table in by_origin.groupby(["landmark", "learner", "metric"], sort=False):
        landmark, learner, metric = map(str, keys)
        found = judging.mean_of(metric, [detail.draws[o, landmark, learner][metric] for o in table["origin"]])
        counts = {"n": int(table["n"].sum()), "n_exceed": int(table["n_exceed"].sum())}
        made.append({"origin": pd.NaT, "landmark": landmark, "learner": learner, "metric": metric, **found, **counts})
    return pd.DataFrame(made, columns=_METRIC_COLUMNS)


def _calibration_tables(seen: list[_Origin], plan: Plan) -> pd.DataFrame:
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
    return _joined(made, _CALIBRATION_COLUMNS)


def _listed(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """With the share of a place each case has on its team's list."""
    held, p = np.zeros(len(table)), table["p"].to_numpy()
    for rows in table.groupby("team", sort=True).indices.values():
        held[rows] = judging.places_held(p[rows], plan.capacity.places(len(rows)))
    return table.assign(held=held)


def _mondays(since: date, until: date, count: int) -> list[date]:
    """So many Mondays of the window, evenly spread, the first among them."""
    first = monday_of(since + timedelta(days=6))
    all_of_them = [first + timedelta(weeks=k) for k in range(max(0, -(-(until - first).days // 7)))]
    chosen = np.unique(np.linspace(0, len(all_of_them) - 1, min(count, len(all_of_them))).round().astype(int))
    return [all_of_them[k] for k in chosen] if all_of_them else []


def _narrowed(cell: judging.Cell, keep: npt.NDArray[np.bool_]) -> judging.Cell:
    return judging.Cell(cell.at[keep], cell.outcome[keep], cell.w[keep], cell.counts[:, keep], cell.person[keep])


def _counts(cell: judging.Cell) -> dict[str, int]:
    return {"n": len(cell.at), "n_exceed": cell.n_exceeded}


def _precision(table: pd.DataFrame) -> float:
    known = float((table["held"] * table["w"]).sum())
    return float((table["held"] * table["w"] * table["outcome"]).sum()) / known if known > 0 else float("nan")


def _recall(table: pd.DataFrame) -> float:
    long = float((table["w"] * table["outcome"]).sum())
    return float((table["held"] * table["w"] * table["outcome"]).sum()) / long if long > 0 else float("nan")


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The tables below each other, with these columns; pandas warns when asked to join empty ones."""
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)
