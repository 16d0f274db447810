"""A leader's figures per team, and those a data scientist may see: no case among them, counts from 1 to 4 hidden.

Counts are kept with each list when it is made (``figures`` of a list's head); what staff said of it is counted afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, and_, func, select

from serving.store.engine import Store
from serving.store.feedback import LEAST_SHOWN, OverrideRate, is_small, override_rates
from serving.store.listed import ListHead
from serving.store.tables import feedback, worklist, worklist_case
from serving.store.worklists import head_of

WEEKS_AHEAD = 13


@dataclass(frozen=True)
class TeamOverview:
    """The figures of one team's newest list of a week. None: not known, or hidden; ``hidden`` names those hidden.

    Attributes
    ----------
    n_open : open cases
    n_workers : from the capacity the policy gives the team; None where it gives none
    cases_per_worker : open cases per worker
    timeliness : share of the duties that fell due in the last ``timeliness_weeks`` and were met in time
    share_past : share of the open cases that are past the horizon (52 weeks)
    share_past_expected : the share ``WEEKS_AHEAD`` weeks from now: of today's cases those expected to be open and past
        the horizon then, per case open today. It is the coming share when as many cases come in as are closed, for a
        case that comes in after today cannot be past the horizon by then
    coverage : share of the cases with a place on the list for which somebody recorded a contact
    override : how often the list was contradicted
    """

    office: str
    team: str
    week: str
    revision: int
    as_of: date
    model_version: str
    horizon_weeks: int
    timeliness_weeks: int
    n_open: int | None
    n_workers: float | None
    cases_per_worker: float | None
    timeliness: float | None
    share_past: float | None
    share_past_expected: float | None
    coverage: float | None
    override: OverrideRate | None
    hidden: frozenset[str]
    is_synthetic: bool


def offices_of(store: Store) -> list[str]:
    """The offices that have lists, by name."""
    with store.reading() as connection:
        return list(connection.execute(select(worklist.c.office).distinct().order_by(worklist.c.office)).scalars())


def overview(store: Store, office: str, week: str | None = None) -> list[TeamOverview]:
    """The figures of an office's teams, by team.

    Parameters
    ----------
    week : the newest week of the office when not given; a team without a list in it is left out
    """
    with store.reading() as connection:
        if week is None:
            week = connection.execute(select(func.max(worklist.c.week)).where(worklist.c.office == office)).scalar()
        heads = newest_lists(connection, office, week or "")
        contacted = {head.list_id: _contacted(connection, head) for head in heads}
    rates = {(rate.team, rate.week): rate for rate in override_rates(store, office, n_weeks=520)}
    return [_of_team(head, contacted[head.list_id], rates.get((head.team, head.week))) for head in heads]


def newest_lists(connection: Connection, office: str, week: str) -> list[ListHead]:
    """The newest revision of each team's list of a week, by team."""
    here = and_(worklist.c.office == office, worklist.c.week == week)
    newest = select(func.max(worklist.c.id)).where(here).group_by(worklist.c.team)
    rows = connection.execute(select(worklist).where(worklist.c.id.in_(newest)).order_by(worklist.c.team))
    return [head_of(row) for row in rows.mappings()]


def _contacted(connection: Connection, head: ListHead) -> int:
    """Cases with a place on this list for which a contact was recorded, under any revision of the week."""
    same_week = and_(worklist.c.week == head.week, worklist.c.office == head.office, worklist.c.team == head.team)
    joined = (
        feedback.join(worklist, and_(feedback.c.list_id == worklist.c.id, same_week))
        # Cases with a place come first, so the place in the list tells them from the rest.
        .join(
            worklist_case, and_(worklist_case.c.list_id == head.list_id, worklist_case.c.case_id == feedback.c.case_id)
        )
    )
    wanted = select(func.count(feedback.c.case_id.distinct())).select_from(joined)
    counted = wanted.where(feedback.c.kind == "contacted", worklist_case.c.place < head.figures["n_listed"])
    return int(connection.execute(counted).scalar_one())


def _of_team(head: ListHead, n_contacted: int, override: OverrideRate | None) -> TeamOverview:
    figures, hidden = head.figures, set()

    def count(name: str, n: int) -> int | None:
        if is_small(n):
            hidden.add(name)
            return None
        return n

    def share(name: str, n: float, of: int) -> float | None:
        """A share with its count told is that count: both are hidden, or neither."""
        if is_small(of) or (is_small(n) and of):
            hidden.add(name)
            return None
        return n / of if of else None

    workers = figures["n_workers"]
    n_open = int(figures["n_open"])
    is_told = figures["has_follow_ups"] and figures["n_fell_due"] >= LEAST_SHOWN
    return TeamOverview(
        office=head.office,
        team=head.team,
        week=head.week,
        revision=head.revision,
        as_of=head.as_of,
        model_version=head.model_version,
        horizon_weeks=int(head.about["horizon_weeks"]),
        timeliness_weeks=int(figures["timeliness_weeks"]),
        n_open=count("n_open", n_open),
        n_workers=workers,
        cases_per_worker=n_open / workers if workers and not is_small(n_open) else None,
        timeliness=figures["n_met"] / figures["n_fell_due"] if is_told else None,
        share_past=share("share_past", figures["n_past"], n_open),
        # An expectation is no count of persons; only the team must not be tiny.
        share_past_expected=None if is_small(n_open) or not n_open else figures["n_past_expected"] / n_open,
        coverage=share("coverage", n_contacted, int(figures["n_listed"])),
        override=override,
        hidden=frozenset(hidden),
        is_synthetic=bool(head.about["is_synthetic"]),
    )
