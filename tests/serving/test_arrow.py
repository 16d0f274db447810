"""Cases in an Arrow stream: the same outcomes as in JSON, recorded like them, and nothing of a damaged stream trusted."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from risk.schema import Attribute
from serving.arrow_frames import claimed_bytes
from serving.arrow_in import MEDIA_TYPE, read_stream
from serving.arrow_out import outcome_schema
from serving.messages import accepted_attributes, accepted_facts
from serving.problems import Refused

PATH, AS_OF = "/v1/scores:batch", "2026-11-23"
FACTS = pa.list_(pa.struct([("known_on", pa.date32()), ("name", pa.string()), ("value", pa.string())]))
SECRET = "Fru Jensen"


def cases(n: int, seed: int = 1) -> list[dict[str, Any]]:
    """Cases as JSON messages, plain ones and some of every oddity."""
    rng = random.Random(seed)
    odd: list[dict[str, Any]] = [
        {"registered_on": "2026-01-01"},
        {"registered_on": "2026-12-24"},
        {"opened_on": "1931-02-03"},
        {"case_id": "010180-1234"},
        {"case_id": "nej, tak"},
        {"case_id": None},
        {"opened_on": None},
        {"attributes": {"industry": "unheard of"}},
        {"attributes": {"industry": "x" * 99}},
        {"attributes": {"weekly_hours": 1e9}},
        {"facts": [{"known_on": "2026-10-14", "name": "contact", "value": "call"}]},
        {"facts": [{"known_on": "2026-10-14", "name": "made up", "value": "x"}]},
        {"facts": [{"known_on": "2026-10-14", "name": "illness_group", "value": "unheard of"}]},
        {"facts": [{"known_on": "2026-10-14", "name": "partial_return_hours", "value": 99.0}]},
        {"facts": [{"known_on": "2026-12-14", "name": "form_received", "value": True}]},
        {"facts": [{"known_on": "2026-10-01", "name": "form_received", "value": True}]},
        {"facts": [{"known_on": "2026-10-14", "name": "objection", "value": True}]},
        {"facts": [{"known_on": "2026-10-14", "name": "form_received", "value": True}] * 250},
    ]
    made = []
    for i in range(n):
        case: dict[str, Any] = {
            "case_id": f"SYN{i % (n - 2):06d}",
            "opened_on": "2026-09-07",
            "registered_on": "2026-10-07",
        }
        case["attributes"] = {k: value_of(a, rng) for k, a in accepted_attributes().items() if rng.random() < 0.7}
        case["facts"] = [
            {"known_on": f"2026-1{rng.choice('01')}-{rng.randint(8, 20):02d}", "name": name, "value": value_of(a, rng)}
            for name, a in rng.sample(sorted(accepted_facts().items()), 5)
            if name != "objection"
        ]
        made.append(case | (odd[i // 3 % len(odd)] if i % 3 == 0 else {}))
    return made


def value_of(attribute: Attribute, rng: random.Random) -> Any:
    if attribute.kind == "category":
        return rng.choice(attribute.levels)
    return rng.random() < 0.5 if attribute.kind == "flag" else round(rng.uniform(attribute.low, attribute.high), 1)


def table_of(sent: list[dict[str, Any]], as_of: str = AS_OF, dictionaries: bool = False) -> pa.Table:
    """The cases as a table: a column per attribute, dates as dates, the values of facts as text."""
    columns: dict[str, pa.Array] = {"case_id": pa.array([c["case_id"] for c in sent], pa.string())}
    for name in ("opened_on", "registered_on"):
        days = [None if c[name] is None else date.fromisoformat(c[name]) for c in sent]
        columns[name] = pa.array(days, pa.date32())
    for name, attribute in accepted_attributes().items():
        kind = {"category": pa.string(), "flag": pa.bool_(), "number": pa.float64()}[attribute.kind]
        column = pa.array([c.get("attributes", {}).get(name) for c in sent], kind)
        columns[name] = column.dictionary_encode() if dictionaries and attribute.kind == "category" else column
    facts = [
        [{**f, "known_on": date.fromisoformat(f["known_on"]), "value": text_of(f["value"])} for f in c.get("facts", [])] for c in sent
    ]  # fmt: skip
    columns["facts"] = pa.array(facts, FACTS)
    return pa.table(columns).replace_schema_metadata({"as_of": as_of})


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def stream(table: pa.Table, compression: str | None = None, rows: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=rows)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def send(client: TestClient, body: bytes, **headers: str) -> Any:
    return client.post(PATH, content=body, headers={"Content-Type": MEDIA_TYPE, **headers})


def outcomes(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    told: list[dict[str, Any]] = pa.ipc.open_stream(response.content).read_all().to_pylist()
    return told


def comparable(told: dict[str, Any]) -> dict[str, Any]:
    """An outcome without what is new each time, days as text, and numbers to 1e-12."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return round(value, 12) if isinstance(value, float) else str(value) if isinstance(value, date) else value

    return plain({k: v for k, v in told.items() if k != "score_id"})


@pytest.mark.parametrize(
    "how", [{}, {"compression": "lz4"}, {"compression": "zstd"}, {"rows": 7}, {"dictionaries": True}]
)
def test_a_stream_is_answered_as_its_json_would_be(client: TestClient, how: dict[str, Any]) -> None:
    """Plain cases and odd ones: scores, notes, flaws and their pointers, whatever way the stream was written."""
    sent = cases(60)
    dictionaries = how.pop("dictionaries", False)
    told = outcomes(send(client, stream(table_of(sent, dictionaries=dictionaries), **how)))
    expected = client.post(PATH, json={"as_of": AS_OF, "cases": sent}).json()["results"]
    assert {t["status"] for t in told} == {"scored", "abstained", "rejected"}
    assert [comparable(t) for t in told] == [comparable(e) for e in expected]


def test_the_answer_has_the_columns_of_the_message(client: TestClient) -> None:
    response = send(client, stream(table_of(cases(4))))
    schema = pa.ipc.open_stream(response.content).schema
    assert schema.equals(outcome_schema())
    assert schema.metadata[b"request_id"].decode() == response.headers["x-request-id"]


def test_every_score_of_a_stream_can_be_read_again(client: TestClient) -> None:
    for told in outcomes(send(client, stream(table_of(cases(30))))):
        if told["status"] == "rejected":
            assert told["score_id"] is None
            continue
        again = client.get(f"/v1/scores/{told['score_id']}").json()
        assert comparable(again) == comparable(told)


def test_a_stream_sent_twice_under_one_key_is_scored_once(client: TestClient) -> None:
    body, key = stream(table_of(cases(12))), {"Idempotency-Key": "stream-0001"}
    first, second = send(client, body, **key), send(client, body, **key)
    assert outcomes(first) == outcomes(second)
    assert send(client, stream(table_of(cases(12, seed=2))), **key).status_code == 409


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        (lambda t: t.drop_columns("opened_on"), "missing", "/opened_on"),
        (lambda t: t.append_column(SECRET, pa.array([1] * len(t))), "not-accepted", ""),
        (lambda t: t.append_column("industry", t["industry"]), "twice", ""),
        (lambda t: t.set_column(0, "case_id", pa.array(range(len(t)))), "wrong-type", "/case_id"),
        (lambda t: t.set_column(1, "opened_on", pa.array(["2026-01-01"] * len(t))), "wrong-type", "/opened_on"),
        (lambda t: t.set_column(t.schema.get_field_index("facts"), "facts", pa.array([[SECRET]] * len(t))), "wrong-type", "/facts"),
        (lambda t: t.replace_schema_metadata({"as_of": SECRET}), "wrong-type", "/as_of"),
        (lambda t: t.replace_schema_metadata(None), "wrong-type", "/as_of"),
        (lambda t: t.replace_schema_metadata({"as_of": "2030-01-01"}), "in-the-future", "/as_of"),
        (lambda t: t.slice(0, 0), "missing", "/cases"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_named_and_nothing_is_repeated(
    client: TestClient, change: Callable[[pa.Table], pa.Table], code: str, pointer: str
) -> None:
    response = send(client, stream(change(table_of(cases(4)))))
    assert response.status_code == 422
    assert (code, pointer) in {(e["code"], e["pointer"]) for e in response.json()["errors"]}
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.int64())), pa.struct([("a", pa.struct([("b", pa.int64())]))]), pa.map_(pa.string(), pa.int64()),
        pa.run_end_encoded(pa.int32(), pa.string()), pa.string_view(), pa.decimal128(9, 2), pa.binary(), pa.timestamp("us", "UTC"),
        pa.dictionary(pa.int8(), pa.float64()), pa.list_(FACTS), pa.dense_union([pa.field("a", pa.int64())]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["case_id", "registered_on", "weekly_hours", "industry", "facts"])
def test_a_type_that_is_not_expected_is_refused_before_a_row_is_read(
    name: str, kind: pa.DataType, client: TestClient
) -> None:
    schema = table_of(cases(4)).schema
    schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema).close()
    response = send(client, sink.getvalue().to_pybytes())
    assert response.status_code == 422
    assert ("wrong-type", f"/{name}") in {(e["code"], e["pointer"]) for e in response.json()["errors"]}


def test_too_many_cases_and_too_many_facts_are_refused(serve: Callable[..., TestClient]) -> None:
    client = serve(max_batch=10, max_facts=5, max_body_bytes=200_000)
    assert len(outcomes(send(client, stream(table_of(cases(10)))))) == 10
    assert send(client, stream(table_of(cases(11)))).status_code == 413
    assert send(client, b"\0" * 200_001).status_code == 413
    many = [c | {"facts": cases(3)[1]["facts"][:1] * 20} for c in cases(4)]
    assert send(client, stream(table_of(many))).status_code == 413


def test_a_stream_that_would_unpack_to_more_than_it_may_is_not_unpacked(serve: Callable[..., TestClient]) -> None:
    """Two million equal numbers compress to a few kilobytes."""
    client = serve(max_body_bytes=200_000)
    table = pa.table({"weekly_hours": pa.array(np.full(2_000_000, 37.0))}).replace_schema_metadata({"as_of": AS_OF})
    body = stream(table, compression="zstd")
    assert len(body) < 200_000 < table.nbytes == pytest.approx(claimed_bytes(body), rel=0.01)
    assert send(client, body).status_code == 413


def test_a_buffer_that_claims_terabytes_is_refused() -> None:
    body = bytearray(stream(table_of(cases(50)), compression="zstd"))
    honest = claimed_bytes(bytes(body))
    sizes = [
        i for i in range(0, len(body) - 8, 8) if struct.unpack_from("<q", body, i)[0] == 4 * 50
    ]  # of a date column
    struct.pack_into("<q", body, sizes[-1], 1 << 40)
    assert claimed_bytes(bytes(body)) == honest - 200 + (1 << 40)
    with pytest.raises(Refused, match="too-large"):
        read_stream(bytes(body), 100, 10, 1_000_000)


@pytest.mark.parametrize(
    "body", [b"", b"ARROW1", b"\xff" * 64, b"\xff\xff\xff\xff\0\0\0\0", b'{"as_of": "2026-11-23"}']
)
def test_what_is_not_a_stream_is_refused(client: TestClient, body: bytes) -> None:
    response = send(client, body)
    assert (response.status_code, response.json()["code"]) == (400, "not-arrow")


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_damaged_streams_are_refused_or_read_and_never_break_the_service(
    client: TestClient, compression: str | None
) -> None:
    """Bytes changed, cut out, doubled and cut off: an answer that is documented, and the process still there."""
    whole = stream(
        table_of([*cases(20), {"case_id": SECRET, "opened_on": "2026-09-07", "registered_on": "2026-10-07"}]),
        compression,
    )
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(300):
        body = bytearray(whole)
        for at in rng.integers(0, len(body), rng.integers(1, 5)):
            body[at] = rng.integers(0, 256)
        cut = int(rng.integers(0, len(body)))
        shape = rng.integers(0, 6)
        if shape == 0:
            body = body[:cut]
        elif shape == 1:
            del body[cut : cut + int(rng.integers(1, 64))]
        elif shape == 2:
            body[cut:cut] = body[cut : cut + 64]
        response = send(client, bytes(body))
        seen.add(response.status_code)
        assert response.status_code in {200, 400, 413, 422}, response.text
        if response.status_code != 200:
            assert response.headers["content-type"] == "application/problem+json"
            assert SECRET not in response.text
    assert {200, 400} <= seen
    assert len(outcomes(send(client, whole))) == 21


def test_only_the_batch_takes_a_stream(client: TestClient) -> None:
    body = stream(table_of(cases(4)))
    assert client.post("/v1/scores", content=body, headers={"Content-Type": MEDIA_TYPE}).status_code == 415
