"""From an answer to an Arrow stream: the same outcomes as in JSON, a row each, in columns that follow from their message.

What is told stands in columns already (:mod:`serving.answers_many`); texts that many rows share are read once and stand once
in the stream: all but the ids are dictionary-encoded, which readers take as categories or plain text.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from risk.distinct import Ints, distinct
from risk.scoring import NOT_FOR, PURPOSE
from risk.weeks import Floats
from serving.answers import CaseAnswer
from serving.answers_many import (
    ABSTAINED,
    AGE,
    BAND,
    CURVE,
    HIGH,
    LOW,
    PLACE,
    RATE,
    REASONS,
    SCORED,
    SHAPE,
    STATUS,
    WARNINGS,
    WORDS,
    AnsweredMany,
    P,
)
from serving.plain import Bools
from serving.store.blocks import score_ids_of
from serving.wording import LEVEL, Wording, wording_of

_SHARED = pa.dictionary(pa.int32(), pa.string())
_OWN = frozenset({"case_id", "score_id"})  # texts that are each row's own
_PLAIN = {str: _SHARED, int: pa.int64(), float: pa.float64(), date: pa.date32()}
# From a text of a block to the JSON of a value.
Read = Callable[[str], str]


def type_of(annotation: Any) -> pa.DataType:
    """The Arrow type of a field of a message.

    >>> type_of(list[int | None])
    ListType(list<item: int64>)
    """
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        [kind] = [a for a in inside if a is not type(None)]
        return type_of(kind)
    if origin is Annotated:
        return type_of(inside[0])
    if origin is Literal:
        return _SHARED
    if origin is list:
        return pa.list_(type_of(inside[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([(name, type_of(field.annotation)) for name, field in annotation.model_fields.items()])
    return _PLAIN[annotation]


@cache
def outcome_schema() -> pa.Schema:
    """Columns of the answer: those of :class:`serving.answers.CaseAnswer`."""
    fields = CaseAnswer.model_fields.items()
    return pa.schema([(name, pa.string() if name in _OWN else type_of(field.annotation)) for name, field in fields])


def stream_of(answer: AnsweredMany) -> bytes:
    """Outcomes as one stream, in the order of the request, its id in the metadata."""
    schema = outcome_schema().with_metadata({"request_id": answer.request_id})
    batch = pa.RecordBatch.from_arrays(_columns(_everyone(answer), answer), schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch)
    made: bytes = sink.getvalue().to_pybytes()
    return made


class _Everyone(NamedTuple):
    """What is told of all cases of a request, in their order; of those that do not fit little but their flaws."""

    numbers: Floats
    codes: Ints
    pieces: list[str]
    lacking: Bools
    case_ids: list[str | None]
    score_ids: list[str | None]
    errors: list[list[dict[str, Any]]]


def _everyone(answer: AnsweredMany) -> _Everyone:
    block, n = answer.block, len(answer.block)
    score_ids = score_ids_of(answer.block_id, block.rows)
    if not answer.others:
        whole = block.numbers, block.codes, block.pieces, answer.lacking
        return _Everyone(*whole, [*block.case_ids], [*score_ids], [[]] * n)
    others = [json.loads(text) for _, text in answer.others]
    places = np.concatenate([block.numbers[:, PLACE], [place for place, _ in answer.others]])
    numbers = np.full((len(places), block.numbers.shape[1]), np.nan)
    numbers[:n] = block.numbers
    numbers[n:, PLACE] = places[n:]
    codes = np.full((len(places), block.codes.shape[1]), len(block.pieces))  # the empty text, which says nothing
    lacking = np.zeros((len(places), answer.lacking.shape[1]), dtype=np.bool_)
    codes[:n], lacking[:n] = block.codes, answer.lacking
    codes[n:, STATUS] = len(block.pieces) + 1
    order = np.argsort(places, kind="stable")
    chosen = order.tolist()
    case_ids = [*block.case_ids, *(other["case_id"] for other in others)]
    ids, errors = [*score_ids, *[None] * len(others)], [*[[]] * n, *(other["errors"] for other in others)]
    return _Everyone(
        numbers[order], codes[order], [*block.pieces, "", "rejected"], lacking[order], [case_ids[i] for i in chosen],
        [ids[i] for i in chosen], [errors[i] for i in chosen],
    )  # fmt: skip


def _columns(told: _Everyone, answer: AnsweredMany) -> list[pa.Array]:
    """A column for each field."""
    numbers, codes, n, schema = told.numbers, told.codes, len(told.numbers), outcome_schema()
    is_scored = numbers[:, SHAPE] == SCORED
    made: dict[str, pa.Array] = {
        "row": pa.array(numbers[:, PLACE].astype(np.int64)),
        "case_id": pa.array(told.case_ids, pa.string()),
        "score_id": pa.array(told.score_ids, pa.string()),
        "interval": _interval(numbers, answer.covers),
        "curve": _curve(numbers[is_scored, CURVE:], answer.model.outcome.horizons_weeks, is_scored),
        "reasons": _reasons(codes[:, REASONS:], told.pieces),
        "unknown_facts": _unknown(told.lacking, wording_of(answer.model)),
        "errors": pa.array(told.errors, schema.field("errors").type),
        "as_of": pa.repeat(pa.scalar(answer.as_of), n),
        "model_version": _alike(answer.model.version, n),
        "purpose": _alike(PURPOSE, n),
        "not_for": _not_for(n),
    }
    for name, at in (("p_exceed_52w", P), ("base_rate", RATE), ("age_weeks", AGE)):
        made[name] = pa.array(numbers[:, at], from_pandas=True)  # nan is null
    shared: tuple[tuple[str, int, Read], ...] = (
        ("status", STATUS, lambda text: f'"{text}"'), ("band", BAND, _or_null), ("words", WORDS, _or_null),
        ("abstained", ABSTAINED, _or_null),
        ("warnings", WARNINGS, lambda text: f"[{text}]"),
    )  # fmt: skip
    for name, at, read in shared:
        made[name] = _spread(told.pieces, codes[:, at], schema.field(name).type, read)
    return [made[name] for name in schema.names]


def _shared(place: Ints | Any, texts: Sequence[str | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(place, dtype=np.int32)), pa.array(texts, pa.string()))


def _alike(text: str | None, n: int) -> pa.Array:
    """One text for all rows."""
    return pa.nulls(n, _SHARED) if text is None else _shared(np.zeros(n), [text])


def _not_for(n: int) -> pa.Array:
    ends = np.arange(n + 1, dtype=np.int32) * len(NOT_FOR)
    return pa.ListArray.from_arrays(pa.array(ends), _shared(np.tile(np.arange(len(NOT_FOR)), n), NOT_FOR))


def _or_null(text: str) -> str:
    return text or "null"


def _spread(pieces: list[str], codes: Ints, kind: pa.DataType, read: Read) -> pa.Array:
    """Texts that many rows share as values, each read once."""
    used, place = distinct(codes, len(pieces))
    values = json.loads(f"[{','.join([read(pieces[i]) for i in used.tolist()])}]")
    return _array(values, kind).take(pa.array(place))


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values as they were read; objects without a gap field by field, which costs a third."""
    if pa.types.is_date(kind):
        return pa.array([None if v is None else date.fromisoformat(v) for v in values], kind)
    if not pa.types.is_struct(kind) or None in values:
        return pa.array(values, kind)
    return pa.StructArray.from_arrays([_array([v[f.name] for v in values], f.type) for f in kind], fields=list(kind))


def _unknown(lacking: Bools, words: Wording) -> pa.Array:
    """The facts that each case lacks, taken from the few there are."""
    kind = outcome_schema().field("unknown_facts").type
    ends = np.concatenate([[0], np.cumsum(lacking.sum(axis=1))]).astype(np.int32)
    facts = _array(json.loads(words.lacking(np.ones(lacking.shape[1], dtype=np.bool_))), kind.value_type)
    return pa.ListArray.from_arrays(pa.array(ends), facts.take(pa.array(np.nonzero(lacking)[1])), type=kind)


def _interval(numbers: Floats, covers: str | None) -> pa.Array:
    kind, n = outcome_schema().field("interval").type, len(numbers)
    none = np.isnan(numbers[:, LOW])
    parts = [numbers[:, LOW], numbers[:, HIGH], pa.repeat(LEVEL, n), _alike(covers, n)]
    return pa.StructArray.from_arrays([pa.array(part) for part in parts], fields=list(kind), mask=pa.array(none))


def _curve(chances: Floats, weeks: Sequence[int], is_scored: Any) -> pa.Array:
    kind = outcome_schema().field("curve").type
    ends = np.concatenate([[0], np.cumsum(is_scored * len(weeks))]).astype(np.int32)
    points = [pa.array(np.tile(weeks, len(chances)), pa.int64()), pa.array(chances.ravel(), from_pandas=True)]
    return pa.ListArray.from_arrays(
        pa.array(ends), pa.StructArray.from_arrays(points, fields=list(kind.value_type)), type=kind
    )


def _reasons(codes: Ints, pieces: list[str]) -> pa.Array:
    """Reasons for and against; a place that holds no text holds no reason."""
    kind, n = outcome_schema().field("reasons").type, codes.shape[1] // 2
    is_text, sides = np.array([text != "" for text in pieces], dtype=np.bool_), []
    for field, side in zip(kind, (codes[:, :n], codes[:, n:]), strict=True):
        is_told = is_text[side]
        ends = np.concatenate([[0], np.cumsum(is_told.sum(axis=1))]).astype(np.int32)
        told = _spread(pieces, side[is_told], field.type.value_type, lambda text: text.removeprefix(","))
        sides.append(pa.ListArray.from_arrays(pa.array(ends), told, type=field.type))
    return pa.StructArray.from_arrays(sides, fields=list(kind))
