"""What staff say of the cases on a list. Only ever added: who changes their mind says so in a new entry.

It is recorded with the person, the time, the list with its revision and the model behind it, so that it can be asked later
how often the list was contradicted, and by whom it was simply followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import RowMapping, Select, func, insert, select

from risk.errors import CaseDataError
from serving.store.accounts import Account
from serving.store.engine import Store
from serving.store.ledger import instant
from serving.store.listed import ListHead
from serving.store.tables import feedback, worklist, worklist_case

Kind = Literal["contacted", "agree", "disagree", "not_relevant", "already_handled", "no_action"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Why somebody disagrees; what each is called stands in serving/texts under [feedback_reason].
REASONS = ("return_agreed", "recovery_near", "more_serious", "facts_wrong", "facts_missing", "plan_works", "other")

SAME_CLICK = timedelta(minutes=1)
LEAST_SHOWN = 5
# Who hardly ever contradicts may be following the list blindly; who nearly always does gets nothing from it.
LOW_SHARE, HIGH_SHARE = 0.05, 0.60
LEAST_FOR_LOW = 20  # with fewer judged, one contradiction more would be over the limit


@dataclass(frozen=True)
class Feedback:
    """One entry; ``reason`` is empty but for ``disagree``."""

    at: str
    by: str
    kind: Kind
    reason: str
    case_id: str
    week: str
    office: str
    team: str
    revision: int
    model_version: str


@dataclass(frozen=True)
class OverrideRate:
    """How often the list of a team and week was contradicted.

    Attributes
    ----------
    n_judged : cases somebody agreed or disagreed with, by their last word; None when hidden (1 to 4)
    n_disagreed : those disagreed with; None when hidden
    share : of the judged; None without any, or when either count is hidden
    flag : ``low`` under 5 % (of at least 20 judged), ``high`` over 60 % (of at least 5), else None
    """

    team: str
    week: str
    n_judged: int | None
    n_disagreed: int | None
    share: float | None
    flag: Literal["low", "high"] | None


def give_feedback(
    store: Store, who: Account, head: ListHead, case_id: str, kind: str, reason: str, now: datetime
) -> Feedback:
    """Add an entry; the same answer of the same person again within ``SAME_CLICK`` is that click once more, and adds none.

    Parameters
    ----------
    head : the list the person was looking at
    reason : one of ``REASONS`` with ``disagree``, else empty

    Raises
    ------
    CaseDataError
        The kind or its reason is not known, or the case is not on a list this person may read: it is not said which.
    """
    if kind not in KINDS:
        raise CaseDataError(f"feedback is one of {', '.join(KINDS)}")
    if (reason in REASONS) != (kind == "disagree") or (reason and reason not in REASONS):
        raise CaseDataError(f"'disagree' needs a reason out of {', '.join(REASONS)}; the others have none")
    on_list = select(worklist_case.c.person_key).where(
        worklist_case.c.list_id == head.list_id, worklist_case.c.case_id == case_id
    )
    at = instant(now)
    with store.writing() as connection:
        person_key = connection.execute(on_list).scalar_one_or_none()
        if person_key is None or not who.may_read(head.office, head.team):
            raise CaseDataError("there is no such case on your lists; open the list again")
        place = (head.week, head.office, head.team, head.revision, head.model_version)
        mine = select(feedback).where(feedback.c.list_id == head.list_id, feedback.c.case_id == case_id)
        last = connection.execute(mine.order_by(feedback.c.id.desc()).limit(1)).mappings().first()
        is_same = last is not None and (last["by"], last["kind"], last["reason"]) == (who.name, kind, reason)
        if last is not None and is_same and last["at"] > instant(now - SAME_CLICK):
            return Feedback(last["at"], who.name, last["kind"], reason, case_id, *place)
        row = {
            "at": at,
            "by": who.name,
            "list_id": head.list_id,
            "case_id": case_id,
            "person_key": person_key,
            "kind": kind,
            "reason": reason,
            "model_version": head.model_version,
        }
        connection.execute(insert(feedback), row)
    return Feedback(at, who.name, kind, reason, case_id, *place)


def feedback_of_list(store: Store, head: ListHead) -> dict[str, list[Feedback]]:
    """What was said of the cases of a team's week, in any of its revisions, by case id; the oldest first."""
    here = _entries().where(
        worklist.c.week == head.week, worklist.c.office == head.office, worklist.c.team == head.team
    )
    out: dict[str, list[Feedback]] = defaultdict(list)
    for entry in _read(store, here):
        out[entry.case_id].append(entry)
    return dict(out)


def feedback_of_case(store: Store, case_id: str) -> list[Feedback]:
    """What was said of a case, the oldest first."""
    return _read(store, _entries().where(feedback.c.case_id == case_id))


def override_rates(store: Store, office: str, n_weeks: int = 13) -> list[OverrideRate]:
    """The rates of an office's teams in the last weeks that have lists, by team and then the newest week first.

    Counts from 1 to 4 are hidden, and with them the share.
    """
    weeks = select(worklist.c.week).where(worklist.c.office == office).distinct()
    last_weeks = weeks.order_by(worklist.c.week.desc()).limit(n_weeks).subquery()
    lists = select(worklist.c.team, worklist.c.week).where(worklist.c.office == office).distinct()
    with store.reading() as connection:
        first = connection.execute(select(func.min(last_weeks.c.week))).scalar()
        places = connection.execute(lists.where(worklist.c.week >= (first or ""))).all()
    judged = _entries().where(
        worklist.c.office == office, worklist.c.week >= (first or ""), feedback.c.kind.in_(("agree", "disagree"))
    )
    last_word: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for entry in _read(store, judged):
        last_word[entry.team, entry.week][entry.case_id] = entry.kind
    rates = [override_rate(team, week, last_word[team, week].values()) for team, week in places]
    return sorted(sorted(rates, key=lambda r: r.week, reverse=True), key=lambda r: r.team)


def override_rate(team: str, week: str, last_words: Iterable[str]) -> OverrideRate:
    """The rate of one team and week from the last word on each of its judged cases.

    >>> override_rate("A", "2026-W48", ["agree"] * 15 + ["disagree"] * 5)
    OverrideRate(team='A', week='2026-W48', n_judged=20, n_disagreed=5, share=0.25, flag=None)
    >>> override_rate("A", "2026-W48", ["agree"] * 15 + ["disagree"] * 3).share is None
    True
    """
    words = list(last_words)
    n_judged, n_disagreed = len(words), words.count("disagree")
    share = n_disagreed / n_judged if n_judged else 0.0
    flag: Literal["low", "high"] | None = None
    if n_judged >= LEAST_FOR_LOW and share < LOW_SHARE:
        flag = "low"
    elif n_judged >= LEAST_SHOWN and share > HIGH_SHARE:
        flag = "high"
    is_shown = n_judged >= LEAST_SHOWN and not is_small(n_disagreed)
    return OverrideRate(
        team,
        week,
        None if is_small(n_judged) else n_judged,
        n_disagreed if is_shown or not n_judged else None,
        share if is_shown else None,
        flag,
    )


def is_small(n: float) -> bool:
    """Whether a count may not leave the desk: 1 to 4."""
    return 0 < n < LEAST_SHOWN


def _entries() -> Select[Any]:
    place = (worklist.c.week, worklist.c.office, worklist.c.team, worklist.c.revision)
    joined = feedback.join(worklist, feedback.c.list_id == worklist.c.id)
    return select(feedback, *place).select_from(joined).order_by(feedback.c.id)


def _read(store: Store, wanted: Select[Any]) -> list[Feedback]:
    with store.reading() as connection:
        return [_feedback(row) for row in connection.execute(wanted).mappings()]


def _feedback(row: RowMapping) -> Feedback:
    return Feedback(**{name: row[name] for name in Feedback.__dataclass_fields__})
