"""What gates look at, and the small readings several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from models.bundle import Bundle
from risk.register import Register
from training.fit import Material
from training.plan import Plan
from training.results import Backtest


@dataclass(frozen=True)
class Reading:
    """A metric at a landmark: mean over origins and its 95 % interval."""

    landmark: str
    value: float
    low: float
    high: float

    @property
    def at(self) -> str:
        return named(self.landmark)

    def widened(self, factor: float) -> Reading:
        """The same value with its interval drawn out on both sides."""
        low, high = (self.value + factor * (end - self.value) for end in (self.low, self.high))
        return Reading(self.landmark, self.value, low, high)


@dataclass(frozen=True)
class Evidence:
    """One training run as the gates see it.

    Attributes
    ----------
    plan : Plan
    known : Register
        Cut at ``as_of``.
    as_of : date
    material : Material
        Rows the final model was fitted on.
    bundle : Bundle
        The challenger.
    learner : str
    backtest : Backtest
    champion : Bundle or None
        The model in service.
    """

    plan: Plan
    known: Register
    as_of: date
    material: Material
    bundle: Bundle
    learner: str
    backtest: Backtest
    champion: Bundle | None = None

    def over_origins(self, metric: str, learner: str | None = None) -> list[Reading]:
        """Mean over origins at each landmark where it is defined, weekly lists left out."""
        table = self.backtest.metrics
        if table.empty:
            return []
        chosen = table[
            (table["metric"] == metric)
            & (table["learner"] == (learner or self.learner))
            & table["origin"].isna()
            & (table["landmark"] != "list")
        ]
        columns = [chosen[c].tolist() for c in ("landmark", "value", "low", "high")]
        return [Reading(str(m), *map(float, v)) for m, *v in zip(*columns, strict=True) if np.isfinite(v[0])]


def named(landmark: str) -> str:
    """A landmark in words.

    >>> named("13")
    'week 13'
    """
    return landmark if landmark == "registration" else f"week {landmark}"


NO_BACKTEST = "there is no backtest to judge by: {note}"
