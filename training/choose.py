"""Which learner goes into the bundle: the simplest one that no other clearly beats."""

from __future__ import annotations

import numpy as np

from training.backtest import Detail
from training.plan import Plan
from training.results import Backtest


def choose(backtest: Backtest, detail: Detail, plan: Plan) -> tuple[str, str]:
    """Name of the learner, and why, in words.

    Per origin, a learner's Brier score is the mean over the landmarks judged there. The best mean over origins leads;
    a simpler candidate is preferred unless the leader beats it by more than one standard error of the difference over
    origins (the one-standard-error rule of Breiman et al. 1984). With one origin the error is that over draws of persons.
    """
    candidates = plan.learners.candidates
    if plan.champion != "auto":
        return plan.champion, f"{plan.champion}, as the plan says"
    if len(candidates) == 1:
        return candidates[0], f"{candidates[0]} is the only candidate"
    if backtest.is_empty:
        return candidates[0], f"{candidates[0]}, the simplest candidate: there was nothing to compare the candidates on"
    table = backtest.metrics
    cells = table[(table["metric"] == "brier") & table["origin"].notna() & table["learner"].isin(candidates)]
    if cells.empty:
        return candidates[0], f"{candidates[0]}, the simplest candidate: no landmark had enough rows to compare on"
    by_origin = cells.groupby(["origin", "learner"])["value"].mean().unstack("learner")[list(candidates)]
    mean = by_origin.mean()
    leader = str(mean.idxmin())
    for name in candidates[: candidates.index(leader)]:
        gain = (by_origin[name] - by_origin[leader]).to_numpy()
        error = (
            float(np.std(gain, ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else _over_persons(detail, name, leader)
        )
        behind = f"mean Brier {mean[name]:.4f} against {mean[leader]:.4f} over {len(gain)} origins"
        if gain.mean() <= error:
            return name, (
                f"{name} is simpler than {leader}, which is ahead by no more than one standard error ({behind}, "
                f"difference {gain.mean():.4f}, standard error {error:.4f})"
            )
    others = ", ".join(f"{n} {mean[n]:.4f}" for n in candidates if n != leader)
    clear = " and no simpler one comes within one standard error" if candidates.index(leader) else ""
    return leader, f"{leader} has the lowest mean Brier ({mean[leader]:.4f}; {others}){clear}"


def _over_persons(detail: Detail, name: str, leader: str) -> float:
    """Standard error of the mean difference in Brier score over landmarks, the same persons drawn for both learners."""
    cells = sorted((o, m) for o, m, n in detail.draws if n == name and "brier" in detail.draws[o, m, n])
    pairs = [detail.draws[(*c, name)]["brier"] - detail.draws[(*c, leader)]["brier"] for c in cells]
    return float(np.std(np.mean(pairs, axis=0)[1:], ddof=1))
