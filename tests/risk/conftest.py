"""Small hand-made registers for the tests of the domain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from risk.register import Register, make_register

CASES = [
    # case, person, opened, registered, closed, reason, team
    ("SYN000001", "p1", "2025-01-06", "2025-02-05", "2025-03-10", "recovered", "A"),
    ("SYN000002", "p2", "2025-01-06", "2025-01-20", None, None, "A"),
    ("SYN000003", "p3", "2025-03-03", "2025-04-02", "2026-03-03", "moved_away", "B"),
    ("SYN000004", "p4", "2025-06-02", "2025-07-02", "2026-06-02", "flexjob", "B"),
    ("SYN000005", "p1", "2026-09-07", "2026-10-07", None, None, "A"),
]
FACTS = [
    ("SYN000002", "2025-02-03", "expected_recovery", "13_26w"),
    ("SYN000002", "2025-05-05", "expected_recovery", "over_26w"),
    ("SYN000002", "2025-02-03", "form_received", "true"),
    ("SYN000004", "2025-08-04", "partial_return_hours", "12"),
    ("SYN000005", "2026-10-20", "illness_group", "mental"),
]


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    names = ["case_id", "person_key", "opened_on", "registered_on", "closed_on", "close_reason", "team"]
    cases = pd.DataFrame(CASES, columns=names).assign(
        office="Nordby",
        employment_status=["employee", "unemployed", "employee", None, "employee"],
        weekly_hours=[37.0, None, 30.0, 37.0, 20.0],
        is_paid_when_ill=[True, False, None, True, True],
        sex=["female", "male", "female", "male", "female"],
    )
    return cases, pd.DataFrame(FACTS, columns=["case_id", "known_on", "name", "value"])


@pytest.fixture
def make(tables: tuple[pd.DataFrame, pd.DataFrame]) -> Callable[..., Register]:
    def _make(extract_on: date = date(2026, 11, 16)) -> Register:
        return make_register(*tables, extract_on, source="by hand", is_synthetic=True)

    return _make


@pytest.fixture
def register(make: Callable[..., Register]) -> Register:
    return make()
