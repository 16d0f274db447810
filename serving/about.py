"""What the service says of itself: its model, its words and its health."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, Field

from risk import features, schema
from risk.errors import StoreError
from risk.schema import Attribute
from risk.scoring import NOT_FOR, PURPOSE
from serving.champion import Champion
from serving.inservice import InService
from serving.messages import Note, accepted_attributes, accepted_facts
from serving.settings import Settings
from serving.start import Behind
from serving.store.ledger import check_end


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Version(BaseModel):
    """Versions of what runs here; the model's own stands in /v1/model."""

    risk52: str = Field(examples=["0.1.0"])
    api: Literal["v1"] = "v1"
    schema_version: str


class Check(BaseModel):
    """One thing that must hold before the service can score."""

    name: Literal["model", "golden", "store"]
    status: Literal["pass", "fail"]
    text: str


class Readiness(BaseModel):
    """Whether the service can score now; ``fail`` comes with status 503."""

    status: Literal["pass", "fail"]
    checks: list[Check]
    model_version: str | None
    registry: str | None = Field(description="Code of the trouble with the model's source, null when there is none")
    is_copy: bool = Field(
        default=False, description="The model is the last good one kept on this machine: its source could not be read"
    )


class UsedFeature(BaseModel):
    name: str
    sources: list[str] = Field(description="The attributes it is computed from")
    legal_marks: list[str] = Field(description="As in /v1/dictionary")


class Limits(BaseModel):
    max_body_bytes: int
    max_cases: int
    max_batch: int
    max_facts: int


class ModelAnswer(BaseModel):
    """The model in service."""

    version: str
    learner: str | None
    question: str = "P(the case is open past week 52 | open on the as-of date, and what was known before it)"
    horizon_weeks: int
    horizons_weeks: list[int]
    clock: Literal["absence", "registration"]
    trained_as_of: date | None = Field(description="The model saw what was known before this day")
    training_window: list[date] = Field(description="First and last day it looked from")
    n_cases: int | None
    is_synthetic: bool | None = Field(description="Learned from made-up cases")
    required: list[str] = Field(description="Without these features it abstains")
    features: list[UsedFeature]
    in_service_since: datetime
    signed_by: str | None = Field(
        default=None, description="Name of the trusted key that vouches for it; null when signatures are not asked for"
    )
    warnings: list[Note] = Field(default=[], description="What whoever runs the service should see to")
    purpose: str = PURPOSE
    not_for: list[str] = list(NOT_FOR)
    limits: Limits


class Level(BaseModel):
    code: str
    label_da: str
    label_en: str


class Word(BaseModel):
    """One attribute or fact that may be sent."""

    name: str
    kind: Literal["category", "number", "flag"]
    label_da: str
    label_en: str
    purpose: str
    legal_marks: list[str] = Field(
        description="H health, P protected, Q quasi-identifier, L leakage danger, T calendar"
    )
    usually_known: str
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    levels: list[Level] = Field(default=[], description="Open: a code that is not here counts as 'other'")


class Dictionary(BaseModel):
    """Every word a case system may use."""

    schema_version: str
    attributes: list[Word]
    facts: list[Word]


NOT_VOUCHED_FOR = Note(
    code="signature-not-asked-for",
    pointer="",
    text_da="Ingen offentlig nøgle er angivet i RISK_SIGNING_PUBLIC_KEYS, så det er ikke kontrolleret, hvem der står inde for modellen",
    text_en="RISK_SIGNING_PUBLIC_KEYS names no public key, so it was not checked who vouches for the model",
)


def running_version() -> Version:
    return Version(risk52=version("risk52"), schema_version=schema.SCHEMA_VERSION)


def readiness(champion: Champion, behind: Behind) -> Readiness:
    """Check that there is a model, that it still is what it was when it was opened, and that scores can be recorded."""
    model = champion.current
    there = Check(
        name="model",
        status="fail" if model is None else "pass",
        text="no model could be opened; the log says why" if model is None else "a model is in service",
    )
    intact = model is not None and model.is_intact()
    said = "the golden cases score as they did" if intact else "the golden cases cannot be scored as they were"
    checks = [there, Check(name="golden", status="pass" if intact else "fail", text=said), _store_check(behind)]
    return Readiness(
        status="pass" if all(check.status == "pass" for check in checks) else "fail",
        checks=checks,
        model_version=None if model is None else model.version,
        registry=champion.trouble,
        is_copy=champion.is_copy,
    )


def _store_check(behind: Behind) -> Check:
    try:
        check_end(behind.store, behind.seals)
    except StoreError:
        return Check(name="store", status="fail", text="scores cannot be recorded; the log says why")
    return Check(name="store", status="pass", text="scores can be recorded")


def about_model(model: InService, settings: Settings) -> ModelAnswer:
    meta, known = model.meta, features.catalogue()
    used = [
        UsedFeature(name=n, sources=list(known[n].sources), legal_marks=list(known[n].marks)) for n in meta["features"]
    ]
    return ModelAnswer(
        version=model.version,
        learner=meta.get("learner"),
        horizon_weeks=model.outcome.horizon_weeks,
        horizons_weeks=list(model.outcome.horizons_weeks),
        clock=model.outcome.clock,
        trained_as_of=meta.get("trained_as_of"),
        training_window=meta.get("training_window", []),
        n_cases=meta.get("n_cases"),
        is_synthetic=meta.get("is_synthetic"),
        required=meta.get("required", []),
        features=used,
        in_service_since=model.opened_at,
        signed_by=model.bundle.signed_by,
        warnings=[] if model.bundle.signed_by else [NOT_VOUCHED_FOR],
        limits=Limits(
            max_body_bytes=settings.max_body_bytes,
            max_cases=settings.max_cases,
            max_batch=settings.max_batch,
            max_facts=settings.max_facts,
        ),
    )


@cache
def dictionary() -> Dictionary:
    return Dictionary(
        schema_version=schema.SCHEMA_VERSION,
        attributes=[_word(a) for a in accepted_attributes().values()],
        facts=[_word(a) for a in accepted_facts().values()],
    )


def _word(attribute: Attribute) -> Word:
    is_number = attribute.kind == "number"
    return Word(
        name=attribute.name,
        kind=attribute.kind,
        label_da=attribute.label[0],
        label_en=attribute.label[1],
        purpose=attribute.purpose,
        legal_marks=list(attribute.marks),
        usually_known=attribute.known,
        unit=attribute.unit or None,
        low=attribute.low if is_number else None,
        high=attribute.high if is_number else None,
        levels=[Level(code=code, label_da=da, label_en=en) for code, (da, en) in attribute.labels.items()],
    )
