"""Sessions of the page: 256 random bits in a cookie, kept as a hash, ended by time, by signing out or by an administrator."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from serving.store.accounts import Account, account_of
from serving.store.engine import Store
from serving.store.keys import hash_of
from serving.store.ledger import instant
from serving.store.tables import account, web_session

IDLE_MINUTES, LONGEST_HOURS = 30, 10
# A look is written down at most this often: it would otherwise cost a write for every page.
SEEN_EVERY = timedelta(minutes=1)


def open_session(store: Store, who: Account, now: datetime) -> str:
    """Begin a session after :func:`serving.store.accounts.check_password`; what is returned belongs in the cookie alone."""
    token = secrets.token_urlsafe(32)
    row = {"token_hash": hash_of(token), "name": who.name, "opened_at": instant(now), "seen_at": instant(now)}
    with store.writing() as connection:
        connection.execute(insert(web_session), row)
    return token


def find_session(
    store: Store,
    token: str,
    now: datetime,
    *,
    idle_minutes: float = IDLE_MINUTES,
    longest_hours: float = LONGEST_HOURS,
) -> Account | None:
    """Who the session belongs to; None when there is none, it ended, or the account was shut.

    A session ends when nothing was asked for ``idle_minutes``, and in any case after ``longest_hours``.
    """
    mark = hash_of(token)
    joined = web_session.join(account, web_session.c.name == account.c.name)
    wanted = select(account, web_session.c.opened_at, web_session.c.seen_at).select_from(joined)
    with store.reading() as connection:
        row = connection.execute(wanted.where(web_session.c.token_hash == mark)).mappings().one_or_none()
    if row is None or row["disabled_at"]:
        return None
    is_over = row["opened_at"] <= instant(now - timedelta(hours=longest_hours))
    if is_over or row["seen_at"] <= instant(now - timedelta(minutes=idle_minutes)):
        close_session(store, token)
        return None
    if row["seen_at"] <= instant(now - SEEN_EVERY):
        with store.writing() as connection:
            connection.execute(update(web_session).where(web_session.c.token_hash == mark).values(seen_at=instant(now)))
    return account_of(dict(row))


def close_session(store: Store, token: str) -> None:
    """End a session; one that is not there is ended already."""
    with store.writing() as connection:
        connection.execute(delete(web_session).where(web_session.c.token_hash == hash_of(token)))


def close_sessions_of(store: Store, name: str) -> int:
    """End all sessions of an account; how many there were."""
    with store.writing() as connection:
        return int(connection.execute(delete(web_session).where(web_session.c.name == name)).rowcount)


def forget_sessions(connection: Connection, unseen_since: str, opened_before: str) -> int:
    """Drop sessions that have ended by time; how many there were."""
    over = or_(web_session.c.seen_at < unseen_since, web_session.c.opened_at < opened_before)
    return int(connection.execute(delete(web_session).where(over)).rowcount)
