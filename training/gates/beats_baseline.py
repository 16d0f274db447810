"""Gate 1: the model must be worth more than knowing how old a case is."""

from __future__ import annotations

from training.gates.evidence import NO_BACKTEST, Evidence
from training.results import GateResult

NUMBER, NAME = 1, "beats_baseline"
TITLE = "Beats the age of the case alone, in Brier score and AUC, at every landmark"


def check(evidence: Evidence) -> GateResult:
    """At each landmark Brier score and AUC must beat the baseline's, and the mean gain in AUC must be worth a model."""
    least = evidence.plan.gates.least_auc_gain
    skill = evidence.over_origins("brier_skill")
    alone = {r.landmark: r.value for r in evidence.over_origins("auc", "baseline")}
    gain = [(r.at, r.value - alone[r.landmark]) for r in evidence.over_origins("auc") if r.landmark in alone]
    if not skill or not gain:
        text = NO_BACKTEST.format(note=evidence.backtest.note or "no landmark had enough rows")
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, least, text)
    value = sum(g for _, g in gain) / len(gain)
    worse = [f"{r.at} ({r.value:+.3f})" for r in skill if not r.value > 0]
    behind = [f"{at} ({g:+.3f})" for at, g in gain if not g > 0]
    said = [f"Brier score no better than the baseline's at {', '.join(worse)} (share saved)"] if worse else []
    said += [f"AUC no better than the baseline's at {', '.join(behind)}"] if behind else []
    said += [f"mean gain in AUC {value:.3f} is below {least:g}"] if not value >= least else []
    if said:
        advice = "look for features that are never filled in, or for too few closed cases"
        return GateResult(NUMBER, NAME, TITLE, "failed", value, least, f"{'; '.join(said)}; {advice}")
    saved = [r.value for r in skill]
    text = (
        f"mean gain in AUC {value:.3f} over {len(gain)} landmarks; saves {min(saved):.1%} to {max(saved):.1%} "
        "of the baseline's Brier score"
    )
    return GateResult(NUMBER, NAME, TITLE, "passed", value, least, text)
