"""Reasons: what speaks for and against a long course in one case, each tied to the recorded fact behind it.

Contributions are additive on the log-odds of the score and stay with the data scientist; a person is shown sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from risk import features, schema
from risk.features.feature import Feature
from risk.scoring import Judged, Parts, ScoringModel, chosen_rows, contributions_of, entry_weeks, outcome_of
from risk.snapshot import Recorded, Snapshot, snapshot_rows, take_snapshot

# Below a tenth on the log-odds the probability moves by at most 2.5 percentage points: too little to call a reason.
LEAST_CONTRIBUTION = 0.1


class Reason(NamedTuple):
    """One sentence: ``direction`` "up" speaks for a long course, "down" against.

    ``known_on`` is when the fact behind it was recorded; None for what came with the case, or is not known.
    """

    feature: str
    direction: str
    text_da: str
    text_en: str
    known_on: date | None

    def as_dict(self) -> dict[str, object]:
        return self._asdict()

    def text(self, language: str) -> str:
        return self.text_da if language == "da" else self.text_en


def explain(
    register: Recorded, as_of: date, model: ScoringModel, case_ids: Sequence[str], n: int = 3
) -> dict[str, list[Reason]]:
    """The ``n`` weightiest reasons of each named open case, strongest first, from both directions.

    Protected attributes are never given as reasons, and neither is a contribution under ``LEAST_CONTRIBUTION``.

    Raises
    ------
    CaseDataError
        When a named case is not among the open cases.
    """
    snapshot = take_snapshot(register, as_of)
    return explain_snapshot(snapshot_rows(register, *chosen_rows(snapshot, case_ids)), model, n)


def explain_snapshot(
    snapshot: Snapshot, model: ScoringModel, n: int = 3, built: features.Built | None = None
) -> dict[str, list[Reason]]:
    """Reasons for the rows of a snapshot, by case id; a case past the horizon has none.

    Parameters
    ----------
    built : the model's features of the snapshot, when they have been built already
    """
    return dict(zip(snapshot.case_id.tolist(), explain_rows(snapshot, model, n, built), strict=True))


def explain_rows(
    snapshot: Snapshot, model: ScoringModel, n: int = 3, built: features.Built | None = None
) -> list[list[Reason]]:
    """:func:`explain_snapshot` row by row, where a case may stand several times."""
    outcome = outcome_of(model)
    entry = entry_weeks(snapshot, outcome)
    here = np.flatnonzero(entry < outcome.horizon_weeks)
    out: list[list[Reason]] = [[] for _ in range(len(snapshot))]
    if not len(here):
        return out
    if built is None:
        built = features.build_features(snapshot, model.meta["features"])
    if len(here) < len(snapshot):
        built = built.rows(model.meta["features"], here)
    parts = Parts(*contributions_of(model, built, float(outcome.horizon_weeks), entry[here]))
    for row, reasons in zip(here.tolist(), _told(snapshot, here, parts, built, n), strict=True):
        out[row] = reasons
    return out


def reasons_of_scored(snapshot: Snapshot, judged: Judged, built: features.Built, n: int) -> list[list[Reason]]:
    """:func:`explain_rows` of the cases that have a score, from the parts that :func:`risk.scoring.judge` found."""
    out: list[list[Reason]] = [[] for _ in range(len(snapshot))]
    if judged.parts is None or not n:
        return out
    if len(judged.scored) < len(snapshot):
        built = built.rows(judged.parts.names, judged.scored)
    told = _told(snapshot, judged.scored, judged.parts, built, n)
    for row, reasons in zip(judged.scored.tolist(), told, strict=True):
        out[row] = reasons
    return out


def _told(
    snapshot: Snapshot, rows: npt.NDArray[np.intp], parts: Parts, built: features.Built, n: int
) -> list[list[Reason]]:
    """The reasons of some rows of a snapshot, whose contributions and features these are."""
    shown, places, facts, n_doubles = tellable(tuple(parts.names))
    weight = parts.of_case[:, places]
    order, whose = np.argsort(-np.abs(weight), axis=1, kind="stable")[:, : n + n_doubles], np.arange(len(rows))[:, None]
    heavy, values = weight[whose, order].tolist(), built.table(parts.names)[whose, places[order]].tolist()
    out: list[list[Reason]] = []
    for row, first, weights, given in zip(rows.tolist(), order.tolist(), heavy, values, strict=True):
        told: list[str] = []
        reasons: list[Reason] = []
        for j, w, value in zip(first, weights, given, strict=True):
            if abs(w) < LEAST_CONTRIBUTION or len(told) == n:
                break
            da, en = shown[j].text_of(value)
            if da not in told:  # two features of one fact say it once
                told.append(da)
                known_on = _latest(snapshot, facts[j], row) if facts[j] else None
                reasons.append(Reason(shown[j].name, "up" if w > 0 else "down", da, en, known_on))
        out.append(reasons)
    return out


def _latest(snapshot: Snapshot, facts: Sequence[str], row: int) -> date | None:
    """The last day on which one of the facts was recorded."""
    days: list[date | None] = [snapshot.known_on[name][row].item() for name in facts]
    return days[0] if len(days) == 1 else max((day for day in days if day is not None), default=None)


@cache
def tellable(
    names: tuple[str, ...],
) -> tuple[list[Feature], npt.NDArray[np.int64], list[tuple[str, ...]], int]:
    """The features that may be given as reasons, where they stand among ``names``, the facts each speaks of, and how
    many of them can say what another one says too."""
    known, recorded = features.catalogue(), schema.fact_attributes()
    places = [j for j, name in enumerate(names) if known[name].is_tellable]
    shown = [known[names[j]] for j in places]
    facts = [tuple(s for s in feature.sources if s in recorded) for feature in shown]
    sayings = Counter(da for f in shown for da in {f.missing[0], f.sentence[0], *(da for da, _ in f.texts)})
    n_doubles = sum(times - 1 for times in sayings.values())
    return shown, np.array(places, dtype=np.int64), facts, n_doubles
