"""What is kept of a week's list and of each case on it, and how a case is written: packed JSON with a salted hash."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
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


_IDS = ("case_id", "person_key")
_DEFAULTS = {f.name: f.default for f in fields(ListedCase) if f.name not in (*_IDS, "section")}
_DAYS = ("opened_on", "registered_on", "due_on", "milestone_on", "contacted_on")


def packed(case: ListedCase) -> bytes:
    """Everything but the ids as packed JSON; the same content gives the same bytes."""
    kept: dict[str, Any] = {k: v for k, v in vars(case).items() if k not in _IDS and v and v != _DEFAULTS.get(k)}
    for name in _DAYS:
        if name in kept:
            kept[name] = kept[name].isoformat()
    if case.reasons:
        kept["reasons"] = [
            [r.feature, r.direction, r.text_da, r.text_en, r.known_on.isoformat() if r.known_on else None]
            for r in case.reasons
        ]
    for name in ("p", "base_rate", "age_weeks"):
        if getattr(case, name) is not None:
            kept[name] = getattr(case, name)  # 0.0 is a number, not nothing
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return zlib.compress(text.encode(), 6)


def unpacked(case_id: str, person_key: str, body: bytes) -> ListedCase:
    """The case back from :func:`packed`."""
    kept: dict[str, Any] = json.loads(zlib.decompress(body).decode())
    for name in _DAYS:
        if name in kept:
            kept[name] = date.fromisoformat(kept[name])
    if "reasons" in kept:
        kept["reasons"] = tuple(
            Reason(feature, direction, da, en, date.fromisoformat(on) if on else None)
            for feature, direction, da, en, on in kept["reasons"]
        )
    if "curve" in kept:
        kept["curve"] = tuple((int(w), float(p)) for w, p in kept["curve"])
    for name in ("interval", "unknown"):
        if name in kept:
            kept[name] = tuple(kept[name])
    return ListedCase(case_id=case_id, person_key=person_key, **kept)


def row_hash(salt: str, case_id: str, person_key: str, body: bytes) -> bytes:
    """Salted SHA-256 of one row, 32 bytes: without the salt, which goes with the row, it tells nothing of the person."""
    head = json.dumps([salt, case_id, person_key], separators=(",", ":")).encode()
    return hashlib.sha256(head + b"\n" + body).digest()


def list_hash(values: Sequence[object], row_hashes: bytes) -> str:
    """SHA-256 of a list's own values with the hash of the list before it, and of its rows' hashes; hex."""
    head = json.dumps(list(values), ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(head + b"\n" + row_hashes).hexdigest()
