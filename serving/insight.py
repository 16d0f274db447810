"""What the page of a case tells beside its row on the list, gathered for every open case when the lists are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.bundle import Bundle
from models.certainty import score_interval
from risk.curves import Curves, weekly_curves
from risk.errors import TooFewCasesError
from risk.reasons import Reason, explain
from risk.scoring import Scores, ScoringModel, outcome_of
from risk.snapshot import Snapshot, take_snapshot
from serving.store.overview import WEEKS_AHEAD
from serving.unrecorded import facts_behind, unrecorded
from serving.worklist import Lists

N_TOLD = 5
DECIMALS = 4  # of a curve that is only drawn


@dataclass(frozen=True)
class Insight:
    """What the page of a case tells beside its row on the list.

    Attributes
    ----------
    reasons : by case id, strongest first, for each case that shows a score
    unknown : by case id, names of the facts the model uses and nobody has recorded
    around : by case id, the interval of the score, where the model has learned how far single cases lie from theirs; one
        that only speaks of all cases of this score is not kept, since beside one case it would be read as that case's own
    course : by case id, the chance of still being open 1, 2, 3 ... weeks from now, up to the horizon, for each case with a score
    past_ahead : by case id, the chance of being open and past the horizon :data:`WEEKS_AHEAD` weeks from now; a case that
        cannot be past it by then is not in it
    """

    reasons: dict[str, list[Reason]]
    unknown: dict[str, tuple[str, ...]]
    around: dict[str, tuple[float, float]]
    course: dict[str, tuple[float, ...]]
    past_ahead: dict[str, float]


def look_into(lists: Lists, model: Bundle) -> Insight:
    """Gather what the pages of the cases will tell, by the model the lists were made with.

    A case under an exclusion gets no reasons.
    """
    work, register, as_of = lists.worklist, lists.register, lists.worklist.as_of
    shown = pd.concat([work.rows[["case_id", "status"]], work.rest[["case_id", "status"]]], ignore_index=True)
    case_ids = shown.loc[shown["status"] == "scored", "case_id"].tolist()
    snapshot = take_snapshot(register, as_of)
    curves = _curves(snapshot, model)
    return Insight(
        explain(register, as_of, model, case_ids, N_TOLD) if case_ids else {},
        _unknown(snapshot, model),
        _around(lists.scores, model),
        {} if curves is None else _courses(curves, snapshot),
        {} if curves is None else _past_ahead(curves, snapshot),
    )


def _unknown(snapshot: Snapshot, model: ScoringModel) -> dict[str, tuple[str, ...]]:
    names = facts_behind(model.meta["features"])
    missing = unrecorded(snapshot, names).tolist()
    return {
        str(case): tuple(n for n, is_out in zip(names, row, strict=True) if is_out)
        for case, row in zip(snapshot.case_id.tolist(), missing, strict=True)
    }


def _around(scores: Scores, model: Bundle) -> dict[str, tuple[float, float]]:
    scored = scores.frame[(scores.frame["status"] == "scored").to_numpy()]
    p = scored[f"p_exceed_{scores.horizon_weeks}w"].to_numpy(dtype=np.float64)
    found = score_interval(model, p, scored["age_weeks"].to_numpy(dtype=np.float64)) if len(scored) else None
    if found is None or found.covers != "case":
        return {}
    return dict(zip(scored["case_id"], zip(found.low.tolist(), found.high.tolist(), strict=True), strict=True))


def _curves(snapshot: Snapshot, model: ScoringModel) -> Curves | None:
    """Every open case week by week up to the horizon, and at least as far as the overview looks; None where none can be followed.

    Beyond the horizon the curves go on at the last closing rate the learner knows. A case without a score follows the
    scored one nearest in age.
    """
    try:
        return weekly_curves(snapshot, model, max(WEEKS_AHEAD, outcome_of(model).horizon_weeks))
    except TooFewCasesError:
        return None


def _courses(curves: Curves, snapshot: Snapshot) -> dict[str, tuple[float, ...]]:
    still_open = np.round(np.exp(-curves.steps[:, 1:]), DECIMALS)
    n_ahead = np.ceil(curves.horizon_weeks - curves.age).astype(np.int64) - 1  # whole weeks before the horizon
    rows = np.flatnonzero(curves.is_scored)
    return {str(snapshot.case_id[i]): tuple(still_open[i, : n_ahead[i]].tolist()) for i in rows}


def _past_ahead(curves: Curves, snapshot: Snapshot) -> dict[str, float]:
    can_pass = np.flatnonzero(curves.age + WEEKS_AHEAD >= curves.horizon_weeks)
    still_open = np.exp(-curves.steps[can_pass, WEEKS_AHEAD])
    return dict(zip(snapshot.case_id[can_pass].tolist(), still_open.tolist(), strict=True))
