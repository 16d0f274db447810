"""The true chance of passing week 52: for one who sees everything, and for one who sees what is recorded.

``p_true`` knows every hidden trait of the case. ``p_observable`` is the best possible prediction from what was recorded by
the landmark: it weighs each hidden class k (illness, claim, outlook) by Bayes,

    w_k ~ P(class k | attributes at registration) * P(facts, and silence, recorded by day t | class k) * S_k(t),

integrates the gamma frailty in closed form, ``S_k(d) = (1 + v exp(eta_k) L(d)) ** (-1/v) exp(-c_k A(d))``, averages a partial
return still to come over seven quantiles of its day, and returns ``sum w_k S_k(364) / S_k(t)``. Approximate in two places only:
those quantiles, and the exact day of a partial return that began before registration (the record shows only that it had).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.facts import by_illness, by_outlook, claim_window, form_never
from risk.synthetic.hazards import baseline, integrated_hazard, law_hazard
from risk.synthetic.illness import claim_chances, illness_chances, partial_return_chances
from risk.synthetic.scores import ILLNESSES, exposure_to_law, hidden_score
from risk.synthetic.world import NEVER, Floats, Ints, World

HORIZON_DAYS = 364
N_PARTIAL_NODES = 7
CHUNK = 20_000  # rows at a time: keeps the class table of a quarter of a million cases within memory


def p_true(spells: pd.DataFrame, world: World, day: Ints) -> Floats:
    """P(open after day 364 | open after ``day``, everything hidden known), (n,)."""
    opened, partial = spells["opened"].to_numpy(), spells["partial_day"].to_numpy()
    drift, base = world.drift_age(opened), baseline()
    ahead = np.full(len(spells), HORIZON_DAYS)
    pace = spells["frailty"].to_numpy() * np.exp(spells["eta"].to_numpy())
    reached = [integrated_hazard(base, d, partial, drift, world.drift_pace) for d in (ahead, day)]
    left = pace * (reached[0] - reached[1])
    law = spells["exposure"].to_numpy() * (law_hazard(world, opened, ahead) - law_hazard(world, opened, day))
    return np.exp(-left - law)


def p_observable(
    spells: pd.DataFrame, drawn: pd.DataFrame, world: World, day: Ints, *, with_facts: bool = True
) -> Floats:
    """P(open after day 364 | open after ``day``, what was recorded by then), (n,).

    Parameters
    ----------
    spells, drawn : DataFrame
        Registered spells and their facts (:func:`risk.synthetic.facts.draw_facts`), n rows each.
    day : (n,) int
        Whole days survived at the landmark; facts recorded up to and on that day of absence are known.
    with_facts : bool
        False: only the attributes known at registration and a partial return are seen, whatever has arrived since.
    """
    out = np.empty(len(spells))
    for first in range(0, len(spells), CHUNK):
        part = slice(first, first + CHUNK)
        out[part] = _posterior(spells.iloc[part], drawn.iloc[part], world, day[part], with_facts)
    return out


def _posterior(spells: pd.DataFrame, drawn: pd.DataFrame, world: World, day: Ints, with_facts: bool) -> Floats:
    weights = _prior(spells, world)
    if with_facts:
        weights *= _likelihood(spells, drawn, day)
    row, illness, claim, outlook = np.nonzero(weights)
    weight = weights[row, illness, claim, outlook]
    unemployed = spells["is_unemployed"].to_numpy()[row]
    pace = np.exp(spells["observed"].to_numpy()[row] + hidden_score(illness, outlook, claim == 1, unemployed))
    opened, partial, chance = (
        spells["opened"].to_numpy(),
        spells["partial_day"].to_numpy(),
        partial_return_chances(spells),
    )
    begun = partial <= day
    drift = world.drift_age(opened), world.drift_pace
    now = integrated_hazard(baseline(), day, np.where(begun, partial, NEVER), *drift)
    ahead_day = np.full(len(day), HORIZON_DAYS)
    law = law_hazard(world, opened, ahead_day) - law_hazard(world, opened, day)
    stays = np.exp(-exposure_to_law(illness, claim == 1) * law[row])
    # S_k(t) includes the law's exits already past: a class more exposed to them is less likely still to be here.
    weight = weight * np.exp(-exposure_to_law(illness, claim == 1) * law_hazard(world, opened, day)[row])
    weight *= _open(pace, now[row])
    total = np.bincount(row, weight, minlength=len(day))
    ahead = np.zeros(len(day))
    for node_day, share in _partial_nodes(day, partial, begun, chance):
        later = integrated_hazard(baseline(), ahead_day, node_day, *drift)
        open_then = weight * stays * _open(pace, later[row]) / _open(pace, now[row])
        ahead += share * np.bincount(row, open_then, minlength=len(day))
    return np.where(day >= HORIZON_DAYS, 1.0, ahead / total)


def _open(pace: Floats, integrated: Floats) -> Floats:
    """P(not recovered), the gamma frailty integrated out."""
    v = fx.FRAILTY_VARIANCE
    return np.exp(-np.log1p(v * pace * integrated) / v)


def _partial_nodes(day: Ints, partial: Ints, begun: np.ndarray, chance: Floats) -> list[tuple[Ints, Floats]]:
    """Days on which a partial return may begin, with their chances given that it has not by ``day``."""
    first, mean = fx.PARTIAL_RETURN_DAYS
    waiting = np.maximum(day, first)
    not_yet = chance * np.exp(-(waiting - first) / mean)
    will = np.where(begun, 0.0, not_yet / (1.0 - chance + not_yet))
    middles = (np.arange(N_PARTIAL_NODES) + 0.5) / N_PARTIAL_NODES
    nodes = [(np.where(begun, partial, NEVER), 1.0 - will)]
    for quantile in -mean * np.log1p(-middles):
        nodes.append(((waiting + quantile).astype(np.int64), will / N_PARTIAL_NODES))
    return nodes


def _prior(spells: pd.DataFrame, world: World) -> Floats:
    """P(illness, claim, outlook | attributes at registration), up to a factor per row, (n, 10, 2, 4)."""
    hospital = by_illness(fx.HOSPITAL_SHARE, np.nan)
    seen = spells["was_hospitalised"].to_numpy(dtype=bool)[:, None]
    illness = illness_chances(spells, world) * np.where(seen, hospital, 1.0 - hospital)
    claim = claim_chances(spells)
    with_claim = np.stack([illness * (1.0 - claim), illness * claim], axis=2)
    outlook = np.array([fx.OUTLOOK_MIX[i] for i in ILLNESSES])
    return np.asarray(with_claim[:, :, :, None] * outlook[None, :, None, :])


def _likelihood(spells: pd.DataFrame, drawn: pd.DataFrame, day: Ints) -> Floats:
    """P(facts and silence up to ``day`` | illness, claim, outlook), up to a factor per row, (n, 10, 2, 4)."""
    n, delay = len(spells), spells["delay"].to_numpy()
    told = np.ones((n, len(ILLNESSES), len(fx.OUTLOOKS)))
    came = drawn["form_day"].to_numpy() <= day
    never, (soonest, latest) = form_never(), fx.FORM_DAYS
    still_coming = 1.0 - np.clip((day - delay - soonest + 1) / (latest - soonest + 1), 0.0, 1.0)
    told *= np.where(came[:, None, None], 1.0 - never, never + (1.0 - never) * still_coming[:, None, None])

    def weigh(table: Floats, observed: np.ndarray, axis: int) -> None:
        """Multiply the rows where something was observed by its chance per illness (axis 1) or outlook (axis 2)."""
        factor = np.where(observed[:, None], table, 1.0)
        told[...] *= factor[:, :, None] if axis == 1 else factor[:, None, :]

    illness, outlook = spells["illness"].to_numpy(), spells["outlook"].to_numpy()
    illness_day, outlook_day = drawn["illness_day"].to_numpy(), drawn["outlook_day"].to_numpy()
    tells = by_illness(fx.ILLNESS_TOLD, fx.ILLNESS_TOLD_ELSE)
    asked, on_form = came & drawn["illness_asked"].to_numpy(), illness_day == drawn["form_day"].to_numpy()
    weigh(np.where(on_form[:, None], tells, 1.0 - tells), asked, 1)
    weigh(np.eye(len(ILLNESSES))[illness], illness_day <= day, 1)
    answers = by_outlook(fx.OUTLOOK_TOLD)
    weigh(np.where((outlook_day < NEVER)[:, None], answers, 1.0 - answers), came, 2)
    weigh(np.eye(len(fx.OUTLOOKS))[outlook], outlook_day <= day, 2)
    related, adapted = by_illness(fx.WORK_RELATED, fx.WORK_RELATED_ELSE), by_outlook(fx.JOB_ADAPTED)
    weigh(np.where(drawn["work_related"].to_numpy()[:, None], related, 1.0 - related), came, 1)
    weigh(
        np.where(drawn["adapted"].to_numpy()[:, None], adapted, 1.0 - adapted),
        drawn["adapted_day"].to_numpy() <= day,
        2,
    )
    for name, table in (("treatment", fx.TREATMENT), ("gp", fx.PROGNOSIS), ("statement", fx.STATEMENT)):
        weigh(by_outlook(table).T[drawn[name].to_numpy()], drawn[f"{name}_day"].to_numpy() <= day, 2)
    _weigh_dismissal(spells, drawn, day, weigh)
    return np.asarray(told[:, :, None, :] * _claim_likelihood(spells, drawn, day)[:, None, :, None])


def _weigh_dismissal(
    spells: pd.DataFrame, drawn: pd.DataFrame, day: Ints, weigh: Callable[[Floats, np.ndarray, int], None]
) -> None:
    """Dismissed, or not yet: the share of later dismissals that would have happened by now."""
    first, last = fx.DISMISSED_DAYS
    by_now = np.clip((day - first + 1) / (last - first + 1), 0.0, 1.0)
    chance = by_outlook(fx.DISMISSED)[None, :]
    dismissed = (drawn["dismissed_day"].to_numpy() <= day)[:, None]
    weigh(np.where(dismissed, chance, 1.0 - chance * by_now[:, None]), spells["has_employer"].to_numpy(), 2)


def _claim_likelihood(spells: pd.DataFrame, drawn: pd.DataFrame, day: Ints) -> Floats:
    """P(a claim is reported by ``day``, or not | no claim, claim), (n, 2); the basis of injury cases tells it at once."""
    delay = spells["delay"].to_numpy()
    window = claim_window(delay) + 1
    silent = 1.0 - np.clip((day - delay + 1) / window, 0.0, 1.0)
    reported = drawn["claim_day"].to_numpy() <= day
    told = np.stack([np.where(reported, 0.0, 1.0), np.where(reported, 1.0, silent)], axis=1)
    return np.where(spells["is_injury_case"].to_numpy()[:, None], 1.0, told)
