"""Gate 6."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from risk.register import Register
from training.gates.evidence import Evidence
from training.gates.overlap import check
from training.results import TrainingRun


def test_the_same_model_gives_the_same_list(
    evidence: Callable[..., Evidence], made: Register, whole_run: TrainingRun
) -> None:
    found = check(evidence({}, known=made, bundle=whole_run.bundle, champion=whole_run.bundle))
    assert (found.status, found.limit) == ("reported", None)
    assert found.value == pytest.approx(1.0)


def test_a_model_that_ranks_the_other_way_round_shares_no_place(
    evidence: Callable[..., Evidence], made: Register, whole_run: TrainingRun
) -> None:
    class Contrary:
        meta, version = whole_run.bundle.meta, "contrary"

        def survival(self, X, weeks, entry=None):  # type: ignore[no-untyped-def]  # a learner of this test alone
            return 1.0 - whole_run.bundle.survival(X, weeks, entry)

    found = check(evidence({}, known=made, bundle=whole_run.bundle, champion=Contrary()))
    assert found.status == "reported"
    assert found.value < 0.05


def test_without_a_champion_it_is_not_applicable(evidence: Callable[..., Evidence]) -> None:
    assert check(evidence({})).status == "not applicable"
