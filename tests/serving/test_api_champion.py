"""The model in service: swapped when the champion moves, kept when its source fails, checked all the time."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models import catalogue
from models.bundle import Bundle
from risk import features
from risk.errors import ConfigError, RegistryError
from risk.outcomes import observe, read_outcome_definition
from risk.reasons import explain
from risk.register import Register
from risk.scoring import entry_weeks, score
from risk.snapshot import snapshot_rows
from serving.champion import Champion
from serving.description import EXAMPLE
from serving.inservice import InService
from serving.settings import read_settings
from serving.sources import FolderSource, RegistrySource, Source, source_of


class Shelf(Source):
    """A source whose state the test decides; it keeps no copy."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.number, self.fault = bundle, 1, None

    def mark(self) -> str:
        if self.fault is not None:
            raise self.fault
        return str(self.number)

    def open(self, mark: str) -> Bundle:
        return self.bundle

    def keep(self, mark: str) -> None: ...

    def kept(self) -> tuple[str, Bundle] | None:
        return None


def renewed(bundle: Bundle, **meta: Any) -> Bundle:
    return Bundle(bundle.learner, None, meta=bundle.meta | meta)


def test_without_a_model_the_service_lives_and_is_not_ready(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    client = serve(source=FolderSource(tmp_path / "nowhere"), refresh_seconds=0)
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["status"] == "fail"
    assert ready.json()["registry"] == "bundle"
    for response in (client.post("/v1/scores", json=EXAMPLE), client.get("/v1/model")):
        assert response.status_code == 503
        assert response.json()["code"] == "not-ready"
        assert response.headers["retry-after"] == "30"
        assert str(tmp_path) not in response.text


@pytest.mark.parametrize("name", ["learner.json", "bundle.json", "golden.json", "manifest.json"])
def test_a_bundle_with_one_byte_changed_is_not_put_in_service(
    serve: Callable[..., TestClient], bundle_folder: Path, tmp_path: Path, name: str
) -> None:
    damaged = Path(shutil.copytree(bundle_folder, tmp_path / "damaged"))
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    client = serve(source=FolderSource(damaged), refresh_seconds=0)
    assert client.get("/health/ready").status_code == 503
    assert client.post("/v1/scores", json=EXAMPLE).json()["code"] == "not-ready"


def test_the_champion_is_swapped_when_it_moves_and_kept_when_the_registry_fails(
    serve: Callable[..., TestClient], wide_bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(wide_bundle)
    client = serve(source=shelf, refresh_seconds=0)
    champion: Champion = client.app.state.champion  # type: ignore[attr-defined]  # the client's type of app is any ASGI one

    def version() -> str:
        return str(client.post("/v1/scores", json=EXAMPLE).json()["results"][0]["model_version"])

    first = version()
    assert not champion.refresh()
    shelf.bundle, shelf.number = renewed(wide_bundle, n_cases=7), 2
    assert champion.refresh()
    second = version()
    assert second != first
    for fault in (RegistryError("the store did not answer"), TimeoutError("slow"), MemoryError()):
        shelf.fault = fault
        with caplog.at_level(logging.ERROR, "risk.serving"):
            assert not champion.refresh()
        assert version() == second
        ready = client.get("/health/ready").json()
        assert ready["status"] == "pass"
        assert ready["registry"] in ("registry", "unexpected")
    assert f"model {second} stays in service" in caplog.text
    shelf.fault, shelf.number = None, 3
    shelf.bundle = renewed(wide_bundle, features=["no_such_feature"])
    assert not champion.refresh()
    assert version() == second
    shelf.bundle, shelf.number = wide_bundle, 1  # roll back
    assert champion.refresh()
    assert version() == first
    assert client.get("/health/ready").json()["registry"] is None


def test_the_service_looks_for_a_new_champion_by_itself(
    serve: Callable[..., TestClient], wide_bundle: Bundle, tmp_path: Path
) -> None:
    folder = wide_bundle.save(tmp_path / "bundle")
    client = serve(source=FolderSource(folder), refresh_seconds=0.05)
    first = client.get("/v1/model").json()["version"]
    renewed(wide_bundle, n_cases=7).save(folder)
    until = time.monotonic() + 20
    while client.get("/v1/model").json()["version"] == first and time.monotonic() < until:
        time.sleep(0.05)
    assert client.get("/v1/model").json()["version"] != first
    assert client.get("/v1/model").json()["n_cases"] == 7


@pytest.mark.parametrize(
    "meta",
    [
        {"features": ["age_weeks", "age_years"]},  # age of the person: protected, not asked for
        {"features": ["age_weeks", "no_such_feature"]},
        {"outcome": {"version": "x", "horizon_weeks": 26, "horizons_weeks": [8, 26]}},
    ],
)
def test_a_model_the_messages_cannot_feed_is_refused(wide_bundle: Bundle, meta: dict[str, Any]) -> None:
    champion = Champion(Shelf(renewed(wide_bundle, **meta)))
    assert not champion.refresh()
    assert champion.current is None
    assert champion.trouble == "bundle"


def test_a_model_that_changes_in_memory_is_no_longer_ready(
    serve: Callable[..., TestClient], bundle_folder: Path
) -> None:
    client = serve(source=FolderSource(bundle_folder), refresh_seconds=0)
    assert client.get("/health/ready").status_code == 200
    learner = client.app.state.champion.current.bundle.learner  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    learner.theta_ = np.array(learner.theta_) + 1e-6
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert {c["name"]: c["status"] for c in ready.json()["checks"]} == {
        "model": "pass",
        "golden": "fail",
        "store": "pass",
    }


def test_a_setting_names_a_folder_or_a_registered_model(bundle_folder: Path) -> None:
    assert source_of(str(bundle_folder)) == FolderSource(bundle_folder)
    assert source_of("models:/risk52@champion") == RegistrySource("models:/risk52@champion")


def test_an_empty_registry_leaves_the_service_alive(
    serve: Callable[..., TestClient], risk_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(source=RegistrySource("models:/risk52@champion"), refresh_seconds=0)
    assert client.get("/health/ready").json()["registry"] == "registry"
    assert "risk train" in caplog.text


def test_settings_come_from_the_environment_and_a_bad_one_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RISK_MAX_CASES", "7")
    assert read_settings(model=None).max_cases == 7
    assert read_settings(max_cases=9).max_cases == 9
    monkeypatch.setenv("RISK_MAX_CASES", "many-secret")
    with pytest.raises(ConfigError, match="setting RISK_MAX_CASES: Input should be a valid integer") as raised:
        read_settings()
    assert "many-secret" not in str(raised.value)


def test_the_model_says_what_it_is_and_what_it_is_not_for(client: TestClient) -> None:
    model = client.get("/v1/model").json()
    assert model["horizon_weeks"] == 52
    assert model["learner"] == "linear"
    assert model["trained_as_of"] == "2026-11-16"
    assert model["is_synthetic"] is True
    assert "sanction" in model["not_for"]
    by_name = {f["name"]: f for f in model["features"]}
    assert by_name["weeks_since_partial_return"]["sources"] == ["partial_return_hours"]
    assert by_name["illness_group"]["legal_marks"] == ["H"]
    assert json.dumps(model).isascii()


def test_a_model_that_learned_its_levels_in_another_order_scores_the_same(
    small_register: Register, small_bundle: Bundle
) -> None:
    names, outcome, day = list(small_bundle.meta["features"]), read_outcome_definition(), date(2026, 11, 16)
    rows = snapshot_rows(
        small_register,
        np.arange(len(small_register)),
        small_register.encoded.registered_on + np.timedelta64(1, "D"),
    )
    X = features.feature_frame(features.build_features(rows, names))
    levels = list(X["employment_status"].cat.categories)
    X["employment_status"] = X["employment_status"].cat.set_categories(levels[::-1])
    learner = catalogue.make("linear", random_state=1, penalties=(30.0,), ratios=())
    learner.fit(X, observe(small_register.cases, outcome, day), entry_weeks(rows, outcome))
    turned = Bundle(learner, None, meta=small_bundle.meta)
    assert turned.columns[1]["levels"] == levels[::-1]
    for bundle in (turned, small_bundle):
        plain = score(small_register, day, bundle)
        served = score(small_register, day, InService(bundle, "1"))
        np.testing.assert_allclose(served.p_exceed, plain.p_exceed, rtol=0, atol=1e-12)
        ids = plain.frame["case_id"].tolist()
        assert explain(small_register, day, InService(bundle, "1"), ids) == explain(small_register, day, bundle, ids)
    assert np.nanstd(score(small_register, day, turned).p_exceed) > 0
