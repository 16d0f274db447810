"""The week's lists in the store: saved whole in one transaction, never changed, a new revision beside the old one.

Every list holds the hash of the list before it and a hash for each of its rows; a row that is erased later leaves its hash
behind, so that the chain can still be checked (:mod:`serving.store.verify_lists`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, select

from risk.errors import StoreError
from serving.store.chain import GENESIS
from serving.store.engine import Store
from serving.store.ledger import instant
from serving.store.listed import (
    LEFT,
    Earlier,
    ListedCase,
    ListHead,
    Saved,
    StoredCase,
    StoredList,
    TeamList,
    Week,
)
from serving.store.packing import about_text, head_row, rows_of, unpacked
from serving.store.tables import worklist, worklist_case

_LOCK = 5253  # PostgreSQL: one run saves at a time; scoring and signing in go on


# ---- writing ----------------------------------------------------------------------------------------------------------


def save_lists(store: Store, lists: Sequence[TeamList], now: datetime, by: str) -> Saved:
    """Save the lists of one run, all of them or none.

    The first list of a week and team is revision 1; when a later run differs in anything, each of its lists becomes the
    next revision of its team, and the former ones stay. A run that says exactly what the newest revisions say is not
    saved again.

    Parameters
    ----------
    by : who or what made the lists

    Raises
    ------
    StoreError
        Nothing was saved.
    """
    places = [(one.week, one.office, one.team) for one in lists]
    if not lists or len(set(places)) < len(places):
        raise StoreError("a run saves the list of each team once; nothing was saved")
    # Packed and hashed before the transaction: while it lasts, an SQLite store takes no other writes.
    ready = [rows_of(one) for one in lists]
    n_cases = sum(len(rows) for rows, _ in ready)
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        before = [_newest(connection, *place) for place in places]
        pairs = zip(lists, ready, before, strict=True)
        if all(old is not None and _is_same(connection, one, rows, old) for one, (rows, _), old in pairs):
            return Saved(max(old["revision"] for old in before if old is not None), False, len(lists), n_cases)
        list_id, last = _end(connection)
        highest = 0
        for one, (rows, hashes), old in zip(lists, ready, before, strict=True):
            list_id, revision = list_id + 1, (0 if old is None else old["revision"]) + 1
            head = head_row(list_id, revision, one, instant(now), by, last, hashes)
            _add(connection, head, rows)
            last = head["hash"]
            highest = max(highest, revision)
    return Saved(highest, True, len(lists), n_cases)


def _newest(connection: Connection, week: str, office: str, team: str) -> RowMapping | None:
    return connection.execute(_of_place(week, office, team)).mappings().first()


def _of_place(week: str, office: str, team: str, revision: int | None = None) -> Select[Any]:
    wanted = select(worklist).where(worklist.c.week == week, worklist.c.office == office, worklist.c.team == team)
    if revision is not None:
        return wanted.where(worklist.c.revision == revision)
    return wanted.order_by(worklist.c.revision.desc()).limit(1)


def _is_same(connection: Connection, one: TeamList, rows: list[dict[str, Any]], old: RowMapping) -> bool:
    """Whether the newest revision says the very same."""
    values = (one.as_of.isoformat(), one.model_version, one.policy_version, about_text(one.about))
    if values != (old["as_of"], old["model_version"], old["policy_version"], old["about"]):
        return False
    kept = select(worklist_case.c.case_id, worklist_case.c.person_key, worklist_case.c.body)
    found = connection.execute(kept.where(worklist_case.c.list_id == old["id"]).order_by(worklist_case.c.place))
    return [(c, p, bytes(b)) for c, p, b in found] == [(r["case_id"], r["person_key"], r["body"]) for r in rows]


def _end(connection: Connection) -> tuple[int, str]:
    """Number and hash of the last list."""
    row = connection.execute(select(worklist.c.id, worklist.c.hash).order_by(worklist.c.id.desc()).limit(1)).first()
    return (0, GENESIS) if row is None else (row.id, row.hash)


def _add(connection: Connection, head: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(worklist), head)
    if rows:
        connection.execute(insert(worklist_case), [{"list_id": head["id"], **row} for row in rows])


# ---- reading ----------------------------------------------------------------------------------------------------------


def teams_of(store: Store, office: str) -> list[str]:
    """The teams of an office that ever had a list, by name."""
    wanted = select(worklist.c.team).where(worklist.c.office == office).distinct().order_by(worklist.c.team)
    with store.reading() as connection:
        return list(connection.execute(wanted).scalars())


def weeks_of(store: Store, office: str, team: str) -> list[Week]:
    """The weeks for which a team has a list, the newest first."""
    newest = func.max(worklist.c.revision)
    wanted = select(worklist.c.week, newest, func.max(worklist.c.as_of)).group_by(worklist.c.week)
    mine = wanted.where(worklist.c.office == office, worklist.c.team == team).order_by(worklist.c.week.desc())
    with store.reading() as connection:
        return [Week(week, revision, date.fromisoformat(day)) for week, revision, day in connection.execute(mine)]


def read_list(
    store: Store, office: str, team: str, week: str | None = None, revision: int | None = None
) -> StoredList | None:
    """The list of a team and week, in its newest revision unless another is asked for; None when there is none.

    Parameters
    ----------
    week : the newest week of the team when not given
    """
    with store.reading() as connection:
        head = _head(connection, office, team, week, revision)
        if head is None:
            return None
        wanted = select(worklist_case.c.case_id, worklist_case.c.person_key, worklist_case.c.body)
        found = connection.execute(
            wanted.where(worklist_case.c.list_id == head.list_id).order_by(worklist_case.c.place)
        )
        return StoredList(head, [unpacked(*row) for row in found.all()])


def mark_of(store: Store, office: str, team: str, week: str | None = None) -> tuple[int, int] | None:
    """What tells the list :func:`read_list` would read from any other state of it: its number, and how many of its cases
    are still there. Found without reading them; None when there is no list.
    """
    with store.reading() as connection:
        head = _head(connection, office, team, week, None)
        if head is None:
            return None
        still = select(func.count()).select_from(worklist_case).where(worklist_case.c.list_id == head.list_id)
        return head.list_id, int(connection.execute(still).scalar_one())


def read_case(
    store: Store, office: str, team: str, case_id: str, week: str | None = None, revision: int | None = None
) -> StoredCase | None:
    """One case of a team's list; None when it is not on it. Parameters as of :func:`read_list`."""
    with store.reading() as connection:
        head = _head(connection, office, team, week, revision)
        if head is None:
            return None
        wanted = select(worklist_case.c.case_id, worklist_case.c.person_key, worklist_case.c.body)
        here = wanted.where(worklist_case.c.list_id == head.list_id, worklist_case.c.case_id == case_id)
        row = connection.execute(here).first()
        return None if row is None else StoredCase(head, unpacked(*row))


def history_of(store: Store, case_id: str) -> list[Earlier]:
    """What the newest revision of each week told of a case, the oldest first.

    Scores are left out of all weeks when the newest one holds an exclusion: whoever objected is not shown an old score.
    """
    places = ("week", "office", "team")
    newest = select(*(worklist.c[c] for c in places), func.max(worklist.c.revision).label("revision"))
    newest_of = newest.group_by(*(worklist.c[c] for c in places)).subquery()
    is_newest = and_(*(worklist.c[c] == newest_of.c[c] for c in (*places, "revision")))
    joined = worklist_case.join(worklist, worklist_case.c.list_id == worklist.c.id).join(newest_of, is_newest)
    wanted = select(worklist, worklist_case.c.person_key, worklist_case.c.body).select_from(joined)
    with store.reading() as connection:
        mine = wanted.where(worklist_case.c.case_id == case_id).order_by(worklist.c.week, worklist.c.id)
        found = connection.execute(mine).mappings().all()
    told = [(row, unpacked(case_id, row["person_key"], row["body"])) for row in found]
    open_then = [(row, case) for row, case in told if case.section != LEFT]
    is_hidden = bool(open_then) and bool(open_then[-1][1].exclusion)
    return [_earlier(row, case, is_hidden) for row, case in open_then]


def _earlier(row: RowMapping, case: ListedCase, is_hidden: bool) -> Earlier:
    return Earlier(
        week=row["week"],
        as_of=date.fromisoformat(row["as_of"]),
        office=row["office"],
        team=row["team"],
        section=case.section,
        rank=case.rank,
        p=None if is_hidden else case.p,
        base_rate=None if is_hidden else case.base_rate,
        band="" if is_hidden else case.band,
        model_version=row["model_version"],
    )


def _head(connection: Connection, office: str, team: str, week: str | None, revision: int | None) -> ListHead | None:
    if week is None:
        mine = select(func.max(worklist.c.week)).where(worklist.c.office == office, worklist.c.team == team)
        week = connection.execute(mine).scalar()
    if week is None:
        return None
    row = connection.execute(_of_place(week, office, team, revision)).mappings().first()
    return None if row is None else head_of(row)


def head_of(row: RowMapping) -> ListHead:
    """The head of a list from its row."""
    return ListHead(
        list_id=row["id"],
        as_of=date.fromisoformat(row["as_of"]),
        about=json.loads(row["about"]),
        **{
            name: row[name]
            for name in ("week", "office", "team", "revision", "made_at", "made_by", "model_version",
                         "policy_version", "hash")
        },
    )  # fmt: skip
