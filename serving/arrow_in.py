"""From an Arrow stream to the cases of a request: columns by name, many rows at once, the same rules as JSON.

A stream holds ``case_id``, ``opened_on``, ``registered_on``, any of the accepted attributes, and ``facts``: a list of
``known_on, name, value`` per case, the value as text. ``as_of`` stands in the metadata of the schema. What is plain is read
column by column; a case with anything that needs saying is read as its JSON would be, so flaws and notes are the same.

Nothing of the stream is trusted: its schema is held against a list of types, its size is known before it is unpacked
(:mod:`serving.arrow_frames`), and every offset is checked before a value is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from risk import schema
from risk.arrow import as_dictionary, days_of, is_text, values_of
from risk.distinct import distinct
from risk.errors import CaseDataError
from risk.schema import Attribute
from risk.snapshot import Told
from risk.weeks import Floats
from serving.arrow_frames import claimed_bytes
from serving.columns import Columns, columns_of
from serving.messages import Envelope, Row, accepted_attributes, accepted_facts, flaws_of
from serving.plain import Bools, odd_days, odd_facts, odd_ids, odd_rows
from serving.problems import Flaw, Refused
from serving.rows import read_row

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
KEYS = ("case_id", "opened_on", "registered_on")
FACT_FIELDS = ("known_on", "name", "value")
# Unpacked, a stream may take so many times what a request may have.
MOST_TIMES = 8
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def read_stream(body: bytes, most_cases: int, most_facts: int, most_bytes: int) -> Columns:
    """The cases of a stream; one that does not fit has flaws and harms no other.

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
        # Buffers of several batches become one: a stream may come in small parts, and most of the work is once per part.
        whole = batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
    except Refused:
        raise
    except (pa.ArrowException, ValueError, LookupError, TypeError, OSError, MemoryError):
        raise Refused("not-arrow") from None
    return _Reading(whole, as_of, most_facts).columns()


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
        wanted = _unfit(field.name, field.type)
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


@lru_cache(maxsize=256)  # a caller's streams are alike
def _unfit(name: str, kind: pa.DataType) -> str | None:
    """What a column's type should be, when it is another."""
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
    """The cases of a stream."""

    def __init__(self, batch: pa.RecordBatch, as_of: date, most_facts: int) -> None:
        self.batch, self.as_of, self.most_facts = batch, as_of, most_facts
        self.odd: Bools = np.zeros(batch.num_rows, dtype=np.bool_)
        self.names = [n for n in batch.schema.names if n in accepted_attributes()]
        self.days = {name: days_of(batch.column(name), name) for name in KEYS[1:]}

    def columns(self) -> Columns:
        ids: list[str] = self.batch.column("case_id").to_pylist()
        opened_on, registered_on = self.days.values()
        self.odd |= odd_ids(ids) | odd_days(opened_on, registered_on, self.as_of)
        attributes = np.full((len(accepted_attributes()), len(ids)), np.nan)
        for i, name in enumerate(accepted_attributes()):
            if name in self.names:
                attributes[i] = self._values(name)
        told = self._facts()
        self.odd |= odd_facts(told, registered_on, self.as_of)
        # Days of a stream may be read-only, and those of odd cases are put among them.
        days = opened_on.copy(), registered_on.copy()
        return columns_of(self.as_of, ids, *days, attributes, told, odd_rows(ids, self.odd, self._rows))

    def _rows(self, places: list[int]) -> list[Row]:
        """Some cases as rows, each read as its JSON would be."""
        sent = zip(places, self._as_json(places), strict=True)
        return [read_row(place, given, self.as_of, self.most_facts) for place, given in sent]

    def _values(self, name: str) -> Floats:
        column = self.batch.column(name)
        values, bad = values_of(column, accepted_attributes()[name], name)
        if pa.types.is_floating(column.type):
            bad = bad | (np.isnan(values) & column.is_valid().to_numpy(zero_copy_only=False))
        self.odd |= bad
        return values

    def _facts(self) -> Told:
        """All facts; one that is not plain has no value, and too many of one case are odd."""
        if "facts" not in self.batch.schema.names:
            nothing = np.zeros(0, dtype=np.int64)
            return Told(nothing, nothing, nothing.view("datetime64[D]"), np.zeros(0))
        column = self.batch.column("facts")
        sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        self.odd |= sizes > self.most_facts
        flat = column.flatten()
        (codes, names), (words, texts) = (as_dictionary(pc.struct_field(flat, part)) for part in FACT_FIELDS[1:])
        return Told(
            np.repeat(np.arange(len(sizes)), sizes),
            _places(names)[codes],
            days_of(pc.struct_field(flat, "known_on"), "known_on"),
            _fact_values(names, texts, codes, words),
        )

    def _as_json(self, places: list[int]) -> list[dict[str, Any]]:
        names, has_facts = ["case_id", *self.names], "facts" in self.batch.schema.names
        chosen = self.batch.select([*names, *(["facts"] if has_facts else [])]).take(pa.array(places))
        given = chosen.select(names).to_pylist()
        days = {name: known[places] for name, known in self.days.items()}
        cases: list[dict[str, Any]] = []
        for i, values in enumerate(given):
            attributes = {n: _typed(accepted_attributes()[n], values[n]) for n in self.names if values[n] is not None}
            when = {name: _iso(known[i]) for name, known in days.items()}
            cases.append({"case_id": values["case_id"], **when, "attributes": attributes})
        if has_facts:
            for case, facts in zip(cases, _facts_as_json(chosen.column("facts")), strict=True):
                case["facts"] = facts
        return cases


def _facts_as_json(column: pa.Array) -> list[list[dict[str, Any]]]:
    flat = column.flatten()
    days = days_of(pc.struct_field(flat, "known_on"), "known_on")
    texts = (pc.struct_field(flat, part).to_pylist() for part in FACT_FIELDS[1:])
    facts = iter([_fact_as_json(*fact) for fact in zip(days, *texts, strict=True)])
    return [list(islice(facts, size or 0)) for size in pc.list_value_length(column).to_pylist()]


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


def _places(names: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Where each name stands among the facts of a snapshot; the last is for none."""
    known = {name: i for i, name in enumerate(schema.fact_attributes())}
    return np.array([*(known.get(name or "", 0) for name in names), 0], dtype=np.int64)


def _fact_values(
    names: Sequence[str | None], texts: Sequence[str | None], codes: npt.NDArray[np.int64], words: npt.NDArray[np.int64]
) -> Floats:
    """Values of facts as a snapshot holds them, nan when there is anything to say of one; each pair of name and text is read once."""
    # -1 stands for none, of either.
    pairs, place = distinct((codes + 1) * (len(texts) + 1) + words + 1, (len(names) + 1) * (len(texts) + 1))
    names, texts = [None, *names], [None, *texts]
    found = [_fact_value(names[i], texts[j]) for i, j in zip(*np.divmod(pairs, len(texts)), strict=True)]
    return np.array(found, dtype=np.float64)[place]


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
