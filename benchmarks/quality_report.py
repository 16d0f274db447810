"""From records of folds to tables: per set, mean rank over the real sets, who is how far behind, and the share of the oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.judging import ORACLE, Record
from benchmarks.peers import PEERS
from models import catalogue
from risk.files import whole_file

METRICS = ("brier", "auc", "skill", "precision", "observed", "expected", "slope")
HIGH_IS_GOOD = {"brier": False, "auc": True}


def title(name: str) -> str:
    """How a learner is called in the tables: ours in bold, peers by their own name."""
    if name in PEERS:
        return PEERS[name].title
    naive = {"baseline": "Kaplan-Meier", "matured_only": "naive: matured only", ORACLE: "oracle"}
    naive["censored_as_negative"] = "naive: censored as negative"
    return naive.get(name, f"**{name}**")


def is_ours(name: str) -> bool:
    """Whether it is a learner of this package that may come into service."""
    return name in catalogue.LEARNERS and catalogue.can_be_champion(name)


def frame(records: list[Record]) -> pd.DataFrame:
    """One row per set, learner, repeat, fold and stage."""
    rows = []
    for r in records:
        for stage, numbers in r["stages"].items():
            head = {k: r[k] for k in ("set", "kind", "learner", "repeat", "fold", "fit", "predict")}
            rows.append(head | {"stage": stage} | {m: numbers[m] for m in METRICS})
    table = pd.DataFrame(rows)
    return table.astype(dict.fromkeys(METRICS, float))


def per_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Plain mean over stages, so that no landmark outweighs another."""
    keys = ["set", "kind", "learner", "repeat", "fold"]
    return table.groupby(keys, sort=False)[[*METRICS, "fit", "predict"]].mean().reset_index()


def wide(folds: pd.DataFrame, name: str, metric: str) -> pd.DataFrame:
    """One set: a row per repeat and fold, a column per learner; nan where a slow one was not run."""
    here = folds[folds["set"] == name]
    return here.pivot(index=["repeat", "fold"], columns="learner", values=metric)


def levelled(scores: pd.DataFrame) -> pd.Series:
    """Mean per learner as if all had run on all folds: on its own folds each is set against those who ran on all."""
    whole = scores.columns[scores.notna().all()]
    if not len(whole):
        return scores.mean()
    common = scores[whole].mean(axis=1)
    return scores.sub(common, axis=0).mean() + common.mean()


def standard_error(gap: npt.NDArray[np.float64], n_folds: int) -> float:
    """Of the mean of paired gaps over folds; folds of one repeat share training rows (Nadeau and Bengio 2003)."""
    if len(gap) < 2:
        return float("nan")
    return float(np.sqrt((1.0 / len(gap) + 1.0 / (n_folds - 1)) * np.var(gap, ddof=1)))


def ranks(folds: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rank of every learner on every real set, (learners, sets); learners missing on a set have no rank there."""
    made = {}
    for name in folds.loc[folds["kind"] == "real", "set"].unique():
        made[name] = levelled(wide(folds, name, metric)).rank(ascending=not HIGH_IS_GOOD[metric])
    return pd.DataFrame(made)


def behind(folds: pd.DataFrame, ours: str, metric: str, n_folds: int) -> pd.DataFrame:
    """Per real set: a learner, the best peer there, the gap (above 0: it is behind) and its standard error.

    Parameters
    ----------
    ours : one of ours, or a peer, which is then set against the best of the others
    """
    rows = []
    for name in folds.loc[folds["kind"] == "real", "set"].unique():
        scores = wide(folds, name, metric)
        theirs = [c for c in scores.columns if c in PEERS and c != ours]
        if not theirs or ours not in scores:
            continue
        mean = levelled(scores)
        best = str(mean[theirs].idxmax() if HIGH_IS_GOOD[metric] else mean[theirs].idxmin())
        gap = (scores[ours] - scores[best]).dropna().to_numpy() * (-1 if HIGH_IS_GOOD[metric] else 1)
        error = standard_error(gap, n_folds)
        rows.append(
            {"set": name, "ours": mean[ours], "best peer": best, "theirs": mean[best], "gap": gap.mean(), "se": error}
        )
    return pd.DataFrame(rows, columns=["set", "ours", "best peer", "theirs", "gap", "se"])


def oracle_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Synthetic sets, per learner and landmark: share of the oracle's AUC above chance and of its Brier skill."""
    synthetic = table[table["kind"] == "synthetic"]
    columns = ["set", "learner", "landmark", "auc", "auc share", "skill share", "slope", "observed - expected"]
    if synthetic.empty:
        return pd.DataFrame(columns=columns)
    mean = synthetic.groupby(["set", "learner", "stage"], sort=False)[list(METRICS)].mean().reset_index()
    best = mean[mean["learner"] == ORACLE].set_index(["set", "stage"])
    at = pd.MultiIndex.from_frame(mean[["set", "stage"]])
    made = pd.DataFrame(
        {
            "set": mean["set"],
            "learner": mean["learner"],
            "landmark": mean["stage"],
            "auc": mean["auc"],
            "auc share": (mean["auc"] - 0.5) / (best["auc"].reindex(at).to_numpy() - 0.5),
            "skill share": mean["skill"] / best["skill"].reindex(at).to_numpy(),
            "slope": mean["slope"],
            "observed - expected": mean["observed"] - mean["expected"],
        }
    )
    return made[columns]


def write(
    out: Path, records: list[Record], about: dict[str, dict[str, Any]], notes: list[str], head: dict[str, Any]
) -> str:
    """Write ``quality.md`` and ``quality.json``; returns the Markdown."""
    from benchmarks.quality_page import page

    table = frame(records)
    folds = per_fold(table)
    text = page(table, folds, about, notes, head)
    numbers = {
        "head": head,
        "sets": about,
        "notes": notes,
        "chosen": {
            f"{r['set']} {r['learner']}": r["chosen"] for r in records if r["chosen"] and not r["repeat"] + r["fold"]
        },
    }
    with whole_file(out / "quality.md") as path:
        path.write_text(text, encoding="utf-8")
    with whole_file(out / "quality.json") as path:
        parts = [f'"{name}": {json.dumps(value, indent=1)}' for name, value in numbers.items()]
        parts += [f'"{name}": {_by_row(rows)}' for name, rows in (("folds", folds), ("oracle", oracle_shares(table)))]
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    return text


def _by_row(table: pd.DataFrame) -> str:
    """A table as JSON: its columns, then a line for each row."""
    split = json.loads(table.to_json(orient="split", index=False, double_precision=6))
    rows = ",\n".join(json.dumps(row) for row in split["data"])
    return f'{{"columns": {json.dumps(split["columns"])}, "rows": [\n{rows}\n]}}'
