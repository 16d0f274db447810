"""The parts of a policy, as its TOML file writes them; :mod:`risk.policy` puts them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from risk import schema

Weeks = Annotated[int, Field(ge=1, le=520)]
BothLanguages = tuple[str, str]


class Checked(BaseModel):
    """A part of the policy: unknown keys are refused, and nothing is changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_levels(values: tuple[str, ...], fact: str) -> tuple[str, ...]:
    levels = schema.fact_attributes()[fact].levels
    strange = [v for v in values if v not in levels]
    if strange:
        raise ValueError(f"{strange[0]!r} is not a value of {fact}; known are {', '.join(levels)}")
    return values


class CategoryRule(Checked):
    """What differs for cases of one visitation category."""

    repeat_weeks: Weeks | None = None
    accepts: tuple[str, ...] | None = None

    @field_validator("accepts")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return kinds if kinds is None else _known_levels(kinds, "follow_up_held")


class RuleSet(Checked):
    """The follow-up cadence of a period. Without ``first_weeks`` no duty is known."""

    name: str
    label: BothLanguages
    valid_from: date
    valid_until: date | None = None
    first_weeks: Weeks | None = None
    repeat_weeks: Weeks | None = None
    fast_track_weeks: Weeks | None = None
    accepts: tuple[str, ...] = ("interview", "round_table")
    by_category: dict[str, CategoryRule] = {}
    basis: Literal["law", "office"]
    source: BothLanguages
    review_from: date | None = None
    review_why: BothLanguages = ("", "")

    @field_validator("accepts")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return _known_levels(kinds, "follow_up_held")

    @field_validator("by_category")
    @classmethod
    def _categories(cls, rules: dict[str, CategoryRule]) -> dict[str, CategoryRule]:
        _known_levels(tuple(rules), "visitation_category")
        return rules


class Milestone(Checked):
    """A week the office steers by: a week of the case, or the month end after so many weeks of benefit."""

    name: str
    label: BothLanguages
    week: Weeks | None = None
    month_end_after_weeks: Weeks | None = None
    uncounted_days: dict[str, Annotated[int, Field(ge=0, le=366)]] = {}
    done_by: tuple[str, ...] = ()
    lift: float = Field(default=0.0, ge=0.0, le=1.0)
    valid_from: date = date(1900, 1, 1)
    valid_until: date | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Milestone:
        if (self.week is None) == (self.month_end_after_weeks is None):
            raise ValueError("give either week or month_end_after_weeks")
        if self.month_end_after_weeks is not None and "default" not in self.uncounted_days:
            raise ValueError("uncounted_days needs a default")
        _known_levels(self.done_by, "milestone_done")
        return self


class Minutes(Checked):
    """How long a talk takes: each kind of duty, a follow-up in writing where the rules accept one, a talk by risk."""

    first_interview: int = Field(default=60, ge=1, le=480)
    fast_track: int = Field(default=60, ge=1, le=480)
    follow_up: int = Field(default=60, ge=1, le=480)
    written: int = Field(default=60, ge=1, le=480)
    risk: int = Field(default=60, ge=1, le=480)

    def of_duty(self, duty: str, may_be_written: bool) -> int:
        """Minutes of one duty; one that may be met in writing is, where that is shorter, unless a talk was asked for.

        >>> Minutes(follow_up=45, written=20).of_duty("follow_up", False)
        45
        >>> Minutes(follow_up=45, written=20).of_duty("follow_up", True)
        20
        """
        talk = int(getattr(self, duty))
        return min(talk, self.written) if may_be_written and duty != "fast_track" else talk


class Capacity(Checked):
    """Places per team and week, in cases or hours; duties are taken out first."""

    unit: Literal["cases", "hours"] = "cases"
    caseload_norm: int = Field(ge=1, le=1000)
    per_worker: float = Field(ge=0, le=1000)
    reserve: int = Field(default=0, ge=0, le=10_000)
    minutes: Minutes = Minutes()
    teams: dict[str, Annotated[float, Field(ge=0, le=100_000)]] = {}
    everywhere: int | None = Field(default=None, ge=1, le=100_000)

    def of_team(self, team: str, n_open: int) -> float:
        """Cases (or hours) the team can take on in a week."""
        if self.everywhere is not None:
            return float(self.everywhere)
        return self.teams.get(team, math.ceil(n_open / self.caseload_norm) * self.per_worker)

    @property
    def risk_cost(self) -> float:
        """What a talk by risk takes of the week: places, or hours."""
        return self.minutes.risk / 60 if self.unit == "hours" else 1.0

    def left_for_risk(self, places: float, duty_minutes: Sequence[float]) -> tuple[int, int]:
        """Risk places left after the duties, and how many duties do not fit.

        Parameters
        ----------
        duty_minutes : minutes of each duty, in the order of the list; with unit "cases" each takes one place

        >>> Capacity(caseload_norm=45, per_worker=20).left_for_risk(20, [60] * 14)
        (6, 0)
        >>> Capacity(caseload_norm=45, per_worker=20, reserve=2).left_for_risk(20, [60] * 23)
        (2, 3)
        >>> Capacity(unit="hours", caseload_norm=45, per_worker=20).left_for_risk(1.5, [60, 45, 20])
        (0, 2)
        """
        taken = np.ones(len(duty_minutes))
        if self.unit == "hours":
            taken = np.asarray(duty_minutes, dtype=np.float64) / 60
        until = np.cumsum(taken)
        shortfall = int((until > places + 1e-9).sum())
        left = math.floor((places - float(taken.sum())) / self.risk_cost + 1e-9)
        return max(left, self.reserve if places else 0, 0), shortfall


class Order(Checked):
    """The order of what is left after duties.

    ``avoidable_cost`` is what the coming ``weeks_ahead`` weeks of benefit are expected to cost the municipality. The name
    is the field's; that acting would avoid any of it is not known.
    """

    by: Literal["risk", "avoidable_cost", "mix"] = "risk"
    cost_part: float | None = Field(default=None, gt=0, lt=1)
    weeks_ahead: int = Field(default=52, ge=4, le=104)
    first_until_week: float = Field(default=26, gt=0, le=520)
    cool_down_days: int = Field(default=14, ge=0, le=366)

    @model_validator(mode="after")
    def _stated(self) -> Order:
        if (self.by == "mix") != (self.cost_part is not None):
            raise ValueError('cost_part belongs to by = "mix", which must state it, e.g. 0.5')
        return self

    @property
    def needs_cost(self) -> bool:
        """Whether the order asks what the coming weeks cost."""
        return self.by != "risk"

    @property
    def cost_weight(self) -> float:
        """The weight of the cost in the order; the chance has the rest."""
        return {"risk": 0.0, "avoidable_cost": 1.0, "mix": self.cost_part or 0.0}[self.by]


class Closing(Checked):
    """From which chance of closing within four weeks a case is shown apart; above 1: never."""

    p_at_least: float = Field(default=0.4, gt=0)


class Bands(Checked):
    """High, middle, low: from places, never from a fixed probability."""

    high_share: float = Field(default=0.25, ge=0, le=1)
    most_share: float = Field(default=0.2, gt=0, le=1)
    middle_factor: float = Field(default=2.0, ge=0, le=100)


class Audit(Checked):
    """The places drawn by lot near the cut-off; unmarked they stand among those by risk, and only the record tells them."""

    share: float = Field(default=0.05, ge=0, le=0.5)
    window: int = Field(default=10, ge=2, le=1000)
    seed: int = 52
    is_marked: bool = True


class Timeliness(Checked):
    """How far back timeliness is counted."""

    weeks: Weeks = 13


class Exclusion(Checked):
    """A flag that takes a case out of the order by risk."""

    fact: str
    keeps_duties: bool

    @field_validator("fact")
    @classmethod
    def _flag(cls, fact: str) -> str:
        flags = [n for n, a in schema.fact_attributes().items() if a.kind == "flag"]
        if fact not in flags:
            raise ValueError(f"{fact!r} is not a flag among the facts; known are {', '.join(flags)}")
        return fact
