"""The page of the quality benchmark, in Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.judging import ORACLE
from benchmarks.quality_report import METRICS, behind, is_ours, levelled, oracle_shares, ranks, title, wide

HOW = """\
How it is judged. Cross-validation by person, the same folds for all, spread evenly over how cases ended; one thread each.
Metrics are those of `models.metrics` at one week per set, weighted by the inverse probability of censoring; the public
sets have no opening dates, so the censoring curve is one marginal Kaplan-Meier of the whole set. Where features tell who
was followed, as in support2 and acath, such weights favour whoever weighs cases in the same wrong way; `quality_followup.md`
judges those sets again with weights given the features, and shows on durations known in full which of the two is right. *injury, two years* and
the synthetic registers are learned from censored outcomes and judged by all that happened, without weights. Peers get
their settings from a small grid inside the training rows (random survival forest, boosted Cox and SurvivalBoost once
per set, on the first training fold, because they are slow), follow-up ends at the horizon for all, and late entry is
given to peers as columns with their clock started at entry. Forest and boosted Cox learn from at most 6,000 rows,
SurvivalBoost from 12,000. Means of learners that ran on fewer folds are levelled against those that ran on all.
Seconds are CPU seconds of one fit (settings included) and of scoring one test fold.

What of ours was chosen on these sets. Defaults of our learners, such as the drawn thresholds of `direct`, are chosen by the
mean gap over all real sets, never by one set, and are the same for every set and for the registers of an office. What is
done of fewer than 2,000 persons (each tree learns from a share of the rows, leaves may be smaller, a blend takes smaller
steps) was chosen so too, among some twenty ways of drawing rows and limiting leaves, after a look at the sets that have as
few. That flatters our rows a little, as the best peer picked after the fact flatters theirs.

Colon, where a random survival forest is ahead. It is not effects that change over time: a plain forest for the one
question of the horizon, given the outcomes that `direct` learns from, does as well. It is deep trees, averaged over drawn
rows, that follow age year by year: without that column nothing is left of the lead, and about a third of it lies in the
tenth of rows that have a twin, alike in every column, among those learned from. Drawing rows gives our trees a part of
that; on most other sets deep trees with searched thresholds lose more than they win, so ours stay small.
"""

BEHIND = """\
*Behind*: on how many sets a learner is more than one standard error behind the best peer there; a peer is set against the
best of the others. The best is picked after the fact on each set, so that even equals would be behind on some."""


def page(
    table: pd.DataFrame, folds: pd.DataFrame, about: dict[str, dict[str, Any]], notes: list[str], head: dict[str, Any]
) -> str:
    """The whole page."""
    versions = ", ".join(f"{k} {v}" for k, v in head["versions"].items())
    parts = [
        "# Quality, side by side with the peers",
        f"`{head['command']}`: {head['folds']} folds, {head['repeats']} repeats; {head['cpu_seconds']:,} CPU seconds in all folds, "
        f"{head['seconds']:,} s for this run (the rest from the cache). {head['machine']}. {versions}.",
        HOW,
    ]
    if notes:
        parts += ["Not run, or not everywhere:\n\n" + "\n".join(f"- {n}" for n in notes)]
    if (folds["kind"] == "real").any():
        parts += ["## Mean rank over the real sets", _mean_ranks(folds, head["folds"]), BEHIND]
        for metric in ("brier", "auc"):
            parts += _behind(folds, metric, head["folds"])
    if (folds["kind"] == "synthetic").any():
        parts += ["## Synthetic registers: share of what the oracle reaches", _oracle(table)]
    parts += ["## Per set"]
    for name, facts in about.items():
        parts += [_set(folds, name, facts)]
    return "\n\n".join(parts) + "\n"


def _mean_ranks(folds: pd.DataFrame, n_folds: int) -> str:
    by_metric = {m: ranks(folds, m) for m in ("brier", "auc")}
    mean = pd.DataFrame({m: r.mean(axis=1) for m, r in by_metric.items()})
    wins = pd.DataFrame({f"first on {m}": (r == r.min()).sum(axis=1) for m, r in by_metric.items()})
    both = mean.join(wins).assign(sets=by_metric["brier"].notna().sum(axis=1)).sort_values("brier")
    far = {(m, n): _n_far(behind(folds, str(n), m, n_folds)) for m in by_metric for n in both.index}
    rows = [[title(str(n)), f"{r['brier']:.2f}", f"{r['auc']:.2f}", *(str(int(r[c])) for c in both.columns[2:]),
             f"{far['brier', n]} / {far['auc', n]}"]
            for n, r in both.iterrows()]  # fmt: skip
    return grid(["", "rank, Brier", "rank, AUC", "first on Brier", "first on AUC", "sets", "behind, Brier / AUC"], rows)


def _n_far(found: pd.DataFrame) -> int:
    """On how many sets a learner is more than one standard error behind."""
    return int((found["gap"] > found["se"]).sum())


def _behind(folds: pd.DataFrame, metric: str, n_folds: int) -> list[str]:
    mean = ranks(folds, metric).mean(axis=1)
    ours = [n for n in mean.index if is_ours(n)]
    if not ours:
        return []
    best = mean[ours].idxmin()
    found = behind(folds, str(best), metric, n_folds)
    if found.empty:
        return []
    rows = [
        [r["set"], f"{r['ours']:.4f}", title(r["best peer"]), f"{r['theirs']:.4f}", f"{r['gap']:+.4f}", f"{r['se']:.4f}",
         "**behind**" if r["gap"] > r["se"] else ""]
        for _, r in found.iterrows()
    ]  # fmt: skip
    said = (
        f"Our best by mean rank is `{best}`. The best peer is picked after the fact on each set, which favours it. A gap above 0 "
        f"means that we are behind; the standard error is of paired gaps over folds (Nadeau and Bengio). More than one standard "
        f"error behind on {_n_far(found)} of {len(found)} sets."
    )
    name = {"brier": "Brier", "auc": "AUC"}[metric]
    return [f"## {name}: against the best peer of each set", said,
            grid(["set", "ours", "best peer", "theirs", "gap", "se", ""], rows)]  # fmt: skip


def _oracle(table: pd.DataFrame) -> str:
    shares = oracle_shares(table)
    parts = []
    for name in shares["set"].unique():
        here = shares[(shares["set"] == name) & (shares["learner"] != ORACLE)]
        rows = []
        for learner, own in here.groupby("learner", sort=False):
            worst = own[["auc share", "skill share"]].min()
            rows.append(
                [title(str(learner)), *(f"{a:.3f} / {s:.3f}" for a, s in zip(own["auc share"], own["skill share"], strict=True)),
                 f"{worst['auc share']:.3f} / {worst['skill share']:.3f}",
                 f"{own['slope'].min():.2f} to {own['slope'].max():.2f}",
                 f"{own['observed - expected'].min():+.3f} to {own['observed - expected'].max():+.3f}"]
            )  # fmt: skip
        stages = list(dict.fromkeys(here["landmark"]))
        heading = ["", *stages, "worst", "slope", "observed - expected"]
        parts += [
            f"{name}: AUC above one half / Brier skill, as a share of the oracle's, by landmark.",
            grid(heading, rows),
        ]
    return "\n\n".join(parts)


def _set(folds: pd.DataFrame, name: str, facts: dict[str, Any]) -> str:
    means = {m: levelled(wide(folds, name, m)) for m in METRICS if m != "skill"}
    seconds = folds[folds["set"] == name].groupby("learner")[["fit", "predict"]].mean()
    spread = {
        m: wide(folds, name, m).std(ddof=1) / np.sqrt(wide(folds, name, m).notna().sum()) for m in ("brier", "auc")
    }
    rows = []
    for learner in means["brier"].sort_values().index:
        rows.append(
            [title(str(learner)), f"{means['brier'][learner]:.4f} ({spread['brier'][learner]:.4f})",
             f"{means['auc'][learner]:.4f} ({spread['auc'][learner]:.4f})",
             f"{means['observed'][learner] - means['expected'][learner]:+.3f}", f"{means['precision'][learner]:.3f}",
             f"{seconds['fit'][learner]:.2f}", f"{seconds['predict'][learner]:.3f}"]
        )  # fmt: skip
    heading = ["", "Brier (se)", "AUC (se)", "observed - expected", "precision at 10 %", "fit s", "score s"]
    about = f"{facts['rows']:,} rows, {facts['columns']} columns, {facts['censored']:.0%} censored. {facts['note']}."
    return f"### {name}\n\n{about}\n\n{grid(heading, rows)}"


def grid(heading: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
