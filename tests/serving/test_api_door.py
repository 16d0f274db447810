"""What holds for every request: problems for every status, ids, headers, limits, and a log without values."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import answers_many, desk
from serving.description import EXAMPLE
from serving.problems import KINDS

CPR = "010180-1234"
JSON = {"Content-Type": "application/json"}


def problem_of(response: Any, code: str) -> dict[str, Any]:
    kind, problem = KINDS[code], response.json()
    assert response.status_code == kind.status == problem["status"], response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"urn:problem-type:risk52:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["title_da"]
    assert CPR not in response.text
    return dict(problem)


def test_every_address_answers_with_an_id_and_no_cache(client: TestClient) -> None:
    for path in ("/health", "/ready", "/health/live", "/health/ready", "/version", "/v1/model", "/v1/dictionary"):
        response = client.get(path)
        assert response.status_code == 200, path
        assert len(response.headers["x-request-id"]) == 32
        tagged = path in ("/v1/model", "/v1/dictionary")  # not of a case: may be kept, and asked about with its tag
        assert response.headers["cache-control"] == ("private, no-cache" if tagged else "no-store")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"


def test_a_callers_id_is_kept_when_it_can_be_nothing_else(client: TestClient) -> None:
    def echoed(asked: str) -> bool:
        return client.get("/version", headers={"X-Request-Id": asked}).headers["x-request-id"] == asked

    assert echoed("case-system-42.7")
    assert not any(echoed(asked) for asked in (CPR, "0101801234", "short", "a b c d e f g", "x" * 65, "<script>xx"))


def test_wrong_addresses_and_methods_are_problems(client: TestClient) -> None:
    problem_of(client.get(f"/v1/scores/{CPR}"), "not-found")
    problem_of(client.get(f"/v1/model/?cpr={CPR}"), "not-found")  # no redirect that repeats the query
    refused = client.get("/v1/scores")
    problem_of(refused, "method-not-allowed")
    assert refused.headers["allow"] == "POST"
    problem_of(client.request("DELETE", "/v1/model"), "method-not-allowed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"as_of": "2026-11-23", "cases": [{"case_id": "010180-1234"',
        b"\xff\xfe{}",
        '{"as_of": "010180-1234"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"as_of": NaN}',
        b'{"as_of": Infinity, "cases": []}',
        b'{"as_of": "2026-11-23", "as_of": "2026-11-24", "cases": []}',
        b"1" * 5000,
        b"{} {}",
        b"cases=010180-1234",
    ],
)
def test_a_body_that_is_not_plain_json_is_a_problem(client: TestClient, body: bytes) -> None:
    problem_of(client.post("/v1/scores", content=body, headers=JSON), "not-json")


@pytest.mark.parametrize(
    "body",
    ["[]", '"010180-1234"', "null", "7", "{}", '{"as_of": "2026-11-23"}', '{"as_of": "010180-1234", "cases": [1]}',
     '{"as_of": "2026-11-23", "cases": []}', '{"as_of": "2026-11-23", "cases": {}}',
     '{"as_of": "2026-11-23", "cases": [{}], "010180-1234": 1}'],
)  # fmt: skip
def test_json_that_is_not_a_request_is_a_problem(client: TestClient, body: str) -> None:
    assert problem_of(client.post("/v1/scores", content=body, headers=JSON), "invalid-request")["errors"]


@pytest.mark.parametrize("body", ['{"as_of": "2026-11-23", "cases": [null, 7, "010180-1234", [], {}, 1e999]}'])
def test_cases_that_are_not_even_objects_have_a_flaw_each(client: TestClient, body: str) -> None:
    problem = problem_of(client.post("/v1/scores", content=body, headers=JSON), "no-case-fits")
    assert {e["pointer"].split("/")[2] for e in problem["errors"]} == {"0", "1", "2", "3", "4", "5"}


def test_other_content_types_are_refused(client: TestClient) -> None:
    body = json.dumps(EXAMPLE)
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": f"application/json{CPR}"},
        JSON | {"Content-Encoding": "gzip"},
    ):
        problem_of(client.post("/v1/scores", content=body, headers=headers), "not-json-type")
    assert client.post(
        "/v1/scores", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    ).is_success


def test_bodies_cases_and_facts_have_limits(serve: Callable[..., TestClient]) -> None:
    client = serve(refresh_seconds=0, max_body_bytes=3000, max_cases=2, max_facts=3)
    case = EXAMPLE["cases"][0]
    problem_of(client.post("/v1/scores", content=b" " * 3001, headers=JSON), "too-large")

    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 100

    problem_of(client.post("/v1/scores", content=drip(), headers=JSON), "too-large")  # no length was declared
    three = {"as_of": "2026-11-23", "cases": [case | {"case_id": f"SYN{i}", "facts": []} for i in range(3)]}
    problem = problem_of(client.post("/v1/scores", json=three), "too-large")
    assert problem["errors"][0]["detail"] == "at most 2 cases in a request"
    four = {"as_of": "2026-11-23", "cases": [case | {"facts": case["facts"] + case["facts"][:1]}]}
    assert problem_of(client.post("/v1/scores", json=four), "no-case-fits")["errors"][0]["code"] == "too-many"
    assert client.get("/v1/model").json()["limits"] == {
        "max_body_bytes": 3000,
        "max_cases": 2,
        "max_batch": 5000,
        "max_facts": 3,
    }


def test_a_fault_of_our_own_is_a_problem_without_its_message(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(f"while looking at {CPR}")

    monkeypatch.setattr(desk, "answer", breaks)
    with caplog.at_level(logging.DEBUG):
        problem_of(client.post("/v1/scores", json=EXAMPLE), "internal")
    said = caplog.text
    assert "ZeroDivisionError" in said
    assert "test_api_door.py" in said  # where it happened can be found
    assert CPR not in said


def test_the_log_names_the_route_and_never_the_address_or_a_value(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "risk.serving"):
        client.post("/v1/scores?cpr=0101801234", json=EXAMPLE)
        client.get(f"/{CPR}")
        client.post("/v1/scores", json=EXAMPLE | {"cases": [{"case_id": CPR, CPR: CPR}]})
    lines = [r.getMessage() for r in caplog.records if r.name == "risk.serving"]
    assert lines[0].startswith("POST /v1/scores 200 1 cases")
    assert lines[1].startswith("GET no route 404")
    assert CPR not in caplog.text
    assert "0101801234" not in caplog.text
    assert "SYN000123" not in caplog.text


def test_more_requests_than_can_wait_are_told_to_come_back(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(refresh_seconds=0, threads=1, queue=1)
    case = EXAMPLE["cases"][0]  # enough cases to be scored in a thread
    large = EXAMPLE | {"cases": [case | {"case_id": f"SYN{i:06d}"} for i in range(30)]}
    gate, entered, real = threading.Event(), threading.Semaphore(0), answers_many.answer_many

    def waits(*args: Any) -> Any:
        entered.release()
        gate.wait(20)
        return real(*args)

    monkeypatch.setattr(desk, "answer_many", waits)
    with ThreadPoolExecutor(6) as callers:
        calls = [callers.submit(client.post, "/v1/scores", json=large) for _ in range(6)]
        assert entered.acquire(timeout=20)
        while sum(c.done() for c in calls) < 4:  # one is scored, one waits, four are turned away at once
            threading.Event().wait(0.01)
        assert client.get("/health/live").status_code == 200
        gate.set()
        answered = [c.result() for c in calls]
    assert sorted(a.status_code for a in answered) == [200, 200, 503, 503, 503, 503]
    turned_away = next(a for a in answered if a.status_code == 503)
    problem_of(turned_away, "busy")
    assert turned_away.headers["retry-after"] == "1"


def test_many_callers_at_once_get_the_answer_one_gets(serve: Callable[..., TestClient]) -> None:
    client = serve(refresh_seconds=0, threads=4)

    def told(_: int = 0) -> dict[str, Any]:
        return dict(client.post("/v1/scores", json=EXAMPLE).json()["results"][0])

    expected = told()
    with ThreadPoolExecutor(8) as callers:
        answered = list(callers.map(told, range(24)))
    assert len({a.pop("score_id") for a in answered}) == 24
    expected.pop("score_id")
    assert all(a == expected for a in answered)


def test_the_docs_page_is_there_in_development_only(serve: Callable[..., TestClient]) -> None:
    assert serve(refresh_seconds=0).get("/docs").status_code == 404
    assert serve(refresh_seconds=0, environment="development").get("/docs").status_code == 200


@pytest.mark.parametrize("name", ["5f0101801234c1b6f0e4a7c8f0f6f0f1", "00000000-0101-4801-8234-010180123456"])
def test_random_hexadecimal_names_are_taken_whatever_digits_stand_in_them(client: TestClient, name: str) -> None:
    """One in so many UUIDs holds what could be a day and four digits more; a caller's key must not be refused for that."""
    headers = {"Idempotency-Key": name, "X-Request-Id": name}
    answered = client.post("/v1/scores", json=EXAMPLE, headers=headers)
    assert answered.status_code == 200
    assert answered.headers["x-request-id"] == name
    assert client.post("/v1/scores", json=EXAMPLE, headers={"Idempotency-Key": "case-010180-1234"}).status_code == 400
