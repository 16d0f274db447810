"""The world a register is made in: its dates, its law, and whether it drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from risk.errors import ConfigError
from risk.synthetic import effects as fx

Scenario = Literal["plain", "drift", "regime"]
Law = Literal["cap", "reassessment", "none"]
DEFAULT_EXTRACT = date(2026, 11, 16)
BURN_IN_YEARS = 2.0  # cases begun before the register does, which only leave their trace in the history attributes
EPOCH = date(1970, 1, 1)
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def law_of(day: date) -> Law:
    """The law in force on a day: cap at week 52, reassessment (July 2014-2026), or neither."""
    if day < date(2014, 7, 1):
        return "cap"
    return "reassessment" if day < date(2027, 1, 1) else "none"


@dataclass(frozen=True)
class World:
    """Dates as days since 1970. A law holds by the calendar: ``law`` until ``switch_day``, ``law_after`` from it on.

    With ``is_for_new`` law and pace are instead those of the day a case opened, however long it lasts.
    """

    extract_day: int
    start_day: int
    law: Law
    law_after: Law
    switch_day: int
    drift_day: int
    drift_pace: float
    employer_days: int
    is_for_new: bool = False

    @property
    def extract_on(self) -> date:
        return EPOCH + timedelta(days=self.extract_day)

    def drift_age(self, opened: Ints) -> Ints:
        """Day of absence from which a case has the pace of the drift, (n,); 0 or less when from the start."""
        return self._age_of(self.drift_day, opened)

    def switch_age(self, opened: Ints) -> Ints:
        """Day of absence from which ``law_after`` holds for a case, (n,); 0 or less when from the start."""
        return self._age_of(self.switch_day, opened)

    def _age_of(self, change_day: int, opened: Ints) -> Ints:
        age = change_day - opened
        return np.where(age > 0, NEVER, age) if self.is_for_new else age


NEVER = 1_000_000  # a day that does not come


def make_world(
    extract_on: date = DEFAULT_EXTRACT,
    *,
    scenario: str = "plain",
    years: float = 5.0,
    law: Law | None = None,
    switch_on: date | None = None,
    pace: float | None = None,
    only_new: bool = False,
) -> World:
    """The world of a scenario.

    ``plain`` keeps one law throughout: the one in force on the extract date, or ``law``. ``drift`` changes mix and pace from
    ``switch_on`` on (default: in the last 18 months); ``pace`` is what the hazard of closing is then multiplied by (default 0.85). ``regime`` imitates the reform of 2014, moved to ``switch_on`` (default: 18 months before the
    extract): a cap at week 52 before, the reassessment after; with ``law="reassessment"`` it imitates 2027 instead,
    the reassessment before and no such exits after. With ``only_new`` the new pace or law holds for cases opened on or after the
    day of the change, while those already open keep the old one to their end.

    Raises
    ------
    ConfigError
        When the scenario or the law is unknown, years are not between 0.5 and 30, a switch has no regime to change, or a pace is given
        that is not above 0 or belongs to no drift, or new cases only are asked for where nothing changes.
    """
    if scenario not in get_args(Scenario):
        raise ConfigError(f"there is no scenario {scenario!r}; choose plain, drift or regime")
    if law is not None and law not in get_args(Law):
        raise ConfigError(f"there is no law {law!r}; choose cap, reassessment or none")
    if not 0.5 <= years <= 30:
        raise ConfigError(f"years must lie between 0.5 and 30, not {years:g}")
    if switch_on is not None and scenario == "plain":
        raise ConfigError(
            "switch_on belongs to the scenarios regime and drift; choose one of them or leave the date out"
        )
    if pace is not None and (scenario != "drift" or not 0 < pace < math.inf):
        raise ConfigError("pace is a number above 0 and belongs to the scenario drift")
    if only_new and scenario == "plain":
        raise ConfigError("only_new belongs to the scenarios regime and drift; choose one of them or leave it out")
    extract_day = (extract_on - EPOCH).days
    recent = extract_day - round(fx.DRIFT_MONTHS * 30.4375) if switch_on is None else (switch_on - EPOCH).days
    before: Law = law or ("cap" if scenario == "regime" else law_of(extract_on))
    after = before
    switch_day = NEVER
    if scenario == "regime":
        after = "reassessment" if before == "cap" else "none"
        switch_day = recent
    return World(
        extract_day=extract_day,
        start_day=extract_day - round(years * 365.25),
        law=before,
        law_after=after,
        switch_day=switch_day,
        drift_day=recent if scenario == "drift" else NEVER,
        drift_pace=fx.DRIFT_HAZARD if pace is None else pace,
        # The employer pays the first 21 days from June 2008, 30 days today (domain brief 1.2).
        employer_days=21 if law_of(extract_on) == "cap" else 30,
        is_for_new=only_new,
    )
