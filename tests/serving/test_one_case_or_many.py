"""A law: a case has one score and one set of reasons, to the last bit, alone, among others, and from a register.

Requests that are here together are scored together, so who else asks must not change a bit of what one is told.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import catalogue
from models.bundle import Bundle
from risk import features, schema
from risk.outcomes import observe, read_outcome_definition
from risk.reasons import explain
from risk.register import Register, make_register
from risk.scoring import entry_weeks, score
from risk.snapshot import snapshot_rows
from serving.answers import Outcome, answer
from serving.inservice import InService
from serving.messages import Row, accepted_attributes, accepted_facts
from serving.recording import asked
from serving.rows import read_rows

AS_OF = date(2026, 11, 23)
QUICK: dict[str, dict[str, Any]] = {
    "linear": {"penalties": (30.0,), "ratios": ()},
    "additive": {"n_estimators": 40, "patience": 0},
    "hazard": {"n_estimators": 40, "patience": 0},
}


@pytest.fixture(scope="module", params=sorted(QUICK))
def bundle(request: pytest.FixtureRequest, wide_register: Register) -> Bundle:
    outcome, names, encoded = read_outcome_definition(), list(features.default_features()), wide_register.encoded
    days = encoded.registered_on + np.timedelta64(1, "D")
    is_here = (np.isnat(encoded.closed_on) | (encoded.closed_on >= days)) & (days <= np.datetime64(AS_OF))
    rows = snapshot_rows(wide_register, np.flatnonzero(is_here), days[is_here])
    X = features.feature_frame(features.build_features(rows, names))
    learner = catalogue.make(request.param, random_state=1, **QUICK[request.param])
    learner.fit(X, observe(wide_register.cases, outcome, AS_OF)[is_here], entry_weeks(rows, outcome))
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": ["industry"],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        "ranges": {"weekly_hours": [5.0, 37.0]},
    }
    return Bundle(learner, None, meta=meta)


def value(attribute: schema.Attribute) -> st.SearchStrategy[Any]:
    if attribute.kind == "category":
        return st.sampled_from([*attribute.levels, "a level nobody declared"])
    if attribute.kind == "flag":
        return st.booleans()
    return st.floats(max(attribute.low, -1e6), min(attribute.high, 1e6), allow_nan=False)


def a_fact(name: str) -> st.SearchStrategy[dict[str, Any]]:
    # Few days, so that several facts of one name fall on one of them, some before the case and some too late.
    days = st.sampled_from([date(2026, 9, 1), date(2026, 10, 5), date(2026, 11, 2), date(2026, 11, 22), AS_OF])
    told = st.just(True) if name == "objection" else value(schema.fact_attributes()[name])
    return st.fixed_dictionaries({"known_on": days.map(str), "name": st.just(name), "value": told})


facts = st.sampled_from([n for n in accepted_facts() if n != "objection"] * 3 + ["objection"]).flatmap(a_fact)


@st.composite
def a_case(draw: st.DrawFn) -> dict[str, Any]:
    registered = AS_OF - timedelta(days=draw(st.integers(1, 60)))
    opened = registered - timedelta(days=draw(st.integers(0, 400)))
    some = draw(st.lists(st.sampled_from(list(accepted_attributes())), unique=True, max_size=12))
    attributes = {
        name: draw(value(accepted_attributes()[name])) for name in [*some, *draw(st.sampled_from([[], ["industry"]]))]
    }
    return {
        "opened_on": str(opened), "registered_on": str(registered), "attributes": attributes,
        "facts": draw(st.lists(facts, max_size=6)),
    }  # fmt: skip


def read(cases: list[dict[str, Any]]) -> list[Row]:
    return read_rows([{"case_id": f"SYN{i:06d}"} | case for i, case in enumerate(cases)], AS_OF, 200)


def told(outcome: Outcome) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(outcome.text)
    return {name: found for name, found in answered.items() if name not in ("score_id", "row")}


def as_register(rows: list[Row]) -> Register:
    """The cases as a register would hold them: what was understood of each."""
    cases, recorded = [], []
    for row in rows:
        [case] = json.loads(asked(row))["cases"]
        cases.append({n: case[n] for n in ("case_id", "opened_on", "registered_on")} | case["attributes"])
        for fact in case["facts"]:
            text = str(fact["value"]).lower() if isinstance(fact["value"], bool) else str(fact["value"])
            recorded.append((case["case_id"], fact["known_on"], fact["name"], text))
    table = pd.DataFrame(cases)
    for name in ("opened_on", "registered_on"):
        table[name] = pd.to_datetime(table[name])
    fixed: dict[str, Any] = {
        "person_key": table["case_id"],
        "closed_on": pd.NaT,
        "close_reason": None,
        "office": "Nordby",
        "team": "A",
    }
    facts_table = pd.DataFrame(recorded, columns=list(schema.FACT_KEYS))
    facts_table["known_on"] = pd.to_datetime(facts_table["known_on"])
    return make_register(table.assign(**fixed), facts_table, AS_OF, source="by hand", is_synthetic=True)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(a_case(), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_a_case_is_told_the_same_bits_alone_among_others_and_from_a_register(
    bundle: Bundle, cases: list[dict[str, Any]], shuffler: Any
) -> None:
    model, rows = InService(bundle, "by hand"), read(cases)
    assert not any(row.flaws for row in rows)
    alone = {row.case_id: told(answer([row], model, 4)[0]) for row in rows}
    mixed = list(rows)
    shuffler.shuffle(mixed)
    for row, outcome in zip(mixed, answer(mixed, model, 4), strict=True):
        assert told(outcome) == alone[row.case_id]
    register = as_register(rows)
    frame = score(register, AS_OF, bundle).frame.set_index("case_id")
    reasons = explain(register, AS_OF, bundle, list(frame.index), n=4)
    for case_id, given_answer in alone.items():
        line = frame.loc[case_id]
        assert given_answer["status"] == line["status"]
        assert given_answer["age_weeks"] == line["age_weeks"]
        if line["status"] != "scored":
            assert given_answer["p_exceed_52w"] is None
            continue
        for point in given_answer["curve"]:
            expected = line[f"p_exceed_{point['weeks']}w"]
            assert point["p_exceed"] == (None if np.isnan(expected) else expected)
        assert given_answer["p_exceed_52w"] == line["p_exceed_52w"]
        assert given_answer["base_rate"] == line["base_rate"]
        for direction in ("up", "down"):
            expected_reasons = [r.as_dict() for r in reasons[str(case_id)] if r.direction == direction]
            got = [r | {"direction": direction} for r in given_answer["reasons"][direction]]
            assert got == [
                r | {"known_on": None if r["known_on"] is None else str(r["known_on"])} for r in expected_reasons
            ]


def test_requests_that_are_here_together_are_each_told_what_they_would_be_told_alone(bundle: Bundle) -> None:
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(150):
        opened = AS_OF - timedelta(days=int(rng.integers(40, 390)))
        hours = float(np.round(rng.uniform(0, 60), 1))
        levels = accepted_attributes()["industry"].levels
        attributes = {"industry": str(rng.choice(levels)), "weekly_hours": hours}
        cases.append(
            {"opened_on": str(opened), "registered_on": str(opened + timedelta(days=30)), "attributes": attributes}
        )
    model, rows = InService(bundle, "by hand"), read(cases)
    many = answer(rows, model, 4)
    assert {outcome.status for outcome in many} == {"scored", "abstained", "past_horizon"}
    for row, outcome in zip(rows, many, strict=True):
        assert told(outcome) == told(answer([row], model, 4)[0])
