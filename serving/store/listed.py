"""What is kept of a week's list and of each case on it; how it is written stands in :mod:`serving.store.packing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from risk.reasons import Reason

# Sections of open cases without a place on the page, and of cases that were on the list before.
REMAINDER, COOLING, EXCLUDED, LEFT = "remainder", "cooling", "excluded", "left"


@dataclass(frozen=True, kw_only=True)
class ListedCase:
    """One case as the list of a week knew it.

    Attributes
    ----------
    section : one of :data:`risk.priority.SECTIONS` for a case with a place on the page; ``remainder``, ``cooling`` or
        ``excluded`` for an open case without; ``left`` for one that stood on the earlier list and is not on this one
    rank : place on the page, 1 = first; None without a place
    status : ``scored``, ``past_horizon``, ``abstained``, ``not_shown`` (an exclusion), or empty for one that left
    p : P(open past the horizon); None where there is no score
    interval : lower and upper bound of ``p``, where the model gives one
    base_rate : the same chance over all cases open at this age
    curve : (weeks since opening, P(open after them)), for the horizons still ahead
    course : P(open) 1, 2, 3 ... weeks after the as-of date, as far as they lie before the horizon, to be drawn
    reasons : strongest first, at most five, from both directions
    unknown : names of the facts the model uses and nobody has recorded for this case
    duty, due_on, overdue_days, is_planned : the next statutory follow-up
    milestone, milestone_on, milestone_state : the milestone missed (``missed``), else the next (``ahead``)
    contacted_on : the last recorded contact or follow-up
    exclusion : the flag that takes the case out of the order by risk, or empty
    abstain_reason : ``objection`` or the features that are missing, joined by commas
    change : ``new``, ``stayed`` or empty without an earlier list
    why_left : why it is not on the list any more; only with section ``left``
    more : further columns of the list, by their names there
    """

    case_id: str
    person_key: str
    section: str
    rank: int | None = None
    opened_on: date | None = None
    registered_on: date | None = None
    age_weeks: float | None = None
    status: str = ""
    p: float | None = None
    interval: tuple[float, float] | None = None
    base_rate: float | None = None
    band: str = ""
    curve: tuple[tuple[int, float], ...] = ()
    course: tuple[float, ...] = ()
    reasons: tuple[Reason, ...] = ()
    unknown: tuple[str, ...] = ()
    duty: str = ""
    due_on: date | None = None
    overdue_days: int = 0
    is_planned: bool = False
    milestone: str = ""
    milestone_on: date | None = None
    milestone_state: str = ""
    contacted_on: date | None = None
    exclusion: str = ""
    abstain_reason: str = ""
    change: str = ""
    why_left: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def is_listed(self) -> bool:
        return self.rank is not None


@dataclass(frozen=True)
class TeamList:
    """The list of one team, to be saved.

    Attributes
    ----------
    about : plain values that hold for the whole list: ``horizon_weeks``, ``last_week`` (or None), ``is_synthetic``,
        ``rules`` (what the follow-up rules are called, da and en), ``basis``, ``milestones`` (name to da and en), ``words``
        (:func:`serving.sentences.kept_words`) and ``figures`` (the team's counts, see :mod:`serving.store.overview`)
    cases : every open case of the team and those that left since the earlier list, in the order of the page
    """

    week: str
    office: str
    team: str
    as_of: date
    model_version: str
    policy_version: str
    about: dict[str, Any]
    cases: Sequence[ListedCase]


@dataclass(frozen=True)
class ListHead:
    """A saved list without its cases; ``about`` as in :class:`TeamList`."""

    list_id: int
    week: str
    office: str
    team: str
    revision: int
    as_of: date
    made_at: str
    made_by: str
    model_version: str
    policy_version: str
    about: dict[str, Any]
    hash: str

    @property
    def figures(self) -> dict[str, Any]:
        return dict(self.about["figures"])


@dataclass(frozen=True)
class StoredList:
    """A saved list with its cases in the order of the page: listed first, then the rest, then those that left.

    A case that was erased is not among them.
    """

    head: ListHead
    rows: list[ListedCase]


@dataclass(frozen=True)
class StoredCase:
    """One case with the list it stands on."""

    head: ListHead
    case: ListedCase


@dataclass(frozen=True)
class Week:
    """A week for which a team has a list: its newest revision."""

    week: str
    revision: int
    as_of: date


@dataclass(frozen=True)
class Earlier:
    """What a case was told on the list of one week; ``p`` and ``band`` are empty where there was no score."""

    week: str
    as_of: date
    office: str
    team: str
    section: str
    rank: int | None
    p: float | None
    base_rate: float | None
    band: str
    model_version: str


@dataclass(frozen=True)
class Saved:
    """What came of saving: the highest revision number, and whether anything was new."""

    revision: int
    is_new: bool
    n_lists: int
    n_cases: int
