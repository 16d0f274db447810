"""How long each table keeps what: settings in days, one run that lets go of the rest, or only says how much it would be.

The heads of lists with their figures, the chain of the ledger, accounts and the record of deletions hold nothing of a person
and stay; without them it could not be shown later that nothing was changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete

from serving.settings import Settings
from serving.store.accounts import forget_failures
from serving.store.audit import VIEW, note
from serving.store.engine import Store
from serving.store.erasing import Secret, erase_lists_before, erase_scores_before, scrub
from serving.store.ledger import REPEAT_HOURS, instant
from serving.store.sessions import forget_sessions
from serving.store.tables import audit, feedback, idempotency

EXPIRED = "expired"
# Acts of the record that go with time; what was deleted, exported or changed stays on record.
PASSING = (VIEW, "signed-in")


@dataclass(frozen=True)
class Retention:
    """Days after which something goes. The defaults are settings of ours, checked against no law; the office decides.

    Attributes
    ----------
    scores : what is personal of a score in the ledger. Five years: as long as a case with its appeals may be looked into
    lists : the cases of weekly lists. Two years: this year can be compared with the last one, and a case that runs long
        keeps its earlier scores
    feedback : what staff said. As long as the lists it speaks of
    views : who looked at which case, and who signed in. One year: long enough to follow up a complaint
    failures : counts of failed tries to sign in; a lock lasts far shorter
    """

    scores: int = 1825
    lists: int = 730
    feedback: int = 730
    views: int = 365
    failures: int = 1
    session_idle_minutes: float = 30.0
    session_hours: float = 10.0


def retention_of(settings: Settings) -> Retention:
    """The office's own days."""
    return Retention(
        scores=settings.keep_scores_days,
        lists=settings.keep_lists_days,
        feedback=settings.keep_feedback_days,
        views=settings.keep_views_days,
        session_idle_minutes=settings.session_idle_minutes,
        session_hours=settings.session_hours,
    )


class _NotReally(Exception):
    """Ends a transaction that was only to be counted."""


def expire(
    store: Store, keep: Retention, now: datetime, by: str, seals: Secret, *, dry_run: bool = False
) -> dict[str, int]:
    """Let go of what is older than it may be, all of it or nothing.

    Parameters
    ----------
    dry_run : count only; the same work is done and taken back

    Returns
    -------
    dict : how many scores, list rows, entries, sessions ... went (or would), by table

    Raises
    ------
    StoreError
        Nothing went.
    """
    counts: dict[str, int] = {}
    try:
        with store.writing() as connection:
            counts = _expire(connection, keep, now, by, seals)
            if dry_run:
                raise _NotReally
            if any(counts.values()):
                note(connection, now, by, EXPIRED, detail=counts)
    except _NotReally:
        return counts
    scrub(store)
    return counts


def _expire(connection: Connection, keep: Retention, now: datetime, by: str, seals: Secret) -> dict[str, int]:
    def before(days: float) -> datetime:
        return now - timedelta(days=days)

    old_views = and_(audit.c.act.in_(PASSING), audit.c.at < instant(before(keep.views)))
    old_repeats = idempotency.c.at < instant(now - timedelta(hours=REPEAT_HOURS))
    return {
        "idempotency": connection.execute(delete(idempotency).where(old_repeats)).rowcount,
        "ledger_payload": erase_scores_before(connection, seals, before(keep.scores), by, now),
        "worklist_case": erase_lists_before(connection, before(keep.lists), by, now),
        "feedback": connection.execute(delete(feedback).where(feedback.c.at < instant(before(keep.feedback)))).rowcount,
        "audit": connection.execute(delete(audit).where(old_views)).rowcount,
        "web_session": forget_sessions(
            connection,
            unseen_since=instant(now - timedelta(minutes=keep.session_idle_minutes)),
            opened_before=instant(now - timedelta(hours=keep.session_hours)),
        ),
        "sign_in_failure": forget_failures(connection, instant(before(keep.failures))),
    }
