"""Monday for a whole office: what the lists of a week take beyond scoring, file by file, and how much memory.

    python -m benchmarks.lists                       # 50,000 open cases in 40 teams; some minutes, most of them to make the cases
    python -m benchmarks.lists --smoke --out out/    # seconds; shows that it runs

Scoring, the curves ahead, duties, order and reasons are timed apart from writing. The limit is on all that comes after
scoring: at most 60 seconds and 2 GB on two cores. Seconds are elapsed and of the processor; on a busy machine only the
second say something. The staff's list page is asked of the same lists. Memory is the peak of the process over what it held once the cases were scored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click
import numpy as np
import pandas as pd

from benchmarks.list_page import keep, visit
from benchmarks.machine import command, describe
from benchmarks.memory import peak, resident, start_anew
from benchmarks.serving import SMOKE as SMALL_MODEL
from benchmarks.serving import Sizes, make_bundle
from models.bundle import Bundle
from risk.duties import take_duties
from risk.files import whole_file
from risk.outlook import take_outlook
from risk.policy import Order, Policy, read_policy
from risk.priority import prioritise
from risk.rates import read_rates
from risk.reasons import explain
from risk.register import Register, make_register, read_register, write_register
from risk.scoring import score
from risk.synthetic import synthesise
from serving.files.page import pages
from serving.files.semicolon import csv_bytes, csv_lines
from serving.files.workbook import write_workbook
from serving.language import Speaker
from serving.weekly import write_lists
from serving.worklist import N_REASONS, Lists, content, content_hash, headings, rows_in_words, write_content

T = TypeVar("T")
RESULTS = Path(__file__).parent / "results"
AS_OF = date(2026, 11, 16)
COPIES = 10
OPEN_SHARE = 0.28  # of the synthetic cases of a year and a half, about so many are open at its end
LIMIT_SECONDS, LIMIT_BYTES, LIMIT_PAGE_MS = 60.0, 2e9, 100.0
SCORING = "scoring"


@dataclass(frozen=True)
class Step:
    """What one step took; ``is_after`` when it counts against the limit."""

    what: str
    seconds: float
    cpu_seconds: float
    is_after: bool


class Watch:
    """Times steps by name."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(self, what: str, made: Callable[[], T], *, is_after: bool = True) -> T:
        wall, cpu = time.perf_counter(), time.process_time()
        out = made()
        self.steps.append(Step(what, time.perf_counter() - wall, time.process_time() - cpu, is_after))
        return out


def office(n_open: int, n_teams: int, cache: Path | None) -> Register:
    """A made-up register with so many cases open on the as-of date, in teams of nearly equal size.

    Every made-up case stands there ``COPIES`` times under numbers of its own: to make ten times as many would take longer
    than all that is measured, and a copy costs a list what its original does.
    """
    if cache is not None and cache.exists():
        return read_register(cache)
    made, _ = synthesise(round(n_open / COPIES / OPEN_SHARE * 1.1) + 40, 7, years=1.5)
    cases = pd.concat([_numbered(made.cases, k) for k in range(COPIES)], ignore_index=True)
    facts = pd.concat([_numbered(made.facts, k) for k in range(COPIES)], ignore_index=True)
    is_open = cases["closed_on"].isna().to_numpy()
    cases = cases[~is_open | (np.cumsum(is_open) <= n_open)].reset_index(drop=True)
    facts = facts[facts["case_id"].isin(cases["case_id"])]
    number = np.arange(len(cases)) % n_teams
    cases = cases.assign(team=[f"Team {i + 1:02d}" for i in number], office=[("Nord", "Syd")[i % 2] for i in number])
    register = make_register(cases, facts, made.extract_on, source="made up", is_synthetic=True)
    if cache is not None:
        write_register(register, cache)
    return register


def _numbered(frame: pd.DataFrame, copy: int) -> pd.DataFrame:
    """The copy of some cases or facts: their ids and persons carry its number."""
    ids = [c for c in ("case_id", "person_key") if c in frame.columns]
    return frame.assign(**{c: frame[c].astype(str) + f"{copy:02d}" for c in ids})


def lists_of(register: Register, model: Bundle, policy: Policy, watch: Watch) -> Lists:
    """The same straight line as :func:`serving.weekly.make_lists`, step by step."""
    scores = watch(SCORING, lambda: score(register, AS_OF, model), is_after=False)
    start_anew()
    outlook = watch("curves ahead", lambda: take_outlook(register, AS_OF, scores, model, policy, read_rates()))
    duties = watch("duties and milestones", lambda: take_duties(register, AS_OF, policy))
    work = watch("order", lambda: prioritise(scores, duties, policy, outlook=outlook))
    listed = work.rows.loc[work.rows["status"] == "scored", "case_id"].tolist()
    reasons = watch("reasons", lambda: explain(register, AS_OF, model, listed, N_REASONS))
    return Lists(work, scores, duties, reasons, register)


def by_format(lists: Lists, folder: Path, watch: Watch) -> None:
    """Each file by itself; together they are what :func:`serving.weekly.write_lists` does, which is timed whole."""
    speaker = Speaker("da")
    words = watch("... texts of the rows", lambda: rows_in_words(lists, speaker), is_after=False)
    heads = headings(speaker, lists.worklist.horizon_weeks)

    def as_json() -> None:
        made = content(lists, speaker)
        write_content(made, 1, content_hash(made), folder / "worklist.json")

    def as_pages() -> None:
        whole, alone = pages(lists, 1, speaker)
        for name, text in {"worklist": whole, **alone}.items():
            (folder / f"{name}.html").write_text(text, "utf-8")

    def as_csv() -> None:
        (folder / "worklist.csv").write_bytes(csv_bytes(csv_lines(words, heads)))

    def as_workbook() -> None:
        write_workbook(lists, words, 1, folder / "worklist.xlsx", speaker)

    for what, made in (("JSON", as_json), ("CSV", as_csv), ("HTML", as_pages), ("XLSX", as_workbook)):
        watch(f"... {what}", made, is_after=False)


def measure(n_open: int, n_teams: int, by: str, sizes: Sizes, cache: Path | None) -> dict[str, Any]:
    """Make the lists of a week and say what each step took."""
    register, watch = office(n_open, n_teams, cache), Watch()
    shipped = read_policy()
    policy = shipped.model_copy(update={"order": Order.model_validate(shipped.order.model_dump() | {"by": by})})
    with TemporaryDirectory() as place:
        model = Bundle.open(make_bundle("additive", sizes, Path(place)))
        score(register, AS_OF, model)  # libraries and the register's own columns, made once
        lists = lists_of(register, model, policy, watch)
        before = resident()
        watch("writing", lambda: write_lists(lists, Path(place) / "lists", Speaker("da")))
        grown = peak()
        n_bytes = sum(f.stat().st_size for f in (Path(place) / "lists").rglob("*") if f.is_file())
        by_format(lists, Path(place), watch)
        store = Path(place) / "store.db"
        watch("keeping them in the store", lambda: keep(lists, model, store), is_after=False)
        visits = visit(lists, store)
    teams = lists.worklist.teams
    after = [s for s in watch.steps if s.is_after]
    return {
        "order_by": by,
        "n_cases": len(register),
        "n_open": int(teams["n_open"].sum()),
        "n_teams": len(teams),
        "n_listed": len(lists.worklist.rows),
        "megabytes_written": n_bytes / 1e6,
        "steps": [asdict(s) for s in watch.steps],
        "page": [asdict(v) for v in visits],
        "seconds_after_scoring": sum(s.seconds for s in after),
        "cpu_seconds_after_scoring": sum(s.cpu_seconds for s in after),
        "resident_before_writing": before,
        "peak_bytes": grown,
    }


def page(told: list[dict[str, Any]], machine: str, how: str) -> str:
    """The result as Markdown."""
    lines = ["# Lists of a week", "", f"`{how}`; {machine}", ""]
    for t in told:
        lines += [
            f"## {t['n_open']:,} open cases in {t['n_teams']} teams, ordered by {t['order_by']}",
            "",
            f"{t['n_listed']:,} cases listed ({t['n_cases']:,} in the register); {t['megabytes_written']:.0f} MB of files. After "
            f"scoring: **{t['cpu_seconds_after_scoring']:.1f} s** of processor on one core, {t['seconds_after_scoring']:.1f} s "
            f"elapsed beside whatever else ran (limit {LIMIT_SECONDS:.0f} s); peak of the process **{t['peak_bytes'] / 1e9:.2f} GB** (limit "
            f"{LIMIT_BYTES / 1e9:.0f} GB), register and model included.",
            "",
            "| step | s elapsed | s of processor |",
            "|---|---|---|",
            *(f"| {s['what']} | {s['seconds']:.1f} | {s['cpu_seconds']:.1f} |" for s in t["steps"]),
            "",
            f"| list page of a team with {t['n_open'] / t['n_teams']:,.0f} open cases | visits | median ms | ms of processor | kB |",
            "|---|---|---|---|---|",
            *(
                f"| {v['what']} | {v['n']} | {v['ms']:.0f} | {v['cpu_ms']:.0f} | {v['kilobytes']:.0f} |"
                for v in t["page"]
            ),
            "",
        ]
    lines.append(
        "Rows that begin with dots are parts of writing, done again one by one; scoring and the store are not counted. The "
        f"page is the whole application in one process without a network; its limit is a median of {LIMIT_PAGE_MS:.0f} ms."
    )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--open", "n_open", default=50_000, show_default=True, help="Open cases.")
@click.option("--teams", "n_teams", default=40, show_default=True)
@click.option("--by", "orders", multiple=True, default=("risk", "avoidable_cost"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), help="Keep the made-up register here for the next run.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Folder for lists.md and lists.json.")
@click.option("--smoke", is_flag=True, help="A few hundred cases and a model of ten trees.")
def main(n_open: int, n_teams: int, orders: tuple[str, ...], cache: Path | None, out: Path, smoke: bool) -> None:
    """Measure and write the page."""
    sizes = SMALL_MODEL if smoke else Sizes()
    n_open, n_teams = (150, 4) if smoke else (n_open, n_teams)
    told = [measure(n_open, n_teams, by, sizes, cache) for by in orders]
    machine, how = describe(), command("benchmarks.lists")
    with whole_file(out / "lists.json") as made:
        made.write_text(json.dumps({"machine": machine, "command": how, "runs": told}, indent=1) + "\n", "utf-8")
    with whole_file(out / "lists.md") as made:
        made.write_text(page(told, machine, how), "utf-8")
    click.echo(page(told, machine, how))


if __name__ == "__main__":
    main()
