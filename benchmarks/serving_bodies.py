"""What the servers of the serving benchmark are sent: one case, many as JSON, many as an Arrow stream, and built features."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.bundle import Bundle
from risk import features, schema

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"


@dataclass(frozen=True)
class Body:
    content: bytes
    media: str = JSON


def cases_of(n: int) -> dict[str, Any]:
    """A request for the example of the API and ``n - 1`` cases with the same fields and other days and values."""
    from serving.description import EXAMPLE

    draw = random.Random(1)
    example = EXAMPLE["cases"][0] | {"case_id": "SYN000000"}
    as_of = date.fromisoformat(EXAMPLE["as_of"])
    return EXAMPLE | {"cases": [example, *(_like(example, i, as_of, draw) for i in range(1, n))]}


def _like(example: dict[str, Any], i: int, as_of: date, draw: random.Random) -> dict[str, Any]:
    registered = as_of - timedelta(days=draw.randint(20, 60))
    facts = [
        fact | {"known_on": str(registered + timedelta(days=draw.randint(1, 19))), "value": _value(fact["name"], draw)}
        for fact in example["facts"]
    ]
    return {
        "case_id": f"SYN{i:06d}",
        "opened_on": str(registered - timedelta(days=draw.randint(5, 40))),
        "registered_on": str(registered),
        "attributes": {name: _value(name, draw) for name in example["attributes"]},
        "facts": facts,
    }


def _value(name: str, draw: random.Random) -> bool | float | str:
    """A value of an attribute, numbers whole and not beyond a working week, as most are."""
    attribute = schema.attributes()[name]
    if attribute.kind == "category":
        return draw.choice(attribute.levels)
    if attribute.kind == "flag":
        return draw.random() < 0.5
    return draw.randint(math.ceil(max(attribute.low, 0)), math.floor(min(attribute.high, 37)))


def as_json(n: int) -> Body:
    return Body(json.dumps(cases_of(n)).encode())


def as_arrow(n: int) -> Body:
    """The same cases in columns, as ``docs/integration.md`` has it."""
    request = cases_of(n)
    cases = request["cases"]
    columns: dict[str, Any] = {
        "case_id": pa.array([c["case_id"] for c in cases]),
        "opened_on": pa.array([date.fromisoformat(c["opened_on"]) for c in cases]),
        "registered_on": pa.array([date.fromisoformat(c["registered_on"]) for c in cases]),
    }
    for name in cases[0]["attributes"]:
        columns[name] = pa.array([c["attributes"][name] for c in cases])
    fact = pa.struct([("known_on", pa.date32()), ("name", pa.string()), ("value", pa.string())])
    facts = [
        [
            {"known_on": date.fromisoformat(f["known_on"]), "name": f["name"], "value": _text(f["value"])}
            for f in c["facts"]
        ]
        for c in cases
    ]
    columns["facts"] = pa.array(facts, pa.list_(fact))
    table = pa.table(columns).replace_schema_metadata({"as_of": request["as_of"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Body(sink.getvalue().to_pybytes(), ARROW)


def _text(value: bool | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_features(bundle: Path, n: int) -> Body:
    """The same cases as built features, which is what MLflow's server takes."""
    from serving.rows import read_rows, taken

    request = cases_of(n)
    rows = taken(read_rows(request["cases"], date.fromisoformat(request["as_of"]), 200))
    names = Bundle.open(bundle).meta["features"]
    frame = features.feature_frame(features.build_features(rows, names)).assign(entry_weeks=rows.age_weeks)
    # A number that is null in every row reaches a pyfunc model as an object and is refused: the peer is sent known ones.
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].fillna(1.5)
    split = json.loads(frame.to_json(orient="split", index=False))
    return Body(json.dumps({"dataframe_split": split}).encode())
