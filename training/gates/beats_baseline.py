"""Gate 1: the model must be worth more than knowing how old a case is."""

from __future__ import annotations

from training.gates.evidence import NO_BACKTEST, Evidence, named
from training.results import GateResult

NUMBER, NAME = 1, "beats_baseline"
TITLE = "Beats the age of the case alone, in Brier score and AUC, at every landmark"


def check(evidence: Evidence) -> GateResult:
    """At each landmark the Brier score must be lower than the baseline's, and the mean gain in AUC large enough."""
    least = evidence.plan.gates.least_auc_gain
    skill = evidence.over_origins("brier_skill")
    if skill.empty:
        return GateResult(
            NUMBER, NAME, TITLE, "not applicable", None, least, NO_BACKTEST.format(note=evidence.backtest.note)
        )
    auc, alone = evidence.over_origins("auc"), evidence.over_origins("auc", "baseline")
    gain = (auc["value"] - alone["value"]).dropna()
    value = float(gain.mean())
    worse = [f"{named(k)} ({v:+.3f})" for k, v in skill["value"].items() if not v > 0]
    behind = [f"{named(k)} ({v:+.3f})" for k, v in gain.items() if not v > 0]
    said = [f"Brier score no better than the baseline's at {', '.join(worse)} (share saved)"] if worse else []
    said += [f"AUC no better than the baseline's at {', '.join(behind)}"] if behind else []
    said += [f"mean gain in AUC {value:.3f} is below {least:g}"] if not value >= least else []
    if said:
        advice = "look for features that are never filled in, or for too few closed cases"
        return GateResult(NUMBER, NAME, TITLE, "failed", value, least, f"{'; '.join(said)}; {advice}")
    text = (
        f"mean gain in AUC {value:.3f} over {len(gain)} landmarks; saves {skill['value'].min():.1%} to "
        f"{skill['value'].max():.1%} of the baseline's Brier score"
    )
    return GateResult(NUMBER, NAME, TITLE, "passed", value, least, text)
