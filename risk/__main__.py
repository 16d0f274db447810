"""The ``risk`` command: one door to every room. Sub-commands are imported only when they are called."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from risk.errors import RiskError

# name: (where the command lives, what the list of commands says of it)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("risk.demo:command", "Show the whole job on a synthetic register: train, report, two Mondays' lists."),
    "synth": ("risk.synthetic.cli:command", "Make a synthetic register whose true risk is known."),
    "intake": ("risk.intake.cli:command", "Read an office's extracts into a register, with a load report."),
    "train": ("training.cli:train", "Learn from a register: backtest, gates, report, registration."),
    "promote": ("training.cli:promote", "Make a challenger the champion, if it passes the gates."),
    "signing": ("training.signing_cli:command", "Keys that vouch for a model: make a pair, sign, check."),
    "list": ("serving.cli:list_command", "Write Monday's lists: whom to talk to this week, and why."),
    "score": ("serving.api_cli:score_command", "Score every open case of a register into one ranked file."),
    "serve": ("serving.api_cli:serve_command", "Start the scoring service for case systems."),
    "web": ("serving.web.cli:command", "Start the page on which staff read the week's lists and answer."),
    "benchmark": ("training.benchmark:command", "Put the office's own figures beside Slagelse's and its peers'."),
    "capacity": (
        "training.capacity:command",
        "Simulate caseload norms: timeliness, time for risk, cases past week 52.",
    ),
    "keys": ("serving.store_cli:keys_command", "Make, show and end the API keys of systems that ask for scores."),
    "ledger": ("serving.store_cli:ledger_command", "Check the ledger of scores."),
    "store": ("serving.store_cli:store_command", "Check the weekly lists in the store; let go of what is too old."),
    "users": ("serving.people_cli:users_command", "Accounts of the staff's page: add, show, shut, new password."),
    "person": ("serving.people_cli:person_command", "Give out, or delete, everything held under one pseudonym."),
    "dictionary": ("risk.dictionary:command", "Write the data dictionary: every attribute, its marks and purpose."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when called, so that ``risk --help`` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="risk52", prog_name="risk")
@click.option("--debug", is_flag=True, help="Show the traceback of an error instead of one line.")
def risk(debug: bool) -> None:
    """Which sickness-benefit cases are on their way past week 52, why, and whom to talk to this week.

    A first look: 'risk demo'. With a register of your own: 'risk intake', 'risk train', 'risk promote', then every Monday
    'risk list'. Models, runs and lists are kept in the folder RISK_HOME (default: .risk in this folder).
    """


class _Told(BaseException):
    """The process was told to end."""


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: what was half-written, cases among it, is taken away first; then die of the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(signum: int, frame: FrameType | None) -> None:
        raise _Told

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield
    except _Told:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and end the process: 0 when it worked, else the exit status of the error."""
    # Set before anything can import mlflow: nothing of a case may leave the machine, not even a count of events.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    given = list(sys.argv[1:] if args is None else args)
    try:
        with _ending_tidily():
            risk.main(args=given, prog_name="risk", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except RiskError as wrong:
        if "--debug" in given:
            raise
        click.echo(f"risk: {wrong}", err=True)
        sys.exit(wrong.exit_status)
    sys.exit(0)


if __name__ == "__main__":
    main()
