"""One origin of a backtest: what was known on its day, learned from as then, and the weeks after it as they came.

The landmark rows of those weeks are scored by :mod:`risk.scoring`, as the list and the service would have done, and so are
the open cases of some of its Mondays. Outcomes are those known today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import censoring, metrics
from risk.register import Register
from risk.scoring import entry_weeks, score_snapshot
from risk.snapshot import take_snapshot
from risk.weeks import Floats, monday_of
from training import judging
from training.comparison import Losses
from training.fit import Material, fit, prepare
from training.landmarks import LandmarkRows, landmark_rows, outcomes_of, register_at
from training.plan import Plan

BASELINE, RULE, LIST = "baseline", "longest_open", "list"
METRIC_COLUMNS = ["origin", "landmark", "learner", "metric", "value", "low", "high", "n", "n_exceed"]
LIST_COLUMNS = ["origin", "monday", "learner", "n_open", "n_listed", "precision", "recall", "rule_precision"]


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


class Origin:
    """One simulated retraining and the weeks after it."""

    def __init__(self, day: date, material: Material, rows: LandmarkRows, known: Register, window: tuple[date, date]):
        self.day, self.material, self.rows, self.known, self.window = day, material, rows, known, window
        self.p: dict[str, Floats] = {}
        self.mondays: dict[str, pd.DataFrame] = {}
        self.cells: dict[str, tuple[npt.NDArray[np.int64], judging.Cell]] = {}

    @classmethod
    def at(cls, known: Register, day: date, as_of: date, plan: Plan) -> Origin:
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
        self.mondays[name] = joined(parts, [*self._snapshots[0][1].columns, "p", "held"] if self._snapshots else [])

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
        return joined(made, METRIC_COLUMNS)

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
        return joined(made, METRIC_COLUMNS)

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
        return pd.DataFrame(made, columns=LIST_COLUMNS)

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


def joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The tables below each other, with these columns; pandas warns when asked to join empty ones."""
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)
