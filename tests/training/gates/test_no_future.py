"""Gate 3: removing the future must change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from risk import features
from risk.features.feature import direct
from risk.register import Register
from training.fit import Material, prepare
from training.gates.evidence import Evidence
from training.gates.no_future import check, without_future
from training.plan import Plan


@pytest.fixture(scope="module")
def material(made: Register, quick_plan: Plan) -> Material:
    return prepare(made, quick_plan, made.extract_on)


def know_instead(monkeypatch: pytest.MonkeyPatch, known: dict[str, features.Feature]) -> None:
    """Another catalogue for one test; what was looked up in the real one is not remembered meanwhile."""
    monkeypatch.setattr(features, "catalogue", lambda: known)
    monkeypatch.setattr(features, "_chosen", features._chosen.__wrapped__)


def test_honest_features_are_the_same_without_the_future(
    evidence: Callable[..., Evidence], made: Register, material: Material
) -> None:
    found = check(evidence({}, known=made, material=material))
    assert (found.status, found.value) == ("passed", 0.0)
    assert f"{len(material.names)} features of 500 rows" in found.text


def test_a_feature_that_looks_ahead_is_named(
    evidence: Callable[..., Evidence], made: Register, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def will_close(snapshot: object) -> np.ndarray:
        closed = made.encoded.closed_on if len(snapshot.position) and snapshot.case_id[0].startswith("SYN") else None
        n = len(snapshot.position)
        return np.full(n, np.nan) if closed is None else (~np.isnat(closed[snapshot.position])).astype(float)

    known = dict(features.catalogue())
    known["tenure_months"] = replace(known["tenure_months"], compute=will_close)
    know_instead(monkeypatch, known)
    found = check(evidence({}, known=made, material=material))
    assert found.stops
    assert "tenure_months changes in" in found.text
    assert "industry" not in found.text


@pytest.mark.parametrize("name", ["medical_cost_total", "visitation_category"])
def test_what_is_only_known_afterwards_or_is_an_intervention_is_refused_by_its_mark(
    evidence: Callable[..., Evidence],
    made: Register,
    material: Material,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    known = {**features.catalogue(), name: direct(name, "health", ("{value}", "{value}"))}
    know_instead(monkeypatch, known)
    found = check(evidence({}, known=made, material=replace(material, names=(*material.names, name))))
    assert found.stops
    assert name in found.text


def test_the_cut_register_holds_each_row_as_an_extract_of_its_day(made: Register, material: Material) -> None:
    rows = material.rows.take(np.arange(0, len(material.rows), 97))
    cut = without_future(made, rows)
    as_of = pd.Series(rows.snapshot.as_of, index=cut.cases["case_id"])
    assert cut.cases["closed_on"].isna().all()
    assert (cut.facts["known_on"] < cut.facts["case_id"].map(as_of)).all()
    row = next(i for i in range(len(rows)) if (cut.facts["case_id"] == cut.cases["case_id"][i]).any())
    original = made.facts[made.facts["case_id"] == rows.snapshot.case_id[row]]
    kept = cut.facts[cut.facts["case_id"] == cut.cases["case_id"][row]]
    assert len(kept) == (original["known_on"] < pd.Timestamp(rows.snapshot.as_of[row])).sum()
