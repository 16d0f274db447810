"""Gate 5: a model that knows too much has seen the answer. Names the feature that probably told it.

Two questions. Is the model's AUC at a landmark above what registers can know? And does a single feature separate long
from short cases better than any honest one does? For the second, the training rows of each landmark in cohorts followed
to the horizon are put in bins (levels, or up to 30 quantiles, missing apart); a row's score is the share that exceeded
among other persons' rows of its bin, so a feature cannot win by having many values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import censoring
from models.folds import fold_of_group
from models.judged import ranked_auc
from risk import features
from risk.weeks import Floats
from training.gates.evidence import Evidence, named
from training.results import GateResult

NUMBER, NAME = 5, "not_too_good"
TITLE = "AUC is not too good to be true"
_BINS, _MOST_ROWS = 30, 30_000
_WALD_ONE_SIDED = 1.6448536269514722


@dataclass(frozen=True)
class Single:
    """AUC of one feature by itself at a landmark, and its standard error."""

    feature: str
    landmark: str
    auc: float
    error: float


def check(evidence: Evidence) -> GateResult:
    """Fails when a landmark's AUC or a single feature's is above its limit by more than chance."""
    limits = evidence.plan.gates
    whole, single = evidence.over_origins("auc"), single_features(evidence)
    if not whole and not single:
        text = "no cohort of enough cases has been followed to the horizon yet"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, limits.most_auc, text)
    value = max((r.value for r in whole), default=None)
    suspects: dict[str, Single] = {}
    for s in single:
        if s.auc - _WALD_ONE_SIDED * s.error > limits.most_auc_of_one:
            suspects.setdefault(s.feature, s)
    said = [
        f"AUC {r.value:.3f} ({r.low:.3f} to {r.high:.3f}) at {r.at} is above {limits.most_auc:g}"
        for r in whole
        if r.low > limits.most_auc
    ]
    said += [f"{s.feature} alone reaches AUC {s.auc:.3f} at {named(s.landmark)}" for s in suspects.values()]
    if said:
        suspect = _suspect(list(suspects.values()) or single[:1])
        text = (
            f"{'; '.join(said)}; {f'first suspect: {suspect}; ' if suspect else ''}find out when it is really recorded, "
            "and drop it in the plan or mend the mapping"
        )
        if suspects:
            value, limit = next(iter(suspects.values())).auc, limits.most_auc_of_one
        else:
            limit = limits.most_auc
        return GateResult(NUMBER, NAME, TITLE, "failed", value, limit, text)
    told = [] if value is None else [f"highest AUC {value:.3f} (limit {limits.most_auc:g})"]
    told += [
        f"strongest single feature {s.feature} at {named(s.landmark)} with AUC {s.auc:.3f} "
        f"(limit {limits.most_auc_of_one:g})"
        for s in single[:1]
    ]
    return GateResult(NUMBER, NAME, TITLE, "passed", value, limits.most_auc, "; ".join(told))


def _suspect(found: list[Single]) -> str:
    """The attribute most of the suspected features are made of; the strongest feature decides between equals."""
    known = features.catalogue()
    sources = [source for s in found for source in known[s.feature].sources or (s.feature,)]
    if not sources:
        return ""
    best = {source: max(s.auc for s in found if source in (*known[s.feature].sources, s.feature)) for source in sources}
    return max(best, key=lambda source: (sources.count(source), best[source], source))


def single_features(evidence: Evidence) -> list[Single]:
    """AUC of each feature by itself at each landmark with enough cases, highest first."""
    rows, plan = evidence.material.rows, evidence.plan
    horizon = float(plan.outcome.horizon_weeks)
    made = []
    for landmark in plan.landmarks.names:
        here = np.flatnonzero((rows.landmark == landmark) & (rows.entry < horizon))
        here = here[censoring.whole_cohort(rows.started_on[here], rows.cut_on, horizon)][-_MOST_ROWS:]
        y, entry = rows.y[here], rows.entry[here]
        w = (
            censoring.weights(y, horizon, entry, rows.started_on[here], cut_on=rows.cut_on)
            if len(here)
            else np.zeros(0)
        )
        outcome = np.nan_to_num(censoring.exceeds(y, horizon)) if len(here) else np.zeros(0)
        n_long = int(((w > 0) & (outcome > 0)).sum())
        if len(here) < plan.backtest.least_rows or n_long < plan.backtest.least_exceeded:
            continue
        fold = fold_of_group(rows.snapshot.person[here], 2, plan.seed)
        for name in evidence.material.names:
            score = _other_half(in_bins(evidence.material.X[name].iloc[here]), outcome, w, fold)
            auc = ranked_auc(score, w * outcome, w * (1 - outcome))
            error = _auc_error(auc, n_long, int((w > 0).sum()) - n_long)
            made.append(Single(name, landmark, auc, error))
    return sorted(made, key=lambda s: (-s.auc, s.feature))


def in_bins(column: pd.Series) -> npt.NDArray[np.int64]:
    """The bin of each row, (n,): the level, or one of up to 30 quantiles; 0 where the value is missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.int64) + 1
    values = column.to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    edges = np.unique(np.quantile(values[known], np.arange(1, _BINS) / _BINS)) if known.any() else np.zeros(0)
    return np.where(known, np.searchsorted(edges, values, side="left") + 1, 0).astype(np.int64)


def _other_half(bins: npt.NDArray[np.int64], outcome: Floats, w: Floats, fold: npt.NDArray[np.int64]) -> Floats:
    """Share that exceeded among the other half's rows of the same bin, drawn to the overall share in small bins."""
    score, n = np.empty(len(bins)), int(bins.max()) + 1
    overall = float(np.average(outcome, weights=w))
    for k in (0, 1):
        learn = fold != k
        long = np.bincount(bins[learn], weights=(w * outcome)[learn], minlength=n)
        total = np.bincount(bins[learn], weights=w[learn], minlength=n)
        score[~learn] = ((long + overall) / (total + 1.0))[bins[~learn]]
    return score


def _auc_error(auc: float, n_long: int, n_short: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982)."""
    if not np.isfinite(auc) or not n_long or not n_short:
        return float("nan")
    q_long, q_short = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_long - 1) * (q_long - auc**2) + (n_short - 1) * (q_short - auc**2)
    return float(np.sqrt(max(spread, 0.0) / (n_long * n_short)))
