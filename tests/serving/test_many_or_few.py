"""Many cases are read, scored and told in columns, a few one by one: the same to the letter, whatever stands in them."""

from __future__ import annotations

import copy
import json
import random
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.bundle import Bundle
from risk import features, schema
from risk.reason_columns import reason_columns
from risk.reasons import Reason, reasons_of_scored
from risk.scoring import Judged, Parts
from serving.access import Caller
from serving.answers import Answered, answer
from serving.answers_many import answer_many
from serving.arrow_out import stream_of
from serving.bands import Cuts
from serving.columns_json import read_columns
from serving.inservice import InService
from serving.messages import accepted_attributes, accepted_facts
from serving.recording import asked
from serving.rows import read_rows, taken
from serving.start import Behind
from serving.store.blocktext import inputs
from serving.store.keys import create_key
from serving.store.verify import verify

AS_OF, REQUEST = date(2026, 11, 23), "request-1234"
STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, -0.0, 1e-9, 1e308, float("inf"), 10**400, "", "x", "x" * 99, "other", "unknown", "true",
    "2026-10-14", "2026-02-30", "1969-12-31", "2200-01-01", "2026-11-23", "2026-11-22", " 2026-10-14", "2026-10-14\n", "２026-10-14",
    "010180-1234", "SYN000001", "SYN 1", "a\n", "\ud800", "æ", [], {}, [[]], {"a": 1}, ["x"], "13_26w",
]  # fmt: skip


def a_case(rng: random.Random, i: int) -> dict[str, Any]:
    def value(a: schema.Attribute) -> Any:
        if a.kind == "category":
            return rng.choice(a.levels)
        return rng.random() < 0.5 if a.kind == "flag" else round(rng.uniform(a.low, a.high), rng.randint(0, 3))

    registered = AS_OF - timedelta(days=rng.randint(1, 60))
    names = rng.sample(sorted(accepted_facts()), rng.randint(0, 4))
    return {
        "case_id": f"SYN{i:06d}",
        "opened_on": str(registered - timedelta(days=rng.choice([0, 5, 30, 200, 400]))),
        "registered_on": str(registered),
        "attributes": {n: value(a) for n, a in accepted_attributes().items() if rng.random() < 0.5},
        "facts": [
            {"known_on": str(registered + timedelta(days=rng.randint(0, 8))), "name": n, "value": value(accepted_facts()[n])}
            for n in names + names[:1]
        ],
    }  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for k, v in inside for p in places_in(v, (*path, k)))]


def strange(rng: random.Random) -> Any:
    """A copy: what is put in may be changed in its turn, and a list that held itself would have no end."""
    return copy.deepcopy(rng.choice(STRANGE))


def mutated(rng: random.Random, cases: list[Any]) -> list[Any]:
    """The same cases with some things replaced, left out or added, at any depth."""
    made = copy.deepcopy(cases)
    for _ in range(rng.randint(0, 6)):
        *way, last = rng.choice([p for p in places_in(made) if p])
        inner = made
        for step in way:
            inner = inner[step]
        act = rng.random()
        if act < 0.6:
            inner[last] = strange(rng)
        elif act < 0.75 and len(made) > 1:
            del inner[last]
        elif isinstance(inner[last], dict):
            inner[last][rng.choice(["sex", "facts", "case_id", "x"])] = strange(rng)
        elif isinstance(inner[last], list):
            inner[last].append(strange(rng))
    return made


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_cases_with_anything_in_them_are_read_alike_in_columns_and_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    cases = mutated(rng, [a_case(rng, i) for i in range(rng.randint(1, 6))])
    max_facts = rng.choice([3, 200])
    rows, columns = read_rows(cases, AS_OF, max_facts), read_columns(cases, AS_OF, max_facts)
    assert [(r.place, r.case_id, r.flaws) for r in columns.rejected] == [
        (r.place, r.case_id, r.flaws) for r in rows if r.flaws
    ]
    fit = [row for row in rows if not row.flaws]
    assert columns.place.tolist() == [row.place for row in fit]
    assert {i: columns.notes[i] for i in columns.notes} == {i: row.notes for i, row in enumerate(fit) if row.notes}
    if not fit:
        return
    one_by_one, together = taken(fit), columns.snapshot()
    for name in ("case_id", "as_of", "opened_on", "registered_on", "age_weeks"):
        np.testing.assert_array_equal(getattr(one_by_one, name), getattr(together, name))
    for name in schema.attributes():
        np.testing.assert_array_equal(one_by_one.columns[name], together.columns[name], err_msg=name)
    for name in schema.fact_attributes():
        np.testing.assert_array_equal(one_by_one.known_on[name], together.known_on[name], err_msg=name)


@pytest.mark.parametrize("ids", [[""], ["SYN000001", ""], ["", "SYN000001"], ["SYN000001", "", "SYN000002"]])
def test_a_case_without_an_id_has_a_flaw_wherever_it_stands(ids: list[str]) -> None:
    cases = [a_case(random.Random(i), i) | {"case_id": case_id} for i, case_id in enumerate(ids)]
    told = read_columns(cases, AS_OF, 200)
    assert [row.place for row in told.rejected] == [i for i, case_id in enumerate(ids) if not case_id]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 6))
def test_reasons_of_many_are_those_of_each_also_where_features_say_the_same(seed: int, n_reasons: int) -> None:
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    snapshot = read_columns([a_case(rng, i) for i in range(20)], AS_OF, 200).snapshot()
    names = tuple(features.default_features())
    built = features.build_features(snapshot, names)
    scored = np.flatnonzero(draw.random(20) < 0.8)
    # Weights in steps, so that some are equal; most features say nothing, so that those left often say the same.
    weight = np.round(draw.normal(size=(len(scored), len(names))), 1) * (
        draw.random(len(names)) < rng.choice([0.2, 1.0])
    )
    nothing, empty = np.full(20, np.nan), np.full(20, "", dtype=object)
    judged = Judged(nothing, empty, empty, nothing[:, None], nothing, scored, Parts(names, weight))
    found = reason_columns(snapshot, judged, built, n_reasons)
    told = [
        [
            Reason(said.feature, "up" if up else "down", said.text_da, said.text_en, day.item())
            for said, up, day in zip([found.sayings[i] for i in which[which >= 0]], ups, days, strict=False)
        ]
        for which, ups, days in zip(found.which, found.is_up, found.known_on, strict=True)
    ]
    one_by_one = reasons_of_scored(snapshot, judged, built, n_reasons)
    assert told == [one_by_one[i] for i in scored]


def without_ids(text: str) -> str:
    """Score ids are new each time."""
    return re.sub(r'"score_id":"[0-9a-f]{32}"', '"score_id":"new"', text)


@pytest.fixture(scope="module")
def odd_bundle(wide_bundle: Bundle) -> Bundle:
    """The same model, which cannot do without the industry and has seen few hours only."""
    meta = wide_bundle.meta | {"required": ["industry"], "ranges": {"weekly_hours": [5.0, 30.0]}}
    return Bundle(wide_bundle.learner, None, meta=meta)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.integers(0, 5), st.sampled_from(["none", "ours", "another model's"]))
def test_many_cases_are_told_what_each_is_told_alone_to_the_letter(
    odd_bundle: Bundle, seed: int, n_reasons: int, bands: str
) -> None:
    rng = random.Random(seed)
    cases = mutated(rng, [a_case(rng, i) for i in range(rng.randint(1, 25))])
    model = InService(odd_bundle, "by hand")
    cuts = None if bands == "none" else Cuts(model.version if bands == "ours" else "x", 0.5, 0.2)
    rows = read_rows(cases, AS_OF, 200)
    alone = [outcome for row in rows for outcome in answer([row], model, n_reasons, [cuts])]
    together = answer_many(read_columns(cases, AS_OF, 200), model, n_reasons, cuts, REQUEST)
    assert without_ids(together.body().decode()) == without_ids(Answered(REQUEST, model.version, alone).body())
    assert [json.loads(text) for text in inputs(together.block)] == [json.loads(asked(r)) for r in rows if not r.flaws]
    told = pa.ipc.open_stream(stream_of(together)).read_all()
    assert told.schema.metadata == {b"request_id": REQUEST.encode()}
    assert json.loads(json.dumps(told.to_pylist(), default=str)) == json.loads(together.body())["results"]


def test_the_mixed_cases_of_these_tests_have_every_kind_of_outcome(odd_bundle: Bundle) -> None:
    rng = random.Random(1)
    cases = mutated(rng, [a_case(rng, i) for i in range(150)])
    told = json.loads(answer_many(read_columns(cases, AS_OF, 200), InService(odd_bundle, "x"), 4, None, REQUEST).body())
    assert {r["status"] for r in told["results"]} == {"scored", "abstained", "past_horizon", "rejected"}
    assert {w["code"] for r in told["results"] for w in r["warnings"]} >= {
        "outside-training",
        "known-later",
        "synthetic-model",
    }


def test_intervals_of_a_calibrated_model_are_the_same_too(calibrated: Bundle) -> None:
    rng = random.Random(2)
    cases, model = [a_case(rng, i) for i in range(30)], InService(calibrated, "by hand")
    alone = [outcome for row in read_rows(cases, AS_OF, 200) for outcome in answer([row], model, 4)]
    together = answer_many(read_columns(cases, AS_OF, 200), model, 4, None, REQUEST)
    assert '"interval":{"low":' in together.body().decode()
    assert without_ids(together.body().decode()) == without_ids(Answered(REQUEST, model.version, alone).body())
    told = pa.ipc.open_stream(stream_of(together)).read_all().to_pylist()
    assert [t["interval"] for t in told] == [r["interval"] for r in json.loads(together.body())["results"]]


def test_a_request_none_of_whose_cases_fits_leaves_nothing_in_the_ledger(odd_bundle: Bundle) -> None:
    cases = [a_case(random.Random(3), 1) | {"opened_on": "x"}, 5, None]
    told = answer_many(read_columns(cases, AS_OF, 200), InService(odd_bundle, "x"), 4, None, REQUEST)
    assert told.entries(Caller("key:a", "Nordby", frozenset())) == []
    assert [r["status"] for r in json.loads(told.body())["results"]] == ["rejected"] * 3
    assert pa.ipc.open_stream(stream_of(told)).read_all().column("status").to_pylist() == ["rejected"] * 3


def behind(client: TestClient) -> Behind:
    found: Behind = client.app.state.behind  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    return found


def test_a_large_request_has_one_row_in_the_ledger_and_an_outcome_for_each_case_to_be_read_again(
    client: TestClient,
) -> None:
    rng = random.Random(4)
    cases = [a_case(rng, i) for i in range(30)]
    cases[7]["opened_on"] = "x"
    told = client.post("/v1/scores:batch", json={"as_of": str(AS_OF), "cases": cases}).json()
    assert (told["n_rejected"], len(told["results"])) == (1, 30)
    found = verify(behind(client).store, behind(client).seals)
    assert (found.faults, found.n_rows, found.n_payloads) == ([], 1, 29)
    for outcome in told["results"]:
        if outcome["score_id"] is not None:
            assert client.get(f"/v1/scores/{outcome['score_id']}").json() == outcome
    again = {"as_of": str(AS_OF), "cases": [cases[0]]}
    few = client.post("/v1/scores:batch", json=again).json()["results"][0]
    assert few | {"score_id": ""} == told["results"][0] | {"score_id": ""}


def test_a_score_of_a_block_is_shown_to_its_office_only(client: TestClient) -> None:
    store, now = behind(client).store, datetime.now(UTC)
    keys = {office: create_key(store, "s", office, ["score:write"], 30, now) for office in ("Nordby", "Sydby", "*")}
    behind(client).keys.refresh()
    cases = [a_case(random.Random(5), i) for i in range(30)]
    told = client.post("/v1/scores:batch", json={"as_of": str(AS_OF), "cases": cases}).json()["results"]
    path = f"/v1/scores/{told[3]['score_id']}"
    statuses = {
        office: client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code for office, key in keys.items()
    }
    assert statuses == {"Nordby": 200, "Sydby": 404, "*": 200}
    assert client.get(path[:-8] + "0000001f").status_code == 404  # there is no thirty-first


def test_a_repeated_large_request_gets_the_answer_it_got(client: TestClient) -> None:
    cases = [a_case(random.Random(6), i) for i in range(30)]
    sent = {"json": {"as_of": str(AS_OF), "cases": cases}, "headers": {"Idempotency-Key": "again-0001"}}
    first, second = (client.post("/v1/scores:batch", **sent) for _ in range(2))  # type: ignore[arg-type]  # kinds mixed in a dict
    assert first.content == second.content
    assert verify(behind(client).store, behind(client).seals).n_payloads == 30
