"""``risk signing``: the keys that vouch for a model, and what is signed with them."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("signing")
def command() -> None:
    """Keys that vouch for a model: make a pair, sign a bundle, see who signed one.

    'risk promote' signs with RISK_SIGNING_KEY when it is set. Wherever RISK_SIGNING_PUBLIC_KEYS names public keys, a
    model that none of them signed is refused before anything reads it. To change keys, make a new pair, name both
    public keys where models are opened, sign the champion again with the new key, then leave the old one out.
    """


@command.command("new")
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make a pair: the secret key goes into FILE, for its owner alone to read; the public key is printed."""
    from models.signing import SigningKey, write_secret

    key = SigningKey.make()
    write_secret(key, file)
    click.echo(key.public.text)
    click.echo(
        f"Where models are promoted: RISK_SIGNING_KEY={file}\nWhere they are opened: RISK_SIGNING_PUBLIC_KEYS, with the "
        "line above",
        err=True,
    )


@command.command("sign")
@click.argument("model", default="champion")
def sign(model: str) -> None:
    """Sign MODEL (a version, an alias or the folder of a bundle) with RISK_SIGNING_KEY, beside the signatures it has."""
    from models import registry
    from models.approval import approve_version, sign_folder
    from models.bundle import Bundle
    from models.signing import SECRET_KEY, signing_key
    from risk.errors import ConfigError

    key = signing_key()
    if key is None:
        raise ConfigError(f"{SECRET_KEY} is not set; make a pair with 'risk signing new FILE' and name the file")
    if Path(model).is_dir():
        version = Bundle.open(Path(model), trusted=()).version
        sign_folder(Path(model), key)
    else:
        found = registry.find_version(model)
        approve_version(found)
        version = found.tags.get("bundle_version", "")
    click.echo(f"bundle {version} signed with key {key.public.name}")


@command.command("check")
@click.argument("model", default="champion")
def check(model: str) -> None:
    """Open MODEL as the service would, and say which key of RISK_SIGNING_PUBLIC_KEYS signed it."""
    from models import registry
    from models.signing import PUBLIC_KEYS, trusted_keys
    from risk.errors import ConfigError

    if not trusted_keys():
        raise ConfigError(f"{PUBLIC_KEYS} names no key, so there is nothing to check against")
    bundle = registry.champion_bundle(model)
    click.echo(f"bundle {bundle.version} is signed with key {bundle.signed_by}")
