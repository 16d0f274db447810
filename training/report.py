"""The report of a training run: one page that stands alone, and the same numbers in JSON.

:func:`summary` gathers every number once; the page and the file are both written from it, so they cannot disagree. The
same run gives the same bytes: nothing of the clock or the machine's speed is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from risk import features
from risk.files import check_folder, whole_folder
from risk.register import Register
from risk.scoring import NOT_FOR, PURPOSE, entry_weeks
from risk.snapshot import snapshot_rows, take_snapshot
from training import figures
from training.figures import Figure, landmark_label
from training.results import TrainingRun

REPORT_FORMAT = 1
HTML, JSON = FILES = ("report.html", "report.json")
RULE = "longest_open"
REFERENCES = ("baseline", RULE)
NAIVE = ("matured_only", "censored_as_negative")
LEARNER_NAMES = {
    "linear": "linear hazard",
    "hazard": "boosted hazard",
    "additive": "additive glass box",
    "direct": "direct, at the horizon",
    "stacked": "blend of learners",
    "baseline": "age of case only",
    RULE: "longest open first",
    "matured_only": "naive, open cases dropped",
    "censored_as_negative": "naive, open cases counted as closed",
}


@dataclass(frozen=True)
class Report:
    """A written report: its folder, its two files, what stands in it, and its pictures."""

    folder: Path
    html: Path
    json: Path
    summary: dict[str, Any]
    figures: list[Figure]


def write_report(run: TrainingRun, register: Register, folder: Path) -> Report:
    """Write ``report.html`` and ``report.json`` into ``folder``, whole or not at all.

    Parameters
    ----------
    register : Register
        The register of the run; the weights of the features are taken over its open cases.

    Raises
    ------
    OutputError
        When the folder cannot be written; what stood there is untouched.
    """
    check_folder(folder, FILES)
    facts = summary(run, feature_weights(run, register))
    pictures = draw(run, facts)
    with whole_folder(folder, FILES) as made:
        (made / HTML).write_text(page(facts, pictures), "utf-8")
        (made / JSON).write_text(json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    return Report(folder, folder / HTML, folder / JSON, facts, pictures)


def feature_weights(run: TrainingRun, register: Register, most: int = 1000) -> pd.DataFrame:
    """How much each feature moves the scores of the cases open on the run's as-of date.

    Parameters
    ----------
    most : int
        Look at no more cases than these, evenly spread over the register's order.

    Returns
    -------
    DataFrame ``feature, family, marks, weight, share``, heaviest first. ``weight`` is the mean absolute contribution on the
    log-odds of being open past the horizon, ``share`` its part of all; empty when no case is open.
    """
    outcome, names = run.plan.outcome, list(run.bundle.meta["features"])
    snapshot = take_snapshot(register, run.as_of)
    young = np.flatnonzero(entry_weeks(snapshot, outcome) < outcome.horizon_weeks)
    if not len(young):
        return pd.DataFrame(columns=["feature", "family", "marks", "weight", "share"])
    chosen = young[np.unique(np.linspace(0, len(young) - 1, min(most, len(young))).astype(np.int64))]
    rows = snapshot_rows(register, snapshot.position[chosen], snapshot.as_of[chosen])
    X = features.feature_frame(features.build_features(rows, names))
    parts = run.bundle.contributions(X, float(outcome.horizon_weeks), entry_weeks(rows, outcome))
    weight = parts[names].abs().mean()
    known = features.catalogue()
    table = pd.DataFrame(
        {
            "feature": names,
            "family": [known[n].family for n in names],
            "marks": [", ".join(m.replace("_", " ") for m in known[n].marks) for n in names],
            "weight": weight.to_numpy(),
            "share": (weight / max(weight.sum(), 1e-12)).to_numpy(),
        }
    )
    return table.sort_values(["weight", "feature"], ascending=[False, True], ignore_index=True)


def summary(run: TrainingRun, weights: pd.DataFrame) -> dict[str, Any]:
    """Every number of the report, ready for JSON: dates as text, nan as null, counts under the plan's limit as null."""
    backtest, below = run.backtest, run.plan.fairness.suppressed_below
    few = backtest.calibration.get("n", pd.Series(dtype=float)) < below
    bins = backtest.calibration.copy()
    bins.loc[few, [c for c in ("p_mean", "observed", "low", "high", "n") if c in bins.columns]] = np.nan
    n_rows, n_open = int(run.rows["n_rows"].sum()), int(run.rows["n_open"].sum())
    return {
        "format": REPORT_FORMAT,
        "model": {"version": run.bundle.version, "learner": run.learner_name, "choice": run.choice},
        "as_of": run.as_of.isoformat(),
        "purpose": PURPOSE,
        "not_for": list(NOT_FOR),
        "horizon_weeks": run.plan.outcome.horizon_weeks,
        "register": {k: plain(v) for k, v in run.register_facts.items()},
        "learned_from": {
            "n_rows": n_rows,
            "n_censored": n_open,
            "censored_share": n_open / n_rows if n_rows else None,
            "is_thinned": bool((run.rows["thinned_to"] < run.rows["n_rows"]).any()),
            "landmarks": records(suppressed(run.rows, below)),
        },
        "gates": [plain(asdict(gate)) for gate in run.gates],
        "backtest": {
            "note": backtest.note,
            "suppressed_below": below,
            "splits": records(suppressed(backtest.splits, below)),
            "metrics": records(suppressed(backtest.metrics, below)),
            "calibration": records(bins),
            "lists": records(backtest.lists),
        },
        "comparisons": records(suppressed(backtest.comparisons, below)),
        "features": records(weights),
        "families": records(family_shares(weights)),
        "fairness": records(run.fairness),
        "warnings": list(run.warnings),
        "plan": run.plan.model_dump(mode="json"),
        "environment": dict(run.environment),
    }


def family_shares(weights: pd.DataFrame) -> pd.DataFrame:
    """Share of all movement by family of features, largest first."""
    shares = weights.groupby("family")["share"].sum().reset_index()
    return shares.sort_values(["share", "family"], ascending=[False, True], ignore_index=True)


def draw(run: TrainingRun, facts: dict[str, Any]) -> list[Figure]:
    """The pictures of a run, in the order of the page; without a backtest only the weights of the features."""
    made: list[Figure] = []
    backtest = run.backtest
    if not backtest.is_empty:
        order, marks = learner_order(run), landmark_order(run)
        named = [LEARNER_NAMES.get(n, n) for n in order]
        metrics, bins, lists = (
            t.assign(learner=t["learner"].map(lambda n: LEARNER_NAMES.get(n, n)))
            for t in (backtest.metrics, backtest.calibration, backtest.lists)
        )
        made.append(figures.splits(backtest.splits))
        judged = set(metrics.loc[metrics["origin"].isna() & metrics["value"].notna(), "metric"])
        if "auc" in judged:
            made.append(figures.by_landmark(metrics, "auc", "AUC", named, marks))
        if "expected" in judged:
            made.append(figures.promised_and_kept(metrics, named, marks))
        if len(bins):
            few = [named[0], *(LEARNER_NAMES[n] for n in NAIVE if n in order)]
            made.append(figures.calibration(bins[bins["n"] >= run.plan.fairness.suppressed_below], few, marks))
        if len(lists):
            made.append(figures.mondays(lists, named[0], LEARNER_NAMES[RULE]))
    if facts["features"]:
        made.append(figures.weights(pd.DataFrame(facts["features"])))
    return made


def page(facts: dict[str, Any], pictures: list[Figure]) -> str:
    """The report as one HTML page that needs nothing from outside itself."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files("training").joinpath("templates", "report.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(number=number, percent=percent, count=count, named=landmark_label)
    return environment.from_string(source).render(
        facts=facts,
        pictures={p.name: p for p in pictures},
        tables=metric_tables(facts),
        lists=list_table(facts),
        learner_names=LEARNER_NAMES,
        naive=NAIVE,
        references=REFERENCES,
    )


def metric_tables(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Per landmark: the mean over origins of each metric, one row per learner, chosen first and naive ways last."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for row in facts["backtest"]["metrics"]:
        if row["origin"] is None:
            tables.setdefault(row["landmark"], {}).setdefault(row["learner"], {})[row["metric"]] = row
    chosen = facts["model"]["learner"]
    out = []
    for landmark, learners in tables.items():
        first = next(iter(next(iter(learners.values())).values()))
        ordered = in_order(learners, chosen)
        out.append(
            {
                "landmark": landmark,
                "n": first["n"],
                "n_exceed": first["n_exceed"],
                "rows": [{"learner": name, "cells": learners[name]} for name in ordered],
                "by": learners,
            }
        )
    return out


def list_table(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The simulated Mondays, one row per learner: their mean, and ``cells`` with the intervals of landmark ``list``."""
    table = pd.DataFrame(facts["backtest"]["lists"])
    if table.empty:
        return []
    by_learner = table.groupby("learner")
    mean = by_learner[["n_open", "n_listed", "precision", "recall", "rule_precision"]].mean()
    mean["n_mondays"] = by_learner["monday"].nunique()
    cells: dict[str, Any] = next((t["by"] for t in metric_tables(facts) if t["landmark"] == "list"), {})
    rows = {row["learner"]: row | {"cells": cells.get(row["learner"], {})} for row in records(mean.reset_index())}
    return [rows[name] for name in in_order(rows, facts["model"]["learner"])]


def learner_order(run: TrainingRun) -> list[str]:
    """The learners of the backtest: the chosen one, its rivals, the references, the naive ways."""
    return in_order(dict.fromkeys(run.backtest.metrics["learner"]), run.learner_name)


def in_order(learners: Iterable[str], chosen: str) -> list[str]:
    """Learners in reading order: the chosen one, its rivals, the references, the naive ways."""
    rank = {chosen: 0, **dict.fromkeys(REFERENCES, 2), **dict.fromkeys(NAIVE, 3)}
    return sorted(learners, key=lambda name: (rank.get(name, 1), name))


def landmark_order(run: TrainingRun) -> list[str]:
    """The landmarks that were judged, youngest first, Monday's list last."""
    there = set(run.backtest.metrics["landmark"])
    return [name for name in (*run.plan.landmarks.names, "list") if name in there]


def suppressed(table: pd.DataFrame, below: int) -> pd.DataFrame:
    """The table with every count of cases (``n``, ``n_...``) under the limit taken away."""
    counts = [c for c in table.columns if c in ("n", "thinned_to") or c.startswith("n_")]
    return table.assign(**{c: table[c].astype("Int64").where(lambda n: n >= below) for c in counts})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON takes it: one dict per row."""
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """A value as JSON takes it: dates as ``yyyy-mm-dd``, nan and NaT as null, numpy numbers as Python's."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.isoformat()[:10] if hasattr(value, "isoformat") else str(value)


def number(value: float | None, decimals: int = 2) -> str:
    """A number for the page; a dash where there is none.

    >>> number(0.7812), number(-0.001), number(None)
    ('0.78', '0.00', '–')
    """
    return "–" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share in per cent for the page.

    >>> percent(0.0375)
    '3.8 %'
    """
    return "–" if value is None else f"{number(100 * value, decimals)} %"


def count(value: int | None, below: int = 5) -> str:
    """A count for the page; one that was suppressed says so.

    >>> count(12345), count(None)
    ('12,345', '<5')
    """
    return f"<{below}" if value is None else f"{int(value):,}"
