"""The plan of a training run: everything a person decides about it, in one dated TOML file that is logged whole."""

from __future__ import annotations

import math
import tomllib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from risk import features
from risk.errors import ConfigError, why_unreadable
from risk.outcomes import OutcomeDefinition, first_complaint, read_outcome_definition

Landmark = Literal["registration"] | Annotated[int, Field(ge=1, le=520)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Landmarks(_Checked):
    """Case ages (weeks since opening) at which cases are learned from and judged."""

    at: tuple[Landmark, ...] = ("registration", 4, 8, 13, 22, 26, 39)
    max_rows: int | None = Field(default=None, ge=100)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(a) for a in self.at)


class Features(_Checked):
    """The allow-list: what is free to use, plus what is allowed and minus what is dropped, each with a reason."""

    allowed: dict[str, Annotated[str, Field(min_length=5)]] = {}
    dropped: dict[str, Annotated[str, Field(min_length=5)]] = {}

    def names(self) -> tuple[str, ...]:
        """The features to learn from, in the order of the catalogue."""
        chosen = (set(features.default_features()) | set(self.allowed)) - set(self.dropped)
        return tuple(n for n in features.catalogue() if n in chosen)


class Learners(_Checked):
    """Which learners compete for the service, in order of preference, and which are only shown beside them."""

    candidates: tuple[str, ...] = Field(default=("additive", "linear", "hazard", "direct", "stacked"), min_length=1)
    shown: tuple[str, ...] = ("baseline", "longest_open", "matured_only", "censored_as_negative")
    params: dict[str, dict[str, Any]] = {}


class Calibration(_Checked):
    """Recalibration on the newest cohorts followed to the horizon."""

    weeks: int = Field(default=52, ge=4, le=520)
    folds: int = Field(default=2, ge=2, le=10)
    least_each: int = Field(default=30, ge=5)


class Recent(_Checked):
    """How many weeks back a change of level is looked for (:mod:`models.recent`); it is not looked for when None."""

    weeks: int | None = Field(default=None, ge=4, le=520)


class BacktestPlan(_Checked):
    """Retraining as it would have happened, and the weeks it is judged on."""

    origins: int = Field(default=3, ge=1, le=20)
    spacing_weeks: int = Field(default=26, ge=1)
    window_weeks: int = Field(default=26, ge=1)
    at: tuple[date, ...] = ()
    least_history_weeks: int = Field(default=78, ge=1)
    least_rows: int = Field(default=100, ge=10)
    least_exceeded: int = Field(default=20, ge=2)
    mondays: int = Field(default=3, ge=1, le=60)
    draws: int = Field(default=200, ge=20, le=10_000)
    bins: int = Field(default=10, ge=2, le=50)


class Capacity(_Checked):
    """How many cases a week's list can hold: a share of the open cases up to a week, or a number per team."""

    first_until_week: float = Field(default=26, gt=0, le=520)
    share: Share = 0.10
    per_team: int | None = Field(default=None, ge=1)

    def places(self, n_open: int) -> int:
        """Places on the list of a team with so many open cases."""
        return self.per_team if self.per_team is not None else math.ceil(self.share * n_open)


class Gates(_Checked):
    """Limits of the gates; their sources stand in the shipped plan."""

    least_auc_gain: float = Field(default=0.02, ge=0, le=0.5)
    slope_low: float = Field(default=0.8, gt=0, lt=1)
    slope_high: float = Field(default=1.25, gt=1)
    most_off: float = Field(default=0.03, gt=0, lt=0.5)
    most_off_unseen: float = Field(default=0.08, gt=0, lt=1)
    slope_low_unseen: float = Field(default=0.5, gt=0, lt=1)
    slope_high_unseen: float = Field(default=2.0, gt=1)
    rows_checked: int = Field(default=500, ge=10)
    least_rows_kept: Share = 0.9
    most_auc: float = Field(default=0.87, gt=0.5, le=1)
    most_auc_of_one: float = Field(default=0.80, gt=0.5, le=1)
    most_calendar: float = Field(default=0.10, gt=0, le=1)


class Fairness(_Checked):
    """Groups of the fairness step."""

    age_bands: tuple[int, ...] = (30, 40, 50, 60)
    suppressed_below: int = Field(default=5, ge=1)
    too_few_below: int = Field(default=50, ge=5)


class Plan(_Checked):
    """One training run as planned; see ``plans/default.toml`` for what each part means."""

    name: str = Field(default="default", min_length=1)
    version: str = Field(default="1", min_length=1)
    seed: int = Field(default=52, ge=0)
    champion: str = "auto"
    outcome: OutcomeDefinition
    landmarks: Landmarks = Landmarks()
    features: Features = Features()
    learners: Learners = Learners()
    calibration: Calibration = Calibration()
    recent: Recent = Recent()
    backtest: BacktestPlan = BacktestPlan()
    capacity: Capacity = Capacity()
    gates: Gates = Gates()
    fairness: Fairness = Fairness()

    @model_validator(mode="after")
    def _champion_competes(self) -> Plan:
        if self.champion != "auto" and self.champion not in self.learners.candidates:
            raise ValueError(f"champion {self.champion!r} is not among learners.candidates, and not 'auto'")
        both = set(self.learners.candidates) & set(self.learners.shown)
        if both:
            raise ValueError(f"learner {sorted(both)[0]!r} stands in both learners.candidates and learners.shown")
        return self

    def changed(self, **tables: Any) -> Plan:
        """The plan with values replaced, tables merged key by key, and checked again as a whole.

        >>> read_plan("default").changed(seed=7, backtest={"origins": 1}).backtest.origins
        1
        """
        whole = self.model_dump()
        for name, value in tables.items():
            whole[name] = {**whole[name], **value} if isinstance(value, dict) else value
        return Plan.model_validate(whole)

    @property
    def all_learners(self) -> tuple[str, ...]:
        """Candidates, then those only shown; the two references every other is held against are always there."""
        asked = (*self.learners.candidates, *self.learners.shown)
        return (*asked, *(r for r in ("baseline", "longest_open") if r not in asked))


def read_plan(which: str | Path | None = None) -> Plan:
    """The plan in a TOML file, or a shipped one by name (``default``, ``demo``, ``injury``); default when None.

    ``outcome_file`` names an outcome definition beside the plan; without it, and without a table ``[outcome]``, the
    shipped definition counts.

    Raises
    ------
    ConfigError
        When the file cannot be read, has an unknown key, a feature that may not be used, or a value that cannot.
    """
    name, folder, text = _text_of(which)
    try:
        given = tomllib.loads(text)
        outcome_file = given.pop("outcome_file", None)
        if "outcome" not in given:
            path = None if outcome_file is None else (folder or Path()) / outcome_file
            given["outcome"] = read_outcome_definition(path).model_dump()
        plan = Plan.model_validate(given)
    except tomllib.TOMLDecodeError as why:
        raise ConfigError(f"plan {name} cannot be read: {why_unreadable(why)}") from None
    except ValidationError as broken:
        raise ConfigError(f"plan {name}: {first_complaint(broken)}") from None
    features.check_features(plan.features.names(), tuple(plan.features.allowed))
    strange = [f for f in plan.features.dropped if f not in features.catalogue()]
    if strange:
        raise ConfigError(f"plan {name}: features.dropped names {strange[0]!r}, which is not in the catalogue")
    strange = [f for f in plan.features.allowed if f not in features.catalogue()]
    if strange:
        raise ConfigError(f"plan {name}: features.allowed names {strange[0]!r}, which is not in the catalogue")
    return plan


def _text_of(which: str | Path | None) -> tuple[str, Path | None, str]:
    """Name, folder and text of a plan; a bare word is a shipped plan."""
    shipped = resources.files("training").joinpath("plans")
    word = "default" if which is None else str(which)
    try:
        if Path(word).suffix == "" and shipped.joinpath(f"{word}.toml").is_file():
            return word, None, shipped.joinpath(f"{word}.toml").read_text("utf-8")
        return word, Path(word).parent, Path(word).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as why:
        known = sorted(p.name.removesuffix(".toml") for p in shipped.iterdir() if p.name.endswith(".toml"))
        raise ConfigError(
            f"plan {word} cannot be read ({why_unreadable(why)}); name a TOML file or one of {', '.join(known)}"
        ) from None
