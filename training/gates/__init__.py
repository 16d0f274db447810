"""Gates: numbered checks between a challenger and the service. One file each; every one can answer "not applicable"."""

from __future__ import annotations

from collections.abc import Callable

from training.gates import (
    beats_baseline,
    calibrated,
    glass_box,
    no_calendar,
    no_future,
    not_too_good,
    overlap,
    rows_kept,
)
from training.gates.evidence import Evidence
from training.results import GateResult

ALL: tuple[Callable[[Evidence], GateResult], ...] = (
    beats_baseline.check,
    calibrated.check,
    no_future.check,
    rows_kept.check,
    not_too_good.check,
    overlap.check,
    no_calendar.check,
    glass_box.check,
)


def run_gates(evidence: Evidence) -> list[GateResult]:
    """Every gate's answer, in the order of their numbers."""
    return [check(evidence) for check in ALL]
