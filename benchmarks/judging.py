"""Folds that are the same for all, one fit and one judgement, and a cache of what was done: machines are slow.

A record holds what one learner did on one fold of one repeat of one set. Records are kept as JSON lines; a key that
holds the rows of the set, the source of the learner and the versions of its packages makes a stale one unfindable.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import peers
from benchmarks.sets import CensoredSet
from models import catalogue, censoring, metrics
from models.contract import Learner
from risk.errors import ConfigError

ROOT = Path(__file__).parents[1]
ORACLE = "oracle"  # not a learner: the best possible probability, where it is known
# Files of models/ that no learner is fitted with.
NO_LEARNER = {
    "registry.py",
    "pyfunc.py",
    "bundle.py",
    "calibration.py",
    "calendar.py",
    "intervals.py",
    "concordance.py",
    "approval.py",
    "signing.py",
    "certainty.py",
    "logit_map.py",
    "widths.py",
}
Record = dict[str, Any]


def fold_of(found: CensoredSet, n_folds: int, repeat: int) -> npt.NDArray[np.int64]:
    """A fold per row, (n,): persons stay whole, and how their first row ended is spread evenly over the folds."""
    persons, first, at = np.unique(found.group, return_index=True, return_inverse=True)
    passed = np.where(found.y["closed"], found.y["weeks"] > found.week, found.y["weeks"] >= found.week)[first]
    kind = np.where(passed, 2, found.y["closed"][first].astype(int))
    rng = np.random.default_rng([repeat, 52])
    fold = np.empty(len(persons), dtype=np.int64)
    for k in range(3):
        here = rng.permutation(np.flatnonzero(kind == k))
        fold[here] = (np.arange(len(here)) + k) % n_folds
    return fold[at]


def judge(found: CensoredSet, p: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Per stage: AUC, Brier, skill, observed and expected share, calibration slope, precision at 10 %."""
    made = {}
    for stage in dict.fromkeys(found.stage.tolist()):
        here = found.stage == stage
        judging = {"entry": found.entry[here], "weights": weights[here]}
        y, week, q = found.judged[here], found.week, p[here]
        calibration = metrics.calibration(y, q, week, bins=2, **judging)
        numbers = {
            "auc": metrics.auc(y, q, week, **judging),
            "brier": metrics.brier(y, q, week, **judging),
            "skill": metrics.brier_skill(y, q, week, **judging),
            "precision": metrics.precision_at(y, q, week, 0.1, **judging),
            "observed": calibration.observed,
            "expected": calibration.expected,
            "slope": calibration.slope,
        }
        made[stage] = {k: None if np.isnan(v) else float(v) for k, v in numbers.items()} | {"n": int(here.sum())}
    return made


def run(found: CensoredSet, name: str, n_folds: int, repeat: int, number: int, params: dict[str, Any] | None) -> Record:
    """Fit on all folds but one, judge on that one; seconds are CPU seconds of this process."""
    fold = fold_of(found, n_folds, repeat)
    train, test = found.take(np.flatnonzero(fold != number)), found.take(np.flatnonzero(fold == number))
    # One censoring curve for the whole set: judging weights must not differ between folds by chance.
    weights = censoring.weights(found.judged, found.week, found.entry)[fold == number]
    if name == ORACLE:
        assert test.p_best is not None
        return {"stages": judge(test, test.p_best, weights), "fit": 0.0, "predict": 0.0, "chosen": None}
    learner = make(name, found, params, repeat)
    began = time.process_time()
    learner.fit(train.X, train.y, entry=train.entry, groups=train.group)
    fitted = time.process_time()
    p = learner.survival(test.X, [found.week], test.entry)[:, 0]
    scored = time.process_time()
    return {
        "stages": judge(test, p, weights),
        "fit": fitted - began,
        "predict": scored - fitted,
        "chosen": getattr(learner, "chosen_", None),
        "n_train": len(train),
        "n_test": len(test),
    }


def make(name: str, found: CensoredSet, params: dict[str, Any] | None, seed: int) -> Learner | peers.Peer:
    """A learner of the catalogue or a peer, told the horizon of the set.

    Raises
    ------
    ConfigError
        Neither knows the name.
    """
    if name in peers.PEERS:
        return peers.PEERS[name](found.week, params, seed)
    known = catalogue.learner_class(name)._get_param_names()
    given = {"horizons": found.horizons, "horizon": found.week, "random_state": seed, "n_jobs": 1}
    return catalogue.make(name, **{k: v for k, v in given.items() if k in known})


class Cache:
    """Records by key, appended to one file of JSON lines; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Record] = {}
        if path.exists():
            self.known = {r["key"]: r for r in map(json.loads, path.read_text("utf-8").splitlines())}

    def add(self, key: str, record: Record) -> Record:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        record = record | {"key": key}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self.known[key] = record
        return record


def key_of(found: CensoredSet, mark: str, name: str, n_folds: int, repeat: int, number: int) -> str:
    """What a record belongs to; ``mark`` is the :func:`fingerprint` of the set."""
    return f"{found.name}|{mark}|{name}|{code_of(name)}|{n_folds}|{repeat}|{number}"


def fingerprint(found: CensoredSet) -> str:
    """A digest of the rows of a set."""
    digest = hashlib.sha256()
    digest.update(pd.util.hash_pandas_object(found.X, index=False).to_numpy().tobytes())
    for part in (found.y, found.judged):
        digest.update(part["closed"].tobytes() + part["weeks"].tobytes())
    digest.update(f"{found.week}{sorted(found.X.columns)}".encode())
    return digest.hexdigest()[:12]


@cache
def code_of(name: str) -> str:
    """A digest of the source that makes the learner, and the versions beneath it."""
    if name == ORACLE:
        return "-"
    if name in peers.PEERS:
        return _digest([ROOT / "benchmarks" / "peers.py"]) + f" {package_version(peers.PEERS[name].package)}"
    if name not in catalogue.LEARNERS:
        raise ConfigError(f"no learner or peer is called {name!r}; choose among {', '.join(all_names())}")
    source = sorted(f for f in (ROOT / "models").glob("*.py") if f.name not in NO_LEARNER)
    return _digest(source) + f" {version('lightgbm')}"


def all_names() -> list[str]:
    """Our learners in the order of the catalogue, then the peers."""
    return [*catalogue.LEARNERS, *peers.PEERS]


def package_version(package: str) -> str:
    """The version of an importable package by the name people install."""
    return version({"sksurv": "scikit-survival", "xgboost": "xgboost-cpu"}.get(package, package))


def numbers_of(n_folds: int, n_repeats: int) -> Iterator[tuple[int, int]]:
    """Every repeat and fold, repeats outermost: a run that is cut short has whole repeats."""
    for repeat in range(n_repeats):
        for number in range(n_folds):
            yield repeat, number


def _digest(paths: list[Path]) -> str:
    """A digest of what the files do: comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for path in paths:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_text(body[0]):
                node.body = body[1:]  # type: ignore[attr-defined]  # functions and modules have one
        digest.update(f"{path.name} {ast.dump(tree)}".encode())
    return digest.hexdigest()[:12]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
