"""The right to object (GDPR article 21): who has objected gets no score, from the API and from the batch alike."""

from __future__ import annotations

from dataclasses import replace

from risk.scoring import Scores, ScoringModel, score_snapshot
from risk.snapshot import Snapshot
from serving.messages import OBJECTION


def score_unless_objected(snapshot: Snapshot, model: ScoringModel) -> Scores:
    """The scores of a snapshot; a case with a recorded objection is ``abstained`` for the reason ``objection``."""
    scores = score_snapshot(snapshot, model)
    objected = snapshot.columns[OBJECTION] == 1.0
    if not objected.any():
        return scores
    frame = scores.frame.copy()
    frame.loc[objected, ["status", "abstain_reason"]] = ["abstained", OBJECTION]
    frame.loc[objected, [c for c in frame.columns if c.startswith("p_exceed_")]] = float("nan")
    return replace(scores, frame=frame)
