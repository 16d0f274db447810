"""Does the chance of closing within four weeks keep its promise? A model of one made-up register, asked about another.

    python -m benchmarks.closing                       # a minute
    python -m benchmarks.closing --smoke --out out/    # seconds; shows that it runs

The learner sees every case of its own register up to the extract. The Mondays asked about lie in a register of another seed,
and each open case with a score is followed for four weeks: all of them end before the extract, so nothing is censored.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import pandas as pd

from benchmarks.machine import command
from benchmarks.serving import SMOKE, Sizes, make_bundle
from models.bundle import Bundle
from risk.files import whole_file
from risk.outlook import CLOSING_WEEKS, take_outlook
from risk.policy import read_policy
from risk.rates import read_rates
from risk.register import Register
from risk.scoring import score
from risk.synthetic import synthesise

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


def page(told: pd.DataFrame, limit: float, how: str) -> str:
    """The result as Markdown."""
    above = told[told["p"] >= limit]
    lines = [
        "# Closing within four weeks: promised and come",
        "",
        f"`{how}`; made-up registers, learner `additive`, not recalibrated",
        "",
        f"{len(told):,} open cases on {len(MONDAYS)} Mondays: **{100 * told['p'].mean():.1f}** in 100 promised to close, "
        f"**{100 * told['closed'].mean():.1f}** in 100 did. At the policy's limit of {limit:g} or more: {len(above):,} cases, "
        + (f"{100 * above['p'].mean():.0f} promised, {100 * above['closed'].mean():.0f} came." if len(above) >= 5 else "too few to say."),
        f"At 0.5 or more: {int((told['p'] >= 0.5).sum()):,} cases.",
        "",
        "| tenth of the cases | promised, in 100 | closed, in 100 | cases |",
        "|---|---|---|---|",
    ]  # fmt: skip
    order = np.argsort(told["p"].to_numpy(), kind="stable")
    for k, rows in enumerate(np.array_split(order, BINS), start=1):
        part = told.iloc[rows]
        lines.append(f"| {k} | {100 * part['p'].mean():.1f} | {100 * part['closed'].mean():.1f} | {len(part):,} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--cases", default=8000, show_default=True, help="Cases of the register that is asked about.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for closing.md.")
@click.option("--smoke", is_flag=True, help="A few hundred cases and a model of ten trees.")
def main(cases: int, out: Path, smoke: bool) -> None:
    """Measure and write the page."""
    register, _ = synthesise(600 if smoke else cases, 11, years=4.0)
    with TemporaryDirectory() as place:
        model = Bundle.open(make_bundle("additive", SMOKE if smoke else Sizes(), Path(place)))
    made = page(promised(register, model), read_policy().closing.p_at_least, command("benchmarks.closing"))
    with whole_file(out / "closing.md") as path:
        path.write_text(made, "utf-8")
    click.echo(made)


if __name__ == "__main__":
    main()
