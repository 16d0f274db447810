"""Every score is written before it is answered, and read again to the letter."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from risk.errors import StoreError
from serving.answers_many import AnsweredMany
from serving.description import EXAMPLE
from serving.start import Behind
from serving.store.persons import erase_person, export_person
from serving.store.tables import ledger_payload
from serving.store.verify import verify
from serving.store.writer import Writer

CPR = "0101801234"


def behind(client: TestClient) -> Behind:
    found: Behind = client.app.state.behind  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    return found


def kept_of(client: TestClient, *case_ids: str) -> list[dict[str, Any]]:
    store, now = behind(client).store, datetime.now(UTC)
    return [score for case_id in case_ids for score in export_person(store, case_id, "test", now)["scores"]]


def cases(n: int, **changes: Any) -> dict[str, Any]:
    base = EXAMPLE["cases"][0]
    return EXAMPLE | {"cases": [base | {"case_id": f"SYN{i:06d}"} | changes for i in range(n)]}


def test_what_was_answered_is_read_again_to_the_bit(client: TestClient) -> None:
    answered = client.post("/v1/scores", json=cases(3))
    told = answered.json()["results"]
    for outcome in told:
        again = client.get(f"/v1/scores/{outcome['score_id']}")
        assert again.status_code == 200
        assert again.json() == outcome
        assert again.content in answered.content
    found = verify(behind(client).store, behind(client).seals)
    assert (found.n_faults, found.n_rows) == (0, 3)


def test_every_outcome_of_a_readable_case_is_recorded_and_a_rejected_one_is_not(client: TestClient) -> None:
    base = EXAMPLE["cases"][0]
    objection = {"known_on": "2026-11-02", "name": "objection", "value": True}
    body = EXAMPLE | {
        "cases": [
            base | {"case_id": "SYN1"},
            base | {"case_id": "SYN2", "facts": [objection]},
            base | {"case_id": "SYN3", "opened_on": "2025-10-01"},
            base | {"case_id": "SYN4", "opened_on": CPR},
        ]
    }
    told = client.post("/v1/scores", json=body).json()["results"]
    assert [t["status"] for t in told] == ["scored", "abstained", "past_horizon", "rejected"]
    assert [t["score_id"] is None for t in told] == [False, False, False, True]
    rows = kept_of(client, "SYN1", "SYN2", "SYN3", "SYN4")
    assert [r["status"] for r in rows] == ["scored", "abstained", "past_horizon"]
    assert {r["caller"][:4] for r in rows} == {"key:"}
    assert {r["model_version"] for r in rows} == {told[0]["model_version"]}


def test_the_input_is_kept_as_it_was_read_and_scores_the_same_again(client: TestClient) -> None:
    base = EXAMPLE["cases"][0]
    odd = base | {
        "attributes": base["attributes"] | {"industry": CPR, "occupation": None},
        "facts": [
            *base["facts"],
            {"known_on": "2026-11-02", "name": "contact", "value": f"phone {CPR}"},
            {"known_on": "2026-12-24", "name": "gp_prognosis", "value": "unknown"},
            {"known_on": "2026-11-03", "name": "expected_recovery", "value": f"x{CPR}"},
        ],
    }
    [first] = client.post("/v1/scores", json=EXAMPLE | {"cases": [odd]}).json()["results"]
    [row] = kept_of(client, "SYN000123")
    kept = row["input"]
    assert CPR not in json.dumps(row)
    assert kept["cases"][0]["attributes"]["industry"] == "other"
    assert {f["name"] for f in kept["cases"][0]["facts"]} == {
        "form_received", "expected_recovery", "partial_return_hours",
    }  # fmt: skip
    [second] = client.post("/v1/scores", json=kept).json()["results"]
    for name in ("p_exceed_52w", "curve", "reasons", "words", "base_rate", "unknown_facts"):
        assert second[name] == first[name]


@pytest.mark.parametrize("n", [1, 60])
def test_what_cannot_be_recorded_is_not_answered(client: TestClient, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    import serving.store.writer as writer

    def fails(*_: Any) -> Any:
        raise StoreError("the disk is full")

    real = writer.append
    monkeypatch.setattr(writer, "append", fails)
    refused = client.post("/v1/scores:batch", json=cases(n))
    assert refused.status_code == 503
    assert refused.json()["code"] == "not-recorded"
    assert refused.headers["retry-after"] == "5"
    assert "p_exceed" not in refused.text
    assert client.get("/v1/model").status_code == 200
    monkeypatch.setattr(writer, "append", real)
    assert client.post("/v1/scores:batch", json=cases(n)).status_code == 200
    found = verify(behind(client).store, behind(client).seals)
    assert (found.n_rows, found.n_payloads) == (1, n)


def test_a_large_answer_is_laid_out_while_it_is_recorded_and_sent_only_then(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serving.store.writer as writer

    may_write, writing, laid_out = threading.Event(), threading.Event(), threading.Event()
    real, lay_out = writer.append, AnsweredMany.body

    def waits(*given: Any) -> Any:
        writing.set()
        assert may_write.wait(20)
        return real(*given)

    def body(told: AnsweredMany) -> bytes:
        assert writing.wait(20)
        made = lay_out(told)
        laid_out.set()
        return made

    monkeypatch.setattr(writer, "append", waits)
    monkeypatch.setattr(AnsweredMany, "body", body)
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(client.post, "/v1/scores:batch", json=cases(60))
        try:
            assert laid_out.wait(20)
            assert not call.done()
        finally:
            may_write.set()
        assert call.result().json()["n_scored"] == 60


def test_a_store_that_takes_no_writes_is_not_ready(client: TestClient) -> None:
    assert client.get("/health/ready").status_code == 200
    with behind(client).store.writing() as connection:
        connection.exec_driver_sql("UPDATE ledger_head SET n = 7")
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert {c["name"]: c["status"] for c in ready.json()["checks"]}["store"] == "fail"
    assert client.post("/v1/scores", json=EXAMPLE).json()["code"] == "not-recorded"


def test_an_erased_score_is_gone_and_said_to_be(client: TestClient) -> None:
    [told] = client.post("/v1/scores", json=EXAMPLE).json()["results"]
    it = behind(client)
    assert erase_person(it.store, "SYN000123", "asked", "test", datetime.now(UTC), lambda: it.seals).n_scores == 1
    refused = client.get(f"/v1/scores/{told['score_id']}")
    assert (refused.status_code, refused.json()["code"]) == (410, "erased")
    for unknown in ("0" * 32, "x", told["score_id"].upper(), CPR):
        assert client.get(f"/v1/scores/{unknown}").status_code == 404


def test_requests_at_once_share_transactions_and_lose_nothing(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, sizes, real = serve(refresh_seconds=0, threads=8), [], Writer._write

    def counted(self: Writer, group: list[Any]) -> None:
        sizes.append(sum(len(submissions) for submissions, _ in group))
        real(self, group)

    monkeypatch.setattr(Writer, "_write", counted)
    with ThreadPoolExecutor(8) as callers:
        told = list(callers.map(lambda i: client.post("/v1/scores", json=cases(1 + i % 3)), range(40)))
    ids = [t["score_id"] for answer in told for t in answer.json()["results"]]
    assert len(set(ids)) == len(ids) == sum(1 + i % 3 for i in range(40))
    assert sum(sizes) == 40
    found = verify(behind(client).store, behind(client).seals)
    assert (found.n_faults, found.n_rows) == (0, len(ids))
    with behind(client).store.reading() as connection:
        assert len(connection.execute(ledger_payload.select()).all()) == len(ids)


def test_sending_again_with_the_same_key_gives_the_same_answer_and_no_second_score(client: TestClient) -> None:
    def send(body: Any, key: str = "request-0001") -> Any:
        return client.post("/v1/scores", json=body, headers={"Idempotency-Key": key})

    first, again = send(cases(2)), send(cases(2))
    assert first.content == again.content
    assert len(kept_of(client, "SYN000000", "SYN000001")) == 2
    clash = send(cases(1))
    assert (clash.status_code, clash.json()["code"]) == (409, "key-reused")
    assert send(cases(1), "request-0002").status_code == 200
    with ThreadPoolExecutor(6) as callers:
        bodies = {a.content for a in callers.map(lambda _: send(cases(3), "request-0003"), range(6))}
    assert len(bodies) == 1
    assert verify(behind(client).store, behind(client).seals).n_rows == 2 + 1 + 3


@pytest.mark.parametrize("key", ["short", "x" * 65, "010180-1234", "0101801234", "spaces in it", "-leading"])
def test_a_key_that_could_name_a_person_is_refused(client: TestClient, key: str) -> None:
    refused = client.post("/v1/scores", json=EXAMPLE, headers={"Idempotency-Key": key})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-header")
    assert key not in refused.text
