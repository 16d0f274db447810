"""A law: a request that is read in one go is understood as it is when it is read part by part, or it is not read in one go."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.columns import Columns
from serving.columns_json import read_body_columns, read_columns
from serving.description import EXAMPLE
from serving.messages import Envelope, Row
from serving.problems import Refused
from serving.reading import parse_json
from serving.rows import read_rows
from serving.rows_json import read_body_rows

MANY = {**EXAMPLE, "cases": [{**EXAMPLE["cases"][0], "case_id": f"SYN{i:06d}"} for i in range(3)]}
BODIES = [json.dumps(EXAMPLE), json.dumps(MANY, indent=1), json.dumps(EXAMPLE, separators=(",", ":"))]
PIECES = [
    b'"', b":", b",", b"{", b"}", b"[", b"]", b"\\", b"\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"1", b"-", b"e9", b".5", b"0", b"1e400",
    b"NaN", b"Infinity", b"null", b"true", b'"as_of": "2026-11-20",', b'"as_of" : "2026-11-20",', b'"facts": [],', b"\\ud800", b"\\u0041",
    b'"attributes": {"industry": "construction", "industry": "retail"},', b"123456789012345678901234567890", b"0101801234",
]  # fmt: skip


def by_parts(body: bytes) -> tuple[date, list[Row]]:
    asked = Envelope.model_validate(parse_json(body))
    return asked.as_of, read_rows(asked.cases, asked.as_of, 200)


def told(rows: list[Row]) -> list[Any]:
    return [(row, list(row.columns)) for row in rows]


def in_words(columns: Columns) -> list[str]:
    return [repr(part) for part in vars(columns).values()]


@pytest.mark.parametrize("text", BODIES)
def test_a_request_as_it_should_be_is_read_in_one_go(text: str) -> None:
    asked = read_body_rows(text.encode(), 10, 200)
    assert asked is not None
    as_of, rows = by_parts(text.encode())
    assert asked[0] == as_of
    assert told(asked[1]) == told(rows)
    columns = read_body_columns(text.encode(), 10, 200)
    assert columns is not None
    assert len(columns) == len(rows)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_whatever_is_done_to_a_request_both_ways_understand_the_same(text: str, data: st.DataObject) -> None:
    body = text.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.sampled_from([0, 0, 1, 2, 7]))
        put = data.draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=2), st.just(body[at : at + 30])))
        body = body[:at] + put + body[at + cut :]
    asked, columns = read_body_rows(body, 10, 200), read_body_columns(body, 10, 200)
    if asked is not None:
        as_of, rows = by_parts(body)
        assert asked[0] == as_of
        assert told(asked[1]) == told(rows)
    if columns is not None:
        as_of, rows = by_parts(body)
        assert columns.as_of == as_of
        assert in_words(columns) == in_words(read_columns(Envelope.model_validate(parse_json(body)).cases, as_of, 200))
        assert [row.place for row in rows if not row.flaws] == columns.place.tolist()


@pytest.mark.parametrize(
    "odd",
    [
        '{"as_of":"2026-11-23","as_of" :"2026-11-23","cases":[{"case_id":"SYN1","opened_on":"2026-09-07","registered_on":"2026-10-07"}]}',
        '{"as_of":"2026-11-23","cases":[{"case_id":"SYN1","case_id":"SYN2","opened_on":"2026-09-07","registered_on":"2026-10-07"}]}',
        # A colon that is written otherwise must not make up for the one of a name that stands twice.
        '{"as_of":"2026-11-23","cases":[{"case_id":"SYN1","case_id":"SYN\\u003a2","opened_on":"2026-09-07","registered_on":"2026-10-07"}]}',
    ],
)
def test_a_name_that_stands_twice_is_never_read_in_one_go(odd: str) -> None:
    assert read_body_rows(odd.encode(), 10, 200) is None
    assert read_body_columns(odd.encode(), 10, 200) is None
    with pytest.raises(Refused):
        parse_json(odd.encode())


def test_too_many_cases_or_facts_are_left_to_whoever_says_so() -> None:
    body = json.dumps(MANY).encode()
    assert read_body_rows(body, 3, 3) is not None
    assert read_body_rows(body, 2, 3) is None
    asked = read_body_rows(body, 3, 2)
    assert asked is not None
    assert [[flaw.code for flaw in row.flaws] for row in asked[1]] == [["too-many"]] * 3
    assert read_body_columns(body, 3, 3) is not None
    assert read_body_columns(body, 2, 3) is None


@pytest.mark.parametrize(
    "case", [{"case_id": "SYN:1:2"}, {"attributes": {}}, {"attributes": {"industry": None}}, {"facts": []}, {}]
)
def test_cases_with_colons_in_their_ids_or_little_known_of_them_are_read_in_one_go_too(case: dict[str, Any]) -> None:
    bare = {"case_id": "SYN000001", "opened_on": "2026-09-07", "registered_on": "2026-10-07"}
    body = json.dumps({"as_of": "2026-11-23", "cases": [bare | case, EXAMPLE["cases"][0]]}).encode()
    assert read_body_columns(body, 10, 200) is not None
    assert read_body_rows(body, 10, 200) is not None
