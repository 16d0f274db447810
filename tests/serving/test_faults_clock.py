"""Odd days and odd clocks: an hour back, the 53rd week, the 29th of February."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import recording
from serving.api import create_app
from serving.description import EXAMPLE
from serving.settings import Settings
from serving.sources import FolderSource
from serving.start import Behind
from serving.store.erasing import erase_scores_before
from serving.store.verify import verify


class Clock(datetime):
    """A clock that stands where the test puts it."""

    stands_at = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.stands_at


def test_a_clock_set_back_an_hour_leaves_the_chain_whole_and_in_order(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are ordered by their number, never by the time written in them."""
    monkeypatch.setattr(recording, "datetime", Clock)
    behind: Behind = client.app.state.behind  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    told = []
    for minutes in (0, 1, -59, -58, 2):
        monkeypatch.setattr(Clock, "stands_at", datetime(2026, 10, 25, 1, 0, tzinfo=UTC) + timedelta(minutes=minutes))
        told.append(client.post("/v1/scores", json=EXAMPLE).json()["results"][0])
    found = verify(behind.store, behind.seals)
    assert (found.n_faults, found.n_rows) == (0, 5)
    for one in told:
        assert client.get(f"/v1/scores/{one['score_id']}").json() == one
    # What is erased is told by the time in the rows, so the two of the hour that came twice go and no others.
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with behind.store.writing() as connection:
        assert erase_scores_before(connection, lambda: behind.seals, before, "test", Clock.stands_at) == 2
    gone = [client.get(f"/v1/scores/{one['score_id']}").status_code for one in told]
    assert gone == [200, 200, 410, 410, 200]
    assert verify(behind.store, behind.seals).n_faults == 0


def asked(opened_on: str, as_of: str) -> dict[str, Any]:
    return {"as_of": as_of, "cases": [{"case_id": "SYN000001", "opened_on": opened_on, "registered_on": opened_on}]}


@pytest.mark.parametrize(
    ("opened_on", "as_of", "days"),
    [
        ("2026-12-28", "2026-12-31", 2),  # Monday and Thursday of 2026-W53; days survived whole before as_of 00:00
        ("2026-12-31", "2027-01-03", 2),  # the Sunday of W53 lies in the next year
        ("2026-12-31", "2027-01-04", 3),  # and Monday is 2027-W01
        ("2028-02-28", "2028-03-01", 1),  # the 29th between them is a day like any other
        ("2028-02-29", "2028-03-02", 1),
        ("2028-02-29", "2029-02-26", 362),  # 363 days later: the last day on which week 52 still lies ahead
    ],
)
def test_odd_weeks_and_days_are_counted_as_days(
    bundle_folder: Any, first_store: Any, tmp_path: Any, opened_on: str, as_of: str, days: int
) -> None:
    settings = Settings(environment="development", refresh_seconds=0, store=f"sqlite:///{tmp_path / 'store.db'}")
    app = create_app(settings, FolderSource(bundle_folder), today=lambda: date(2029, 3, 1))
    with TestClient(app) as client:
        [told] = client.post("/v1/scores", json=asked(opened_on, as_of)).json()["results"]
    assert told["status"] == "scored"
    assert told["age_weeks"] == pytest.approx(days / 7, abs=1e-12)


@pytest.mark.parametrize(("as_of", "status"), [("2029-02-27", "scored"), ("2029-02-28", "past_horizon")])
def test_a_case_opened_on_a_leap_day_passes_week_52_after_364_days(
    serve: Callable[..., TestClient], bundle_folder: Any, tmp_path: Any, as_of: str, status: str
) -> None:
    """Opened 2028-02-29: day 364 is 2029-02-27, so at 00:00 of the 28th it has lasted past it."""
    settings = Settings(environment="development", refresh_seconds=0, store=f"sqlite:///{tmp_path / 'store.db'}")
    app = create_app(settings, FolderSource(bundle_folder), today=lambda: date(2029, 3, 1))
    with TestClient(app) as client:
        [told] = client.post("/v1/scores", json=asked("2028-02-29", as_of)).json()["results"]
    assert told["status"] == status


@pytest.mark.parametrize("day", ["2027-02-29", "2026-13-01", "2026-W53-4", "2100-02-29"])
def test_a_day_that_is_not_in_the_calendar_is_refused(client: TestClient, day: str) -> None:
    answered = client.post("/v1/scores", json=asked(day, "2026-11-23"))
    assert answered.status_code == 422
    assert {flaw["pointer"] for flaw in answered.json()["errors"]} == {"/cases/0/opened_on", "/cases/0/registered_on"}
    assert day not in answered.text
