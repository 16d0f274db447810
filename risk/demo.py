"""``risk demo``: the whole job on made-up cases, through the same commands a user would call."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import click

EXTRACT_ON = date(2026, 11, 16)
LAST_MONDAY = EXTRACT_ON - timedelta(days=7)


@click.command("demo")
@click.option("--cases", type=click.IntRange(500, 999_999), default=30_000, show_default=True, help="How many cases.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed gives the same demo.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="demo", show_default=True, help="Folder for everything."
)
@click.pass_context
def command(ctx: click.Context, cases: int, seed: int, out: Path) -> None:
    """Show the whole job on a synthetic register: extract, intake, training, report and two Mondays' lists.

    Nothing in it is a real person. Everything lands in one folder, the model registry included.
    """
    out = out.resolve()
    began = time.monotonic()
    # A key anyone may know, for persons nobody is: with a drawn one the same seed would not give the same folds and lists.
    with _environment(RISK_HOME=str(out / "home"), RISK_CPR_KEY=f"no secret: persons of demo {seed:06d}"):
        _run(ctx, "1 An office's extract", "synth", "--cases", cases, "--seed", seed, "--format", "danish",
             "--extract-on", EXTRACT_ON, "--out", out / "extract")  # fmt: skip
        _run(ctx, "2 Into a register", "intake", "danish_kmd", out / "extract/sager.csv", out / "extract/oplysninger.csv",
             "--extract-on", EXTRACT_ON, "--out", out / "register")  # fmt: skip
        _run(ctx, "3 Learn, as of last Monday", "train", out / "register", "--as-of", LAST_MONDAY, "--plan", "demo",
             "--report-dir", out / "report")  # fmt: skip
        # By its first name: a small demo's model may not be proven enough to become champion by itself.
        model = ("--model", "models:/risk52@challenger", "--out", out / "lists", "--dev")
        _run(ctx, "4 Last Monday's lists", "list", out / "register", "--as-of", LAST_MONDAY, *model)
        _run(ctx, "5 This Monday's lists", "list", out / "register", "--as-of", EXTRACT_ON, *model)
    risk = f"RISK_HOME={_short(out / 'home')} {_called('risk')}"
    click.secho(f"\nDone in {time.monotonic() - began:.0f} s; no case in it is real.", bold=True)
    click.echo(
        f"  the list      {_short(out / 'lists' / '2026-W47' / 'worklist.html')} (and .xlsx, .csv beside it)\n"
        f"  the report    {_short(out / 'report' / 'report.html')}\n"
        f"  the page      {risk} users add me --role leader --office Nord --dev, then {risk} web --dev\n"
        f"  the service   {risk} serve --dev\n"
        f"  the runs      {_called('mlflow')} ui --backend-store-uri sqlite:///{_short(out / 'home' / 'mlflow.db')}"
    )


def _run(ctx: click.Context, title: str, name: str, *args: object) -> None:
    """One sub-command as from a shell, under its own heading."""
    began = time.monotonic()
    click.secho(f"\n{title}", bold=True)
    click.secho(f"$ risk {name} {' '.join(_short(a) if isinstance(a, Path) else str(a) for a in args)}", dim=True)
    assert ctx.parent is not None
    assert isinstance(ctx.parent.command, click.Group)
    sub = ctx.parent.command.get_command(ctx.parent, name)
    assert sub is not None
    sub.main([str(a) for a in args], prog_name=f"risk {name}", standalone_mode=False)
    click.secho(f"  ({time.monotonic() - began:.0f} s)", dim=True)


def _called(name: str) -> str:
    """A command of this environment as a person in this folder would type it: by its path unless its name is enough."""
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    return name if found is not None and Path(found) == own else _short(own)


def _short(path: Path) -> str:
    """The path as a person in this folder would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@contextmanager
def _environment(**settings: str) -> Iterator[None]:
    """Settings for the time of the demo; what stood there before comes back."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
