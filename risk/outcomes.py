"""Outcomes: how long each case lasted, as far as it is known on the cut date.

An outcome is ``(closed, weeks)``, never a bare 0/1: a case that is still open, or moved away, is censored at the last day
it is known to have been open. Which clock runs and what each close reason means is a versioned definition.
"""

from __future__ import annotations

import tomllib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from risk import schema
from risk.errors import AsOfError, ConfigError, why_unreadable
from risk.weeks import DAYS_PER_WEEK, Dates, as_days, weeks_survived

OUTCOME_DTYPE = np.dtype([("closed", np.bool_), ("weeks", np.float64)])


class Reasons(BaseModel):
    """Close reasons that do not mean the case closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    censoring: tuple[str, ...] = ("moved_away",)
    continuing: tuple[str, ...] = ()

    @field_validator("censoring", "continuing")
    @classmethod
    def _known(cls, reasons: tuple[str, ...]) -> tuple[str, ...]:
        strange = [r for r in reasons if r not in schema.CLOSE_REASONS]
        if strange:
            raise ValueError(f"unknown close reason {strange[0]!r}; known are {', '.join(schema.CLOSE_REASONS)}")
        return reasons


class OutcomeDefinition(BaseModel):
    """The versioned answer to "when has a case exceeded?": clock, horizons and the meaning of close reasons."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    clock: Literal["absence", "registration"] = "absence"
    horizon_weeks: int = Field(52, ge=1, le=520)
    horizons_weeks: tuple[int, ...] = (8, 13, 22, 26, 52)
    merge_days: int = Field(4, ge=0, le=60)
    reasons: Reasons = Reasons()

    @model_validator(mode="after")
    def _horizon_among(self) -> OutcomeDefinition:
        if list(self.horizons_weeks) != sorted(set(self.horizons_weeks)) or min(self.horizons_weeks, default=0) < 1:
            raise ValueError("horizons_weeks must rise and start at 1 or later")
        if self.horizon_weeks not in self.horizons_weeks:
            raise ValueError("horizon_weeks must be one of horizons_weeks")
        return self

    def clock_start(self, cases: pd.DataFrame) -> Dates:
        """The day each case's clock starts, (n,)."""
        return as_days(cases["opened_on" if self.clock == "absence" else "registered_on"])


def read_outcome_definition(path: Path | None = None) -> OutcomeDefinition:
    """The definition in a TOML file; the shipped one (52 weeks on the absence clock) when no path is given.

    Raises
    ------
    ConfigError
        When the file cannot be read, has an unknown key, or a value that cannot be used.
    """
    try:
        text = (
            resources.files("risk").joinpath("outcome.toml").read_text("utf-8")
            if path is None
            else Path(path).read_text("utf-8")
        )
        return OutcomeDefinition.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        raise ConfigError(
            f"outcome definition {path or 'outcome.toml'} cannot be read: {why_unreadable(why)}"
        ) from None
    except ValidationError as broken:
        raise ConfigError(f"outcome definition {path or 'outcome.toml'}: {first_complaint(broken)}") from None


def first_complaint(broken: ValidationError) -> str:
    """The first complaint of pydantic in one line: where, what and how many more."""
    errors = broken.errors(include_url=False, include_input=False)
    where = ".".join(str(p) for p in errors[0]["loc"]) or "the whole"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    what = "there is no such key; check its spelling" if errors[0]["type"] == "extra_forbidden" else errors[0]["msg"]
    return f"{where}: {what}{more}"


def observe(cases: pd.DataFrame, definition: OutcomeDefinition, cut_on: date) -> np.ndarray:
    """What is known on ``cut_on`` of how long each case lasted.

    Parameters
    ----------
    cases : DataFrame
        n cases, columns of the case schema; registered before ``cut_on``.
    definition : OutcomeDefinition
        Clock, and which close reasons censor or continue.
    cut_on : date
        Closings recorded before 00:00 of this day are known; whatever lies later is censored.

    Returns
    -------
    structured array (n,) with fields ``closed`` (bool) and ``weeks`` (float, from the start of the clock, multiples of 1/7)

    Raises
    ------
    AsOfError
        When a case was registered on or after ``cut_on``: nothing is known of it yet.
    """
    cut = np.datetime64(cut_on, "D")
    n_unknown = int((as_days(cases["registered_on"]) >= cut).sum())
    if n_unknown:
        raise AsOfError(f"{n_unknown} cases were registered on or after the cut date {cut_on}; leave them out first")
    closed_on, reason = _followed(cases, definition)
    start = definition.clock_start(cases)
    happened = ~np.isnat(closed_on) & (closed_on < cut)
    censors = np.isin(reason, [*definition.reasons.censoring, *definition.reasons.continuing])
    out = np.empty(len(cases), dtype=OUTCOME_DTYPE)
    out["closed"] = happened & ~censors
    days = np.where(happened, (closed_on - start).astype(np.float64), np.nan)
    out["weeks"] = np.where(
        out["closed"],
        np.maximum(days, 0.0) / DAYS_PER_WEEK,
        np.where(happened, weeks_survived(start, closed_on), weeks_survived(start, cut)),
    )
    return out


def _followed(cases: pd.DataFrame, definition: OutcomeDefinition) -> tuple[Dates, np.ndarray]:
    """Closing day and reason of each case, continuing cases followed into the person's next case."""
    closed_on = as_days(cases["closed_on"])
    reason = cases["close_reason"].astype(object).to_numpy()
    if not definition.reasons.continuing:
        return closed_on, reason
    closed_on, reason = closed_on.copy(), reason.copy()
    opened = as_days(cases["opened_on"])
    person = pd.factorize(cases["person_key"], sort=True)[0]
    # From the last opened backwards, so that a chain of continuing cases is followed to its end in one pass.
    order = np.lexsort((cases["case_id"].to_numpy(dtype=str), opened, person))
    for here, nxt in zip(order[-2::-1], order[:0:-1], strict=True):
        goes_on = reason[here] in definition.reasons.continuing and person[here] == person[nxt]
        if goes_on and 0 <= (opened[nxt] - closed_on[here]).astype(int) <= definition.merge_days:
            closed_on[here], reason[here] = closed_on[nxt], reason[nxt]
    return closed_on, reason
