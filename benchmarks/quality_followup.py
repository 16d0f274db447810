"""What judging does when who is followed hangs on the features: the same scores, judged with two kinds of weights.

    python -m benchmarks.quality_followup                      # some minutes on one core
    python -m benchmarks.quality_followup --smoke --out out/   # seconds; shows that it runs
    python -m benchmarks.quality_followup --sets support2,acath --learners stacked,forest

An unknown outcome is made up for by others that are known, weighted by one over the chance of having been followed so
long. Taken from one curve for all (*marginal*), that chance is wrong where a feature tells who was followed: the known
outcomes then are too often those of some kinds of cases, and a learner that reweights in the same wrong way looks better
than it is. *Given the features* the chance comes from a boosted hazard of being lost from sight, fitted on other persons.

Which of the two to believe is shown on real durations of which nothing is missing, ``injury_uneven``: follow-up is cut
short for some kinds of injury only, learners see what is left, and the whole durations are the third judge.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks import judging, peers, sets
from benchmarks.machine import command, describe
from benchmarks.quality_page import grid
from benchmarks.quality_report import title
from benchmarks.sets import CensoredSet
from models import catalogue, censoring, metrics
from models.folds import fold_of_group
from models.periods import cumulative_hazard
from models.rows import outcome
from risk.files import whole_file

RESULTS = Path(__file__).parent / "results"
UNEVEN = "injury_uneven"
SETS = (UNEVEN, "support2", "acath", "Aids2", "divorce", "rhc")
LEARNERS = ("linear", "hazard", "direct", "stacked", "lightgbm_ipcw", "matured_only", "cox")
SMOKE_LEARNERS = ("linear", "matured_only")
LEAST_FOLLOWED = 0.05  # below it one row would outweigh twenty
PERIODS = 12  # at least, of the hazard of being lost
EARLY = 13.0  # weeks: a third of the injured are still away after 8, few after 52
Floats = npt.NDArray[np.float64]


def uneven_injuries(n_rows: int | None = None) -> CensoredSet:
    """The injury durations judged at week 8, follow-up cut short where nobody went to hospital.

    Who went to hospital stays away longer and is followed for 52 weeks; others are lost after 0 to 13 weeks, drawn evenly.
    """
    found = replace(sets.injury(n_rows=n_rows), name="injury, followed unevenly", week=8.0)
    short = found.X["hosp"].astype(str).to_numpy() == "0"
    followed = np.where(short, np.random.default_rng(8).uniform(0.0, EARLY, len(found)), 52.0)
    weeks = found.judged["weeks"]
    return replace(found, y=outcome(weeks <= followed, np.minimum(weeks, followed)))


def chance_followed(found: CensoredSet, n_folds: int = 5) -> tuple[Floats, Floats]:
    """Chance of not being lost before the outcome was known, and before the horizon, (n,) twice; by other persons."""
    stop = np.minimum(found.y["weeks"], found.week)
    lost = outcome(~found.y["closed"] & (found.y["weeks"] < found.week), stop)
    fold = fold_of_group(found.group, n_folds, seed=0)
    known, whole = np.ones(len(found)), np.ones(len(found))
    for f in range(n_folds):
        at = np.flatnonzero(fold == f)
        others, here = found.take(np.flatnonzero(fold != f)), found.take(at)
        learner: Any = catalogue.make("hazard", horizons=tuple(np.linspace(0.0, found.week, 1 + PERIODS)[1:]))
        learner.fit(others.X, lost[fold != f], entry=others.entry, groups=others.group)
        matrix = learner.columns_.encode(here.X)
        eta = learner.log_hazards(matrix, here.entry, found.week)
        for until, chance in ((stop[at], known), (np.full(len(at), found.week), whole)):
            chance[at] = np.exp(-cumulative_hazard(eta, learner.periods_.exposure(here.entry, until)))
    return known, whole


def weights_given_features(found: CensoredSet) -> tuple[Floats, float]:
    """Weight of each outcome, (n,), 0 when unknown; and the AUC with which features foretell being lost early."""
    known, whole = chance_followed(found)
    is_known = found.y["closed"] | (found.y["weeks"] >= found.week)
    lost = outcome(~found.y["closed"] & (found.y["weeks"] < found.week), np.minimum(found.y["weeks"], found.week))
    foretold = metrics.auc(lost, whole, found.week, entry=found.entry)
    return np.where(is_known, 1.0 / np.maximum(known, LEAST_FOLLOWED), 0.0), float(foretold)


def judges(found: CensoredSet) -> tuple[dict[str, tuple[npt.NDArray[np.void], Floats]], float]:
    """Outcomes and weights by the name of the judge, and how well being lost early is foretold."""
    given, foretold = weights_given_features(found)
    made = {
        "marginal": (found.y, censoring.weights(found.y, found.week, found.entry)),
        "given the features": (found.y, given),
    }
    if found.judged["closed"].all():
        made["all that happened"] = (found.judged, np.ones(len(found)))
    return made, foretold


def judge_set(found: CensoredSet, names: list[str], folds: int, repeats: int) -> Iterator[dict[str, Any]]:
    """One record per learner, fold and judge."""
    all_judges, foretold = judges(found)
    for repeat, number in judging.numbers_of(folds, repeats):
        fold = judging.fold_of(found, folds, repeat)
        at = np.flatnonzero(fold == number)
        train, test = found.take(np.flatnonzero(fold != number)), found.take(at)
        for name in names:
            learner = judging.make(name, found, None, repeat)
            with warnings.catch_warnings():
                if name in peers.PEERS:  # what their libraries warn of is theirs
                    warnings.simplefilter("ignore")
                learner.fit(train.X, train.y, entry=train.entry, groups=train.group)
                p = learner.survival(test.X, [found.week], test.entry)[:, 0]
            for judge, (y, weights) in all_judges.items():
                how = {"entry": test.entry, "weights": weights[at]}
                yield {
                    "set": found.name, "foretold": foretold, "learner": name, "repeat": repeat, "fold": number,
                    "judge": judge, "brier": metrics.brier(y[at], p, found.week, **how),
                    "auc": metrics.auc(y[at], p, found.week, **how),
                }  # fmt: skip


@click.command()
@click.option("--sets", "set_names", default=",".join(SETS), show_default=True, help="Sets, by comma.")
@click.option("--learners", default=",".join(LEARNERS), show_default=True, help="Learners and peers, by comma.")
@click.option("--repeats", type=click.IntRange(1), default=2, show_default=True, help="Repeats of cross-validation.")
@click.option("--folds", type=click.IntRange(2), default=3, show_default=True, help="Folds of each repeat.")
@click.option("--smoke", is_flag=True, help="A sample of one set and two learners: does it run?")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True, help="Folder of the tables."
)
def main(set_names: str, learners: str, repeats: int, folds: int, smoke: bool, out: Path) -> None:
    """Judge the same scores with marginal weights and with weights given the features."""
    began = time.time()
    chosen, names = ([UNEVEN], list(SMOKE_LEARNERS)) if smoke else (set_names.split(","), learners.split(","))
    if smoke:
        repeats, folds = 1, 2
    records = []
    with threadpool_limits(1):
        for name in chosen:
            found = uneven_injuries(700 if smoke else None) if name == UNEVEN else sets.load(name)
            click.echo(f"{found.name}: {len(found):,} rows", err=True)
            records += list(judge_set(found, names, folds, repeats))
    head: dict[str, Any] = {"command": command("benchmarks.quality_followup"), "machine": describe()}
    head |= {"seconds": round(time.time() - began), "folds": folds, "repeats": repeats}
    text = page(pd.DataFrame(records), head)
    with whole_file(out / "quality_followup.md") as path:
        path.write_text(text, encoding="utf-8")
    with whole_file(out / "quality_followup.json") as path:
        path.write_text(json.dumps({"head": head, "records": records}, indent=1) + "\n", encoding="utf-8")
    click.echo(text)


def page(records: pd.DataFrame, head: dict[str, Any]) -> str:
    """The tables in Markdown."""
    parts = [
        "# Who is followed, and who looks good",
        f"`{head['command']}`: {head['folds']} folds, {head['repeats']} repeats, {head['seconds']} s; {head['machine']}.",
        "The same scores on the same folds, judged with weights from one curve of censoring for all (*marginal*, as in "
        "`quality.md`) and with weights from a hazard of being lost given the features, fitted on other persons. *Foretold* is "
        "the AUC with which that hazard tells who is lost before the horizon: 0.5 when follow-up has nothing to do with the "
        "features. Where it is well above, marginal weights favour learners that weigh cases in the same wrong way or leave the "
        "unknown out. *injury, followed unevenly* are real durations, known in full, with a follow-up cut short for those who "
        "did not go to hospital: there the whole durations say who is right.",
    ]
    for name, own in records.groupby("set", sort=False):
        kinds = list(dict.fromkeys(own["judge"]))
        mean = own.groupby(["learner", "judge"])[["brier", "auc"]].mean()
        order = sorted(dict.fromkeys(own["learner"]), key=lambda n: mean.loc[(n, kinds[-1]), "brier"])
        rows = [
            [title(n), *(f"{mean.loc[(n, k), 'brier']:.4f} / {mean.loc[(n, k), 'auc']:.4f}" for k in kinds)] for n in order
        ]  # fmt: skip
        parts += [
            f"## {name}",
            f"Foretold: {own['foretold'].iloc[0]:.3f}. Brier / AUC by judge.",
            grid(["", *kinds], rows),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
