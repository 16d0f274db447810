"""API keys, one per calling system: 256 random bits shown once, kept as a hash, bound to an office, with an end date."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import insert, select, update

from risk.errors import ConfigError
from serving.store.engine import Store
from serving.store.ledger import instant
from serving.store.tables import api_key

SCOPES = ("score:write", "list:read", "feedback:write", "model:read", "admin")
EVERY_OFFICE = "*"
LONGEST_DAYS = 730
_SHAPE = re.compile(r"risk52_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[\w.][\w. -]{0,63}")


@dataclass(frozen=True)
class Key:
    """A key without its secret."""

    prefix: str
    secret_hash: str
    system: str
    office: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str
    revoked_at: str

    def is_usable(self, now: datetime) -> bool:
        return not self.revoked_at and now < self._ends

    @cached_property
    def _ends(self) -> datetime:
        return datetime.fromisoformat(self.expires_at)


def hash_of(secret: str) -> str:
    """A plain hash is enough: nobody guesses 256 random bits, however fast the guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_key(store: Store, system: str, office: str, scopes: Sequence[str], days: int, now: datetime) -> str:
    """Make a key; what is returned is the whole key and is shown never again.

    Raises
    ------
    ConfigError
        A name, a scope or the number of days cannot be used.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ConfigError(f"a key needs scopes out of {', '.join(SCOPES)}")
    if not _NAME.fullmatch(system) or (office != EVERY_OFFICE and not _NAME.fullmatch(office)):
        raise ConfigError("name the system and the office with 1 to 64 letters, digits, blanks and . _ -")
    if not 1 <= days <= LONGEST_DAYS:
        raise ConfigError(f"a key lives from 1 to {LONGEST_DAYS} days")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = {
        "prefix": prefix,
        "secret_hash": hash_of(secret),
        "system": system,
        "office": office,
        "scopes": " ".join(s for s in SCOPES if s in scopes),
        "created_at": instant(now),
        "expires_at": instant(now + timedelta(days=days)),
        "revoked_at": "",
    }
    with store.writing() as connection:
        connection.execute(insert(api_key), row)
    return f"risk52_{prefix}_{secret}"


def list_keys(store: Store) -> list[Key]:
    """All keys ever made, the oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.prefix)).mappings().all()
    return [Key(**{**row, "scopes": tuple(row["scopes"].split())}) for row in map(dict, rows)]


def revoke_key(store: Store, prefix: str, now: datetime) -> bool:
    """End a key; False when it was ended before.

    Raises
    ------
    ConfigError
        There is no such key.
    """
    with store.writing() as connection:
        before = connection.execute(select(api_key.c.revoked_at).where(api_key.c.prefix == prefix)).one_or_none()
        if before is None:
            raise ConfigError("there is no key of that prefix; 'risk keys list' shows them")
        if before.revoked_at:
            return False
        connection.execute(update(api_key).where(api_key.c.prefix == prefix).values(revoked_at=instant(now)))
        return True


class KeyRing:
    """The keys as the service knows them: read again every few seconds, looked up in memory.

    A new or revoked key counts from the next reading on; when the store cannot be read, the keys known last go on.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # By prefix; and by token those that were shown to be right since the last reading, which need not be hashed again.
        self._known: tuple[dict[str, Key], dict[str, Key]] = ({}, {})

    def refresh(self) -> None:
        """Read the keys.

        Raises
        ------
        StoreError
            The keys known before stay.
        """
        self._known = ({key.prefix: key for key in list_keys(self._store)}, {})

    def has_usable(self, now: datetime) -> bool:
        return any(key.is_usable(now) for key in self._known[0].values())

    def find(self, token: str, now: datetime) -> Key | None:
        """The usable key behind a token."""
        keys, shown = self._known  # together: a reading of another thread must not come in between
        key = shown.get(token)
        if key is None:
            key = _right_key(token, keys)
            if key is None:
                return None
            shown[token] = key
        return key if key.is_usable(now) else None


def _right_key(token: str, keys: Mapping[str, Key]) -> Key | None:
    shaped = _SHAPE.fullmatch(token)
    if shaped is None:
        return None
    key = keys.get(shaped[1])
    is_right = hmac.compare_digest(hash_of(shaped[2]), "0" * 64 if key is None else key.secret_hash)
    return key if is_right else None
