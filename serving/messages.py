"""What a case system sends: messages made from the declared attributes, read row by row, never all or nothing.

The fields, bounds and levels follow from :mod:`risk.schema`. Three rules are part of the contract:

* Only attributes the score may learn from are accepted; sex, origin, address and the like are refused, not ignored.
* Levels are open: a code that is not known counts as ``other``, and the answer says so.
* A fact recorded on or after the as-of date is not used, and the answer says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import core_schema

from risk import schema
from risk.intake.pseudonym import looks_like_cpr
from risk.schema import Attribute
from risk.scoring import OBJECTION
from serving.problems import Flaw

LONGEST_TEXT = LONGEST_CASE_ID = 64
_CPR = "shaped like a CPR number"
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
# Those days as they are written; that a month has so many days is seen when the day is read.
DAY_PATTERN = r"^(19[7-9]|2[01][0-9])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
# A pseudonym of hexadecimal digits, or a UUID, can hold ten digits in a row by chance; anything else that does is refused.
_KEYED_HASH = re.compile(r"[0-9a-f]{32,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def could_name_a_person(text: str) -> bool:
    """Whether a CPR number could stand in a text; a random name of hexadecimal digits, or a UUID, is none."""
    return looks_like_cpr(text) and not _KEYED_HASH.fullmatch(text)


def _pseudonym(given: object) -> object:
    if isinstance(given, str) and could_name_a_person(given):
        raise ValueError(_CPR)
    return given


CASE_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
Day = Annotated[
    date,
    GetPydanticSchema(
        lambda _, __: core_schema.chain_schema(
            [core_schema.str_schema(strict=True, pattern=DAY_PATTERN), core_schema.date_schema()]
        )
    ),
    WithJsonSchema({"type": "string", "format": "date"}),
]
CaseId = Annotated[
    str,
    BeforeValidator(_pseudonym),
    StringConstraints(strict=True, min_length=1, max_length=LONGEST_CASE_ID, pattern=CASE_ID_PATTERN),
]
_CASE_ID: TypeAdapter[str] = TypeAdapter(CaseId)
Text = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TEXT)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Fact(Message):
    """A dated piece of knowledge about the case."""

    known_on: Day = Field(description="The day it was recorded, not the day it happened")
    name: Text = Field(description="A fact of /v1/dictionary", examples=["expected_recovery"])
    value: Flag | Number | Text = Field(
        description="A level code, a number or true/false, as the fact's kind asks",
        examples=["13_26w"],
        union_mode="left_to_right",
    )


@cache
def accepted_attributes() -> dict[str, Attribute]:
    """Case attributes the service asks for: those the score may learn from, and no others (data minimisation)."""
    return {n: a for n, a in schema.case_attributes().items() if a.use == "feature" and a.known != "closing"}


@cache
def accepted_facts() -> dict[str, Attribute]:
    """Facts the service uses: those the score may learn from, and the person's objection to being scored."""
    return {n: a for n, a in schema.fact_attributes().items() if a.use == "feature" or n == OBJECTION}


def expected(attribute: Attribute) -> str:
    """What an attribute's value must be, in words."""
    if attribute.kind == "category":
        return f"text of at most {LONGEST_TEXT} characters, one of the levels in /v1/dictionary"
    if attribute.kind == "flag":
        return "true or false"
    return f"a number from {attribute.low:g} to {attribute.high:g} ({attribute.unit})"


def case_id_of(given: Any) -> str | None:
    """The case id of something that should be a case, if at least that much of it is right."""
    try:
        return _CASE_ID.validate_python(given.get("case_id") if isinstance(given, dict) else None)
    except ValidationError:
        return None


@cache
def attributes_message() -> type[BaseModel]:
    """The message of a case's attributes, one optional field each."""
    fields: dict[str, Any] = {}
    for name, attribute in accepted_attributes().items():
        about = f"{attribute.label[1]} ({attribute.label[0]})"
        if attribute.kind == "category":
            hint: dict[str, Any] = {"x-extensible-enum": list(attribute.levels)}
            fields[name] = (Text | None, Field(default=None, description=about, json_schema_extra=hint))
        elif attribute.kind == "flag":
            fields[name] = (Flag | None, Field(default=None, description=about))
        else:
            bounded = Annotated[Number, Field(ge=attribute.low, le=attribute.high)]
            fields[name] = (bounded | None, Field(default=None, description=f"{about}, {attribute.unit}"))
    return create_model("Attributes", __base__=Message, __doc__="What is known at registration.", **fields)


@cache
def case_message() -> type[BaseModel]:
    """The message of one open case."""
    attributes = attributes_message()
    return create_model(
        "Case",
        __base__=Message,
        __doc__="One open case, as the case system knows it.",
        case_id=(CaseId, Field(description="A pseudonym; anything shaped like a CPR number is refused", examples=["SYN000123"],
                               json_schema_extra={"pattern": CASE_ID_PATTERN})),
        opened_on=(Day, Field(description="First day of absence", examples=["2026-09-07"])),
        registered_on=(Day, Field(description="The day the office learned of the case", examples=["2026-10-07"])),
        attributes=(attributes, Field(default_factory=attributes)),
        facts=(list[Fact], Field(default=[], description="In any order; of several with one name the latest counts")),
    )  # fmt: skip


class Envelope(Message):
    """The outer part of a request; its cases are read one by one."""

    as_of: Day
    cases: list[Any] = Field(min_length=1)


@cache
def request_message() -> type[BaseModel]:
    """The whole request, as the API description shows it."""
    about = "The day to look from: what was recorded before 00:00 of it counts. To count what came today, send tomorrow's date."
    return create_model(
        "ScoreRequest",
        __base__=Message,
        __doc__="Open cases to be scored.",
        as_of=(Day, Field(description=about, examples=["2026-11-23"])),
        cases=(list[case_message()], Field(min_length=1)),  # type: ignore[misc, arg-type]
    )


class Note(BaseModel):
    """Something about the input that the reader of the score should know."""

    code: str = Field(examples=["unknown-level"])
    pointer: str = Field(description="JSON pointer into the case", examples=["/attributes/industry"])
    text_da: str
    text_en: str


@dataclass(slots=True)
class Row:
    """One case of a request: its place, what could be read of it, what does not fit and what is worth saying."""

    place: int
    as_of: date
    case_id: str | None = None
    opened_on: date = FIRST_DAY
    registered_on: date = FIRST_DAY
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    columns: dict[str, float] = field(default_factory=dict)
    facts: list[tuple[str, date, float]] = field(default_factory=list)


_EXPECTED = {
    "as_of": "a date written yyyy-mm-dd",
    "known_on": "a date written yyyy-mm-dd",
    "opened_on": "a date written yyyy-mm-dd",
    "registered_on": "a date written yyyy-mm-dd",
    "cases": "a list with at least one case",
    "facts": "a list of facts",
    "attributes": "an object of attributes",
    "case_id": "a pseudonym of 1 to 64 letters, digits and . _ : / -",
    "name": "the name of a fact in /v1/dictionary",
    "value": "a level code, a number or true/false",
}


def flaws_of(broken: ValidationError, prefix: str = "") -> list[Flaw]:
    """pydantic's complaints as flaws, in the service's own words and with its own names only."""
    named = _EXPECTED | {n: expected(a) for n, a in accepted_attributes().items()}
    made: dict[tuple[str, str], Flaw] = {}
    for error in broken.errors(include_url=False, include_context=False, include_input=False):
        # A name that is not declared was made up by the caller: the pointer ends before it.
        path = [str(p) for p in error["loc"] if isinstance(p, int) or p in named]
        last = next((p for p in reversed(path) if not p.isdigit()), "")
        code, detail = _told(
            "cpr" if error["msg"].endswith(_CPR) else error["type"],
            named.get(last, "a JSON object with the documented names"),
        )
        pointer = "".join([prefix, *(f"/{p}" for p in path)])
        made.setdefault((pointer, code), Flaw(pointer=pointer, code=code, detail=detail))
    return list(made.values())


def _told(kind: str, what: str) -> tuple[str, str]:
    if kind == "missing":
        return "missing", f"is needed: {what}"
    if kind == "extra_forbidden":
        return (
            "not-accepted",
            "a name here is not one the service accepts; leave it out (/v1/dictionary lists the names)",
        )
    if kind == "cpr":
        return "cpr-shaped", "looks like a CPR number; send a pseudonym, never the number"
    if kind in ("greater_than_equal", "less_than_equal", "finite_number"):
        return "out-of-range", what
    return "wrong-type", what
