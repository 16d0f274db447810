"""What a case and a fact may hold: attributes, levels, marks and the checks at every door.

The attributes are declared once, in ``attributes.toml``; the table checks here, the messages of the scoring API and the
data dictionary are made from that declaration.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from risk.errors import CaseDataError, rows_named

if TYPE_CHECKING:
    import pandera.pandas as pa

SCHEMA_VERSION = "1"
OTHER, UNKNOWN = "other", "unknown"

CASE_KEYS = ("case_id", "person_key", "opened_on", "registered_on", "closed_on", "close_reason", "office", "team")
FACT_KEYS = ("case_id", "known_on", "name", "value")

CLOSE_REASONS: dict[str, tuple[str, str]] = {
    "recovered": ("raskmeldt", "recovered"),
    "automatic_stop": ("automatisk ophør", "automatic stop"),
    "fund": ("overgået til a-kasse", "passed to the unemployment fund"),
    "clarification": ("jobafklaringsforløb", "job-clarification course"),
    "flexjob": ("fleksjob", "flexjob"),
    "disability_pension": ("førtidspension", "disability pension"),
    "age_pension": ("folkepension", "age pension"),
    "duration_limit": ("varighedsbegrænsning", "duration limit"),
    "moved_away": ("fraflyttet", "moved away"),
    "death": ("død", "death"),
    "other": ("andet", "other"),
    "unknown": ("uoplyst", "unknown"),
}

Kind = Literal["category", "number", "flag"]
Use = Literal["feature", "audit", "steering", "off"]


@dataclass(frozen=True)
class Attribute:
    """One attribute of a case: its meaning, its marks and what it may be used for."""

    name: str
    danish: str
    part: Literal["case", "fact"]
    kind: Kind
    known: str
    use: Use
    label: tuple[str, str]
    purpose: str
    marks: tuple[str, ...] = ()
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def levels(self) -> tuple[str, ...]:
        """Codes of a category in a fixed order, ``other`` and ``unknown`` last; empty for the other kinds."""
        return tuple(self.labels)


@cache
def attributes() -> dict[str, Attribute]:
    """Every declared attribute by name, in the order of declaration."""
    declared = tomllib.loads(resources.files("risk").joinpath("attributes.toml").read_text("utf-8"))
    declared.pop("version")
    made = {}
    for name, entry in declared.items():
        labels = {code: (da, en) for code, da, en in entry.pop("levels", [])}
        if entry["kind"] == "category":
            labels |= {OTHER: ("andet", "other"), UNKNOWN: ("uoplyst", "unknown")}
        label = tuple(entry.pop("label"))
        marks = tuple(entry.pop("marks", ()))
        made[name] = Attribute(name=name, label=label, marks=marks, labels=labels, **entry)
    return made


@cache
def case_attributes() -> dict[str, Attribute]:
    """Attributes known at registration: the columns of the cases beside the keys."""
    return {n: a for n, a in attributes().items() if a.part == "case"}


@cache
def fact_attributes() -> dict[str, Attribute]:
    """Attributes that arrive later, as dated facts."""
    return {n: a for n, a in attributes().items() if a.part == "fact"}


@cache
def case_schema() -> pa.DataFrameSchema:
    """The pandera schema of the cases table, made from the declaration; unknown columns are refused."""
    import pandera.pandas as pa

    day = pa.Column("datetime64[us]", nullable=False)
    columns = {
        "case_id": pa.Column(str, pa.Check.str_length(1, 64), unique=True),
        "person_key": pa.Column(str, pa.Check.str_length(1, 128)),
        "opened_on": day,
        "registered_on": day,
        "closed_on": pa.Column("datetime64[us]", nullable=True),
        "close_reason": pa.Column(str, pa.Check.isin(list(CLOSE_REASONS)), nullable=True),
        "office": pa.Column(str, nullable=False),
        "team": pa.Column(str, nullable=False),
    }
    for name, attribute in case_attributes().items():
        if attribute.kind == "category":
            columns[name] = pa.Column(str, pa.Check.isin(list(attribute.levels)), nullable=True, required=False)
        elif attribute.kind == "flag":
            columns[name] = pa.Column("boolean", nullable=True, required=False)
        else:
            columns[name] = pa.Column(
                float, pa.Check.in_range(attribute.low, attribute.high), nullable=True, required=False
            )
    return pa.DataFrameSchema(columns, strict=True, coerce=False)


@cache
def fact_schema() -> pa.DataFrameSchema:
    """The pandera schema of the facts table: one row per dated piece of knowledge, its value as text."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "case_id": pa.Column(str),
            "known_on": pa.Column("datetime64[us]"),
            "name": pa.Column(str, pa.Check.isin(list(fact_attributes()))),
            "value": pa.Column(str),
        },
        strict=True,
    )


def typed_cases(frame: pd.DataFrame) -> pd.DataFrame:
    """The same cases with the schema's column types, in the schema's order; absent attributes are left out.

    Raises
    ------
    CaseDataError
        When a key column is missing, a column is not declared, or a value cannot take its type.
    """
    missing = [c for c in CASE_KEYS if c not in frame.columns]
    if missing:
        raise CaseDataError(f"cases lack the column {missing[0]!r}; needed are {', '.join(CASE_KEYS)}")
    known = case_attributes()
    foreign = [str(c) for c in frame.columns if c not in CASE_KEYS and c not in known]
    if foreign:
        raise CaseDataError(
            f"cases hold undeclared columns ({', '.join(foreign[:3])}); declare them in attributes.toml"
        )
    out: dict[str, pd.Series] = {}
    for column in (*CASE_KEYS, *(n for n in known if n in frame.columns)):
        values = frame[column].reset_index(drop=True)
        try:
            if column.endswith("_on"):
                out[column] = pd.to_datetime(values).astype("datetime64[us]")
            elif column in known and known[column].kind == "number":
                out[column] = pd.to_numeric(values).astype("float64")
            elif column in known and known[column].kind == "flag":
                out[column] = values.astype("boolean")
            else:
                out[column] = values.astype("str")
        except (ValueError, TypeError):
            raise CaseDataError(f"cases: column {column!r} holds values that are not {_kind_of(column)}") from None
    return pd.DataFrame(out)


def _kind_of(column: str) -> str:
    if column.endswith("_on"):
        return "dates (yyyy-mm-dd)"
    attribute = attributes().get(column)
    return {"number": "numbers", "flag": "true/false"}.get(attribute.kind if attribute else "", "text")


def typed_facts(frame: pd.DataFrame) -> pd.DataFrame:
    """The same facts with the schema's column types.

    Raises
    ------
    CaseDataError
        When a column is missing or a date cannot be read.
    """
    missing = [c for c in FACT_KEYS if c not in frame.columns]
    if missing:
        raise CaseDataError(f"facts lack the column {missing[0]!r}; needed are {', '.join(FACT_KEYS)}")
    facts = frame[list(FACT_KEYS)].reset_index(drop=True)
    try:
        known_on = pd.to_datetime(facts["known_on"]).astype("datetime64[us]")
    except (ValueError, TypeError):
        raise CaseDataError("facts: column 'known_on' holds values that are not dates (yyyy-mm-dd)") from None
    return pd.DataFrame(
        {
            "case_id": facts["case_id"].astype("str"),
            "known_on": known_on,
            "name": facts["name"].astype("str"),
            "value": facts["value"].astype("str"),
        }
    )


def check_cases(cases: pd.DataFrame) -> None:
    """Refuse cases that do not fit the schema or cannot be true.

    Raises
    ------
    CaseDataError
        Names column, rule, how many rows and at most three row numbers; never a value.
    """
    _check(case_schema(), cases, "cases")
    late = np.flatnonzero((cases["registered_on"] < cases["opened_on"]).to_numpy())
    if len(late):
        raise CaseDataError(f"cases: registered_on lies before opened_on in {rows_named(late)}; mend the extract")
    early = np.flatnonzero((cases["closed_on"] < cases["opened_on"]).to_numpy())
    if len(early):
        raise CaseDataError(f"cases: closed_on lies before opened_on in {rows_named(early)}; mend the extract")


def check_facts(facts: pd.DataFrame, case_ids: pd.Series) -> None:
    """Refuse facts that do not fit the schema, belong to no case, or hold a value outside the levels.

    Raises
    ------
    CaseDataError
        Names the fact, the rule, how many rows and at most three row numbers; never a value.
    """
    _check(fact_schema(), facts, "facts")
    orphans = np.flatnonzero(~facts["case_id"].isin(case_ids).to_numpy())
    if len(orphans):
        raise CaseDataError(f"facts: case_id is not among the cases in {rows_named(orphans)}")
    for name, rows in facts.groupby("name", sort=True):
        read = fact_numbers(fact_attributes()[str(name)], rows["value"])
        bad = rows.index[np.isnan(read)]
        if len(bad):
            raise CaseDataError(f"facts: {name} has a value outside its levels or range in {rows_named(list(bad))}")


def fact_numbers(attribute: Attribute, values: pd.Series) -> np.ndarray:
    """Values of one fact as numbers, (n,): a level's position, 0/1 for a flag, the number itself; nan if not allowed."""
    if attribute.kind == "number":
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return np.where((numbers >= attribute.low) & (numbers <= attribute.high), numbers, np.nan)
    codes = {"true": 1.0, "false": 0.0} if attribute.kind == "flag" else dict(zip(attribute.levels, range(99)))  # noqa: B905
    return values.map(codes).to_numpy(dtype=np.float64)


def _check(schema: pa.DataFrameSchema, frame: pd.DataFrame, what: str) -> None:
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as broken:
        first = broken.failure_cases.sort_values(["column", "check", "index"], na_position="first").iloc[0]
        same = broken.failure_cases.query("column == @first.column and check == @first.check")
        rows = [int(i) for i in same["index"].dropna()]
        where = f" in {rows_named(rows)}" if rows else ""
        column = first["column"] if pd.notna(first["column"]) else first["failure_case"]
        rule = (
            str(first["check"])
            .replace("field_uniqueness", "must be unique")
            .replace("not_nullable", "must not be empty")
        )
        raise CaseDataError(f"{what}: column {column!r} breaks the rule '{rule}'{where}") from None
