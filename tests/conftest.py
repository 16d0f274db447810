"""A small register, a model learned from it and a training run made by hand, for the tests of what comes after training."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url

from models import catalogue, registry
from models.bundle import Bundle
from risk import features
from risk.outcomes import observe, read_outcome_definition
from risk.register import Register, make_register
from risk.scoring import entry_weeks
from risk.snapshot import snapshot_rows
from training.fairness import COLUMNS, MEASURES
from training.plan import read_plan
from training.report import Report, write_report
from training.results import Backtest, GateResult, TrainingRun

AS_OF = date(2026, 11, 16)
LEARNERS = {"linear": 0.78, "baseline": 0.60, "longest_open": 0.55, "matured_only": 0.74, "censored_as_negative": 0.73}
PROMISED = {"linear": 0.101, "baseline": 0.098, "matured_only": 0.02, "censored_as_negative": 0.03}
GROUP_NUMBERS = [f"{m}{end}" for m in MEASURES for end in ("", "_low", "_high")]
LANDMARKS = ("registration", "13", "26", "list")


@pytest.fixture(scope="session")
def postgresql() -> Callable[..., AbstractContextManager[str]]:
    """Make a PostgreSQL database for the time of a block: its address. Without a server the test that wants one is skipped."""

    @contextmanager
    def _database(template: str = "template0") -> Iterator[str]:
        server = os.environ.get("RISK_TEST_POSTGRES")
        if not server:
            pytest.skip("RISK_TEST_POSTGRES names no PostgreSQL server to test on")
        name, address = f"risk_{uuid4().hex[:12]}", make_url(server)
        engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield address.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            engine.dispose()

    return _database


@pytest.fixture(scope="session")
def small_register() -> Register:
    """150 made-up cases: short ones, long ones, and 30 still open on the extract date."""
    rng = np.random.default_rng(3)
    n = 150
    opened = pd.Timestamp("2024-06-03") + pd.to_timedelta(rng.integers(0, 800, n), unit="D")
    closed = opened + pd.to_timedelta(rng.integers(40, 420, n), unit="D")
    is_open = (np.arange(n) % 5 == 0) | (closed >= pd.Timestamp(AS_OF))
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in range(n)],
            "person_key": [f"p{i % 140}" for i in range(n)],
            "opened_on": opened,
            "registered_on": opened + pd.to_timedelta(rng.integers(5, 35, n), unit="D"),
            "closed_on": pd.Series(closed).mask(is_open),
            "close_reason": pd.Series(["recovered"] * n).mask(is_open),
            "team": rng.choice(["A", "B"], n),
            "office": "Nordby",
            "employment_status": rng.choice(["employee", "unemployed"], n),
            "weekly_hours": rng.choice([20.0, 30.0, 37.0], n),
        }
    )
    facts = pd.DataFrame(columns=["case_id", "known_on", "name", "value"])
    return make_register(cases, facts, AS_OF, source="by hand", is_synthetic=True)


@pytest.fixture(scope="session")
def small_bundle(small_register: Register) -> Bundle:
    """A linear hazard learned from the small register at registration."""
    outcome = read_outcome_definition()
    names = ["age_weeks", "employment_status", "weekly_hours"]
    position = np.arange(len(small_register))
    days = small_register.encoded.registered_on + np.timedelta64(1, "D")
    rows = snapshot_rows(small_register, position, days)
    y = observe(small_register.cases, outcome, AS_OF)
    entry = entry_weeks(rows, outcome)
    learner = catalogue.make("linear", random_state=1)
    learner.fit(features.feature_frame(features.build_features(rows, names)), y, entry)
    meta = {
        "features": names,
        "outcome": outcome.model_dump(mode="json"),
        "required": [],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
        "is_synthetic": True,
    }
    return Bundle(learner, None, meta=meta)


@pytest.fixture(scope="session")
def make_run(small_register: Register, small_bundle: Bundle) -> Callable[..., TrainingRun]:
    """Make a training run with chosen gates (name to status), with or without a backtest."""

    def _make(gates: dict[str, str] | None = None, *, is_judged: bool = True, **changed: Any) -> TrainingRun:
        given = gates or {"beats_baseline": "passed", "calibrated": "passed", "champion_overlap": "not applicable"}
        facts = {
            "fingerprint": small_register.fingerprint,
            "n_cases": len(small_register),
            "n_facts": 0,
            "extract_on": AS_OF,
            "is_synthetic": True,
            "source": "by hand",
        }
        rows = pd.DataFrame(
            {"landmark": ["registration", "13"], "n_rows": [150, 120], "n_cases": [150, 120], "n_closed": [110, 90],
             "n_open": [40, 30], "n_exceeded": [12, 3], "thinned_to": [150, 120]}
        )  # fmt: skip
        fairness = pd.DataFrame(
            [{"attribute": "sex", "group": "female", "n": 80, "n_exceed": 11, "note": "", **dict.fromkeys(GROUP_NUMBERS, 0.1)},
             {"attribute": "sex", "group": "male", "note": "suppressed"}], columns=COLUMNS
        )  # fmt: skip
        values: dict[str, Any] = {
            "plan": read_plan("default"),
            "as_of": AS_OF,
            "bundle": small_bundle,
            "learner_name": "linear",
            "choice": "linear: no other learner is better by more than chance",
            "backtest": _backtest() if is_judged else _no_backtest(),
            "gates": [_gate(i, name, status) for i, (name, status) in enumerate(given.items(), 1)],
            "fairness": fairness,
            "rows": rows,
            "register_facts": facts,
            "environment": {"python": "3.11", "lightgbm": "4.7.0"},
            "seconds": {"fit": 1.5, "backtest": 20.25},
            "warnings": ["few cases: intervals are wide"],
        }
        return TrainingRun(**(values | changed))

    return _make


@pytest.fixture(scope="session")
def small_report(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    """The report of the run made by hand, written once."""
    return write_report(make_run(), small_register, tmp_path_factory.mktemp("report") / "report")


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store, made once: its first touch takes seconds."""
    home = tmp_path_factory.mktemp("migrated")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.delenv(name, raising=False)
        registry.client(home, create=True)
    return home


@pytest.fixture
def risk_home(_migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RISK_HOME of this test alone, with an empty model store."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(_migrated / "mlflow.db", home / "mlflow.db")
    monkeypatch.setenv("RISK_HOME", str(home))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    return home


def _gate(number: int, name: str, status: str) -> GateResult:
    value, limit = (0.31, 0.25) if status in ("passed", "failed") else (None, None)
    return GateResult(number, name, f"Is it {name.replace('_', ' ')}?", status, value, limit, f"{name}: {status}")  # type: ignore[arg-type]  # the status is any text here


def _backtest() -> Backtest:
    origins = [pd.Timestamp("2024-11-18"), pd.Timestamp("2025-05-19")]
    metrics = [
        {"origin": origin, "landmark": landmark, "learner": learner, "metric": metric, "value": value + 0.01 * i,
         "low": value - 0.03, "high": value + 0.04, "n": 90, "n_exceed": 4 if landmark == "26" else 11}
        for i, landmark in enumerate(LANDMARKS)
        for learner, auc in LEARNERS.items()
        for metric, value in _values(learner, auc).items()
        for origin in (*origins, pd.NaT)
    ]  # fmt: skip
    calibration = [
        {"landmark": landmark, "learner": learner, "bin": b, "p_mean": p, "observed": p + 0.02, "low": p - 0.03,
         "high": p + 0.07, "n": 30 if b else 3}
        for landmark in LANDMARKS
        for learner in PROMISED
        for b, p in enumerate((0.03, 0.08, 0.15, 0.4))
    ]  # fmt: skip
    lists = [
        {"origin": origins[0], "monday": monday, "learner": learner, "n_open": 60, "n_listed": 6,
         "precision": auc - 0.3, "recall": 0.3, "rule_precision": 0.25}
        for monday in (pd.Timestamp("2024-12-02"), pd.Timestamp("2025-02-03"))
        for learner, auc in LEARNERS.items()
    ]  # fmt: skip
    splits = [
        {"origin": origin, "train_from": pd.Timestamp("2022-01-03"), "judged_from": origin,
         "judged_to": origin + pd.Timedelta(weeks=26), "followed_to": origin + pd.Timedelta(weeks=78),
         "n_train_rows": 400 + i, "n_train_cases": 120, "n_judged_rows": 90, "n_judged_exceeded": 11, "is_whole": i == 0}
        for i, origin in enumerate(origins)
    ]  # fmt: skip
    return Backtest(pd.DataFrame(metrics), pd.DataFrame(calibration), pd.DataFrame(lists), pd.DataFrame(splits))


def _values(learner: str, auc: float) -> dict[str, float]:
    out = {"auc": auc, "precision_at_capacity": auc - 0.4, "recall_at_capacity": 0.3, "observed": 0.1}
    if learner in PROMISED:
        out |= {"brier": 0.08, "brier_skill": 0.1, "expected": PROMISED[learner], "calibration_slope": 1.02}
        out["observed_minus_expected"] = 0.1 - PROMISED[learner]
    return out | ({} if learner == "longest_open" else {"lift_over_rule": 1.4})


def _no_backtest() -> Backtest:
    def empty(columns: str) -> pd.DataFrame:
        return pd.DataFrame(columns=columns.split())

    return Backtest(
        empty("origin landmark learner metric value low high n n_exceed"),
        empty("landmark learner bin p_mean observed low high n"),
        empty("origin monday learner n_open n_listed precision recall rule_precision"),
        empty(
            "origin train_from judged_from judged_to followed_to n_train_rows n_train_cases n_judged_rows "
            "n_judged_exceeded is_whole"
        ),
        "the register is too young to judge anything",
    )
