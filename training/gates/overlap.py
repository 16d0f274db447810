"""Gate 6: equally good models can name different people. How much would next Monday's list change?"""

from __future__ import annotations

import numpy as np

from risk.scoring import score_snapshot
from risk.snapshot import take_snapshot
from training.gates.evidence import Evidence
from training.judging import places_held
from training.results import GateResult

NUMBER, NAME = 6, "overlap"
TITLE = "Overlap of the top of the list with the champion's"


def check(evidence: Evidence) -> GateResult:
    """Share of the places at the top of each team's list that both models give to the same cases; never fails."""
    if evidence.champion is None:
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, None, "no champion to compare with")
    snapshot = take_snapshot(evidence.known, evidence.as_of)
    new = score_snapshot(snapshot, evidence.bundle).p_exceed
    old = score_snapshot(snapshot, evidence.champion).p_exceed
    both = np.isfinite(new) & np.isfinite(old)
    if not both.any():
        text = f"no case open on {evidence.as_of} is scored by both models"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, None, text)
    team = evidence.known.cases["team"].to_numpy(dtype=str)[snapshot.position]
    shared = total = 0.0
    for name in np.unique(team[both]):
        rows = both & (team == name)
        places = evidence.plan.capacity.places(int(rows.sum()))
        shared += float(np.minimum(places_held(new[rows], places), places_held(old[rows], places)).sum())
        total += min(float(places), float(rows.sum()))
    value = shared / total
    text = f"{shared:.0f} of {total:.0f} places go to the same cases as under champion {evidence.champion.version}"
    return GateResult(NUMBER, NAME, TITLE, "reported", value, None, text)
