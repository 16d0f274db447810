"""Gate 4: an extract that lost cases on the way must not become a model."""

from __future__ import annotations

from training.gates.evidence import Evidence
from training.results import GateResult

NUMBER, NAME = 4, "rows_kept"
TITLE = "Training rows did not shrink"


def check(evidence: Evidence) -> GateResult:
    """Landmark rows, before thinning, as a share of those the champion was made from."""
    least = evidence.plan.gates.least_rows_kept
    before = evidence.champion.meta.get("n_rows") if evidence.champion is not None else None
    if not before:
        why = "no champion to compare with" if evidence.champion is None else "the champion does not say its rows"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, least, why)
    share = evidence.material.n_rows / float(before)
    text = f"{evidence.material.n_rows:,} rows, {share:.2f} of the champion's {int(before):,}"
    if share < least:
        advice = f"at least {least:g} expected; look in the load report for rejected rows or a shorter period"
        return GateResult(NUMBER, NAME, TITLE, "failed", share, least, f"{text}; {advice}")
    return GateResult(NUMBER, NAME, TITLE, "passed", share, least, text)
