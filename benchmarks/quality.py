"""Our learners beside their peers: the same folds for all, on real censored sets and on registers whose truth is known.

    python -m benchmarks.quality                      # everything; hours on one core, can be stopped and taken up again
    python -m benchmarks.quality --smoke --out out/   # seconds, with what the dev extra installs
    python -m benchmarks.quality --sets GBSG2,uis --learners stacked,cox --repeats 5

Every learner runs on one thread. Results of each fold are kept in a cache; only what is missing is computed. Tables land
in ``benchmarks/results/quality.md`` and ``quality.json``.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import click
from threadpoolctl import threadpool_limits

from benchmarks import judging, peers, quality_report, sets
from benchmarks.judging import ORACLE, Cache, Record
from benchmarks.machine import command, describe
from risk.errors import ConfigError, RiskError
from risk.home import home

RESULTS = Path(__file__).parent / "results"
SMOKE_LEARNERS = ("baseline", "linear", "matured_only", "censored_as_negative", *peers.PEERS)
SMOKE_PEERS = ("cox", "lightgbm_ipcw")  # the others are named, and run where they are installed by hand
# Learners that no list of one person's minutes can wait for: the first repeat only, and not on large sets. Of small sets
# three folds say too little about a gap: there all repeats are run, by all but the slowest.
SLOW = ("forest", "boosted_cox", "survivalboost")
SLOWEST = "survivalboost"
SMALL, LARGE = 5_000, 40_000  # rows
NOT_RANKED = ("longest_open",)  # a rule without probabilities


@click.command()
@click.option("--sets", "set_names", default="", help="Sets, by comma; all when not given.")
@click.option("--learners", "learner_names", default="", help="Learners and peers, by comma; all when not given.")
@click.option("--repeats", type=click.IntRange(1), default=2, show_default=True, help="Repeats of cross-validation.")
@click.option("--folds", type=click.IntRange(2), default=3, show_default=True, help="Folds of each repeat.")
@click.option("--smoke", is_flag=True, help="Two tiny sets and the quick learners: does it run?")
@click.option("--report-only", is_flag=True, help="Compute nothing; write the tables from the cache.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True, help="Folder of the tables."
)
@click.option("--cache", type=click.Path(path_type=Path), help="Cache file; under RISK_HOME when not given.")
def main(
    set_names: str,
    learner_names: str,
    repeats: int,
    folds: int,
    smoke: bool,
    report_only: bool,
    out: Path,
    cache: Path | None,
) -> None:
    """Judge learners and peers side by side."""
    began = time.time()
    chosen_sets = set_names.split(",") if set_names else list(sets.SMOKE if smoke else sets.SETS)
    default = SMOKE_LEARNERS if smoke else tuple(n for n in judging.all_names() if n not in NOT_RANKED)
    names = learner_names.split(",") if learner_names else list(default)
    if smoke:
        repeats, folds = 1, 2
    store = Cache(cache or home() / "benchmarks" / "quality.jsonl")
    try:
        with threadpool_limits(1):  # one thread for ours and for theirs
            records, notes, about = walk(chosen_sets, names, folds, repeats, store, smoke, report_only)
    except RiskError as error:
        raise click.ClickException(str(error)) from None
    head = {
        "command": command("benchmarks.quality"),
        "machine": describe(),
        "versions": versions(names),
        "seconds": round(time.time() - began),
        "cpu_seconds": round(sum(r["fit"] + r["predict"] for r in records)),
        "folds": folds,
        "repeats": repeats,
    }
    written = quality_report.write(out, records, about, notes, head)
    click.echo(written)


def walk(
    set_names: list[str], names: list[str], folds: int, repeats: int, store: Cache, smoke: bool, report_only: bool
) -> tuple[list[Record], list[str], dict[str, dict[str, Any]]]:
    """Every record asked for, notes on what was not run, and what each set is.

    Raises
    ------
    ConfigError
        An unknown set or learner.
    """
    for name in names:
        if name not in judging.all_names():
            raise ConfigError(f"no learner or peer is called {name!r}; choose among {', '.join(judging.all_names())}")
    present, notes = _present(names, smoke)
    records: list[Record] = []
    about: dict[str, dict[str, Any]] = {}
    for set_name in set_names:
        if set_name in sets.SETS and not sets.is_installed(set_name):
            notes.append(f"set {set_name}: {sets.SETS[set_name][0]} is not installed")
            continue
        found = sets.load(set_name)
        about[found.name] = _about(found)
        mark = judging.fingerprint(found)
        everyone = [*present, ORACLE] if found.p_best is not None else present
        for repeat, number in judging.numbers_of(folds, repeats):
            for name in everyone:
                skip = _why_not(name, found, repeat)
                if skip:
                    notes += [] if skip in notes else [skip]
                    continue
                key = judging.key_of(found, mark, name, folds, repeat, number)
                if key not in store.known:
                    if report_only:
                        missing = f"{name} on {found.name}: not all folds are done"
                        notes += [] if missing in notes else [missing]
                        continue
                    _compute(store, key, found, mark, name, folds, repeat, number)
                where = {"set": found.name, "kind": found.kind, "learner": name, "repeat": repeat, "fold": number}
                records.append(store.known[key] | where)
    return records, notes, about


def _compute(
    store: Cache, key: str, found: sets.CensoredSet, mark: str, name: str, folds: int, repeat: int, number: int
) -> None:
    params = None
    if name in peers.PEERS and peers.PEERS[name].tune_once:
        first = store.known.get(judging.key_of(found, mark, name, folds, 0, 0))
        params = first["chosen"] if first else None
    with warnings.catch_warnings():
        if name in peers.PEERS:  # what their libraries warn of is theirs; ours must be silent
            warnings.simplefilter("ignore")
        made = store.add(key, judging.run(found, name, folds, repeat, number, params))
    brier = [s["brier"] for s in made["stages"].values() if s["brier"] is not None]
    click.echo(
        f"{found.name} {repeat}.{number} {name}: Brier {sum(brier) / max(len(brier), 1):.4f}, "
        f"{made['fit'] + made['predict']:.1f} s",
        err=True,
    )


def _present(names: list[str], smoke: bool) -> tuple[list[str], list[str]]:
    """Learners that can run here, and a note for each that cannot."""
    present, notes = [], []
    for name in names:
        if name in peers.PEERS and not peers.is_installed(name):
            notes.append(f"{name}: not installed (package {peers.PEERS[name].package}; pip install '.[bench]')")
        elif smoke and name in peers.PEERS and name not in SMOKE_PEERS:
            notes.append(f"{name}: installed, left out of the smoke run")
        else:
            present.append(name)
    return present, notes


def _why_not(name: str, found: sets.CensoredSet, repeat: int) -> str:
    if name in SLOW and len(found) > LARGE:
        return f"{name}: not run on {found.name} ({len(found):,} rows), too slow"
    if name in SLOW and repeat > 0 and (name == SLOWEST or len(found) > SMALL):
        return f"{name}: first repeat only, too slow; compared with others on the folds it has"
    return ""


def _about(found: sets.CensoredSet) -> dict[str, Any]:
    return {
        "rows": len(found),
        "columns": found.X.shape[1],
        "censored": float((~found.y["closed"]).mean()),
        "week": found.week,
        "note": found.note,
        "kind": found.kind,
    }


def versions(names: list[str]) -> dict[str, str]:
    """Versions of the packages behind the learners that are installed."""
    import platform

    packages = ["lightgbm", "scikit-learn", "numpy", "pandas"]
    packages += sorted({peers.PEERS[n].package for n in names if n in peers.PEERS and peers.is_installed(n)})
    return {"python": platform.python_version()} | {p: judging.package_version(p) for p in packages}


if __name__ == "__main__":
    main()
