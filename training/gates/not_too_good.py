"""Gate 5: a model that knows too much has seen the answer. Names the feature that probably told it.

Two questions. Is the model's AUC at a landmark above what registers can know? And does a single feature separate long
from short cases better than any honest one does? For the second, the training rows of each landmark in cohorts followed
to the horizon are put in bins (levels, or up to 30 quantiles, missing apart); a row's score is the share that exceeded
among other persons' rows of its bin, so a feature cannot win by having many values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import censoring
from models.folds import fold_of_group
from models.judged import ranked_auc
from risk.weeks import Floats
from training.gates.evidence import Evidence, named
from training.results import GateResult

NUMBER, NAME = 5, "not_too_good"
TITLE = "AUC is not too good to be true"
_BINS, _MOST_ROWS = 30, 30_000
_WALD_ONE_SIDED = 1.6448536269514722


def check(evidence: Evidence) -> GateResult:
    """Fails when a landmark's AUC or a single feature's is above its limit by more than chance."""
    limits = evidence.plan.gates
    whole = evidence.over_origins("auc")
    single = single_features(evidence)
    if whole.empty and single.empty:
        text = "no cohort of enough cases has been followed to the horizon yet"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, limits.most_auc, text)
    said = [
        f"AUC {r.value:.3f} ({r.low:.3f} to {r.high:.3f}) at {named(str(r.Index))}"
        for r in whole.itertuples()
        if r.low > limits.most_auc
    ]
    suspects = single[single["auc"] - _WALD_ONE_SIDED * single["error"] > limits.most_auc_of_one]
    worst = suspects.drop_duplicates("feature")
    said += [f"{r.feature} alone reaches AUC {r.auc:.3f} at {named(r.landmark)}" for r in worst.itertuples()]
    strongest = single.iloc[0] if len(single) else None
    value = float(whole["value"].max()) if len(whole) else None
    if said:
        suspect = "" if strongest is None else f"; first suspect: {strongest['feature']}"
        advice = "find out when it is really recorded, and drop it in the plan or mend the mapping"
        limit = limits.most_auc if not len(worst) else limits.most_auc_of_one
        number = value if not len(worst) else float(worst.iloc[0]["auc"])
        return GateResult(NUMBER, NAME, TITLE, "failed", number, limit, f"{'; '.join(said)}{suspect}; {advice}")
    text = "" if value is None else f"highest AUC {value:.3f} (limit {limits.most_auc:g}); "
    if strongest is not None:
        text += (
            f"strongest single feature {strongest['feature']} at {named(strongest['landmark'])} with AUC "
            f"{strongest['auc']:.3f} (limit {limits.most_auc_of_one:g})"
        )
    return GateResult(NUMBER, NAME, TITLE, "passed", value, limits.most_auc, text.rstrip("; "))


def single_features(evidence: Evidence) -> pd.DataFrame:
    """AUC of each feature by itself at each landmark with enough cases, highest first: ``feature, landmark, auc, error``."""
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
            score = _other_half(_bins(evidence.material.X[name].iloc[here]), outcome, w, fold)
            auc = ranked_auc(score, w * outcome, w * (1 - outcome))
            error = _auc_error(auc, n_long, int((w > 0).sum()) - n_long)
            made.append({"feature": name, "landmark": landmark, "auc": auc, "error": error})
    table = pd.DataFrame(made, columns=["feature", "landmark", "auc", "error"])
    return table.sort_values(["auc", "feature"], ascending=[False, True], ignore_index=True)


def _bins(column: pd.Series) -> npt.NDArray[np.int64]:
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
