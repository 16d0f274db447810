"""Gate 8: the model whose every effect can be drawn serves, unless another is clearly better.

``auto`` in the plan chooses so by itself; the gate is there for a plan that names its learner, or puts another first.
"""

from __future__ import annotations

from training.choose import beaten_by, nearest, said
from training.gates.evidence import NO_BACKTEST, Evidence
from training.results import GateResult

NUMBER, NAME = 8, "glass_box"
TITLE = "The glass box serves, unless another learner is clearly better"
GLASS_BOX = "additive"
_LIMIT = 1.0


def check(evidence: Evidence) -> GateResult:
    """Passes when the glass box was chosen, or some candidate beats it by more than one standard error.

    ``value`` is how far the candidate furthest ahead of it is ahead, in standard errors.
    """
    pairs = evidence.backtest.comparisons
    if GLASS_BOX not in evidence.plan.learners.candidates:
        text = f"{GLASS_BOX} is not among the plan's candidates"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, _LIMIT, text)
    if len(evidence.plan.learners.candidates) == 1:
        text = f"{GLASS_BOX} is the only candidate"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, _LIMIT, text)
    if pairs.empty:
        text = NO_BACKTEST.format(note=evidence.backtest.note or "no landmark had enough rows")
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, _LIMIT, text)
    better = beaten_by(pairs, GLASS_BOX)
    row = nearest(pairs, GLASS_BOX) if better.empty else better.iloc[0]
    value = float(row["ahead"] / row["error"]) if row["error"] > 0 else None
    if evidence.learner == GLASS_BOX or not better.empty:
        return GateResult(NUMBER, NAME, TITLE, "passed", value, _LIMIT, said(row))
    text = (
        f"{evidence.learner} was chosen although no learner beats {GLASS_BOX} by more than one standard error: "
        f'{said(row)}; set champion = "{GLASS_BOX}" or "auto" in the plan'
    )
    return GateResult(NUMBER, NAME, TITLE, "failed", value, _LIMIT, text)
