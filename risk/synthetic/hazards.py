"""How long cases last: proportional exit hazards with gamma frailty, and laws that end cases beside them.

For a case with score ``eta``, frailty ``Z`` (gamma, mean 1, variance v) and observed changes of pace ``m(s)``::

    P(open after day d | Z) = exp(-Z exp(eta) L(d)) * exp(-c A(d)),    L(d) = integral of b(s) m(s) ds over (0, d]
    P(open after day d)     = (1 + v exp(eta) L(d)) ** (-1/v) * exp(-c A(d))

``m`` is the effect of a partial return from the day it begins, times the drift of the scenario; ``A`` are exits by law,
``c`` the share of them a case is exposed to. The baseline ``b`` is solved for, so that a large reference population stays
open exactly as the base rates of :data:`risk.synthetic.effects.OPEN_AFTER_WEEKS` say.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.illness import reference_population
from risk.synthetic.world import Floats, Ints, World

LAST_DAY = 4096


def open_in_population(days: Floats) -> Floats:
    """P(open) by day of absence in the reference population, without laws (3.1), (n,): constant exit between the knots."""
    weeks, share = np.array(fx.OPEN_AFTER_WEEKS).T
    return np.exp(np.interp(days, weeks * 7.0, np.log(share)))


def integrated_hazard(base: Floats, day: Ints, partial_day: Ints, drift_age: Ints, drift_pace: float) -> Floats:
    """``L(day)`` per case, arrays broadcast: the baseline, faster after ``partial_day``, ``drift_pace`` times it after ``drift_age``."""
    day = np.clip(day, 0, LAST_DAY)
    faster, slower = fx.PARTIAL_RETURN_EFFECT - 1.0, drift_pace - 1.0
    at = base[day]
    first = base[np.clip(partial_day, 0, day)]
    total = at + faster * (at - first)
    if np.all(drift_age > day):
        return total
    drift = base[np.clip(drift_age, 0, day)]
    later = base[np.clip(np.maximum(partial_day, drift_age), 0, day)]
    return total + slower * ((at - drift) + faster * (at - later))


def law_hazard(world: World, opened: Ints, day: Ints) -> Floats:
    """``A(day)``: integrated hazard of the exits by law, the law of each calendar day counting; broadcasts."""
    switch = world.switch_age(opened)
    return _mass(world.law, np.minimum(day, switch)) + (
        _mass(world.law_after, day) - _mass(world.law_after, np.minimum(day, switch))
    )


def _mass(law: str, day: Ints) -> Floats:
    first, last, share, _ = fx.LAWS[law]
    return -np.log1p(-share) * (np.clip(day, first, last) - first) / (last - first)


@cache
def baseline() -> Floats:
    """Integrated baseline hazard by day, (LAST_DAY + 1,), that reproduces the base rates in the reference population."""
    people, partial_day = reference_population()
    pace, reached = np.exp(people), np.zeros(len(people))
    knots = np.unique(
        np.round(np.concatenate([np.arange(0, 70, 3.5), np.arange(70, 371, 7), np.geomspace(378, LAST_DAY, 30)]))
    )
    wanted = open_in_population(knots)
    total = np.zeros(len(knots))
    for k in range(1, len(knots)):
        late = np.clip((knots[k] - partial_day) / (knots[k] - knots[k - 1]), 0.0, 1.0)
        speed = pace * (1.0 + (fx.PARTIAL_RETURN_EFFECT - 1.0) * late)
        step = _solve_step(reached, speed, wanted[k])
        reached, total[k] = reached + speed * step, total[k - 1] + step
    return np.interp(np.arange(LAST_DAY + 1), knots, total)


def _solve_step(reached: Floats, speed: Floats, wanted: float) -> float:
    """The baseline increment after which ``wanted`` of the population is open: Newton on the mean of the survivals."""
    step, v = 0.0, fx.FRAILTY_VARIANCE
    for _ in range(60):
        inside = 1.0 + v * (reached + speed * step)
        open_now = inside ** (-1.0 / v)
        miss = float(np.mean(open_now)) - wanted
        if abs(miss) < 1e-12 + 1e-9 * wanted:
            return step
        step += miss / float(np.mean(open_now / inside * speed))
    raise ArithmeticError("the baseline hazard could not be solved for")


def draw_days(rng: np.random.Generator, world: World, spells: pd.DataFrame) -> tuple[Ints, Ints]:
    """Days from opening to closing, and to leaving by law (whichever comes first counts), two (n,) arrays."""
    opened = spells["opened"].to_numpy()
    wanted = rng.exponential(size=len(spells)) / (spells["frailty"].to_numpy() * np.exp(spells["eta"].to_numpy()))
    partial, drift_age = spells["partial_day"].to_numpy(), world.drift_age(opened)
    base = baseline()
    recovered = _first_day(lambda day: integrated_hazard(base, day, partial, drift_age, world.drift_pace), wanted)
    exposure = spells["exposure"].to_numpy()
    by_law = _first_day(lambda day: exposure * law_hazard(world, opened, day), rng.exponential(size=len(spells)))
    return recovered, by_law


def _first_day(rising: Callable[[Ints], Floats], wanted: Floats) -> Ints:
    """The first day on which a rising function of the day exceeds ``wanted``; LAST_DAY + 1 if none does."""
    low = np.zeros(len(wanted), dtype=np.int64)
    high = np.full(len(wanted), LAST_DAY + 1, dtype=np.int64)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        reached = rising(middle) > wanted
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return high
