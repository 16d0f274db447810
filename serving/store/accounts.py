"""Who may sign in to the page: a name, a role, and the office or team it is bound to. Passwords are kept as scrypt hashes.

A caseworker belongs to one team of an office, a leader to an office with all its teams. A data scientist sees aggregates and
model information and no case; an administrator manages accounts and sees no case.

A name nobody has is treated in all as one that exists: the same work is done, failures are counted and locked alike, so
that neither time nor wording tells who has an account.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast, get_args

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from risk.errors import ConfigError
from serving.store.audit import note
from serving.store.engine import Store
from serving.store.ledger import instant
from serving.store.tables import account, sign_in_failure, web_session

Role = Literal["caseworker", "leader", "scientist", "admin"]
Language = Literal["da", "en"]
ROLES: tuple[Role, ...] = get_args(Role)
SEES_CASES: tuple[Role, ...] = ("caseworker", "leader")
LEAST_PASSWORD, LONGEST_PASSWORD = 12, 1024
# RFC 7914; 32 MB and about a tenth of a second per try (OWASP Password Storage Cheat Sheet: N=2^15 with r=8 and p=3, or
# 2^17 with p=1). p=3 keeps the memory of several sign-ins at once small.
N, R, P = 2**15, 8, 3
# From the fifth failure in a row on a name is locked: a minute first, then twice as long each time.
FREE_FAILURES = 4
FIRST_LOCK, LONGEST_LOCK = timedelta(minutes=1), timedelta(minutes=30)
_NAME = re.compile(r"[\w][\w.@-]{0,63}")
_PLACE = re.compile(r"\S(.{0,253}\S)?")


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in; ``office`` is empty for roles that see no case, ``team`` is set for a caseworker only."""

    name: str
    role: Role
    office: str
    team: str | None
    language: Language

    def may_read(self, office: str, team: str) -> bool:
        """Whether this person may see the cases of a team."""
        if self.role not in SEES_CASES or self.office != office:
            return False
        return self.role == "leader" or self.team == team


@dataclass(frozen=True)
class Listed:
    """An account as the administrator sees it."""

    account: Account
    created_at: str
    disabled_at: str

    @property
    def is_active(self) -> bool:
        return not self.disabled_at


def add_account(store: Store, who: Account, password: str, now: datetime, by: str) -> None:
    """Make an account.

    Parameters
    ----------
    by : who makes it, for the record

    Raises
    ------
    ConfigError
        The name is taken or cannot be used, the role lacks its office or team, or the password is too short.
    """
    _check(who)
    row = {
        "name": who.name,
        "role": who.role,
        "office": who.office,
        "team": who.team or "",
        "language": who.language,
        "password": hashed(password),
        "created_at": instant(now),
        "disabled_at": "",
    }
    with store.writing() as connection:
        if connection.execute(select(account.c.name).where(account.c.name == who.name)).one_or_none() is not None:
            raise ConfigError("there is an account of that name; 'risk users list' shows them")
        connection.execute(insert(account), row)
        note(connection, now, by, "account-added", detail={"name": who.name, "role": who.role})


def set_password(store: Store, name: str, password: str, now: datetime, by: str) -> None:
    """Give an account a new password; its open sessions end, and a lock is taken off.

    Raises
    ------
    ConfigError
        There is no such account, or the password is too short.
    """
    kept = hashed(password)
    with store.writing() as connection:
        _must_exist(connection, name)
        connection.execute(update(account).where(account.c.name == name).values(password=kept))
        connection.execute(delete(web_session).where(web_session.c.name == name))
        connection.execute(delete(sign_in_failure).where(sign_in_failure.c.name_hash == _name_hash(name)))
        note(connection, now, by, "password-set", detail={"name": name})


def disable_account(store: Store, name: str, now: datetime, by: str) -> bool:
    """Shut an account and end its sessions; False when it was shut before. It stays, because what it did stays.

    Raises
    ------
    ConfigError
        There is no such account.
    """
    with store.writing() as connection:
        if _must_exist(connection, name):
            return False
        connection.execute(update(account).where(account.c.name == name).values(disabled_at=instant(now)))
        connection.execute(delete(web_session).where(web_session.c.name == name))
        note(connection, now, by, "account-disabled", detail={"name": name})
        return True


def set_language(store: Store, name: str, language: Language) -> None:
    """Remember the language somebody chose."""
    with store.writing() as connection:
        connection.execute(update(account).where(account.c.name == name).values(language=language))


def accounts(store: Store) -> list[Listed]:
    """All accounts, by name; the shut ones too."""
    with store.reading() as connection:
        rows = connection.execute(select(account).order_by(account.c.name)).mappings().all()
    return [Listed(account_of(row), row["created_at"], row["disabled_at"]) for row in map(dict, rows)]


def check_password(store: Store, name: str, password: str, now: datetime) -> Account | None:
    """The account behind a name and its password; None when they do not fit, or the name is locked or shut.

    The answer does not say which: the caller tells everybody the same. Whether the name exists or not, one scrypt is
    reckoned and one row is written.

    Raises
    ------
    StoreError
        The try could not be recorded; nobody is let in then.
    """
    mark, at = _name_hash(name), instant(now)
    asked = name if _NAME.fullmatch(name) else ""  # what can be nobody's name may hold signs a database refuses
    with store.reading() as connection:
        found = connection.execute(select(account).where(account.c.name == asked)).mappings().one_or_none()
        failed = connection.execute(select(sign_in_failure).where(sign_in_failure.c.name_hash == mark)).one_or_none()
    is_right = _fits(password, found["password"] if found is not None else _NOBODY)
    is_locked = failed is not None and at < failed.locked_until
    is_in = found is not None and is_right and not found["disabled_at"] and not is_locked
    with store.writing() as connection:
        if is_in:
            connection.execute(delete(sign_in_failure).where(sign_in_failure.c.name_hash == mark))
            note(connection, now, name, "signed-in")
        elif not is_locked:
            _count_failure(connection, mark, now)
    return account_of(dict(found)) if is_in and found is not None else None


def _count_failure(connection: Connection, mark: str, now: datetime) -> None:
    """One failure more; who fails again and again waits longer each time."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    fresh = {"name_hash": mark, "n": 1, "at": instant(now), "locked_until": instant(now)}
    counted = dialect.insert(sign_in_failure).values(fresh)
    again = counted.on_conflict_do_update(
        index_elements=["name_hash"], set_={"n": sign_in_failure.c.n + 1, "at": instant(now)}
    )
    n = connection.execute(again.returning(sign_in_failure.c.n)).scalar_one()
    if n > FREE_FAILURES:
        until = now + min(FIRST_LOCK * 2 ** min(n - FREE_FAILURES - 1, 16), LONGEST_LOCK)
        place = sign_in_failure.c.name_hash == mark
        connection.execute(update(sign_in_failure).where(place).values(locked_until=instant(until)))


def forget_failures(connection: Connection, before: str) -> int:
    """Drop counts of failed tries last added to before an instant; how many names it was."""
    return int(connection.execute(delete(sign_in_failure).where(sign_in_failure.c.at < before)).rowcount)


def hashed(password: str) -> str:
    """A salted scrypt hash with its cost.

    Raises
    ------
    ConfigError
        The password is shorter than ``LEAST_PASSWORD`` characters or absurdly long.
    """
    if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ConfigError(f"a password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters; take a sentence")
    salt = secrets.token_bytes(16)
    return f"scrypt${N}${R}${P}${salt.hex()}${_scrypt(password, salt, N, R, P).hex()}"


# A hash no password was made for, as costly to compare with as any.
_NOBODY = f"scrypt${N}${R}${P}${'00' * 16}${'00' * 32}"


def _fits(password: str, kept: str) -> bool:
    _, n, r, p, salt, expected = kept.split("$")
    made = _scrypt(password[: LONGEST_PASSWORD + 1], bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(made, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32
    )


def _name_hash(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def _check(who: Account) -> None:
    if not _NAME.fullmatch(who.name):
        raise ConfigError("name an account with 1 to 64 letters, digits and . _ - @, beginning with a letter or digit")
    if who.role not in ROLES or who.language not in get_args(Language):
        raise ConfigError(f"an account has a role out of {', '.join(ROLES)} and speaks da or en")
    needs_office, needs_team = who.role in SEES_CASES, who.role == "caseworker"
    if bool(who.office) != needs_office or bool(who.team) != needs_team:
        raise ConfigError(
            "a caseworker needs an office and a team, a leader an office and no team, a scientist and an admin neither"
        )
    if any(place and not _PLACE.fullmatch(place) for place in (who.office, who.team)):
        raise ConfigError("an office and a team have names of 1 to 255 characters, without blanks at the ends")


def _must_exist(connection: Connection, name: str) -> bool:
    """Whether the account was shut before."""
    found = connection.execute(select(account.c.disabled_at).where(account.c.name == name)).scalar_one_or_none()
    if found is None:
        raise ConfigError("there is no account of that name; 'risk users list' shows them")
    return bool(found)


def account_of(row: dict[str, str]) -> Account:
    return Account(
        row["name"], cast(Role, row["role"]), row["office"], row["team"] or None, cast(Language, row["language"])
    )
