"""Policy: who comes first. A decision of people, read from a dated TOML file and checked before anything is listed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from risk.errors import ConfigError, why_unreadable
from risk.outcomes import first_complaint
from risk.policy_parts import (
    Audit,
    Bands,
    Capacity,
    Checked,
    Closing,
    Exclusion,
    Milestone,
    Minutes,
    Order,
    RuleSet,
    Timeliness,
)

__all__ = [
    "Audit",
    "Bands",
    "Capacity",
    "Closing",
    "Exclusion",
    "Milestone",
    "Minutes",
    "Order",
    "Policy",
    "RuleSet",
    "Timeliness",
    "read_policy",
]


class Policy(Checked):
    """The whole policy; see ``policy.toml`` for what each part means."""

    version: str = Field(min_length=1)
    rules: tuple[RuleSet, ...] = Field(min_length=1)
    milestones: tuple[Milestone, ...] = ()
    capacity: Capacity
    order: Order = Order()
    closing: Closing = Closing()
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
        raise ConfigError(f"policy {what} cannot be read: {why_unreadable(why)}") from None
    except ValidationError as broken:
        raise ConfigError(f"policy {what}: {first_complaint(broken)}") from None
