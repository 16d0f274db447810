"""What a case system gets back: a score with what belongs to it, or the reason why there is none. Never a decision."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from risk import features, schema
from risk.reasons import Reason, explain_snapshot
from risk.scoring import NOT_FOR, OBJECTION, PURPOSE, score_columns
from risk.snapshot import Snapshot, take_snapshot
from serving.champion import InService
from serving.language import Speaker
from serving.messages import Note, Row
from serving.problems import Flaw
from serving.rows import arrived

STALE_DAYS = 365
DANISH, ENGLISH = Speaker("da"), Speaker("en")


class CurvePoint(BaseModel):
    """One point of the curve."""

    weeks: int = Field(description="Weeks since the first day of absence", examples=[26])
    p_exceed: float | None = Field(description="P(open past these weeks); null when the case is past them", ge=0, le=1)


class Words(BaseModel):
    """The score as people count, in both languages."""

    da: str = Field(examples=["omkring 18 ud af 100"])
    en: str = Field(examples=["about 18 in 100"])


class ReasonMessage(BaseModel):
    """One recorded thing that speaks for or against a long course."""

    feature: str
    text_da: str
    text_en: str
    known_on: date | None = Field(description="When the fact behind it was recorded; null for what came with the case")


class Reasons(BaseModel):
    """The weightiest reasons, the strongest first."""

    up: list[ReasonMessage] = Field(default=[], description="Speak for a long course")
    down: list[ReasonMessage] = Field(default=[], description="Speak against it")


class Unknown(BaseModel):
    """A fact the model uses and nobody has recorded yet."""

    name: str
    label_da: str
    label_en: str
    usually_known: str = Field(description="When it usually becomes known", examples=["weeks 6-8"])


class Abstention(BaseModel):
    """Why there is no score."""

    code: Literal["objection", "required-missing"]
    features: list[str] = Field(default=[], description="What the model cannot do without")
    text_da: str
    text_en: str


class CaseAnswer(BaseModel):
    """The outcome of one case of the request."""

    row: int = Field(description="Place in the request, from 0")
    case_id: str | None = Field(description="Null when the id could not be accepted")
    score_id: str | None = Field(
        default=None, description="Under this id the outcome can be read again; null when it was rejected"
    )
    status: Literal["scored", "abstained", "past_horizon", "rejected"]
    p_exceed_52w: float | None = Field(
        default=None, description="P(open past week 52, given what was known)", ge=0, le=1
    )
    words: Words | None = None
    curve: list[CurvePoint] = []
    base_rate: float | None = Field(
        default=None, description="The same chance over all cases open at this age", ge=0, le=1
    )
    age_weeks: float | None = Field(default=None, description="Weeks the case has been open", ge=0)
    reasons: Reasons = Reasons()
    unknown_facts: list[Unknown] = []
    warnings: list[Note] = []
    abstained: Abstention | None = None
    errors: list[Flaw] = Field(default=[], description="What does not fit, when the case was rejected")
    as_of: date
    model_version: str
    purpose: str = PURPOSE
    not_for: list[str] = list(NOT_FOR)


class ScoresAnswer(BaseModel):
    """Outcomes in the order of the request."""

    request_id: str
    n_scored: int
    n_without_score: int = Field(description="Abstained or past the horizon")
    n_rejected: int
    results: list[CaseAnswer]


def answer(rows: Sequence[Row], as_of: date, model: InService, n_reasons: int, request_id: str) -> ScoresAnswer:
    """Score the rows that fit and say of the others what is wrong."""
    fit = [row for row in rows if not row.flaws]
    told: dict[int, CaseAnswer] = {}
    if fit:
        snapshot = take_snapshot(arrived(fit, as_of), as_of)
        told = dict(zip([row.place for row in fit], _scored(fit, snapshot, model, n_reasons), strict=True))
    results = [told.get(row.place) or _rejected(row, as_of, model) for row in rows]
    counts = {status: sum(r.status == status for r in results) for status in ("scored", "rejected")}
    return ScoresAnswer(
        request_id=request_id,
        n_scored=counts["scored"],
        n_without_score=len(results) - counts["scored"] - counts["rejected"],
        n_rejected=counts["rejected"],
        results=results,
    )


def _rejected(row: Row, as_of: date, model: InService) -> CaseAnswer:
    return CaseAnswer(
        row=row.place,
        case_id=row.case_id,
        status="rejected",
        errors=row.flaws,
        as_of=as_of,
        model_version=model.version,
    )


def _scored(rows: Sequence[Row], snapshot: Snapshot, model: InService, n_reasons: int) -> list[CaseAnswer]:
    names = dict.fromkeys([*model.meta["features"], *model.meta.get("ranges", {})])
    columns = features.build_features(snapshot, list(names))
    scores = score_columns(snapshot, model, columns)
    reasons = explain_snapshot(snapshot, model, n_reasons, columns) if n_reasons else {}
    of_model = model_notes(model, snapshot.as_of[0].astype(object))
    told = []
    for i, (row, line) in enumerate(zip(rows, _lines(scores, model), strict=True)):
        is_scored = line["status"] == "scored"
        told.append(
            CaseAnswer(
                row=row.place,
                case_id=row.case_id,
                score_id=secrets.token_hex(16),
                reasons=_both_ways(reasons.get(row.case_id or "", []) if is_scored else []),
                unknown_facts=_unknown(snapshot, i, model) if is_scored else [],
                warnings=[*of_model, *row.notes, *(_outside(columns, i, model) if is_scored else [])],
                as_of=snapshot.as_of[i].astype(object),
                model_version=model.version,
                **line,
            )
        )
    return told


def _lines(scores: dict[str, np.ndarray], model: InService) -> list[dict[str, Any]]:
    """The columns of the scores as the fields of an answer, one dict per case, nan as None."""
    weeks, horizon = model.outcome.horizons_weeks, f"p_exceed_{model.outcome.horizon_weeks}w"
    curves = zip(*(scores[f"p_exceed_{w}w"].tolist() for w in weeks), strict=True)
    lines = []
    columns = [scores[c].tolist() for c in (horizon, "status", "abstain_reason", "age_weeks", "base_rate")]
    for (p, status, reason, age, rate), curve in zip(zip(*columns, strict=True), curves, strict=True):
        is_scored = status == "scored"
        points = [CurvePoint(weeks=w, p_exceed=_or_none(q)) for w, q in zip(weeks, curve, strict=True)]
        lines.append(
            {
                "status": status,
                "p_exceed_52w": _or_none(p),
                "words": Words(da=DANISH.frequency(p), en=ENGLISH.frequency(p)) if is_scored else None,
                "curve": points if is_scored else [],
                "base_rate": _or_none(rate),
                "age_weeks": age,
                "abstained": _abstention(reason) if status == "abstained" else None,
            }
        )
    return lines


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _abstention(reason: str) -> Abstention:
    if reason == OBJECTION:
        return Abstention(
            code="objection",
            text_da="Personen har gjort indsigelse mod at blive vurderet",
            text_en="The person has objected to being scored",
        )
    names = reason.split(", ")
    labels = [schema.attributes()[s].label for n in names for s in features.catalogue()[n].sources] or [
        (reason, reason)
    ]
    return Abstention(
        code="required-missing",
        features=names,
        text_da=f"Mangler oplysninger, som modellen ikke kan undvære: {', '.join(da for da, _ in labels)}",
        text_en=f"Lacks what the model cannot do without: {', '.join(en for _, en in labels)}",
    )


def _both_ways(reasons: Sequence[Reason]) -> Reasons:
    def of(direction: str) -> list[ReasonMessage]:
        return [
            ReasonMessage(feature=r.feature, text_da=r.text_da, text_en=r.text_en, known_on=r.known_on)
            for r in reasons
            if r.direction == direction
        ]

    return Reasons(up=of("up"), down=of("down"))


def _unknown(snapshot: Snapshot, i: int, model: InService) -> list[Unknown]:
    """Facts behind the model's features that nobody has recorded for case ``i``."""
    facts, known = schema.fact_attributes(), features.catalogue()
    used = dict.fromkeys(s for n in model.meta["features"] for s in known[n].sources if s in facts)
    return [
        Unknown(name=n, label_da=facts[n].label[0], label_en=facts[n].label[1], usually_known=facts[n].known)
        for n in used
        if np.isnat(snapshot.known_on[n][i])
    ]


def _outside(columns: dict[str, np.ndarray], i: int, model: InService) -> list[Note]:
    """A note for each number that lies outside what the model has seen."""
    notes = []
    for name, (low, high) in model.meta.get("ranges", {}).items():
        if columns[name][i] < low or columns[name][i] > high:
            source = next(iter(features.catalogue()[name].sources), "")
            da, en = schema.attributes()[source].label if source else ("Sagens varighed eller dato", "Age or date")
            notes.append(
                Note(
                    code="outside-training",
                    pointer=f"/attributes/{source}" if source in schema.case_attributes() else "",
                    text_da=f"{da} ligger uden for det, modellen har set",
                    text_en=f"{en} lies outside what the model has seen",
                )
            )
    return notes


def model_notes(model: InService, as_of: date) -> list[Note]:
    """What a reader should know of the model itself: that it is old, or learned from made-up cases."""
    notes = []
    trained = model.meta.get("trained_as_of")
    if trained and (as_of - date.fromisoformat(trained)).days > STALE_DAYS:
        da = f"Modellen har kun set, hvad der var kendt {DANISH.day(date.fromisoformat(trained))}; den bør trænes igen"
        en = f"The model has seen only what was known on {trained}; it should be trained again"
        notes.append(Note(code="stale-model", pointer="", text_da=da, text_en=en))
    if model.meta.get("is_synthetic"):
        da = "Modellen har lært af opdigtede sager; scoren siger intet om virkelige mennesker"
        en = "The model learned from made-up cases; the score says nothing of real people"
        notes.append(Note(code="synthetic-model", pointer="", text_da=da, text_en=en))
    return notes
