"""Whatever is sent: a documented status, a problem that repeats nothing, and never a fault of our own."""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from risk import schema
from serving.description import EXAMPLE
from serving.messages import accepted_attributes, accepted_facts

CPR = "0101801234"
DOCUMENTED = {200, 400, 413, 415, 422}
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

secrets = st.sampled_from([CPR, "010180-1234", "Jens 010180-1234 Hansen", "१२३४५६७८९०", "\ud800", "x" * 5000, "\x00"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    secrets,
    st.dates(date(1, 1, 1)).map(str),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | secrets, inner, max_size=4),
)
days = st.dates(date(1960, 1, 1), date(2030, 1, 1)).map(str)
values = {
    "category": lambda a: st.sampled_from(a.levels) | st.text(max_size=70),
    "flag": lambda a: st.booleans(),
    "number": lambda a: st.floats(a.low, a.high) | st.floats(allow_nan=False) | st.integers(),
}


def value(attribute: schema.Attribute) -> st.SearchStrategy[Any]:
    return values[attribute.kind](attribute) | scalars


known = accepted_attributes() | schema.fact_attributes()
attributes = st.fixed_dictionaries({}, optional={n: value(a) for n, a in accepted_attributes().items()})
facts = st.sampled_from(list(known.values())).flatmap(
    lambda a: st.fixed_dictionaries({"known_on": days | scalars, "name": st.just(a.name) | scalars, "value": value(a)})
)
cases = st.fixed_dictionaries(
    {"case_id": st.from_regex(r"SYN[0-9]{6}", fullmatch=True) | scalars, "opened_on": days, "registered_on": days},
    optional={"attributes": attributes | anything, "facts": st.lists(facts, max_size=6) | anything, CPR: anything},
)
requests = st.fixed_dictionaries(
    {"as_of": days | st.just("2026-11-23"), "cases": st.lists(cases | anything, max_size=4)}
)


def check(response: Any) -> None:
    assert response.status_code in DOCUMENTED, response.text
    body = response.json()
    if response.status_code == 200:
        for told in body["results"]:
            assert (told["p_exceed_52w"] is None) == (told["status"] != "scored")
            assert told["p_exceed_52w"] is None or 0.0 <= told["p_exceed_52w"] <= 1.0
            assert bool(told["errors"]) == (told["status"] == "rejected")
    else:
        assert response.headers["content-type"] == "application/problem+json"


@QUICK
@given(body=requests)
def test_requests_that_nearly_fit_are_answered(client: TestClient, body: dict[str, Any]) -> None:
    response = client.post(
        "/v1/scores", content=json.dumps(body).encode("utf-8"), headers={"Content-Type": "application/json"}
    )
    check(response)
    assert CPR not in response.text
    assert "010180-1234" not in response.text


@QUICK
@given(body=anything)
def test_any_json_is_answered(client: TestClient, body: Any) -> None:
    check(
        client.post(
            "/v1/scores", content=json.dumps(body).encode("utf-8"), headers={"Content-Type": "application/json"}
        )
    )


@QUICK
@given(body=st.binary(max_size=200), media=st.sampled_from(["application/json", "text/plain", "application/xml"]))
def test_any_bytes_are_answered(client: TestClient, body: bytes, media: str) -> None:
    check(client.post("/v1/scores", content=body, headers={"Content-Type": media}))


def paths(node: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [where]
    if isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            found += paths(inner, (*where, key))
    return found


@pytest.mark.parametrize("where", paths(EXAMPLE), ids=lambda p: "/".join(map(str, p)) or "root")
@pytest.mark.parametrize("planted", [CPR, "010180-1234", {CPR: 1}, [CPR]], ids=["digits", "hyphen", "name", "list"])
def test_a_cpr_number_planted_anywhere_is_never_repeated(
    client: TestClient, where: tuple[Any, ...], planted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.loads(json.dumps(EXAMPLE))
    if not where:
        body = planted
    else:
        node = body
        for key in where[:-1]:
            node = node[key]
        node[where[-1]] = planted
    with caplog.at_level(logging.DEBUG):
        response = client.post("/v1/scores", json=body)
    check(response)
    for text in (response.text, str(response.headers), *(r.getMessage() for r in caplog.records if "risk" in r.name)):
        assert CPR not in text
        assert "010180-1234" not in text


def test_facts_and_attributes_are_those_of_the_declaration(client: TestClient) -> None:
    said = client.get("/v1/dictionary").json()
    assert [w["name"] for w in said["attributes"]] == list(accepted_attributes())
    assert [w["name"] for w in said["facts"]] == list(accepted_facts())
    by_name = {w["name"]: w for w in said["attributes"]}
    assert (by_name["weekly_hours"]["low"], by_name["weekly_hours"]["high"]) == (0, 80)
    assert [level["code"] for level in by_name["sector"]["levels"]] == ["private", "public", "other", "unknown"]
    assert all(w["low"] is None and w["levels"] for w in said["attributes"] if w["kind"] == "category")
