"""What a capacity study found, to look at: a page, a plot with its words, and the numbers in JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from risk.capacity.plausible import COPENHAGEN_TIMELINESS
from risk.capacity.start import NEVER_DUE
from risk.files import whole_folder
from risk.scoring import NOT_FOR, PURPOSE
from training import figures
from training.capacity_study import AtNorm, Study
from training.capacity_words import CANNOT, MADE_UP, believable, findings, sections, table, title
from training.figures import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

FILES = (PAGE, PLOT, NUMBERS) = ("capacity.html", "capacity.svg", "capacity.json")


def plot(found: Study) -> Figure:
    """Timeliness week by week, one line per norm with its range."""
    weeks = np.arange(1, found.question.n_weeks + 1)

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        for i, n in enumerate(found.norms):
            told, shade = n.result.by_week, figures.CHOSEN if i == 0 else figures.OTHERS[(i - 1) % len(figures.OTHERS)]
            ax.fill_between(weeks, 100 * told["low"], 100 * told["high"], color=shade, alpha=0.15, lw=0)
            ax.plot(
                weeks, 100 * told["timeliness"], figures.MARKERS[i % 7] + "-", ms=4, lw=1.4, markevery=4, color=shade,
                label=f"{n.result.norm:g} cases a worker",
            )  # fmt: skip
        ax.axhspan(
            *(100 * x for x in COPENHAGEN_TIMELINESS), color="#767676", alpha=0.25, lw=0, label="Copenhagen 2008"
        )
        ax.set_ylim(0, 102)
        ax.set_xlabel(f"week from {found.question.as_of}")
        ax.set_ylabel("held in the week due, in 100")
        drawing.legend(ncols=4, loc="outside upper center")

    words = "Timeliness week by week. " + " ".join(
        f"{n.result.norm:g} cases a worker: {_first_and_last(n)}." for n in found.norms
    )
    caption = "Follow-ups held in the week they fell due. Shaded: 95 of 100 runs. Grey: Copenhagen's 90-95 % in 2008."
    return figures.drawn("capacity", caption, words, draw, (9.0, 3.8))


def _first_and_last(n: AtNorm) -> str:
    told = n.result.by_week["timeliness"]
    told = told[~np.isnan(told)]
    if not len(told):
        return "nothing falls due"
    return (
        f"{100 * told[0]:.0f} % in the first week, {100 * told[-1]:.0f} % in the last, lowest {100 * told.min():.0f} %"
    )


def as_facts(found: Study) -> dict[str, Any]:
    """The same numbers for a machine; what is not known is null."""
    q = found.question
    return _plain(
        {
            "title": title(found),
            "purpose": PURPOSE,
            "not_for": list(NOT_FOR),
            "is_synthetic": found.is_synthetic,
            "as_of": q.as_of.isoformat(),
            "weeks": q.n_weeks,
            "runs": q.n_runs,
            "seed": q.seed,
            "team": q.team,
            "effect": q.effect,
            "hours_per_worker": found.hours,
            "rules": found.rules.name,
            "policy_version": found.policy.version,
            "model_version": found.model_version,
            "n_open": found.n_open,
            "n_teams": len(found.starts),
            "n_past_horizon_now": found.n_past,
            "has_duties": any(bool((s.due_week < NEVER_DUE).any()) for s in found.starts),
            "norms": [asdict(n) for n in found.norms],
            "own_weeks": asdict(found.own),
            "copenhagen": [asdict(a) | {"rules": a.rules.name} for a in found.ninety],
            "passed_by_curves_of_open_cases": found.passed_by_curves,
            "findings": findings(found),
            "plausibility": believable(found),
            "limits": list(CANNOT),
            "assumptions": [asdict(a) for a in found.assumptions],
        }
    )


def _plain(value: Any) -> Any:
    """Arrays as lists and nan as None, so that every reader of JSON reads it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else round(float(value), 6)
    return value


def write_folder(found: Study, folder: Path) -> None:
    """Write page, plot and numbers, whole or not at all.

    Raises
    ------
    OutputError
        When the folder cannot be written; what stood there is untouched.
    """
    from jinja2 import Environment, StrictUndefined

    text = resources.files("training").joinpath("templates", "capacity.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    drawing = plot(found)
    page = environment.from_string(text).render(
        title=title(found),
        made_up=MADE_UP if found.is_synthetic else "",
        heads=[f"{n.result.norm:g} cases a worker" for n in found.norms],
        rows=table(found),
        n_runs=found.question.n_runs,
        figure=drawing,
        sections=sections(found)[:-1],
        assumptions=found.assumptions,
        purpose=PURPOSE,
        not_for=", ".join(NOT_FOR),
    )
    with whole_folder(folder, FILES) as new:
        (new / PAGE).write_text(page, "utf-8")
        (new / PLOT).write_text(drawing.file_text, "utf-8")
        (new / NUMBERS).write_text(json.dumps(as_facts(found), ensure_ascii=False, indent=1) + "\n", "utf-8")
