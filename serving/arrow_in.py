"""From an Arrow stream to the rows of a request: columns by name, many rows at once, the same rules as JSON.

A stream holds ``case_id``, ``opened_on``, ``registered_on``, any of the accepted attributes, and ``facts``: a list of
``known_on, name, value`` per case, the value as text. ``as_of`` stands in the metadata of the schema. What is plain is read
column by column; a case with anything that needs saying is read as its JSON would be, so flaws and notes are the same.

Nothing of the stream is trusted: its schema is held against a list of types, its size is known before it is unpacked
(:mod:`serving.arrow_frames`), and every offset is checked before a value is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from risk.arrow import as_dictionary, days_of, is_text, values_of
from risk.errors import CaseDataError
from risk.intake.pseudonym import looks_like_cpr
from risk.schema import Attribute
from risk.weeks import Dates, Floats
from serving.arrow_frames import claimed_bytes
from serving.messages import (
    CASE_ID_PATTERN,
    FIRST_DAY,
    LAST_DAY,
    LONGEST_CASE_ID,
    Envelope,
    Row,
    accepted_attributes,
    accepted_facts,
    flaws_of,
)
from serving.problems import Flaw, Refused
from serving.rows import read_row, refuse_repeated

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
KEYS = ("case_id", "opened_on", "registered_on")
FACT_FIELDS = ("known_on", "name", "value")
# Unpacked, a stream may take so many times what a request may have.
MOST_TIMES = 8
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PlainCase:
    """What the rows need of a case beside its values; the message of a JSON case has these too."""

    case_id: str
    opened_on: date
    registered_on: date


def read_stream(body: bytes, most_cases: int, most_facts: int, most_bytes: int) -> tuple[date, list[Row]]:
    """The as-of date and the rows of a stream; a row that does not fit has flaws and harms no other.

    Raises
    ------
    Refused
        400 when it is not an Arrow stream, 413 when it is too large, 422 when its columns do not fit.
    """
    try:
        if claimed_bytes(body) > MOST_TIMES * most_bytes:
            raise Refused("too-large")
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            as_of = _checked_schema(stream.schema)
            batches = _batches(stream, most_cases, most_facts)
    except Refused:
        raise
    except (pa.ArrowException, ValueError, LookupError, TypeError, OSError, MemoryError):
        raise Refused("not-arrow") from None
    rows: list[Row] = []
    for batch in batches:
        rows += _Reading(batch, as_of, len(rows), most_facts).rows()
    refuse_repeated(rows)
    return as_of, rows


def _batches(stream: Any, most_cases: int, most_facts: int) -> list[pa.RecordBatch]:
    batches, n = [], 0
    for batch in stream:
        n += batch.num_rows
        if n > most_cases:
            flaw = Flaw(pointer="/cases", code="too-many", detail=f"at most {most_cases} cases in a request")
            raise Refused("too-large", [flaw])
        batch.validate(full=True)
        if "facts" in batch.schema.names and len(batch.column("facts").flatten()) > most_cases * most_facts:
            raise Refused("too-large")
        batches.append(batch)
    if not n:
        raise Refused("invalid-request", [Flaw(pointer="/cases", code="missing", detail="at least one case")])
    return batches


def _checked_schema(schema: pa.Schema) -> date:
    """The as-of date, when every column is one the service accepts, of a type that can hold it.

    Raises
    ------
    Refused
    """
    flaws = [Flaw(pointer=f"/{name}", code="missing", detail="is needed") for name in KEYS if name not in schema.names]
    if len(set(schema.names)) != len(schema.names):
        flaws.append(Flaw(pointer="", code="twice", detail="each column once"))
    known = {*KEYS, "facts", *accepted_attributes()}
    if any(name not in known for name in schema.names):
        flaws.append(Flaw(pointer="", code="not-accepted", detail="a column here is not one the service accepts"))
    for field in (f for f in schema if f.name in known):
        wanted = _unfit(field)
        if wanted:
            flaws.append(Flaw(pointer=f"/{field.name}", code="wrong-type", detail=wanted))
    try:
        given = (schema.metadata or {}).get(b"as_of", b"").decode("ascii", "replace")
        as_of = Envelope.model_validate({"as_of": given, "cases": [None]}).as_of
    except ValidationError as broken:
        flaws += flaws_of(broken)
    if flaws:
        raise Refused("invalid-request", flaws)
    return as_of


def _unfit(field: pa.Field) -> str | None:
    """What a column's type should be, when it is another."""
    name, kind = field.name, field.type
    if name == "case_id":
        return None if is_text(kind) else "text"
    if name == "facts":
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        inner = kind.value_type if is_list else None
        if inner is None or not pa.types.is_struct(inner) or {f.name for f in inner} != set(FACT_FIELDS):
            return "lists of known_on (date), name and value (text)"
        parts = {f.name: f.type for f in inner}
        fits = pa.types.is_date32(parts["known_on"]) and is_text(parts["name"]) and is_text(parts["value"])
        return None if fits and len(inner) == len(FACT_FIELDS) else "lists of known_on (date), name and value (text)"
    if name in KEYS:
        return None if pa.types.is_date32(kind) else "dates (date32)"
    try:
        values_of(pa.array([], type=kind), accepted_attributes()[name], name)
    except (CaseDataError, pa.ArrowException):
        return {"category": "text", "flag": "true or false", "number": "numbers"}[accepted_attributes()[name].kind]
    return None


class _Reading:
    """One batch of a stream."""

    def __init__(self, batch: pa.RecordBatch, as_of: date, first: int, most_facts: int) -> None:
        self.batch, self.as_of, self.first, self.most_facts = batch, as_of, first, most_facts
        self.odd: Bools = np.zeros(batch.num_rows, dtype=np.bool_)
        self.names = [n for n in batch.schema.names if n in accepted_attributes()]
        self.days = {name: days_of(batch.column(name), name) for name in KEYS[1:]}

    def rows(self) -> list[Row]:
        n = self.batch.num_rows
        ids, (opened_on, registered_on) = self._ids(), self.days.values()
        first, last = np.datetime64(FIRST_DAY, "D"), np.datetime64(LAST_DAY, "D")
        for days in (opened_on, registered_on):
            self.odd |= ~((days >= first) & (days <= last))
        self.odd |= registered_on < opened_on
        self.odd |= registered_on >= np.datetime64(self.as_of, "D")
        values = np.array([self._values(name) for name in self.names]).reshape(len(self.names), n).T
        facts = self._facts(registered_on)
        dates = [days.astype(object) for days in (opened_on, registered_on)]
        rows = []
        for i, (odd, given) in enumerate(zip(self.odd.tolist(), values.tolist(), strict=True)):
            if odd:
                rows.append(read_row(self.first + i, self._as_json(i), self.as_of, self.most_facts))
                continue
            columns = {
                name: value for name, value in zip(self.names, given, strict=True) if value == value
            }  # nan differs
            case = PlainCase(ids[i], dates[0][i], dates[1][i])
            rows.append(Row(self.first + i, self.as_of, ids[i], case, columns=columns, facts=facts[i]))
        return rows

    def _ids(self) -> list[str]:
        column = self.batch.column("case_id")
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        fits = pc.match_substring_regex(column, CASE_ID_PATTERN)
        fits = pc.and_(fits, pc.less_equal(pc.utf8_length(column), LONGEST_CASE_ID))
        self.odd |= ~fits.fill_null(False).to_numpy(zero_copy_only=False)
        ids: list[str] = column.to_pylist()
        self.odd |= np.array([i is not None and looks_like_cpr(i) for i in ids], dtype=np.bool_)
        return ids

    def _values(self, name: str) -> Floats:
        column = self.batch.column(name)
        values, bad = values_of(column, accepted_attributes()[name], name)
        if pa.types.is_floating(column.type):
            bad = bad | (np.isnan(values) & column.is_valid().to_numpy(zero_copy_only=False))
        self.odd |= bad
        return values

    def _facts(self, registered_on: Dates) -> list[list[tuple[str, date, float]]]:
        """The facts of each case, when all of them are plain."""
        told: list[list[tuple[str, date, float]]] = [[] for _ in range(self.batch.num_rows)]
        if "facts" not in self.batch.schema.names:
            return told
        column = self.batch.column("facts")
        sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        self.odd |= sizes > self.most_facts
        whose = np.repeat(np.arange(len(sizes)), sizes)
        flat = column.flatten()
        known_on = days_of(pc.struct_field(flat, "known_on"), "known_on")
        (codes, names), (words, texts) = (as_dictionary(pc.struct_field(flat, part)) for part in FACT_FIELDS[1:])
        table = np.array(
            [[_fact_value(name, text) for text in texts] + [np.nan] for name in names] + [[np.nan] * (len(texts) + 1)]
        )
        values = table[codes, words]
        bad = np.isnan(values)
        # A day nobody could have recorded, one that is not used, and one before registration: all are worth saying.
        bad |= ~((known_on >= np.datetime64(FIRST_DAY, "D")) & (known_on < np.datetime64(self.as_of, "D")))
        bad |= known_on < registered_on[whose]
        self.odd[whose[bad]] = True
        for i, code, day, value in zip(
            whose.tolist(), codes.tolist(), known_on.astype(object), values.tolist(), strict=True
        ):
            told[i].append((str(names[code]), day, value))
        return told

    def _as_json(self, i: int) -> dict[str, Any]:
        """One case as its JSON would be read."""
        [given] = self.batch.select(["case_id", *self.names]).slice(i, 1).to_pylist()
        case: dict[str, Any] = {
            "case_id": given["case_id"],
            **{name: _iso(days[i]) for name, days in self.days.items()},
            "attributes": {n: _typed(accepted_attributes()[n], given[n]) for n in self.names if given[n] is not None},
        }
        if "facts" in self.batch.schema.names:
            told = self.batch.column("facts").slice(i, 1).flatten()
            days = days_of(pc.struct_field(told, "known_on"), "known_on")
            texts = (pc.struct_field(told, part).to_pylist() for part in FACT_FIELDS[1:])
            case["facts"] = [_fact_as_json(*fact) for fact in zip(days, *texts, strict=True)]
        return case


def _iso(day: np.datetime64) -> str | None:
    """A day as text, also one that no calendar has."""
    return None if np.isnat(day) else str(day)


def _typed(attribute: Attribute, value: Any) -> Any:
    return float(value) if attribute.kind == "number" and isinstance(value, int) else value


def _fact_as_json(day: np.datetime64, name: str | None, text: str | None) -> dict[str, Any]:
    declared, value = accepted_facts().get(name or ""), text if isinstance(text, str) else None
    typed: Any = value
    if declared is not None and value is not None:
        if declared.kind == "flag":
            typed = {"true": True, "false": False}.get(value, value)
        elif declared.kind == "number" and _NUMBER.fullmatch(value):
            typed = float(value)
    return {"known_on": _iso(day), "name": name, "value": typed}


def _fact_value(name: str | None, text: str | None) -> float:
    """A fact's value as a snapshot holds it; nan when there is anything to say of it."""
    declared = accepted_facts().get(name or "")
    if declared is None or text is None:
        return np.nan
    if declared.kind == "flag":
        return {"true": 1.0, "false": 0.0}.get(text, np.nan)
    if declared.kind == "category":
        return float(declared.levels.index(text)) if text in declared.labels else np.nan
    value = float(text) if _NUMBER.fullmatch(text) else np.nan
    return value if declared.low <= value <= declared.high else np.nan
