"""What the page of a case tells beside its row on the list, gathered for every open case when the lists are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.bundle import Bundle
from models.certainty import score_interval
from risk import features, schema
from risk.curves import weekly_curves
from risk.errors import TooFewCasesError
from risk.reasons import Reason, explain
from risk.register import Register
from risk.scoring import Scores, ScoringModel
from risk.snapshot import Snapshot, snapshot_rows, take_snapshot
from serving.store.overview import WEEKS_AHEAD
from serving.worklist import Lists

N_TOLD = 5


@dataclass(frozen=True)
class Insight:
    """What the page of a case tells beside its row on the list.

    Attributes
    ----------
    reasons : by case id, strongest first, for each case that shows a score
    unknown : by case id, names of the facts the model uses and nobody has recorded
    around : by case id, the interval of the score, where the model has learned how far single cases lie from theirs; one
        that only speaks of all cases of this score is not kept, since beside one case it would be read as that case's own
    past_ahead : by case id, the chance of being open and past the horizon :data:`WEEKS_AHEAD` weeks from now; a case that
        cannot be past it by then is not in it
    """

    reasons: dict[str, list[Reason]]
    unknown: dict[str, tuple[str, ...]]
    around: dict[str, tuple[float, float]]
    past_ahead: dict[str, float]


def look_into(lists: Lists, model: Bundle) -> Insight:
    """Gather what the pages of the cases will tell, by the model the lists were made with.

    A case under an exclusion gets no reasons.
    """
    work, register, as_of = lists.worklist, lists.register, lists.worklist.as_of
    shown = pd.concat([work.rows[["case_id", "status"]], work.rest[["case_id", "status"]]], ignore_index=True)
    case_ids = shown.loc[shown["status"] == "scored", "case_id"].tolist()
    snapshot = take_snapshot(register, as_of)
    return Insight(
        explain(register, as_of, model, case_ids, N_TOLD) if case_ids else {},
        _unknown(snapshot, model),
        _around(lists.scores, model),
        _past_ahead(register, snapshot, model, lists.scores),
    )


def _unknown(snapshot: Snapshot, model: ScoringModel) -> dict[str, tuple[str, ...]]:
    facts, known = schema.fact_attributes(), features.catalogue()
    names = list(dict.fromkeys(s for n in model.meta["features"] for s in known[n].sources if s in facts))
    if not names:
        return {}
    missing = np.column_stack([np.isnat(snapshot.known_on[n]) for n in names])
    return {
        str(case): tuple(n for n, is_out in zip(names, row, strict=True) if is_out)
        for case, row in zip(snapshot.case_id.tolist(), missing.tolist(), strict=True)
    }


def _around(scores: Scores, model: Bundle) -> dict[str, tuple[float, float]]:
    scored = scores.frame[(scores.frame["status"] == "scored").to_numpy()]
    p = scored[f"p_exceed_{scores.horizon_weeks}w"].to_numpy(dtype=np.float64)
    found = score_interval(model, p, scored["age_weeks"].to_numpy(dtype=np.float64)) if len(scored) else None
    if found is None or found.covers != "case":
        return {}
    return dict(zip(scored["case_id"], zip(found.low.tolist(), found.high.tolist(), strict=True), strict=True))


def _past_ahead(register: Register, snapshot: Snapshot, model: ScoringModel, scores: Scores) -> dict[str, float]:
    """From the model's curves: beyond the horizon they go on at the last closing rate the learner knows.

    A case without a score follows the scored one nearest in age; where no case can be followed, nothing is expected.
    """
    can_pass = np.flatnonzero(scores.frame["age_weeks"].to_numpy() + WEEKS_AHEAD >= scores.horizon_weeks)
    if not len(can_pass):
        return {}
    near = snapshot_rows(register, snapshot.position[can_pass], snapshot.as_of[can_pass])
    try:
        curves = weekly_curves(near, model, WEEKS_AHEAD)
    except TooFewCasesError:
        return {}
    still_open = np.exp(-curves.steps[:, WEEKS_AHEAD])
    return dict(zip(near.case_id.tolist(), still_open.tolist(), strict=True))
