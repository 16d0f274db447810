"""Laws over many seeds: the future never reaches a snapshot, and order and company never change a row."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk import features, schema
from risk.register import Register, make_register
from risk.snapshot import Snapshot, is_open, snapshot_rows, take_snapshot

EXTRACT = date(2026, 11, 16)
SEEDS = range(12)


def random_register(seed: int, n: int = 60) -> Register:
    """Cases and facts with every attribute, random values and holes, and several facts of one name."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2025-01-01") + rng.integers(0, 600, n)
    registered = start + rng.integers(0, 40, n)
    closed = registered + rng.integers(0, 500, n)
    closed[closed >= np.datetime64(EXTRACT)] = np.datetime64("NaT")
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in rng.permutation(n)],
            "person_key": [f"p{i}" for i in rng.integers(0, n // 2, n)],
            "opened_on": start,
            "registered_on": registered,
            "closed_on": closed,
            "close_reason": np.where(np.isnat(closed), None, "recovered"),
            "office": "Nordby",
            "team": rng.choice(["A", "B"], n),
        }
    )
    for name, attribute in schema.case_attributes().items():
        cases[name] = [value_of(rng, attribute) if rng.random() > 0.2 else None for _ in range(n)]
    facts = []
    for _ in range(n * 12):
        i = int(rng.integers(n))
        known_on = registered[i] + rng.integers(-20, 400)
        attribute = rng.choice(list(schema.fact_attributes()))
        text = str(value_of(rng, schema.fact_attributes()[attribute]))
        facts.append((cases["case_id"][i], known_on, attribute, text.lower() if text in ("True", "False") else text))
    table = pd.DataFrame(facts, columns=list(schema.FACT_KEYS))
    return make_register(cases, table[table["known_on"] < np.datetime64(EXTRACT)], EXTRACT)


def value_of(rng: np.random.Generator, attribute: schema.Attribute) -> object:
    if attribute.kind == "category":
        return str(rng.choice(attribute.levels))
    if attribute.kind == "flag":
        return bool(rng.random() < 0.5)
    return float(np.round(rng.uniform(attribute.low, attribute.high), 1))


def table(snapshot: Snapshot) -> pd.DataFrame:
    built = features.build_features(snapshot, tuple(features.catalogue()))
    return features.feature_frame(built).assign(case_id=snapshot.case_id).set_index("case_id").sort_index()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_recorded_on_or_after_the_day_changes_a_snapshot(seed: int) -> None:
    register = random_register(seed)
    for as_of in (date(2025, 9, 1), date(2026, 4, 20), date(2026, 11, 16)):
        morning = np.datetime64(as_of)
        cases = register.cases.copy()
        cases.loc[cases["closed_on"] >= pd.Timestamp(as_of), ["closed_on", "close_reason"]] = None
        past = Register(cases, register.facts[register.facts["known_on"] < morning], EXTRACT)
        shuffled = register.facts.groupby("name")["value"].transform(
            lambda v: v.sample(frac=1, random_state=seed).to_numpy()
        )
        later = register.facts.assign(known_on=pd.Timestamp(as_of) + timedelta(days=seed), value=shuffled)
        noisy = Register(register.cases, pd.concat([register.facts, later], ignore_index=True), EXTRACT)
        expected = table(take_snapshot(register, as_of))
        assert len(expected) > 0
        pd.testing.assert_frame_equal(table(take_snapshot(past, as_of)), expected)
        pd.testing.assert_frame_equal(table(take_snapshot(noisy, as_of)), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_row_and_column_order_never_matter(seed: int) -> None:
    register = random_register(seed)
    shuffled = Register(
        register.cases.sample(frac=1, random_state=seed)[list(register.cases.columns[::-1])].reset_index(drop=True),
        register.facts.sample(frac=1, random_state=seed)[list(register.facts.columns[::-1])].reset_index(drop=True),
        EXTRACT,
    )
    for as_of in (date(2025, 9, 1), date(2026, 11, 16)):
        pd.testing.assert_frame_equal(table(take_snapshot(shuffled, as_of)), table(take_snapshot(register, as_of)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_case_seen_alone_is_the_case_seen_among_others(seed: int) -> None:
    register = random_register(seed)
    together = table(take_snapshot(register, EXTRACT))
    for case_id in together.index[:10]:
        alone = register.of_cases((register.cases["case_id"] == case_id).to_numpy())
        pd.testing.assert_frame_equal(table(take_snapshot(alone, EXTRACT)), together.loc[[case_id]])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_seen_on_its_own_day_is_the_row_of_that_days_snapshot(seed: int) -> None:
    register = random_register(seed)
    days = [date(2025, 9, 1), date(2026, 1, 5), date(2026, 6, 1)]
    pairs = [(i, d) for d in days for i in np.flatnonzero(is_open(register, np.datetime64(d)))]
    position, as_of = np.array([p for p, _ in pairs]), np.array([d for _, d in pairs], dtype="datetime64[D]")
    rows = features.feature_frame(
        features.build_features(snapshot_rows(register, position, as_of), tuple(features.catalogue()))
    ).assign(case_id=register.cases["case_id"].to_numpy()[position])
    for day in days:
        same_day = rows[as_of == np.datetime64(day)].set_index("case_id").sort_index()
        pd.testing.assert_frame_equal(same_day, table(take_snapshot(register, day)))
