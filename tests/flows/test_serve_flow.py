"""From the registry to the service and back: the alias moves, the service follows; the store is lost, it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from starlette.testclient import TestClient

from models import registry
from models.bundle import Bundle
from serving.api import create_app
from serving.settings import Settings
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

CASE = {
    "case_id": "SYN000001",
    "opened_on": "2026-09-07",
    "registered_on": "2026-10-07",
    "attributes": {"employment_status": "unemployed", "weekly_hours": 37},
}


def test_the_service_follows_the_champion_and_outlives_its_registry(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report
) -> None:
    run = make_run()
    other = Bundle(run.bundle.learner, None, meta=dict(run.bundle.meta) | {"n_cases": 7})
    first = log_run(run, small_report).version
    second = log_run(replace(run, bundle=other), small_report).version
    assert first is not None
    assert second is not None
    registry.set_alias("champion", first)
    settings = Settings(model="models:/risk52@champion", refresh_seconds=0, environment="development")
    app = create_app(settings, today=lambda: date(2026, 11, 23))
    champion = app.state.champion
    with TestClient(app) as client:

        def version() -> str:
            answered = client.post("/v1/scores", json={"as_of": "2026-11-23", "cases": [CASE]}).json()["results"][0]
            assert answered["status"] == "scored"
            return str(answered["model_version"])

        assert version() == run.bundle.version
        registry.set_alias("champion", second)
        assert champion.refresh()
        assert version() == other.version
        registry.set_alias("champion", first)  # roll back
        assert champion.refresh()
        assert version() == run.bundle.version
        (risk_home / "mlflow.db").write_bytes(b"not a database")
        assert not champion.refresh()
        assert version() == run.bundle.version
        (risk_home / "mlflow.db").unlink()
        assert not champion.refresh()
        assert version() == run.bundle.version
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["registry"] == "registry"
