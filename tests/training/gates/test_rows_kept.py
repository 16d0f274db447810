"""Gate 4."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from training.gates.evidence import Evidence
from training.gates.rows_kept import check


@pytest.mark.parametrize(("n_rows", "status"), [(1000, "passed"), (900, "passed"), (899, "failed")])
def test_rows_are_held_against_the_champions(evidence: Callable[..., Evidence], n_rows: int, status: str) -> None:
    champion = SimpleNamespace(meta={"n_rows": 1000})
    found = check(evidence({}, material=SimpleNamespace(n_rows=n_rows), champion=champion))
    assert (found.status, found.value) == (status, n_rows / 1000)


def test_without_a_champion_it_is_not_applicable(evidence: Callable[..., Evidence]) -> None:
    assert check(evidence({}, material=SimpleNamespace(n_rows=5))).status == "not applicable"


def test_a_champion_that_does_not_say_its_rows_is_not_held_against(evidence: Callable[..., Evidence]) -> None:
    found = check(evidence({}, material=SimpleNamespace(n_rows=5), champion=SimpleNamespace(meta={})))
    assert found.status == "not applicable"
    assert "does not say" in found.text
