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
import numpy.typing as npt
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
from serving.plain import Bools
from serving.store.blocks import BLOCK_DIGITS, ROW_DIGITS, row_digits
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
        none = pa.ListArray.from_arrays(np.zeros(n + 1, dtype=np.int32), pa.array([], kind.value_type), type=kind)
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
        ("status", STATUS, lambda text: f'"{text}"'), ("band", BAND, _or_null), ("words", WORDS, _or_null),
        ("abstained", ABSTAINED, _or_null),
        ("warnings", WARNINGS, lambda text: f"[{text}]"),
    )  # fmt: skip
    for name, at, read in shared:
        made[name] = _spread(told.pieces, codes[:, at], schema.field(name).type, read)
    return [made[name] for name in schema.names]


def _shared(place: Ints, texts: Sequence[str | None]) -> pa.Array:
    """``texts[place]``, each text once, as a dictionary has to have them."""
    once = {text: i for i, text in enumerate(dict.fromkeys(t for t in texts if t is not None))}
    code = np.array([-1 if text is None else once[text] for text in texts], dtype=np.int32)[place]
    mask = code < 0 if None in texts else None
    return pa.DictionaryArray.from_arrays(pa.array(code, mask=mask), pa.array(list(once), pa.string()))


def _alike(text: str | None, n: int) -> pa.Array:
    """One text for all rows."""
    return _shared(np.zeros(n, dtype=np.int64), [text])


def _not_for(n: int) -> pa.Array:
    ends = np.arange(n + 1, dtype=np.int32) * len(NOT_FOR)
    return pa.ListArray.from_arrays(pa.array(ends), _shared(np.tile(np.arange(len(NOT_FOR)), n), NOT_FOR))


def _or_null(text: str) -> str:
    return text or "null"


def _spread(pieces: list[str], codes: Ints, kind: pa.DataType, read: Read) -> pa.Array:
    """Texts that many rows share as values, each read once."""
    used, place = distinct(codes, len(pieces))
    return _placed(json.loads(f"[{','.join([read(pieces[i]) for i in used.tolist()])}]"), kind, place)


def _placed(values: list[Any], kind: pa.DataType, place: Ints) -> pa.Array:
    """``values[place]``: a few values for many rows, laid down part by part, since to take them as a whole costs far more."""
    if pa.types.is_struct(kind):
        none = np.array([v is None for v in values], dtype=np.bool_)
        parts = [_placed([None if v is None else v[f.name] for v in values], f.type, place) for f in kind]
        mask = pa.array(none[place]) if none.any() else None
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)
    if pa.types.is_list(kind):
        sizes = np.array([len(v or ()) for v in values], dtype=np.int64)
        ends, many = _ends(sizes[place]), sizes[place]
        inside = np.repeat((np.cumsum(sizes) - sizes)[place] - ends[:-1], many) + np.arange(ends[-1])
        flat = [one for v in values for one in v or ()]
        return pa.ListArray.from_arrays(pa.array(ends), _placed(flat, kind.value_type, inside), type=kind)
    if pa.types.is_dictionary(kind):
        return _shared(place, values)
    if pa.types.is_date(kind):
        values = [None if v is None else date.fromisoformat(v) for v in values]
    return pa.array(values, kind).take(pa.array(place))


def _ends(sizes: Ints) -> npt.NDArray[np.int32]:
    """Where lists of these sizes begin and end."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _unknown(lacking: Bools, words: Wording) -> pa.Array:
    """The facts that each case lacks, of the few there are."""
    kind = outcome_schema().field("unknown_facts").type
    facts = json.loads(words.lacking(np.ones(lacking.shape[1], dtype=np.bool_)))
    told = _placed(facts, kind.value_type, np.nonzero(lacking)[1])
    return pa.ListArray.from_arrays(pa.array(_ends(lacking.sum(axis=1))), told, type=kind)


def _interval(numbers: Floats, covers: str | None) -> pa.Array:
    kind, n = outcome_schema().field("interval").type, len(numbers)
    none = np.isnan(numbers[:, LOW])
    parts = [numbers[:, LOW], numbers[:, HIGH], pa.repeat(LEVEL, n), _alike(covers, n)]
    return pa.StructArray.from_arrays([pa.array(part) for part in parts], fields=list(kind), mask=pa.array(none))


def _curve(chances: Floats, weeks: Sequence[int], is_scored: Bools) -> pa.Array:
    kind = outcome_schema().field("curve").type
    points = [pa.array(np.tile(weeks, len(chances)), pa.int64()), pa.array(chances.ravel(), from_pandas=True)]
    told = pa.StructArray.from_arrays(points, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(_ends(is_scored * len(weeks))), told, type=kind)


def _reasons(reasons: ReasonColumns, at: Ints, n: int) -> pa.Array:
    """Reasons for and against.

    Parameters
    ----------
    at : (m,) the rows that have some, of ``n``
    """
    kind, is_told, sides = outcome_schema().field("reasons").type, reasons.which >= 0, []
    for field, side in zip(kind, (is_told & reasons.is_up, is_told & ~reasons.is_up), strict=True):
        sizes = np.zeros(n, dtype=np.int64)
        sizes[at] = side.sum(axis=1)
        used, place = distinct(reasons.which[side], len(reasons.sayings))
        said = [reasons.sayings[i] for i in used.tolist()]
        parts = [_shared(place, [getattr(saying, name) for saying in said]) for name in Saying._fields]
        told = pa.StructArray.from_arrays(
            [*parts, pa.array(reasons.known_on[side])], fields=list(field.type.value_type)
        )
        sides.append(pa.ListArray.from_arrays(pa.array(_ends(sizes)), told, type=field.type))
    return pa.StructArray.from_arrays(sides, fields=list(kind))
