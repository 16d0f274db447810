"""A training run, from a register to a bundle and everything known about it: one straight line."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version

import numpy as np
import pandas as pd

from models import catalogue
from models.bundle import Bundle
from models.calibration import Calibrator
from risk.errors import ConfigError
from risk.register import Register
from risk.snapshot import check_as_of
from training.backtest import Progress, backtest
from training.certainty import learn_spread
from training.choose import choose
from training.fairness import fairness
from training.fit import Material, fit, make, prepare
from training.gates import run_gates
from training.gates.evidence import Evidence
from training.landmarks import register_at
from training.plan import Plan
from training.results import METRICS, Backtest, TrainingRun

LIBRARIES = ("risk52", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")


def _silent(text: str, share: float) -> None:
    """No one is watching."""


def train(
    register: Register, as_of: date, plan: Plan, *, champion: Bundle | None = None, progress: Progress = _silent
) -> TrainingRun:
    """Learn from what was known on ``as_of``, judge it by a backtest, and put it before the gates.

    Parameters
    ----------
    register : Register
    as_of : date
        Nothing recorded on or after this day is used.
    plan : Plan
    champion : Bundle, optional
        The model in service, for the gates that compare.
    progress : callable, optional
        ``progress(text, share)`` is told what is being done and the share of the run done so far, in [0, 1].

    Returns
    -------
    TrainingRun
        A register too young for a backtest still gives a bundle: the backtest is empty, gates that need it are
        "not applicable", and ``warnings`` says so.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    TooFewCasesError
        When no case had closed by ``as_of``.
    ConfigError
        When the plan names a learner or a parameter that the catalogue does not have, or a candidate that may not serve.
    """
    check_as_of(register, as_of)
    check_learners(plan)
    clock = _Clock()
    with clock.step("landmark rows"):
        progress("landmark rows", 0.0)
        known = register_at(register, as_of)
        material = prepare(known, plan, as_of)
    with clock.step("backtest"):
        judged, seen = backtest(known, as_of, plan, lambda text, share: progress(text, 0.05 + 0.75 * share))
    with clock.step("final model"):
        name, why = choose(judged, plan)
        progress(f"final model: {name}", 0.8)
        bundle = fit(name, material, plan)
        bundle.meta["calibration"] = calibration_of(judged, name)
        if isinstance(bundle.calibrator, Calibrator):
            learn_spread(bundle.learner, bundle.calibrator, material, plan)
    with clock.step("gates"):
        progress("gates", 0.93)
        gates = run_gates(Evidence(plan, known, as_of, material, bundle, name, judged, champion))
    with clock.step("fairness"):
        progress("fairness", 0.97)
        groups = fairness(known, seen.mondays.get(name, pd.DataFrame()), plan)
    progress("done", 1.0)
    return TrainingRun(
        plan=plan,
        as_of=as_of,
        bundle=bundle,
        learner_name=name,
        choice=why,
        backtest=judged,
        gates=gates,
        fairness=groups,
        rows=material.counts,
        register_facts=facts_of(known),
        environment={"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        seconds=clock.seconds,
        warnings=_warnings(judged, material, bundle, plan),
    )


def check_learners(plan: Plan) -> None:
    """Find out before minutes of training, not after, that a learner of the plan cannot be made or may not serve.

    Raises
    ------
    ConfigError
        Names the learner.
    """
    for name in plan.all_learners:
        make(name, plan)
    barred = [n for n in plan.learners.candidates if not catalogue.can_be_champion(n)]
    if barred:
        raise ConfigError(f"learner {barred[0]!r} may never serve; move it from learners.candidates to learners.shown")


def calibration_of(judged: Backtest, learner: str) -> dict[str, dict[str, list[float | None]]]:
    """What the backtest found of a learner's calibration, for whoever opens the model: ``{landmark: {measure: [value, low, high]}}``.

    Four decimals, so that the same cases in another order, whose sums differ in the last bits, give the same model.
    """
    table, out = judged.metrics, dict[str, dict[str, list[float | None]]]()
    if table.empty:
        return out
    measures = {n: n.removeprefix("calibration_") for n in METRICS if n.startswith("calibration_")}
    measures["observed_minus_expected"] = "observed_minus_expected"
    rows = table[(table["learner"] == learner) & table["origin"].isna() & table["metric"].isin(measures)]
    for landmark, metric, *ends in rows[["landmark", "metric", "value", "low", "high"]].itertuples(index=False):
        numbers = [round(float(v), 4) + 0.0 if np.isfinite(v) else None for v in ends]
        out.setdefault(str(landmark), {})[measures[str(metric)]] = numbers
    return out


def facts_of(register: Register) -> dict[str, object]:
    """What is told of the register a run used: counts and versions, no case."""
    return {
        "fingerprint": register.fingerprint,
        "n_cases": len(register.cases),
        "n_facts": len(register.facts),
        "extract_on": register.extract_on.isoformat(),
        "is_synthetic": register.is_synthetic,
        "source": register.source,
    }


def _warnings(judged: Backtest, material: Material, bundle: Bundle, plan: Plan) -> list[str]:
    said = []
    if judged.note:
        said.append(f"backtest: {judged.note}")
    if not judged.is_empty and not judged.splits["is_whole"].all():
        n = int((~judged.splits["is_whole"].astype(bool)).sum())
        said.append(f"backtest: in {n} of {len(judged.splits)} origins some rows could not be followed to the horizon")
    left_out = [n for n in plan.features.names() if n not in material.names]
    if left_out:
        said.append(f"{len(left_out)} planned features are never filled in and were left out: {', '.join(left_out)}")
    if len(material.rows) < material.n_rows:
        said.append(f"{len(material.rows):,} of {material.n_rows:,} landmark rows were learned from (plan: max_rows)")
    change = bundle.meta["change"]
    if change is not None:
        whom = "those opened since" if change["only_new"] else "all of them"
        said.append(
            f"since about {change['on']} cases close otherwise than before ({whom}), and scores follow what happened since: "
            "look for a change of rules, of pace or of registration that explains it"
        )
    if getattr(bundle.calibrator, "is_identity", False):
        said.append("too few cases of the newest cohorts exceeded, or closed: probabilities were not recalibrated")
    return said


class _Clock:
    """Seconds per step, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
