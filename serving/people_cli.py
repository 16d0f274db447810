"""``risk users`` and ``risk person``: who may sign in, and what is held of one person."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path

import click

from serving.store_cli import DEV, opened

ROLE_NAMES = ("caseworker", "leader", "scientist", "admin")


@click.group("users")
def users_command() -> None:
    """Accounts of the staff's page: add them, show them, shut them, give them a new password.

    A caseworker sees the cases of one team, a leader those of an office. A scientist sees figures and the model, an admin
    the accounts; neither sees a case. A password is asked for, or read from the first line of standard input.
    """


@users_command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLE_NAMES), required=True)
@click.option("--office", default="", help="For a caseworker or a leader.")
@click.option("--team", help="For a caseworker.")
@click.option("--language", type=click.Choice(["da", "en"]), default="da", show_default=True)
@DEV
def add(name: str, role: str, office: str, team: str | None, language: str, dev: bool) -> None:
    """Make an account for NAME."""
    from serving.store.accounts import Account, add_account

    who = Account(name, role, office, team, language)  # type: ignore[arg-type]  # click checked both choices
    password = _password()
    with opened(dev) as store:
        add_account(store, who, password, datetime.now(UTC), _me())
    click.echo(f"{name} may sign in")


@users_command.command("list")
@DEV
def list_(dev: bool) -> None:
    """Show the accounts; never a password."""
    from serving.store.accounts import accounts

    with opened(dev) as store:
        found = accounts(store)
    for one in found:
        who = one.account
        place = " / ".join(part for part in (who.office, who.team) if part)
        state = "active" if one.is_active else f"shut {one.disabled_at[:10]}"
        click.echo(f"{who.name:20} {who.role:10} {state:15} {who.language}  {place}".rstrip())
    if not found:
        click.echo("no accounts; make one with 'risk users add'")


@users_command.command("disable")
@click.argument("name")
@DEV
def disable(name: str, dev: bool) -> None:
    """Shut the account NAME and end its sessions. What it did stays on record."""
    from serving.store.accounts import disable_account

    with opened(dev) as store:
        was_open = disable_account(store, name, datetime.now(UTC), _me())
    click.echo("shut" if was_open else "it was shut before")


@users_command.command("password")
@click.argument("name")
@DEV
def password_(name: str, dev: bool) -> None:
    """Give the account NAME a new password; its sessions end and a lock is taken off."""
    from serving.store.accounts import set_password

    password = _password()
    with opened(dev) as store:
        set_password(store, name, password, datetime.now(UTC), _me())
    click.echo("changed")


@click.group("person")
def person_command() -> None:
    """Everything the store holds under one PSEUDONYM: give it out, or delete it.

    A pseudonym is a person's key as 'risk intake' makes it, or the id of a case. Registers, extracts and list folders are
    files of their own and are not touched: take the person out of them as well, or the next 'risk list' writes them anew.
    """


@person_command.command("export")
@click.argument("pseudonym")
@click.option("--out", type=click.Path(path_type=Path), help="A file to write instead of the screen.")
@DEV
def export(pseudonym: str, out: Path | None, dev: bool) -> None:
    """Everything held under PSEUDONYM as JSON: scores, lists, feedback, and who looked."""
    from risk.errors import OutputError
    from serving.store.persons import export_person

    with opened(dev) as store:
        told = export_person(store, pseudonym, _me(), datetime.now(UTC))
    text = json.dumps(told, ensure_ascii=False, indent=2)
    if out is None:
        click.echo(text)
        return
    try:
        out.write_text(text + "\n", "utf-8")
    except OSError as why:
        raise OutputError(f"cannot write {out} ({why.strerror}); name another file") from None
    click.echo(f"{out}: {len(told['scores'])} scores, {len(told['lists'])} list rows, {len(told['feedback'])} feedback")


@person_command.command("delete")
@click.argument("pseudonym")
@click.option("--reason", default="the person asked", show_default=True, help="Kept on record; name nobody in it.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
@DEV
def delete(pseudonym: str, reason: str, yes: bool, dev: bool) -> None:
    """Delete everything held under PSEUDONYM; that something was deleted stays on record, and whose it was does not."""
    from serving.settings import read_settings
    from serving.start import seals_of
    from serving.store.persons import erase_person

    if not yes:
        click.confirm("This cannot be undone. Delete everything held under this pseudonym?", abort=True)
    settings = read_settings(environment="development" if dev else None)
    with opened(dev) as store:
        gone = erase_person(store, pseudonym, reason, _me(), datetime.now(UTC), lambda: seals_of(settings))
    if not gone.is_anything:
        click.echo("nothing is held under this pseudonym")
        return
    click.echo(
        f"deleted: {gone.n_cases} cases with {gone.n_scores} scores, {gone.n_list_rows} list rows and "
        f"{gone.n_feedback} feedback; taken out of {gone.n_views} rows of the record"
    )


def _password() -> str:
    """Asked for twice at a terminal; from a pipe, the first line."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _me() -> str:
    return f"command:{getuser()}"[:64]
