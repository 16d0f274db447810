"""What the scoring service answers: an outcome per row, and what belongs to a score."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.bundle import Bundle
from risk import schema
from risk.scoring import NOT_FOR, PURPOSE
from serving.description import EXAMPLE
from serving.messages import accepted_attributes, accepted_facts

AS_OF = "2026-11-23"
CPR = "010180-1234"


def request(*changes: dict[str, Any], as_of: str = AS_OF) -> dict[str, Any]:
    """The example with one case per change; ids differ."""
    base = EXAMPLE["cases"][0]
    cases = [copy.deepcopy(base) | {"case_id": f"SYN{i:06d}"} | change for i, change in enumerate(changes or ({},))]
    return {"as_of": as_of, "cases": cases}


def results(client: TestClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = client.post("/v1/scores", json=body)
    assert response.status_code == 200, response.text
    answer: list[dict[str, Any]] = response.json()["results"]
    return answer


def codes(notes: list[dict[str, Any]]) -> set[str]:
    return {n["code"] for n in notes}


def test_a_score_comes_with_everything_a_reader_needs(client: TestClient) -> None:
    long = {"known_on": "2026-10-14", "name": "expected_recovery", "value": "over_26w"}
    [told] = results(client, request({"facts": [long]}))
    assert told["status"] == "scored"
    assert 0.01 < told["p_exceed_52w"] < 1
    # 7 September to 23 November: 77 days, of which the last has not passed.
    assert told["age_weeks"] == pytest.approx(76 / 7)
    assert [point["weeks"] for point in told["curve"]] == [8, 13, 22, 26, 52]
    assert told["curve"][0]["p_exceed"] is None  # already past week 8
    later = [point["p_exceed"] for point in told["curve"][1:]]
    assert later == sorted(later, reverse=True)
    assert later[-1] == told["p_exceed_52w"]
    assert told["base_rate"] == pytest.approx(0.1 + 0.8 * (76 / 7) / 52)
    n = int(told["p_exceed_52w"] * 100 + 0.5)
    assert told["words"] == {"da": f"omkring {n} ud af 100", "en": f"about {n} in 100"}
    assert told["purpose"] == PURPOSE
    assert told["not_for"] == list(NOT_FOR)
    assert told["as_of"] == AS_OF
    assert len(told["model_version"]) == 12


def test_reasons_stand_by_direction_with_the_day_they_were_recorded(client: TestClient) -> None:
    long, short = (
        request({"facts": [{"known_on": "2026-10-14", "name": "expected_recovery", "value": v}]})
        for v in ("over_26w", "under_8w")
    )
    [up] = results(client, long)
    [down] = results(client, short)
    expectation = {r["feature"]: r for r in up["reasons"]["up"]}["expected_recovery"]
    assert expectation["text_da"] == "Forventer selv at være rask efter mere end 26 uger"
    assert expectation["known_on"] == "2026-10-14"
    assert "expected_recovery" in {r["feature"] for r in down["reasons"]["down"]}
    assert up["p_exceed_52w"] > down["p_exceed_52w"]


def test_facts_nobody_has_recorded_are_named(client: TestClient) -> None:
    [told] = results(client, request())
    unknown = {u["name"]: u for u in told["unknown_facts"]}
    assert "gp_prognosis" in unknown
    assert unknown["gp_prognosis"]["usually_known"] == "weeks 6-8"
    assert not {"form_received", "expected_recovery", "partial_return_hours"} & set(unknown)


def test_one_bad_case_harms_no_other(client: TestClient) -> None:
    body = request({}, {"opened_on": "yesterday"}, {"attributes": {"weekly_hours": 900}}, {})
    told = results(client, body)
    assert [t["status"] for t in told] == ["scored", "rejected", "rejected", "scored"]
    assert told[0]["p_exceed_52w"] == told[3]["p_exceed_52w"]
    assert told[1]["errors"] == [
        {"pointer": "/cases/1/opened_on", "code": "wrong-type", "detail": "a date written yyyy-mm-dd"}
    ]
    assert told[2]["errors"] == [
        {
            "pointer": "/cases/2/attributes/weekly_hours",
            "code": "out-of-range",
            "detail": "a number from 0 to 80 (hours per week)",
        }
    ]
    assert told[2]["case_id"] == "SYN000002"
    assert told[2]["p_exceed_52w"] is None
    assert told[2]["curve"] == []


def test_a_request_without_a_readable_case_is_a_problem(client: TestClient) -> None:
    response = client.post("/v1/scores", json=request({"opened_on": 7}, {"case_id": CPR}))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "no-case-fits"
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [
        ("/cases/0/opened_on", "wrong-type"),
        ("/cases/1/case_id", "cpr-shaped"),
    ]


@pytest.mark.parametrize(
    "case_id",
    [CPR, "0101801234", "101801234", "010180 1234", "sag-0101801234", "010180–1234", "x 010180-1234 y"],
)
def test_a_case_id_shaped_like_a_cpr_number_is_refused_and_not_repeated(client: TestClient, case_id: str) -> None:
    response = client.post("/v1/scores", json=request({"case_id": case_id}, {}))
    told = response.json()["results"]
    assert [t["status"] for t in told] == ["rejected", "scored"]
    assert told[0]["case_id"] is None
    assert case_id not in response.text


@pytest.mark.parametrize(
    "case_id", ["SYN000123", "a" * 64, "89fbf77a8b1d0c8e1234567890abcdef", "1d0c8e12-3456-7890-abcd-ef0123456789"]
)
def test_a_pseudonym_is_accepted_though_its_digits_may_look_like_anything(client: TestClient, case_id: str) -> None:
    assert results(client, request({"case_id": case_id}))[0]["case_id"] == case_id


def test_a_level_that_is_not_known_counts_as_other_and_is_said(client: TestClient) -> None:
    attributes = EXAMPLE["cases"][0]["attributes"]
    new, other = results(
        client,
        request(
            {"attributes": attributes | {"industry": "space_travel"}},
            {"attributes": attributes | {"industry": "other"}},
        ),
    )
    assert new["p_exceed_52w"] == other["p_exceed_52w"]
    assert codes(new["warnings"]) - codes(other["warnings"]) == {"unknown-level"}
    [note] = [n for n in new["warnings"] if n["code"] == "unknown-level"]
    assert note["pointer"] == "/attributes/industry"
    assert "space" not in str(new)


def test_what_was_recorded_on_or_after_the_day_is_not_used_and_is_said(client: TestClient) -> None:
    facts = EXAMPLE["cases"][0]["facts"]
    for day in (AS_OF, "2027-05-01"):
        late = {"known_on": day, "name": "expected_recovery", "value": "over_26w"}
        plain, told = results(client, request({}, {"facts": [late, *facts]}))
        assert told["p_exceed_52w"] == plain["p_exceed_52w"]
        assert codes(told["warnings"]) - codes(plain["warnings"]) == {"known-later"}
        assert [n["pointer"] for n in told["warnings"] if n["code"] == "known-later"] == ["/facts/0"]


def test_what_the_score_may_not_learn_from_is_refused_as_an_attribute_and_left_out_as_a_fact(
    client: TestClient,
) -> None:
    protected = {n for n, a in schema.attributes().items() if a.use != "feature"} - {"objection"}
    assert not protected & (set(accepted_attributes()) | set(accepted_facts()))
    facts = EXAMPLE["cases"][0]["facts"]
    contact = {"known_on": "2026-11-02", "name": "contact", "value": "phone"}
    plain, sex, contacted = results(
        client, request({}, {"attributes": {"sex": "female"}}, {"facts": [contact, *facts]})
    )
    assert sex["errors"][0]["code"] == "not-accepted"
    assert contacted["p_exceed_52w"] == plain["p_exceed_52w"]
    assert "not-used" in codes(contacted["warnings"])


def test_who_has_objected_gets_no_score(client: TestClient) -> None:
    facts = EXAMPLE["cases"][0]["facts"]

    def objection(day: str, *, value: bool) -> dict[str, Any]:
        return {"facts": [*facts, {"known_on": day, "name": "objection", "value": value}]}

    told = results(
        client,
        request(
            objection("2026-11-02", value=True), objection(AS_OF, value=True), objection("2026-11-02", value=False)
        ),
    )
    assert [t["status"] for t in told] == ["abstained", "scored", "scored"]
    assert told[0]["p_exceed_52w"] is None
    assert told[0]["curve"] == []
    assert told[0]["words"] is None
    assert told[0]["reasons"] == {"up": [], "down": []}
    assert told[0]["abstained"]["code"] == "objection"


def test_a_case_past_the_horizon_has_no_score(client: TestClient) -> None:
    [told] = results(client, request({"opened_on": "2025-11-01", "registered_on": "2025-12-01"}))
    assert told["status"] == "past_horizon"
    assert told["p_exceed_52w"] is None
    assert told["base_rate"] is None


def test_a_case_that_lacks_what_the_model_needs_gets_a_reason_instead_of_a_score(
    serve: Callable[..., TestClient], wide_bundle: Bundle, tmp_path: Any
) -> None:
    from serving.sources import FolderSource

    bundle = Bundle(wide_bundle.learner, None, meta=wide_bundle.meta | {"required": ["weekly_wage", "industry"]})
    client = serve(source=FolderSource(bundle.save(tmp_path / "strict")), refresh_seconds=0)
    [told] = results(client, request())
    assert told["status"] == "abstained"
    assert told["abstained"]["code"] == "required-missing"
    assert told["abstained"]["features"] == ["weekly_wage"]
    assert "Løn pr. uge før sygdom" in told["abstained"]["text_da"]
    assert told["p_exceed_52w"] is None


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"registered_on": "2026-09-01"}, "/cases/0/registered_on", "impossible-order"),
        ({"registered_on": AS_OF}, "/cases/0/registered_on", "not-known-yet"),
        ({"opened_on": "2026-02-30"}, "/cases/0/opened_on", "wrong-type"),
        ({"opened_on": 20260907}, "/cases/0/opened_on", "wrong-type"),
        ({"opened_on": "２０２６-09-07"}, "/cases/0/opened_on", "wrong-type"),
        ({"opened_on": "1850-01-01"}, "/cases/0/opened_on", "wrong-type"),
        ({"opened_on": "2026-09-07T00:00:00"}, "/cases/0/opened_on", "wrong-type"),
        ({"case_id": ""}, "/cases/0/case_id", "wrong-type"),
        ({"case_id": 5}, "/cases/0/case_id", "wrong-type"),
        ({"case_id": "SYN 1"}, "/cases/0/case_id", "wrong-type"),
        ({"case_id": "SYN1\n"}, "/cases/0/case_id", "wrong-type"),
        ({"attributes": {"weekly_hours": "37"}}, "/cases/0/attributes/weekly_hours", "wrong-type"),
        ({"attributes": {"weekly_hours": True}}, "/cases/0/attributes/weekly_hours", "wrong-type"),
        ({"attributes": {"weekly_hours": -1}}, "/cases/0/attributes/weekly_hours", "out-of-range"),
        ({"attributes": {"weekly_hours": 1e308}}, "/cases/0/attributes/weekly_hours", "out-of-range"),
        ({"attributes": {"is_paid_when_ill": 1}}, "/cases/0/attributes/is_paid_when_ill", "wrong-type"),
        ({"attributes": {"industry": 3}}, "/cases/0/attributes/industry", "wrong-type"),
        ({"attributes": {"industry": "x" * 65}}, "/cases/0/attributes/industry", "wrong-type"),
        ({"attributes": {CPR: 1}}, "/cases/0/attributes", "not-accepted"),
        ({"attributes": {"medical_cost_total": 1}}, "/cases/0/attributes", "not-accepted"),
        ({"attributes": []}, "/cases/0/attributes", "wrong-type"),
        ({CPR: 1}, "/cases/0", "not-accepted"),
        ({"facts": {}}, "/cases/0/facts", "wrong-type"),
        ({"facts": [{"known_on": "2026-11-02", "name": CPR, "value": 1}]}, "/cases/0/facts/0/name", "unknown-name"),
        ({"facts": [{"known_on": "2026-11-02", "name": "form_received"}]}, "/cases/0/facts/0/value", "missing"),
        (
            {"facts": [{"known_on": "2026-11-02", "name": "form_received", "value": "true"}]},
            "/cases/0/facts/0/value",
            "wrong-value",
        ),
        (
            {"facts": [{"known_on": "2026-11-02", "name": "gp_prognosis", "value": 3}]},
            "/cases/0/facts/0/value",
            "wrong-value",
        ),
        (
            {"facts": [{"known_on": "2026-11-02", "name": "partial_return_hours", "value": 61}]},
            "/cases/0/facts/0/value",
            "wrong-value",
        ),
    ],
)
def test_what_does_not_fit_is_pointed_to_and_not_repeated(
    client: TestClient, change: dict[str, Any], pointer: str, code: str
) -> None:
    response = client.post("/v1/scores", json=request(change))
    assert response.status_code == 422
    flaws = [(e["pointer"], e["code"]) for e in response.json()["errors"]]
    assert flaws == [(pointer, code)]
    assert CPR not in response.text


def test_a_case_sent_twice_is_refused_both_times(client: TestClient) -> None:
    told = results(client, request({"case_id": "SYN1"}, {}, {"case_id": "SYN1", "opened_on": "2026-09-08"}))
    assert [t["status"] for t in told] == ["rejected", "scored", "rejected"]
    assert {e["code"] for t in told for e in t["errors"]} == {"twice"}


def test_a_day_far_ahead_is_refused_but_tomorrow_is_not(client: TestClient) -> None:
    assert client.post("/v1/scores", json=request(as_of="2026-11-24")).status_code == 200
    problem = client.post("/v1/scores", json=request(as_of="2027-11-23")).json()
    assert problem["errors"] == [
        {"pointer": "/as_of", "code": "in-the-future", "detail": "a day no later than tomorrow"}
    ]


def test_a_case_registered_today_is_scored_with_tomorrows_date(client: TestClient) -> None:
    told = results(client, request({"registered_on": AS_OF, "facts": []}, as_of="2026-11-24"))
    assert told[0]["status"] == "scored"


def test_readers_are_warned_of_a_stale_or_synthetic_model_and_of_numbers_it_never_saw(
    serve: Callable[..., TestClient], wide_bundle: Bundle, tmp_path: Any
) -> None:
    from serving.sources import FolderSource

    changed = wide_bundle.meta | {"trained_as_of": "2025-11-01", "ranges": {"weekly_hours": [10.0, 30.0]}}
    source = FolderSource(Bundle(wide_bundle.learner, None, meta=changed).save(tmp_path / "old"))
    [told] = results(serve(source=source, refresh_seconds=0), request())
    assert codes(told["warnings"]) == {"stale-model", "synthetic-model", "outside-training"}
    [note] = [n for n in told["warnings"] if n["code"] == "outside-training"]
    assert note["pointer"] == "/attributes/weekly_hours"
