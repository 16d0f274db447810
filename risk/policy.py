"""Policy: who comes first. A decision of people, read from a dated TOML file and checked before anything is listed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from risk import schema
from risk.errors import ConfigError
from risk.outcomes import first_complaint

Weeks = Annotated[int, Field(ge=1, le=520)]
BothLanguages = tuple[str, str]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_levels(values: tuple[str, ...], fact: str) -> tuple[str, ...]:
    levels = schema.fact_attributes()[fact].levels
    strange = [v for v in values if v not in levels]
    if strange:
        raise ValueError(f"{strange[0]!r} is not a value of {fact}; known are {', '.join(levels)}")
    return values


class CategoryRule(_Checked):
    """What differs for cases of one visitation category."""

    repeat_weeks: Weeks | None = None
    accepts: tuple[str, ...] | None = None

    @field_validator("accepts")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return kinds if kinds is None else _known_levels(kinds, "follow_up_held")


class RuleSet(_Checked):
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


class Milestone(_Checked):
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


class Capacity(_Checked):
    """Places per team and week, in cases or hours; duties are taken out first."""

    unit: Literal["cases", "hours"] = "cases"
    caseload_norm: int = Field(ge=1, le=1000)
    per_worker: float = Field(ge=0, le=1000)
    reserve: int = Field(default=0, ge=0, le=10_000)
    duty_minutes: int = Field(default=60, ge=1, le=480)
    risk_minutes: int = Field(default=60, ge=1, le=480)
    teams: dict[str, Annotated[float, Field(ge=0, le=100_000)]] = {}
    everywhere: int | None = Field(default=None, ge=1, le=100_000)

    def of_team(self, team: str, n_open: int) -> float:
        """Cases (or hours) the team can take on in a week."""
        if self.everywhere is not None:
            return float(self.everywhere)
        return self.teams.get(team, math.ceil(n_open / self.caseload_norm) * self.per_worker)

    def left_for_risk(self, places: float, n_duties: int) -> tuple[int, int]:
        """Risk places left after ``n_duties`` duties, and how many duties do not fit.

        >>> Capacity(caseload_norm=45, per_worker=20).left_for_risk(20, 14)
        (6, 0)
        >>> Capacity(caseload_norm=45, per_worker=20, reserve=2).left_for_risk(20, 23)
        (2, 3)
        """
        duty, risk = (self.duty_minutes / 60, self.risk_minutes / 60) if self.unit == "hours" else (1.0, 1.0)
        left = math.floor((places - n_duties * duty) / risk + 1e-9)
        shortfall = max(0, n_duties - math.floor(places / duty + 1e-9))
        return max(left, self.reserve if places else 0, 0), shortfall


class Order(_Checked):
    """The order of what is left after duties."""

    by: Literal["risk"] = "risk"
    first_until_week: float = Field(default=26, gt=0, le=520)
    cool_down_days: int = Field(default=14, ge=0, le=366)


class Bands(_Checked):
    """High, middle, low: from places, never from a fixed probability."""

    high_share: float = Field(default=0.25, ge=0, le=1)
    most_share: float = Field(default=0.2, gt=0, le=1)
    middle_factor: float = Field(default=2.0, ge=0, le=100)


class Audit(_Checked):
    """The places drawn by lot near the cut-off."""

    share: float = Field(default=0.05, ge=0, le=0.5)
    window: int = Field(default=10, ge=2, le=1000)
    seed: int = 52


class Timeliness(_Checked):
    """How far back timeliness is counted."""

    weeks: Weeks = 13


class Exclusion(_Checked):
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


class Policy(_Checked):
    """The whole policy; see ``policy.toml`` for what each part means."""

    version: str = Field(min_length=1)
    rules: tuple[RuleSet, ...] = Field(min_length=1)
    milestones: tuple[Milestone, ...] = ()
    capacity: Capacity
    order: Order = Order()
    bands: Bands = Bands()
    audit: Audit = Audit()
    timeliness: Timeliness = Timeliness()
    exclusions: tuple[Exclusion, ...] = ()

    @model_validator(mode="after")
    def _no_gap(self) -> Policy:
        for rule in self.rules:
            if rule.valid_until is not None and rule.valid_until < rule.valid_from:
                raise ValueError(f"rule set {rule.name!r} ends before it begins")
        for before, after in zip(self.rules, self.rules[1:], strict=False):
            if before.valid_until is None or before.valid_until + timedelta(days=1) != after.valid_from:
                raise ValueError(f"there is a gap or an overlap between rule sets {before.name!r} and {after.name!r}")
        return self

    def rules_on(self, day: date) -> RuleSet:
        """The rule set in force on a day.

        Raises
        ------
        ConfigError
            When no rule set covers the day.
        """
        for rule in self.rules:
            if rule.valid_from <= day and (rule.valid_until is None or day <= rule.valid_until):
                return rule
        raise ConfigError(f"policy {self.version}: no rule set covers {day}; add one with that date")

    def with_places(self, n: int) -> Policy:
        """The same policy with ``n`` cases a week for every team.

        Raises
        ------
        ConfigError
            When ``n`` is below 1.
        """
        if n < 1:
            raise ConfigError(
                f"a capacity of {n} leaves no place to list; give 1 or more, or a policy file with 0 for a single team"
            )
        return self.model_copy(update={"capacity": self.capacity.model_copy(update={"unit": "cases", "everywhere": n})})

    def check_teams(self, teams: Iterable[str]) -> None:
        """Refuse a policy that names a team the register does not have.

        Raises
        ------
        ConfigError
            Names the team and those that are known.
        """
        known = sorted(set(teams))
        strange = sorted(set(self.capacity.teams) - set(known))
        if strange:
            more = ", ..." if len(known) > 10 else ""
            raise ConfigError(
                f"policy {self.version}: team {strange[0]!r} is not in the register; known are {', '.join(known[:10])}{more}"
            )


def read_policy(path: Path | None = None) -> Policy:
    """The policy in a TOML file; the shipped one when no path is given.

    Raises
    ------
    ConfigError
        When the file cannot be read, has an unknown key, a gap in its dates, or a value that cannot be used.
    """
    what = path or "policy.toml"
    try:
        shipped = resources.files("risk").joinpath("policy.toml")
        text = shipped.read_text("utf-8") if path is None else Path(path).read_text("utf-8")
        return Policy.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        raise ConfigError(f"policy {what} cannot be read: {why}") from None
    except ValidationError as broken:
        raise ConfigError(f"policy {what}: {first_complaint(broken)}") from None
