"""``risk keys``, ``risk ledger`` and ``risk store``: who may ask, what was answered, and how long it is kept."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
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

    with opened(dev) as store:
        click.echo(create_key(store, system, office, scopes, days, datetime.now(UTC)))
    click.echo("Keep it where the system keeps its secrets; it is not shown again.", err=True)


@keys_command.command("list")
@DEV
def list_(dev: bool) -> None:
    """Show the keys: prefix, system, office, scopes and end date; never a secret."""
    from serving.store.keys import list_keys

    with opened(dev) as store:
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

    with opened(dev) as store:
        was_new = revoke_key(store, prefix, datetime.now(UTC))
    click.echo("revoked" if was_new else "it was revoked before")


@click.group("ledger")
def ledger_command() -> None:
    """The ledger of scores: check that nothing was changed.

    Every score is written here before it is answered. Each row holds a hash of the row before it, and the end is sealed
    with RISK_LEDGER_KEY, so that a row that is edited, deleted, moved or cut off does not go unnoticed. 'risk store expire'
    lets go of what is too old.
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
    with opened(dev) as store:
        found = verify(store, seals, anchor)
    if as_json:
        click.echo(json.dumps(vars(found) | {"anchor": found.anchor}, indent=2))
    else:
        click.echo(f"{found.n_rows} rows; scores: {found.n_payloads} kept, {found.n_erased} erased")
        for fault in found.faults:
            click.echo(f"FAULT {fault}")
        click.echo(f"anchor {found.anchor}")
    if found.n_faults:
        raise StoreError(f"the ledger is not as it was written: {found.n_faults} faults; keep a copy and find out why")


@click.group("store")
def store_command() -> None:
    """The store: check that no list was changed, and let go of what is older than it may be."""


@store_command.command("verify")
@click.option("--anchor", help="The line of an earlier check, kept elsewhere: the lists must still pass through it.")
@DEV
def verify_lists_(anchor: str | None, dev: bool) -> None:
    """Read every weekly list again and check its hashes; exits 13 when something is wrong. Scores: 'risk ledger verify'."""
    from serving.store.verify_lists import verify_lists

    with opened(dev) as store:
        found = verify_lists(store, anchor)
    click.echo(f"{found.n_rows} lists, {found.n_payloads} rows, {found.n_erased} erased")
    for fault in found.faults:
        click.echo(f"FAULT {fault}")
    click.echo(f"anchor {found.anchor}")
    if found.n_faults:
        raise StoreError(f"the lists are not as they were saved: {found.n_faults} faults; keep a copy and find out why")


@store_command.command("expire")
@click.option("--dry-run", is_flag=True, help="Only say how much would go.")
@DEV
def expire_(dry_run: bool, dev: bool) -> None:
    """Let go of what is older than RISK_KEEP_SCORES_DAYS, RISK_KEEP_LISTS_DAYS, ... say; chains and hashes stay whole.

    Run it every night. What went, and how much of it, is on record; 'risk ledger verify' and 'risk store verify' know.
    """
    from serving.settings import read_settings
    from serving.start import seals_of
    from serving.store.retention import expire, retention_of

    settings = read_settings(environment="development" if dev else None)
    with opened(dev) as store:
        counts = expire(
            store, retention_of(settings), datetime.now(UTC), "risk store expire", lambda: seals_of(settings),
            dry_run=dry_run,
        )  # fmt: skip
    for table, n in counts.items():
        click.echo(f"{table}: {n} {'would go' if dry_run else 'gone'}")


def opened(dev: bool) -> closing[Store]:
    from serving.settings import read_settings
    from serving.start import store_url
    from serving.store.engine import open_store

    return closing(open_store(store_url(read_settings(environment="development" if dev else None))))
