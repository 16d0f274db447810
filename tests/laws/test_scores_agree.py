"""Laws over many seeds: the API, the batch file and the one scoring function agree, whatever the order of anything."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from models import catalogue
from models.bundle import Bundle
from risk import features, schema
from risk.outcomes import observe, read_outcome_definition
from risk.reasons import explain
from risk.register import Register, make_register, write_register
from risk.scoring import entry_weeks, score
from risk.snapshot import snapshot_rows
from serving.api import create_app
from serving.batch import score_file
from serving.inservice import InService
from serving.messages import accepted_attributes, accepted_facts
from serving.settings import Settings
from serving.sources import FolderSource

EXTRACT = date(2026, 11, 16)
SEEDS = range(8)
CURVE = {8, 13, 22, 26, 52}


def random_register(seed: int, n: int = 80) -> Register:
    """Every attribute with holes, several facts of one name, some of them on one day, some after the as-of dates."""
    rng = np.random.default_rng(seed)
    opened = np.datetime64("2025-01-01") + rng.integers(0, 600, n)
    registered = opened + rng.integers(0, 40, n)
    closed = registered + rng.integers(30, 600, n)
    closed[closed >= np.datetime64(EXTRACT)] = np.datetime64("NaT")
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in rng.permutation(n)],
            "person_key": [f"p{i}" for i in rng.integers(0, n, n)],
            "opened_on": opened,
            "registered_on": registered,
            "closed_on": closed,
            "close_reason": np.where(np.isnat(closed), None, "recovered"),
            "office": "Nordby",
            "team": "A",
        }
    )
    for name, attribute in schema.case_attributes().items():
        cases[name] = [value_of(rng, attribute) if rng.random() > 0.2 else None for _ in range(n)]
    facts = []
    for _ in range(n * 15):
        i, name = int(rng.integers(n)), str(rng.choice([f for f in schema.fact_attributes() if f != "objection"]))
        text = str(value_of(rng, schema.fact_attributes()[name]))
        known_on = registered[i] + 7 * rng.integers(-2, 40)  # whole weeks, so that days coincide
        facts.append((cases["case_id"][i], known_on, name, text.lower() if text in ("True", "False") else text))
    table = pd.DataFrame(facts, columns=list(schema.FACT_KEYS))
    return make_register(cases, table[table["known_on"] < np.datetime64(EXTRACT)], EXTRACT)


def value_of(rng: np.random.Generator, attribute: schema.Attribute) -> Any:
    if attribute.kind == "category":
        return str(rng.choice(attribute.levels))
    if attribute.kind == "flag":
        return bool(rng.random() < 0.5)
    return float(rng.uniform(attribute.low, attribute.high))


@pytest.fixture(scope="module", params=["linear", "hazard"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    register, outcome, names = random_register(1000, 300), read_outcome_definition(), list(features.default_features())
    encoded = register.encoded
    days = encoded.registered_on + np.timedelta64(1, "D")
    open_then = np.flatnonzero(days <= np.datetime64(EXTRACT))
    rows = snapshot_rows(register, open_then, days[open_then])
    X = features.feature_frame(features.build_features(rows, names))
    quick = {"penalties": (30.0,), "ratios": ()} if request.param == "linear" else {}
    learner = catalogue.make(request.param, random_state=1, **quick)
    learner.fit(X, observe(register.cases, outcome, EXTRACT)[open_then], entry_weeks(rows, outcome))
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": ["weekly_hours"],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
    }
    return Bundle(learner, None, meta=meta)


@pytest.fixture(scope="module")
def client(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = bundle.save(tmp_path_factory.mktemp("model") / "bundle")
    settings = Settings(
        refresh_seconds=0,
        n_reasons=4,
        environment="development",
        store=f"sqlite:///{folder.parent / 'store.db'}",
    )
    with TestClient(create_app(settings, FolderSource(folder))) as opened:
        yield opened


def as_messages(register: Register, case_ids: list[str], shuffler: random.Random) -> list[dict[str, Any]]:
    """Cases of the register as a case system would send them, with fields, facts and rows in any order."""
    known = set(accepted_attributes())
    sent = []
    for case in register.cases.set_index("case_id", drop=False).loc[case_ids].to_dict("records"):
        attributes = [(k, v) for k, v in case.items() if k in known and not pd.isna(v)]
        facts = [
            fact_message(f, shuffler) for f in register.facts.query("case_id == @case['case_id']").to_dict("records")
        ]
        shuffler.shuffle(attributes)
        shuffler.shuffle(facts)
        fields = [
            ("case_id", case["case_id"]),
            ("opened_on", str(case["opened_on"].date())),
            ("registered_on", str(case["registered_on"].date())),
            ("attributes", dict(attributes)),
            ("facts", facts),
        ]
        shuffler.shuffle(fields)
        sent.append(dict(fields))
    shuffler.shuffle(sent)
    return sent


def fact_message(fact: dict[str, Any], shuffler: random.Random) -> dict[str, Any]:
    kind, value = schema.fact_attributes()[fact["name"]].kind, fact["value"]
    if kind == "flag":
        value = value == "true"
    elif kind == "number":
        value = float(value)
    fields = [("known_on", str(fact["known_on"].date())), ("name", fact["name"]), ("value", value)]
    shuffler.shuffle(fields)
    return dict(fields)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_api_the_file_and_the_function_give_one_score(
    seed: int, bundle: Bundle, client: TestClient, tmp_path: Path
) -> None:
    register, shuffler = random_register(seed), random.Random(seed)
    for as_of in (date(2026, 2, 2), EXTRACT):
        whole = score(register, as_of, bundle).frame.set_index("case_id")
        told = explain(register, as_of, bundle, list(whole.index), n=4)
        write_register(register, tmp_path / "register")
        score_file(tmp_path / "register", as_of, InService(bundle, ""), tmp_path / "scores.parquet", n_reasons=4)
        filed = pq.read_table(tmp_path / "scores.parquet").to_pandas().set_index("case_id")
        sent = as_messages(register, list(whole.index), shuffler)
        answered = client.post("/v1/scores", json={"as_of": str(as_of), "cases": sent}).json()["results"]
        assert [a["case_id"] for a in answered] == [c["case_id"] for c in sent]
        assert sorted(filed.index) == sorted(whole.index)
        assert (whole["status"] == "scored").sum() > 10
        for a in answered:
            row, in_file = whole.loc[a["case_id"]], filed.loc[a["case_id"]]
            assert a["status"] == row["status"] == in_file["status"]
            # Bits, not decimals: JSON and Parquet carry a float64 whole.
            assert (np.nan if a["p_exceed_52w"] is None else a["p_exceed_52w"]) == pytest.approx(
                row["p_exceed_52w"], abs=1e-12, nan_ok=True
            )
            assert in_file["p_exceed_52w"] == pytest.approx(row["p_exceed_52w"], abs=1e-12, nan_ok=True)
            for point in a["curve"]:
                expected = row[f"p_exceed_{point['weeks']}w"]
                got = np.nan if point["p_exceed"] is None else point["p_exceed"]
                assert got == pytest.approx(expected, abs=1e-12, nan_ok=True)
            if a["status"] == "scored":
                assert {point["weeks"] for point in a["curve"]} == CURVE
                assert a["base_rate"] == pytest.approx(row["base_rate"], abs=1e-12)
                both = [r["text_da"] for r in a["reasons"]["up"] + a["reasons"]["down"]]
                expected_texts = [r.text_da for r in told[a["case_id"]]]
                assert sorted(both) == sorted(expected_texts)
                assert [r["text_da"] for r in in_file["reasons"]] == expected_texts


@pytest.mark.parametrize("seed", SEEDS)
def test_a_case_sent_alone_is_answered_as_among_others(seed: int, client: TestClient) -> None:
    register, shuffler = random_register(seed, 30), random.Random(seed)
    open_cases = register.cases[register.cases["closed_on"].isna()]["case_id"].tolist()[:6]
    sent = as_messages(register, open_cases, shuffler)
    together = client.post("/v1/scores", json={"as_of": str(EXTRACT), "cases": sent}).json()["results"]
    for case, among in zip(sent, together, strict=True):
        alone = client.post("/v1/scores", json={"as_of": str(EXTRACT), "cases": [case]}).json()["results"][0]
        got, expected = alone.pop("p_exceed_52w"), among.pop("p_exceed_52w")
        assert (got is None) == (expected is None)
        assert got is None or got == pytest.approx(expected, abs=1e-12)
        for one in (alone, among):
            assert len(one.pop("score_id")) == 32
            one.pop("row")
            one["curve"] = [None if c["p_exceed"] is None else round(c["p_exceed"], 12) for c in one["curve"]]
        assert alone == among


def test_facts_the_service_uses_are_those_the_features_use() -> None:
    used = {s for f in features.default_features() for s in features.catalogue()[f].sources}
    assert used <= set(accepted_attributes()) | set(accepted_facts())
