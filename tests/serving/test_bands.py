"""Bands of single scores follow from the newest kept lists of the caller's office, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from models.bundle import Bundle
from serving.bands import Bands, Cuts, cuts_of
from serving.description import EXAMPLE
from serving.store.engine import open_store
from serving.store.keys import create_key
from serving.store.listed import LEFT, ListedCase, TeamList
from serving.store.worklists import save_lists

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def listed(team: str, version: str, *chances: tuple[float | None, str], week: str = "2026-W48", section: str = "risk") -> TeamList:  # fmt: skip
    cases = [
        ListedCase(case_id=f"SYN{team}{i}", person_key="p", section=section, p=p, band=band)
        for i, (p, band) in enumerate(chances)
    ]
    return TeamList(week, "Nordby", team, date(2026, 11, 23), version, "1", {"figures": {}}, cases)


def test_cuts_hold_as_many_high_and_middle_cases_as_the_lists_had_all_teams_together() -> None:
    cases = [
        *listed("A", "m", (0.9, "high"), (0.5, "middle"), (0.2, "low"), (None, "")).cases,
        *listed("B", "m", (0.6, "high"), (0.4, "middle"), (0.1, "low")).cases,
        *listed("C", "m", (0.99, "high"), section=LEFT).cases,  # it is not on the list any more
    ]
    # Two were high and two middle: the four highest chances are 0.9, 0.6, 0.5 and 0.4.
    assert cuts_of("m", cases) == Cuts("m", 0.6, 0.4)
    assert cuts_of("m", []) is None
    none_high = cuts_of("m", listed("A", "m", (0.5, "low")).cases)
    assert none_high is not None
    assert none_high.band_of(1.0, "m") == "low"


def test_newer_lists_count_and_lists_of_two_models_at_once_give_no_band(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    bands = Bands(store)
    bands.refresh()
    assert bands.of("Nordby") is None
    for lists, expected in (
        ([listed("A", "m", (0.9, "high"), (0.5, "middle"))], Cuts("m", 0.9, 0.5)),
        ([listed("A", "m", (0.7, "high"), (0.3, "middle"), week="2026-W49")], Cuts("m", 0.7, 0.3)),
        ([listed("B", "other", (0.8, "high"), week="2026-W49")], None),
    ):
        save_lists(store, lists, NOW, "test")
        bands.refresh()
        assert bands.of("Nordby") == expected
    assert bands.of("Sydby") is None
    store.close()


def test_a_score_has_the_band_of_the_callers_office_and_of_the_model_that_made_its_lists(
    serve: Callable[..., TestClient], wide_bundle: Bundle, bundle_folder: Path, tmp_path: Path
) -> None:
    version = Bundle.open(bundle_folder).version
    for made_by, expected in ((version, ["high", None]), ("another", [None, None])):
        url = f"sqlite:///{tmp_path}/{made_by}.db"
        store = open_store(url)
        keys = [
            create_key(store, "s", office, ["score:write"], 30, datetime.now(UTC)) for office in ("Nordby", "Sydby")
        ]
        save_lists(store, [listed("A", made_by, (0.0, "high"))], NOW, "test")  # every chance is at least this one
        store.close()
        client = serve(refresh_seconds=0, store=url)
        told: list[Any] = [
            client.post("/v1/scores", json=EXAMPLE, headers={"Authorization": f"Bearer {key}"}).json()["results"][0]
            for key in keys
        ]
        assert [t["band"] for t in told] == expected
