"""Reasons: what speaks for and against a long course in one case, each tied to the recorded fact behind it.

Contributions are additive on the log-odds of the score and stay with the data scientist; a person is shown sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np

from risk import features
from risk.features.feature import Feature
from risk.scoring import ScoringModel, chosen_rows, contributions_of, entry_weeks, outcome_of
from risk.snapshot import Recorded, Snapshot, snapshot_rows, take_snapshot

# Below a tenth on the log-odds the probability moves by at most 2.5 percentage points: too little to call a reason.
LEAST_CONTRIBUTION = 0.1


@dataclass(frozen=True)
class Reason:
    """One sentence: ``direction`` "up" speaks for a long course, "down" against; ``known_on`` is when it was recorded."""

    feature: str
    direction: str
    text_da: str
    text_en: str
    known_on: date | None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

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
    snapshot: Snapshot, model: ScoringModel, n: int = 3, built: Mapping[str, np.ndarray] | None = None
) -> dict[str, list[Reason]]:
    """Reasons for the rows of a snapshot, by case id; a case past the horizon has none.

    Parameters
    ----------
    built : the model's features of the snapshot, when they have been built already
    """
    outcome = outcome_of(model)
    entry = entry_weeks(snapshot, outcome)
    here = np.flatnonzero(entry < outcome.horizon_weeks)
    out: dict[str, list[Reason]] = {c: [] for c in snapshot.case_id.tolist()}
    if not len(here):
        return out
    if built is None:
        built = features.build_features(snapshot, model.meta["features"])
    columns = {name: built[name][here] for name in model.meta["features"]}
    names, parts = contributions_of(model, columns, float(outcome.horizon_weeks), entry[here])
    told_of = [j for j, name in enumerate(names) if _is_tellable(name)]
    shown, weight = [names[j] for j in told_of], parts[:, told_of]
    order = np.argsort(-np.abs(weight), axis=1, kind="stable")
    for i, row in enumerate(here):
        reasons: list[Reason] = []
        told: set[str] = set()
        for j in order[i]:
            if abs(weight[i, j]) < LEAST_CONTRIBUTION or len(reasons) == n:
                break
            feature = features.catalogue()[shown[j]]
            reason = _sentence(feature, columns[shown[j]][i], weight[i, j] > 0, _known_on(feature, snapshot, int(row)))
            if reason.text_da not in told:  # two features of one fact say it once
                told.add(reason.text_da)
                reasons.append(reason)
        out[str(snapshot.case_id[row])] = reasons
    return out


def _is_tellable(name: str) -> bool:
    return "P" not in features.catalogue()[name].marks


def _known_on(feature: Feature, snapshot: Snapshot, row: int) -> date | None:
    days = [snapshot.known_on[s][row] for s in feature.sources if s in snapshot.known_on]
    known = [d for d in days if not np.isnat(d)]
    return max(known).astype(object) if known else None


def _sentence(feature: Feature, value: float, is_up: bool, known_on: date | None) -> Reason:
    if feature.levels:
        code = feature.levels[int(value)]
        if code == "unknown":
            texts = feature.missing
        else:
            label = feature.labels[int(value)]
            texts = (feature.sentence[0].format(value=label[0]), feature.sentence[1].format(value=label[1]))
    elif np.isnan(value):
        texts = feature.missing
    elif feature.is_flag:
        texts = feature.sentence if value else feature.no_sentence
    else:
        english = f"{value:,.{feature.decimals}f}"
        danish = english.translate(str.maketrans(",.", ".,"))
        texts = (feature.sentence[0].format(value=danish), feature.sentence[1].format(value=english))
    return Reason(feature.name, "up" if is_up else "down", texts[0], texts[1], known_on)
