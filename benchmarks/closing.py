"""Does the chance of closing within four weeks keep its promise? A model of one made-up register, asked about another.

    python -m benchmarks.closing                       # a minute
    python -m benchmarks.closing --smoke --out out/    # seconds; shows that it runs

The model is trained on its own register as ``risk train`` does it: it has seen cases at the ages at which it is asked. The Mondays asked about lie in a register of another seed,
and each open case with a score is followed for four weeks: all of them end before the extract, so nothing is censored.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.machine import command
from benchmarks.quality_page import grid
from models.bundle import Bundle
from risk.files import whole_file
from risk.outlook import CLOSING_WEEKS, take_outlook
from risk.policy import read_policy
from risk.rates import read_rates
from risk.register import Register
from risk.scoring import score
from risk.synthetic import synthesise
from training.fit import fit, prepare
from training.plan import read_plan

RESULTS = Path(__file__).parent / "results"
MONDAYS = tuple(date(2025, 6, 2) + timedelta(weeks=13 * k) for k in range(6))
BINS = 10


def promised(register: Register, model: Bundle) -> pd.DataFrame:
    """One row per case and Monday: ``p`` promised, and whether it ``closed`` within four weeks."""
    closed_on = register.cases.set_index("case_id")["closed_on"]
    parts = []
    for monday in MONDAYS:
        scores = score(register, monday, model)
        ahead = take_outlook(register, monday, scores, model, read_policy(), read_rates()).frame.dropna(
            subset="p_close_4w"
        )
        end = pd.Timestamp(monday + timedelta(weeks=CLOSING_WEEKS))
        closed = (closed_on.loc[ahead["case_id"]] < end).to_numpy()
        parts.append(pd.DataFrame({"p": ahead["p_close_4w"].to_numpy(), "closed": closed}))
    return pd.concat(parts, ignore_index=True)


def trained(learner: str, cases: int) -> Bundle:
    """The learner as the demo's plan trains it on a register of so many cases."""
    register, _ = synthesise(cases, 3)
    plan = read_plan("demo")
    return fit(learner, prepare(register, plan, register.extract_on), plan)


def page(told: dict[str, pd.DataFrame], limit: float, how: str) -> str:
    """The result as Markdown, by learner."""
    parts = [
        "# Closing within four weeks: promised and come",
        f"`{how}`; made-up registers; trained on one as `risk train` does it (plan demo), asked about another on {len(MONDAYS)} "
        "Mondays. The chance is read from the curve of the score; what recalibrates a score is fitted at week 52.",
    ]
    for learner, found in told.items():
        above = found[found["p"] >= limit]
        said = (
            f"{100 * above['p'].mean():.0f} in 100 promised, {100 * above['closed'].mean():.0f} came"
            if len(above) >= 5
            else "too few to say"
        )
        order = np.argsort(found["p"].to_numpy(), kind="stable")
        tenths = [found.iloc[rows] for rows in np.array_split(order, BINS)]
        parts += [
            f"## {learner}",
            f"{len(found):,} open cases: **{100 * found['p'].mean():.1f}** in 100 promised to close, "
            f"**{100 * found['closed'].mean():.1f}** in 100 did. At the policy's limit of {limit:g} or more: {len(above):,} cases, "
            f"{said}. At 0.5 or more: {int((found['p'] >= 0.5).sum()):,} cases.",
            grid(
                ["tenth of the cases", "promised, in 100", "closed, in 100", "cases"],
                [
                    [str(k), f"{100 * t['p'].mean():.1f}", f"{100 * t['closed'].mean():.1f}", f"{len(t):,}"]
                    for k, t in enumerate(tenths, start=1)
                ],
            ),
        ]
    return "\n\n".join(parts) + "\n"


@click.command()
@click.option("--cases", default=8000, show_default=True, help="Cases of each register.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for closing.md.")
@click.option("--smoke", is_flag=True, help="A few hundred cases and one learner.")
def main(cases: int, out: Path, smoke: bool) -> None:
    """Measure and write the page."""
    register, _ = synthesise(600 if smoke else cases, 11, years=4.0)
    told = {
        learner: promised(register, trained(learner, 600 if smoke else cases))
        for learner in (("linear",) if smoke else ("additive", "linear"))
    }
    made = page(told, read_policy().closing.p_at_least, command("benchmarks.closing"))
    with whole_file(out / "closing.md") as path:
        path.write_text(made, "utf-8")
    click.echo(made)


if __name__ == "__main__":
    main()
