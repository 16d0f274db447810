"""What a week of benefit costs the municipality: dated rates, the state's reimbursement ladder, and the days before it pays.

Day ``d`` of benefit is the ``d``-th day after the waiting days of a case; week ``w`` of benefit holds days ``7(w-1)+1`` to
``7w``. The state counts weeks over all benefits of a person; a register knows only its own cases, so they are counted per
case here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from risk import schema
from risk.errors import ConfigError, why_unreadable
from risk.outcomes import first_complaint
from risk.register import Register
from risk.weeks import DAYS_PER_WEEK, Dates, Floats

V = TypeVar("V")
_LAST_DAY = np.datetime64("2200-01-01", "D")


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weekly(_Checked):
    """The highest benefit per week from a day on."""

    valid_from: date
    amount: float = Field(gt=0, le=1_000_000)
    source: str


class Step(_Checked):
    """Weeks with benefit in which the state pays back a share."""

    from_week: int = Field(ge=1, le=5000)
    until_week: int | None = Field(default=None, ge=1, le=5000)
    state_share: float = Field(ge=0, le=1)


class Ladder(_Checked):
    """The steps in force from a day on."""

    valid_from: date
    steps: tuple[Step, ...] = Field(min_length=1)
    source: str

    @model_validator(mode="after")
    def _rises(self) -> Ladder:
        for step, after in zip(self.steps, self.steps[1:], strict=False):
            if step.until_week is None or after.from_week != step.until_week + 1:
                raise ValueError("a step must begin in the week after the step before it ends")
        return self


class Waiting(_Checked):
    """Days before the municipality pays, for absence that began on or after a day."""

    valid_from: date
    days: dict[str, Annotated[int, Field(ge=0, le=366)]]
    source: str

    @model_validator(mode="after")
    def _has_default(self) -> Waiting:
        levels = schema.case_attributes()["employment_status"].levels
        if "default" not in self.days:
            raise ValueError("days needs a default")
        strange = set(self.days) - {"default", *levels}
        if strange:
            raise ValueError(f"{min(strange)!r} is not an employment status; known are {', '.join(levels)}")
        return self


class Rates(_Checked):
    """All of it; see ``rates.toml``."""

    version: str = Field(min_length=1)
    currency: str
    weekly: tuple[Weekly, ...] = Field(min_length=1)
    ladder: tuple[Ladder, ...] = Field(min_length=1)
    waiting: tuple[Waiting, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Rates:
        for what, parts in (("weekly", self.weekly), ("ladder", self.ladder), ("waiting", self.waiting)):
            days = [p.valid_from for p in parts]
            if days != sorted(set(days)):
                raise ValueError(f"the dates of {what} must rise")
        return self


_NO_STEPS: tuple[Step, ...] = ()


def read_rates(path: Path | None = None) -> Rates:
    """The rates in a TOML file; the shipped ones when no path is given.

    Raises
    ------
    ConfigError
        When the file cannot be read, has an unknown key, or a value that cannot be used.
    """
    what = path or "rates.toml"
    try:
        shipped = resources.files("risk").joinpath("rates.toml")
        text = shipped.read_text("utf-8") if path is None else Path(path).read_text("utf-8")
        return Rates.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        raise ConfigError(f"rates {what} cannot be read: {why_unreadable(why)}") from None
    except ValidationError as broken:
        raise ConfigError(f"rates {what}: {first_complaint(broken)}") from None


def paid_from(register: Register, rates: Rates) -> Dates:
    """The last day before the municipality pays, (n,): benefit runs from the day after it."""
    opened_on = register.encoded.opened_on
    status = register.encoded.columns["employment_status"]
    levels = schema.case_attributes()["employment_status"].levels
    out = np.full(len(opened_on), rates.waiting[0].days["default"], dtype=np.int64)
    for rule in rates.waiting:
        here = opened_on >= np.datetime64(rule.valid_from, "D")
        days = np.full(len(opened_on), rule.days["default"])
        for name, own in rule.days.items():
            if name != "default":
                days[status == levels.index(name)] = own
        out[here] = days[here]
    return opened_on + out.astype("m8[D]")


@dataclass(frozen=True)
class Cost:
    """What n cases cost between two days.

    Attributes
    ----------
    gross : (n,) benefit paid, or nan when a day has no rate
    net : (n,) what the municipality bears of it, or nan when a day has no state share either
    carried : years that took the rate of an earlier year, e.g. ``(2025, 2026)``
    carried_from : the year of that rate
    """

    gross: Floats
    net: Floats
    carried: tuple[int, ...]
    carried_from: int | None


def cost(start: Dates, end: Dates, since: date, until: date, rates: Rates, own_weekly: Floats | None = None) -> Cost:
    """Price the days with benefit from ``since`` to ``until``, both included.

    Parameters
    ----------
    start : (n,) the day before benefit begins
    end : (n,) the last day with benefit
    own_weekly : (n,) the case's own weekly benefit where known (nan: the highest rate)
    """
    own = np.full(len(start), np.nan) if own_weekly is None else own_weekly
    first, last = np.datetime64(since, "D") - 1, np.datetime64(until, "D")
    gross, net = np.zeros(len(start)), np.zeros(len(start))
    for low, high, amount in _spans([(r.valid_from, r.amount) for r in rates.weekly], float("nan")):
        for ladder_low, ladder_high, steps in _spans([(r.valid_from, r.steps) for r in rates.ladder], _NO_STEPS):
            a, z = max(first, low - 1, ladder_low - 1), min(last, high - 1, ladder_high - 1)
            if a >= z:
                continue
            # A case that knows its own weekly benefit needs no rate.
            daily = np.where(np.isnan(own), amount, own) / DAYS_PER_WEEK
            days = _overlap(start, end, a, z)
            gross += np.where(days > 0, days * daily, 0.0)
            priced = np.zeros(len(start))
            for step in steps:
                step_start = start + np.timedelta64((step.from_week - 1) * DAYS_PER_WEEK, "D")
                step_end = end if step.until_week is None else np.minimum(
                    end, start + np.timedelta64(step.until_week * DAYS_PER_WEEK, "D")
                )  # fmt: skip
                in_step = _overlap(step_start, step_end, a, z)
                priced += in_step
                net += np.where(in_step > 0, in_step * daily * (1.0 - step.state_share), 0.0)
            net = np.where(priced < days, np.nan, net)
    return Cost(gross, net, *_carried(rates, since, until))


def _spans(dated: list[tuple[date, V]], before: V) -> list[tuple[np.datetime64, np.datetime64, V]]:
    """Half-open spans of days and what holds in them, from the beginning of time to its end."""
    days = [np.datetime64("1800-01-01", "D"), *(np.datetime64(d, "D") for d, _ in dated), _LAST_DAY]
    return list(zip(days, days[1:], [before, *(v for _, v in dated)], strict=False))


def _overlap(start: Dates, end: Dates, a: np.datetime64, z: np.datetime64) -> npt.NDArray[np.float64]:
    """Days of ``(start, end]`` that lie in ``(a, z]``, (n,)."""
    return np.maximum((np.minimum(end, z) - np.maximum(start, a)).astype(np.float64), 0.0)


def _carried(rates: Rates, since: date, until: date) -> tuple[tuple[int, ...], int | None]:
    """Years of the period without a rate of their own, and the year whose rate the last of them took."""
    own = {r.valid_from.year for r in rates.weekly}
    carried = tuple(y for y in range(since.year, until.year + 1) if y not in own and y > min(own))
    return carried, max(y for y in own if y < carried[-1]) if carried else None
