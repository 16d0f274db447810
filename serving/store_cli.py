"""``risk keys`` and ``risk ledger``: who may ask, and what was answered."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from risk.errors import StoreError

if TYPE_CHECKING:  # SQLAlchemy is imported only when a command runs
    from serving.store.engine import Store

SCOPE_NAMES = ("score:write", "list:read", "feedback:write", "model:read", "admin")
DEV = click.option("--dev", is_flag=True, help="In the store of 'risk serve --dev' instead of that of production.")


@click.group("keys")
def keys_command() -> None:
    """API keys of the systems that may ask: make, show and end them.

    A key is shown once, when it is made; the store keeps a hash of it. To change a key, make a new one, give it to the
    system, and revoke the old one when it is no longer used. The service notices within seconds.
    """


@keys_command.command("create")
@click.argument("system")
@click.option("--office", required=True, help="The office whose cases it asks about; '*' for every office.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPE_NAMES), help="May be repeated."
)
@click.option("--days", type=click.IntRange(1, 730), default=365, show_default=True, help="How long it lives.")
@DEV
def create(system: str, office: str, scopes: tuple[str, ...], days: int, dev: bool) -> None:
    """Make a key for SYSTEM and print it, once."""
    from serving.store.keys import create_key

    with _store(dev) as store:
        click.echo(create_key(store, system, office, scopes, days, datetime.now(UTC)))
    click.echo("Keep it where the system keeps its secrets; it is not shown again.", err=True)


@keys_command.command("list")
@DEV
def list_(dev: bool) -> None:
    """Show the keys: prefix, system, office, scopes and end date; never a secret."""
    from serving.store.keys import list_keys

    with _store(dev) as store:
        keys, now = list_keys(store), datetime.now(UTC)
    for key in keys:
        state = "revoked" if key.revoked_at else "active" if key.is_usable(now) else "expired"
        click.echo(
            f"{key.prefix}  {state:8} until {key.expires_at[:10]}  {key.system} ({key.office}): {' '.join(key.scopes)}"
        )
    if not keys:
        click.echo("no keys; make one with 'risk keys create'")


@keys_command.command("revoke")
@click.argument("prefix")
@DEV
def revoke(prefix: str, dev: bool) -> None:
    """End the key of that PREFIX (see 'risk keys list') at once."""
    from serving.store.keys import revoke_key

    with _store(dev) as store:
        was_new = revoke_key(store, prefix, datetime.now(UTC))
    click.echo("revoked" if was_new else "it was revoked before")


@click.group("ledger")
def ledger_command() -> None:
    """The ledger of scores: check that nothing was changed, and let go of what is too old.

    Every score is written here before it is answered. Each row holds a hash of the row before it, and the end is sealed
    with RISK_LEDGER_KEY, so that a row that is edited, deleted, moved or cut off does not go unnoticed.
    """


@ledger_command.command("verify")
@click.option("--anchor", help="The line of an earlier check, kept elsewhere: the chain must still pass through it.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@DEV
def verify_(anchor: str | None, as_json: bool, dev: bool) -> None:
    """Read every row again and check hashes, order, payloads and the end; exits 13 when something is wrong."""
    from serving.settings import read_settings
    from serving.start import seals_of
    from serving.store.verify import verify

    seals = seals_of(read_settings(environment="development" if dev else None))
    with _store(dev) as store:
        found = verify(store, seals, anchor)
    if as_json:
        click.echo(json.dumps(vars(found) | {"anchor": found.anchor}, indent=2))
    else:
        click.echo(f"{found.n_rows} rows, {found.n_payloads} with payload, {found.n_erased} erased")
        for fault in found.faults:
            click.echo(f"FAULT {fault}")
        click.echo(f"anchor {found.anchor}")
    if found.n_faults:
        raise StoreError(f"the ledger is not as it was written: {found.n_faults} faults; keep a copy and find out why")


@ledger_command.command("retain")
@click.option(
    "--days", type=click.IntRange(min=1), required=True, help="Scores given longer ago lose what is personal."
)
@DEV
def retain(days: int, dev: bool) -> None:
    """Erase what is personal of scores older than so many days; the chain stays whole and says so."""
    from serving.settings import read_settings
    from serving.start import seals_of
    from serving.store.persons import erase_older

    seals = seals_of(read_settings(environment="development" if dev else None))
    with _store(dev) as store:
        n = erase_older(store, seals, datetime.now(UTC) - timedelta(days=days), "risk ledger retain")
    click.echo(f"{n} scores erased")


def _store(dev: bool) -> closing[Store]:
    from serving.settings import read_settings
    from serving.start import store_url
    from serving.store.engine import open_store

    return closing(open_store(store_url(read_settings(environment="development" if dev else None))))
