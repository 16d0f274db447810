"""What a case system gets back: a score with what belongs to it, or the reason why there is none. Never a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from json.encoder import encode_basestring_ascii as quoted
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from risk import features
from risk.reasons import reasons_of_scored
from risk.scoring import NOT_FOR, PURPOSE, judge
from serving.bands import Cuts
from serving.inservice import InService
from serving.messages import Note, Row
from serving.problems import Flaw
from serving.rows import taken
from serving.store.ledger import new_ids
from serving.wording import abstention, band, both_ways, intervals, notes, text_of, wording_of


class CurvePoint(BaseModel):
    """One point of the curve."""

    weeks: int = Field(description="Weeks since the first day of absence", examples=[26])
    p_exceed: float | None = Field(description="P(open past these weeks); null when the case is past them", ge=0, le=1)


class Interval(BaseModel):
    """How well the score is known."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    level: float = Field(description="How often such an interval is meant to hold what it covers", examples=[0.9])
    covers: Literal["case", "equals"] = Field(
        description="'case': the chance of this one case given what was recorded of it, as far as refits and another kind of "
        "learner tell how far single cases lie from their score. 'equals': only the share that passes week 52 among cases of "
        "this score and age, by the outcomes the score was calibrated on; one case's own chance may lie outside"
    )


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
    interval: Interval | None = Field(
        default=None,
        description="How well the score is known; null when the model was calibrated on too few outcomes to say",
    )
    band: Literal["high", "middle", "low"] | None = Field(
        default=None,
        description="Where the score would stand on the newest weekly lists of the caller's office, all its teams together: "
        "as many scores are high and middle as there were on the lists, which follows from what the office has time for, "
        "never from a fixed chance. Null when no list of this model is kept, and for callers of every office",
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


class Outcome(NamedTuple):
    """What became of one row: its answer as JSON, and what the ledger keeps beside it."""

    row: Row
    score_id: str | None
    status: str
    text: str


@dataclass(frozen=True)
class Answered:
    """The answer to one request, in the fields of :class:`ScoresAnswer`."""

    request_id: str
    model_version: str
    outcomes: list[Outcome]

    def body(self) -> str:
        """As JSON."""
        return body_of(self.request_id, self.statuses, [outcome.text for outcome in self.outcomes])

    @property
    def statuses(self) -> list[str]:
        return [outcome.status for outcome in self.outcomes]


def body_of(request_id: str, statuses: Sequence[str], texts: Sequence[str]) -> str:
    """The JSON of :class:`ScoresAnswer`; ``texts`` are the outcomes in the order of the request."""
    n_scored, n_rejected = statuses.count("scored"), statuses.count("rejected")
    return (
        f'{{"request_id":{quoted(request_id)},"n_scored":{n_scored},"n_without_score":{len(statuses) - n_scored - n_rejected},'
        f'"n_rejected":{n_rejected},"results":[{",".join(texts)}]}}'
    )


def answer(
    rows: Sequence[Row], model: InService, n_reasons: int, cuts: Sequence[Cuts | None] | None = None
) -> list[Outcome]:
    """Score the rows that fit, whatever requests they came in, and say of the others what is wrong.

    Parameters
    ----------
    cuts : where the bands begin for whoever asked, one per row; no row has a band when not given
    """
    cuts = [None] * len(rows) if cuts is None else cuts
    fit = [(row, cut) for row, cut in zip(rows, cuts, strict=True) if not row.flaws]
    told = iter(_scored([row for row, _ in fit], model, n_reasons, [cut for _, cut in fit]))
    return [rejected(row, model) if row.flaws else next(told) for row in rows]


def rejected(row: Row, model: InService) -> Outcome:
    """What is said of a row that does not fit."""
    errors = text_of([flaw.model_dump() for flaw in row.flaws])
    return Outcome(row, None, "rejected", wording_of(model).outcome(row.place, row.case_id, row.as_of, errors=errors))


def _scored(rows: Sequence[Row], model: InService, n_reasons: int, cuts: Sequence[Cuts | None]) -> list[Outcome]:
    if not rows:
        return []
    said, snapshot = wording_of(model), taken(rows)
    built = features.build_features(snapshot, said.features)
    judged = judge(snapshot, model, built, with_parts=n_reasons > 0)
    reasons = reasons_of_scored(snapshot, judged, built, n_reasons)
    unknown, outside = said.unknown_facts(snapshot), said.outside(built)
    at = model.outcome.horizons_weeks.index(model.outcome.horizon_weeks)
    told_of = (judged.p, judged.status, judged.why, judged.entry, judged.base_rate)
    columns = zip(rows, *(column.tolist() for column in told_of), strict=True)
    around = intervals(model, judged.p[:, at], judged.entry)
    ids, outcomes = new_ids(len(rows)), []
    for i, (row, curve, status, why, age, rate) in enumerate(columns):
        p, score_id, warnings = curve[at], ids[i], said.notes_on(row.as_of)
        if row.notes or i in outside:
            told = notes(row.notes) + (outside.get(i, []) if status == "scored" else [])
            warnings = ",".join([warnings, *told] if warnings else told)
        head = (row.place, row.case_id, row.as_of, score_id, status)
        if status == "scored":
            place = "null" if (cut := cuts[i]) is None else band(cut, p, model)
            up, down = both_ways(reasons[i])
            curve_told = said.curve(curve)
            text = said.outcome(*head, p, around[i], place, curve_told, rate, age, up, down, unknown[i], warnings)
        else:
            abstained = abstention(why) if status == "abstained" else "null"
            text = said.outcome(*head, base_rate=rate, age=age, warnings=warnings, abstained=abstained)
        outcomes.append(Outcome(row, score_id, status, text))
    return outcomes
