"""From outcomes to an Arrow stream: the same outcomes as in JSON, a row each, in columns that follow from their message."""

from __future__ import annotations

import io
import json
import types
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
import pyarrow.json as pajson
from pydantic import BaseModel

from serving.answers import CaseAnswer

_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), date: pa.date32()}
_IN_JSON = _PLAIN | {date: pa.string()}


def type_of(annotation: Any, plain: dict[Any, pa.DataType] = _PLAIN) -> pa.DataType:
    """The Arrow type of a field of a message; in JSON a date is a text.

    >>> type_of(list[int | None])
    ListType(list<item: int64>)
    """
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        [kind] = [a for a in inside if a is not type(None)]
        return type_of(kind, plain)
    if origin is Annotated:
        return type_of(inside[0], plain)
    if origin is Literal:
        return pa.string()
    if origin is list:
        return pa.list_(type_of(inside[0], plain))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([(name, type_of(field.annotation, plain)) for name, field in annotation.model_fields.items()])
    return plain[annotation]


@cache
def outcome_schema(is_json: bool = False) -> pa.Schema:
    """Columns of the answer: those of :class:`serving.answers.CaseAnswer`."""
    plain = _IN_JSON if is_json else _PLAIN
    return pa.schema([(name, type_of(field.annotation, plain)) for name, field in CaseAnswer.model_fields.items()])


def stream_of(texts: Sequence[str], request_id: str) -> bytes:
    """Outcomes as one stream, the id of the request in its metadata.

    Parameters
    ----------
    texts : the outcomes, each the JSON of a :class:`serving.answers.CaseAnswer` on one line: the very text that is recorded
        and would be answered in JSON, so the stream can say nothing else
    """
    schema = outcome_schema()
    block = "\n".join(texts).encode()
    # One block, so that no outcome is cut in two, read by this thread alone.
    read = pajson.ReadOptions(use_threads=False, block_size=len(block) + 2)
    parsed = pajson.ParseOptions(explicit_schema=outcome_schema(is_json=True), unexpected_field_behavior="error")
    table = pajson.read_json(io.BytesIO(block), read, parsed).combine_chunks()
    sink = pa.BufferOutputStream()
    told = table.select(schema.names).cast(schema).replace_schema_metadata({"request_id": request_id})
    with pa.ipc.new_stream(sink, told.schema) as writer:
        writer.write_table(told)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def stream_of_body(body: str) -> bytes:
    """An answer in JSON (:class:`serving.answers.ScoresAnswer`) as the stream it was answered with."""
    told = json.loads(body)
    return stream_of([json.dumps(outcome, ensure_ascii=False) for outcome in told["results"]], told["request_id"])
