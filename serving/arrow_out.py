"""From an answer to an Arrow stream: the same outcomes as in JSON, a row each, in columns that follow from their message.

What is told stands in columns already (:mod:`serving.answers_many`); texts that many rows share are read once and stand once
in the stream: all but the ids are dictionary-encoded, which readers take as categories or plain text.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from risk.distinct import Ints, distinct
from risk.reason_columns import ReasonColumns, Saying
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
    SCORED,
    SHAPE,
    STATUS,
    WARNINGS,
    WORDS,
    AnsweredMany,
    P,
)
from serving.arrow_few import Few, ends_of
from serving.plain import Bools
from serving.store.blocks import BLOCK_DIGITS, ROW_DIGITS, row_digits
from serving.wording import LEVEL, Wording, said, wording_of

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
    """What is told of all cases of a request, in their order; of those that do not fit little but their flaws.

    Attributes
    ----------
    at : where those that fit stand among them
    """

    numbers: Floats
    codes: Ints
    pieces: list[str]
    lacking: Bools
    case_ids: list[str | None]
    score_ids: pa.Array
    errors: pa.Array
    at: Ints


def _everyone(answer: AnsweredMany) -> _Everyone:
    block, n = answer.block, len(answer.block)
    score_ids, kind = _score_ids(answer.block_id, block.rows), outcome_schema().field("errors").type
    if not answer.others:
        none = pa.ListArray.from_arrays(np.zeros(n + 1, dtype=np.int32), _no_errors(), type=kind)
        whole = block.numbers, block.codes, block.pieces, answer.lacking
        return _Everyone(*whole, [*block.case_ids], score_ids, none, np.arange(n))
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
    case_ids = [*block.case_ids, *(other["case_id"] for other in others)]
    ids = pa.concat_arrays([score_ids, pa.nulls(len(others), pa.string())]).take(pa.array(order))
    errors = pa.array([*[[]] * n, *(other["errors"] for other in others)], kind).take(pa.array(order))
    return _Everyone(
        numbers[order], codes[order], [*block.pieces, "", "rejected"], lacking[order],
        [case_ids[i] for i in order.tolist()], ids, errors, np.argsort(order, kind="stable")[:n],
    )  # fmt: skip


@cache
def _no_errors() -> pa.Array:
    return pa.array([], outcome_schema().field("errors").type.value_type)


def _score_ids(block_id: str, rows: Ints) -> pa.Array:
    """:func:`serving.store.blocks.score_ids_of`: texts of one length, so they are laid down side by side."""
    made = np.empty((len(rows), BLOCK_DIGITS + ROW_DIGITS), dtype=np.uint8)
    made[:, :BLOCK_DIGITS] = np.frombuffer(block_id.encode(), dtype=np.uint8)
    made[:, BLOCK_DIGITS:] = np.frombuffer(row_digits(rows).encode(), dtype=np.uint8).reshape(-1, ROW_DIGITS)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * made.shape[1]
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(made))


def _columns(told: _Everyone, answer: AnsweredMany) -> list[pa.Array]:
    """A column for each field."""
    numbers, codes, n, schema = told.numbers, told.codes, len(told.numbers), outcome_schema()
    is_scored = numbers[:, SHAPE] == SCORED
    made: dict[str, pa.Array] = {
        "row": pa.array(numbers[:, PLACE].astype(np.int64)),
        "case_id": pa.array(told.case_ids, pa.string()),
        "score_id": told.score_ids,
        "interval": _interval(numbers, answer.covers),
        "curve": _curve(numbers[is_scored, CURVE:], answer.model.outcome.horizons_weeks, is_scored),
        "reasons": _reasons(answer.reasons, told.at[answer.scored], n),
        "unknown_facts": _unknown(told.lacking, wording_of(answer.model)),
        "errors": told.errors,
        "as_of": pa.repeat(pa.scalar(answer.as_of), n),
        "model_version": _alike(answer.model.version, n),
        "purpose": _alike(PURPOSE, n),
        "not_for": _not_for(n),
    }
    for name, at in (("p_exceed_52w", P), ("base_rate", RATE), ("age_weeks", AGE)):
        made[name] = pa.array(numbers[:, at], from_pandas=True)  # nan is null
    shared: tuple[tuple[str, int, Read], ...] = (
        ("status", STATUS, lambda text: f'"{text}"'), ("band", BAND, _or_null),
        ("abstained", ABSTAINED, _or_null),
        ("warnings", WARNINGS, lambda text: f"[{text}]"),
    )  # fmt: skip
    for name, at, read in shared:
        used, place = distinct(codes[:, at], len(told.pieces))
        made[name] = _few(name, tuple([read(told.pieces[i]) for i in used.tolist()])).placed(place)
    used, place = distinct(codes[:, WORDS], len(told.pieces))
    which = np.array([_place_of_words()[told.pieces[i]] for i in used.tolist()], dtype=np.int64)
    made["words"] = _few("words", tuple(map(_or_null, _place_of_words()))).placed(which[place])
    return [made[name] for name in schema.names]


@lru_cache(maxsize=64)  # a caller's requests are told much the same
def _few(name: str, texts: tuple[str, ...]) -> Few:
    """The values of a column that many rows share, from their JSON."""
    return Few(json.loads(f"[{','.join(texts)}]"), outcome_schema().field(name).type)


@cache
def _place_of_words() -> dict[str, int]:
    """All that is said of a chance, and before it that there is none."""
    return {text: i for i, text in enumerate(["", *map(said, range(101))])}


def _or_null(text: str) -> str:
    return text or "null"


def _alike(text: str | None, n: int) -> pa.Array:
    """One text for all rows."""
    return Few([text], _SHARED).placed(np.zeros(n, dtype=np.int64))


def _not_for(n: int) -> pa.Array:
    told = Few(NOT_FOR, _SHARED).placed(np.tile(np.arange(len(NOT_FOR)), n))
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * len(NOT_FOR)), told)


def _unknown(lacking: Bools, words: Wording) -> pa.Array:
    """The facts that each case lacks, of the few there are."""
    kind = outcome_schema().field("unknown_facts").type
    told = _facts(words.lacking(np.ones(lacking.shape[1], dtype=np.bool_))).placed(np.nonzero(lacking)[1])
    return pa.ListArray.from_arrays(pa.array(ends_of(lacking.sum(axis=1))), told, type=kind)


@lru_cache(maxsize=2)  # of the model in service, and of the one before it
def _facts(text: str) -> Few:
    return Few(json.loads(text), outcome_schema().field("unknown_facts").type.value_type)


def _interval(numbers: Floats, covers: str | None) -> pa.Array:
    kind, n = outcome_schema().field("interval").type, len(numbers)
    none = np.isnan(numbers[:, LOW])
    parts = [numbers[:, LOW], numbers[:, HIGH], pa.repeat(LEVEL, n), _alike(covers, n)]
    return pa.StructArray.from_arrays([pa.array(part) for part in parts], fields=list(kind), mask=pa.array(none))


def _curve(chances: Floats, weeks: Sequence[int], is_scored: Bools) -> pa.Array:
    kind = outcome_schema().field("curve").type
    points = [pa.array(np.tile(weeks, len(chances)), pa.int64()), pa.array(chances.ravel(), from_pandas=True)]
    told = pa.StructArray.from_arrays(points, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(ends_of(is_scored * len(weeks))), told, type=kind)


def _reasons(reasons: ReasonColumns, at: Ints, n: int) -> pa.Array:
    """Reasons for and against.

    Parameters
    ----------
    at : (m,) the rows that have some, of ``n``
    """
    kind, is_told, sides = outcome_schema().field("reasons").type, reasons.which >= 0, []
    used, place = distinct(reasons.which[is_told], len(reasons.sayings))
    said_of = [reasons.sayings[i] for i in used.tolist()]
    parts = [Few([getattr(saying, name) for saying in said_of], _SHARED) for name in Saying._fields]
    is_up, known_on = reasons.is_up[is_told], reasons.known_on[is_told]
    for field, side in zip(kind, (is_up, ~is_up), strict=True):
        sizes = np.zeros(n, dtype=np.int64)
        sizes[at] = np.bincount(np.nonzero(is_told)[0][side], minlength=len(at))
        told = [*(part.placed(place[side]) for part in parts), pa.array(known_on[side])]
        told = pa.StructArray.from_arrays(told, fields=list(field.type.value_type))
        sides.append(pa.ListArray.from_arrays(pa.array(ends_of(sizes)), told, type=field.type))
    return pa.StructArray.from_arrays(sides, fields=list(kind))
