"""A training run in MLflow: what was planned, what was measured, the report, and the model, registered.

One run holds everything needed to understand and repeat it: the plan whole (``plan.toml``) and flat (parameters), metrics
named ``<metric>/<learner>/<landmark>`` with the origin's number as the step, the fingerprint of the register, the versions
of what learned, ``gates.json``, the report with its figures, and under ``bundle`` the model as MLflow loads it.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from models import registry
from risk.errors import RegistryError
from risk.home import home as risk_home
from training.report import Report, plain
from training.results import TrainingRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "risk52"
LOADER = "models.pyfunc"
_AT_ONCE = 900  # MLflow takes at most 1,000 metrics in one call


@dataclass(frozen=True)
class Logged:
    """Where a run went: its id in MLflow, the version it was registered as (None when it was not), and the store's address without a password."""

    run_id: str
    version: int | None
    tracking_uri: str


def log_run(run: TrainingRun, report: Report, *, register: bool = True, home: Path | None = None) -> Logged:
    """Log a training run and register its bundle as the next version of the model, alias ``challenger``.

    Nothing of a single case is logged. A run that fails half-way is marked as failed and registers nothing.

    Raises
    ------
    RegistryError
        When the store cannot be reached or written.
    """
    store = registry.client(home, create=True)
    with registry.told_plainly(home), registry.quiet_mlflow():
        run_id = store.create_run(_experiment(store, home), tags=_run_tags(run), run_name=_name(run)).info.run_id
        try:
            _log_numbers(store, run_id, run)
            with tempfile.TemporaryDirectory(prefix="risk52-") as folder:
                write_artifacts(run, report, Path(folder))
                store.log_artifacts(run_id, folder)
        except BaseException:
            store.set_terminated(run_id, "FAILED")
            raise
        store.set_terminated(run_id, "FINISHED")
    number = None
    if register:
        number = registry.register(f"runs:/{run_id}/bundle", run_id, version_tags(run), home)
        registry.set_alias(registry.CHALLENGER, number, home)
    return Logged(run_id, number, registry.without_password(registry.tracking_uri(home)))


def write_artifacts(run: TrainingRun, report: Report, folder: Path) -> None:
    """Everything that is kept of a run as files, laid out as in MLflow."""
    gates = json.dumps([plain(asdict(gate)) for gate in run.gates], indent=1, ensure_ascii=False)
    (folder / "plan.toml").write_text(as_toml(run.plan.model_dump(mode="json")), "utf-8")
    (folder / registry.GATES_FILE).write_text(gates, "utf-8")
    (folder / "environment.json").write_text(json.dumps(run.environment, indent=1, sort_keys=True), "utf-8")
    for name, content in (("report.html", report.html), ("report.json", report.json)):
        (folder / name).write_bytes(content.read_bytes())
    (folder / "figures").mkdir()
    for figure in report.figures:
        (folder / "figures" / f"{figure.name}.svg").write_text(figure.file_text, "utf-8")
    write_model(run, folder / "bundle")
    (folder / "bundle" / registry.GATES_FILE).write_text(gates, "utf-8")


def write_model(run: TrainingRun, folder: Path) -> None:
    """The bundle as a folder ``mlflow.pyfunc.load_model`` opens: ``MLmodel``, and the bundle's text under ``data/bundle``.

    The requirement is given by hand: to infer it, MLflow would load the model in a new process and take some 20 seconds.
    """
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory(prefix="risk52-") as work:
        bundle = run.bundle.save(Path(work) / "bundle")
        mlflow.pyfunc.save_model(
            str(folder), loader_module=LOADER, data_path=str(bundle), pip_requirements=[f"risk52=={version('risk52')}"]
        )


def version_tags(run: TrainingRun) -> dict[str, str]:
    """What is written on the registered version, for people and for ``risk promote``."""
    return {
        "as_of": run.as_of.isoformat(),
        "learner": run.learner_name,
        "bundle_version": run.bundle.version,
        "is_synthetic": _word(run.register_facts["is_synthetic"]),
        "gates": "failed" if run.failed else "passed",
        "gates_failed": ", ".join(gate.name for gate in run.failed),
        "register_fingerprint": str(run.register_facts["fingerprint"]),
        "plan": f"{run.plan.name} {run.plan.version}",
    }


def metric_points(run: TrainingRun) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of every metric: ``brier/linear/w13``, step 1, 2, ... for the origins and 0 for their mean."""
    metrics = run.backtest.metrics
    origins = {day: i for i, day in enumerate(sorted(metrics["origin"].dropna().unique()), start=1)}
    for row in metrics.to_dict("records"):
        step = 0 if pd.isna(row["origin"]) else origins[row["origin"]]
        name = f"{row['metric']}/{row['learner']}/{landmark_name(row['landmark'])}"
        for suffix, value in (("", row["value"]), ("/low", row["low"]), ("/high", row["high"])):
            # Intervals of the mean only: those of every origin stand in report.json.
            if math.isfinite(value) and (not suffix or step == 0):
                yield f"{name}{suffix}", float(value), step
    for gate in run.gates:
        if gate.value is not None and math.isfinite(gate.value):
            yield f"gate/{gate.number}_{gate.name}", float(gate.value), 0
    for step_name, seconds in run.seconds.items():
        yield f"seconds/{step_name.replace(' ', '_')}", float(seconds), 0


def landmark_name(landmark: str) -> str:
    """A landmark as it stands in the name of a metric.

    >>> landmark_name("13"), landmark_name("registration")
    ('w13', 'registration')
    """
    return f"w{landmark}" if landmark.isdigit() else landmark


def flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text.

    >>> list(flat({"gates": {"most_auc": 0.87}, "seed": 52}))
    [('gates.most_auc', '0.87'), ('seed', '52')]
    """
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)


def as_toml(values: dict[str, Any]) -> str:
    """Settings as TOML that reads back the same; what is None is left out, as TOML has no word for it.

    >>> print(as_toml({"seed": 52, "gates": {"most_auc": 0.87}}), end="")
    seed = 52
    <BLANKLINE>
    [gates]
    most_auc = 0.87
    """
    return "\n".join(_toml_lines(values, ())).lstrip("\n") + "\n"


def _toml_lines(values: dict[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    plain_ones = {k: v for k, v in values.items() if not isinstance(v, dict) and v is not None}
    if above and (plain_ones or not values):
        yield "\n[" + ".".join(_toml_key(part) for part in above) + "]"
    for name, value in plain_ones.items():
        yield f"{_toml_key(name)} = {_toml_value(value)}"
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _toml_lines(value, (*above, name))


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml_value(name)


def _toml_value(value: Any) -> str:
    """JSON's strings, numbers, true, false and lists are TOML as well, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _log_numbers(store: MlflowClient, run_id: str, run: TrainingRun) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [Param(k, v) for k, v in flat({"plan": run.plan.model_dump(mode="json")})]
    params += [Param(f"environment.{k}", v) for k, v in sorted(run.environment.items())]
    for some in _batches(params, 100):
        store.log_batch(run_id, params=some)
    for some in _batches([Metric(name, value, now, step) for name, value, step in metric_points(run)], _AT_ONCE):
        store.log_batch(run_id, metrics=some)


def _batches(items: list[Any], size: int) -> Iterable[list[Any]]:
    return (items[i : i + size] for i in range(0, len(items), size))


def _experiment(store: MlflowClient, home: Path | None) -> str:
    """The experiment all runs lie in; with the local store its files lie in ``RISK_HOME/artifacts``."""
    found = store.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise RegistryError(
                f"the MLflow experiment {EXPERIMENT} was deleted; restore it with 'mlflow experiments restore'"
            )
        return str(found.experiment_id)
    is_local = registry.tracking_uri(home).startswith("sqlite:")
    place = ((home or risk_home()) / "artifacts").resolve().as_uri() if is_local else None
    return str(store.create_experiment(EXPERIMENT, artifact_location=place))


def _name(run: TrainingRun) -> str:
    return f"{run.learner_name} {run.as_of.isoformat()}"


def _run_tags(run: TrainingRun) -> dict[str, str]:
    facts = {f"register.{k}": str(plain(v)) for k, v in run.register_facts.items()}
    return version_tags(run) | facts | {"choice": run.choice, "warnings": str(len(run.warnings))}


def _word(value: Any) -> str:
    return "true" if value else "false"
