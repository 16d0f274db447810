"""A mapping: one TOML file that says how the extract of one source becomes a register.

A new source system is a new mapping and no new code. Headings and codes are compared in a normal form (see
:func:`normal_heading` and :func:`normal_code`), so that ``Første fraværsdag`` and ``foerste_fravaersdag`` are one heading.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from risk import schema
from risk.errors import IntakeError, why_unreadable
from risk.outcomes import first_complaint

_LETTERS = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "\ufeff": None, "\xa0": " "})


def normal_code(text: str) -> str:
    """A code as it is compared: no case, no outer or double spaces, æ/ø/å as ae/oe/aa.

    >>> normal_code("  Død ")
    'doed'
    """
    return " ".join(unicodedata.normalize("NFC", text).casefold().translate(_LETTERS).split())


def normal_heading(text: str) -> str:
    """A heading as it is compared: as a code, and with every run of other signs as one underscore.

    >>> normal_heading("Første fraværsdag"), normal_heading("CPR-nr.")
    ('foerste_fravaersdag', 'cpr_nr')
    """
    return re.sub(r"[^a-z0-9]+", "_", normal_code(text)).strip("_")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reading(_Part):
    """How the file is written; encoding and separator are found out when they are not stated."""

    encoding: str | None = None
    separator: Literal[";", ",", "\t"] | None = None
    decimal: Literal[",", "."] = ","
    thousand: Literal[".", ",", ""] = "."
    blanks: tuple[str, ...] = ("", "null", "-")
    totals: tuple[str, ...] = ("i alt", "ialt", "total")
    ignored: tuple[str, ...] = ()

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                "".encode(name)
            except LookupError:
                raise ValueError("not an encoding; write e.g. utf-8, cp1252 or iso-8859-1") from None
        return name


class Extract(_Part):
    """The extract date: a column that holds it, or a fixed day; the caller's own date comes before both."""

    on: date | None = None
    headings: tuple[str, ...] = ()
    later_rows: Literal["reject", "leave_out"] = "reject"


class Key(_Part):
    """Where one key column of the cases comes from: a column, a constant, another key, or the row number."""

    headings: tuple[str, ...] = ()
    kind: Literal["plain", "cpr"] = "plain"
    codes: dict[str, tuple[str, ...]] = {}
    open_codes: tuple[str, ...] = ()
    blank: str | None = None
    constant: str | None = None
    same_as: Literal["opened_on", "office"] | None = None
    row_prefix: str | None = None
    row_digits: int = Field(5, ge=1, le=12)

    @model_validator(mode="after")
    def _one_source(self) -> Key:
        if sum(bool(s) for s in (self.headings, self.constant, self.same_as, self.row_prefix)) != 1:
            raise ValueError("give exactly one of headings, constant, same_as and row_prefix")
        return self


class CloseReason(_Part):
    """Codes of one end reason, and the days on which a case closed with them makes sense."""

    codes: tuple[str, ...]
    reason: str
    from_: date | None = Field(None, alias="from")
    to: date | None = None

    @field_validator("reason")
    @classmethod
    def _known(cls, reason: str) -> str:
        return _close_reason(reason)


class CloseReasons(_Part):
    """The dated code table of end reasons, and what an unknown or missing code becomes (nothing stated: the row is rejected)."""

    unknown_code: str | None = None
    blank: str | None = None
    table: tuple[CloseReason, ...] = ()

    @field_validator("unknown_code", "blank")
    @classmethod
    def _known(cls, reason: str | None) -> str | None:
        return None if reason is None else _close_reason(reason)


class FactsFile(_Part):
    """The columns of a long facts file: one row per dated piece of knowledge."""

    case_id: tuple[str, ...]
    known_on: tuple[str, ...]
    name: tuple[str, ...]
    value: tuple[str, ...]


class AttributeColumn(_Part):
    """How one attribute is read: its headings, its codes, and what happens to a value outside them."""

    headings: tuple[str, ...] = Field(min_length=1)
    codes: dict[str, tuple[str, ...]] = {}
    unknown_code: str | None = None
    outside: Literal["reject", "blank"] = "reject"
    date_headings: tuple[str, ...] = ()
    holds_its_date: bool = False

    @cached_property
    def level_of(self) -> dict[str, str]:
        """Normal code to level."""
        return {normal_code(code): level for level, codes in self.codes.items() for code in codes}


class Spread(_Part):
    """Cases of one period are opened evenly over ``days`` days from ``from``."""

    from_: date = Field(alias="from")
    days: int = Field(ge=1)


class Durations(_Part):
    """For a source that gives durations and no dates: the rule that makes dates of them.

    The case in row r of its file opens on day ``floor(days * frac(r * 0.6180339887498949))`` of its period: an even spread
    that has nothing to do with the order of the rows. A case closes on the last day of its last week, parts of a day up.
    """

    headings: tuple[str, ...] = Field(min_length=1)
    unit: Literal["weeks", "days"] = "weeks"
    period: tuple[str, ...] = Field(min_length=1)
    starts: dict[str, Spread]
    close_reason: str = "unknown"

    @field_validator("close_reason")
    @classmethod
    def _known(cls, reason: str) -> str:
        return _close_reason(reason)


class Mapping(_Part):
    """One source's mapping, whole and checked."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    version: str
    description: str = ""
    reading: Reading = Reading()
    extract: Extract = Extract()
    keys: dict[str, Key]
    close_reasons: CloseReasons = CloseReasons()
    durations: Durations | None = None
    facts: FactsFile | None = None
    attributes: dict[str, AttributeColumn] = {}

    @model_validator(mode="after")
    def _every_key_has_a_source(self) -> Mapping:
        made = {"opened_on", "closed_on", "close_reason"} if self.durations else set()
        for key in schema.CASE_KEYS:
            if (key in self.keys) == (key in made):
                raise ValueError(f"key {key!r} needs one source: [keys.{key}] or, for its dates, [durations]")
        strange = set(self.keys) - set(schema.CASE_KEYS)
        if strange:
            raise ValueError(f"unknown key {min(strange)!r}; keys are {', '.join(schema.CASE_KEYS)}")
        return self

    @model_validator(mode="after")
    def _attributes_fit_the_schema(self) -> Mapping:
        for name, column in self.attributes.items():
            attribute = schema.attributes().get(name)
            if attribute is None:
                raise ValueError(f"attribute {name!r} is not declared in attributes.toml")
            levels = [*column.codes, *([column.unknown_code] if column.unknown_code else [])]
            strange = [level for level in levels if level not in attribute.levels]
            if strange:
                raise ValueError(f"attribute {name!r} has no level {strange[0]!r}")
            if (attribute.kind == "category") != bool(column.codes):
                raise ValueError(f"attribute {name!r}: a code table belongs to a category, and only to one")
            if attribute.part == "case" and (column.date_headings or column.holds_its_date):
                raise ValueError(f"attribute {name!r} is known at registration; only a fact has a date of its own")
            if column.holds_its_date and attribute.kind != "flag":
                raise ValueError(f"attribute {name!r}: holds_its_date is for a flag")
        return self

    @model_validator(mode="after")
    def _nothing_stands_for_two(self) -> Mapping:
        for name, column in self.attributes.items():
            codes = [normal_code(code) for of_level in column.codes.values() for code in of_level]
            if len(codes) != len(set(codes)):
                raise ValueError(f"attribute {name!r}: one code stands for two levels")
        headings = [h for _, of_role in self.roles() for h in of_role]
        twice = {h for h in headings if headings.count(h) > 1}
        if twice:
            raise ValueError(f"heading {min(twice)!r} stands for two columns of the cases file")
        return self

    def roles(self) -> Iterator[tuple[str, list[str]]]:
        """What each column of a cases file is for, with its normal headings; ``name@date`` is the date of a fact."""
        for key, source in self.keys.items():
            if source.headings:
                yield key, [normal_heading(h) for h in source.headings]
        if self.extract.headings:
            yield "@extract", [normal_heading(h) for h in self.extract.headings]
        if self.durations:
            yield "@duration", [normal_heading(h) for h in self.durations.headings]
            yield "@period", [normal_heading(h) for h in self.durations.period]
        for name, column in self.attributes.items():
            yield name, [normal_heading(h) for h in column.headings]
            if column.date_headings:
                yield f"{name}@date", [normal_heading(h) for h in column.date_headings]

    def fact_roles(self) -> Iterator[tuple[str, list[str]]]:
        """What each column of a facts file is for, with its normal headings."""
        if self.facts:
            for role in schema.FACT_KEYS:
                yield role, [normal_heading(h) for h in getattr(self.facts, role)]

    @property
    def needs_cpr_key(self) -> bool:
        """True when persons come as CPR numbers, so that a key must be set."""
        return self.keys["person_key"].kind == "cpr"


def _close_reason(reason: str) -> str:
    if reason not in schema.CLOSE_REASONS:
        raise ValueError(f"unknown close reason {reason!r}; known are {', '.join(schema.CLOSE_REASONS)}")
    return reason


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with Risk52."""
    folder = resources.files("risk.intake").joinpath("mappings")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def read_mapping(name_or_path: str | Path) -> Mapping:
    """A shipped mapping by name, or any mapping by the path of its TOML file.

    Raises
    ------
    IntakeError
        When there is no such mapping, the file cannot be read, or a key or value in it cannot be used.
    """
    name = str(name_or_path)
    try:
        if name in shipped_mappings():
            text = resources.files("risk.intake").joinpath("mappings", f"{name}.toml").read_text("utf-8")
        elif name.endswith(".toml"):
            text = Path(name).read_text("utf-8")
        else:
            raise IntakeError(
                f"no mapping is called {name!r}; shipped are {', '.join(shipped_mappings())}; or name a .toml file"
            )
        return Mapping.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        raise IntakeError(f"mapping {name} cannot be read: {why_unreadable(why)}") from None
    except ValidationError as broken:
        raise IntakeError(f"mapping {name}: {first_complaint(broken)}") from None
