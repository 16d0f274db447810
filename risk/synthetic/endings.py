"""Why cases end: close reasons by length of case (3.5), leaning with who the person is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.draws import Texts, pick
from risk.synthetic.scores import ILLNESSES
from risk.synthetic.world import Floats, World

_ROUNDS = 30  # of raking; the shares are then met to well under a hundredth of a per cent


def close_reasons(rng: np.random.Generator, spells: pd.DataFrame, drawn: pd.DataFrame, world: World) -> Texts:
    """The reason each spell ends with, (n,), whether the extract lies before its end or not."""
    days = spells["last_day"].to_numpy()
    moved = (spells["moved_day"] < spells["days"]).to_numpy()
    by_law = spells["is_by_law"].to_numpy(dtype=bool) & ~moved
    reason = np.full(len(spells), "moved_away", dtype=object)
    law_now = np.where(days >= world.switch_age(spells["opened"].to_numpy()), world.law_after, world.law)
    reason[by_law] = (
        pd.Series(law_now[by_law]).map({law: row[3] for law, row in fx.LAWS.items()}).to_numpy(dtype=object)
    )
    lean = _lean(spells, drawn)
    shortest = 0
    for longest, shares in fx.END_STATES:
        chosen = np.flatnonzero((days > shortest) & (days <= longest) & ~moved & ~by_law)
        shortest = longest
        if len(chosen):
            chances = _rake(np.column_stack([lean[name][chosen] for name in shares]), np.array(list(shares.values())))
            reason[chosen] = np.array(list(shares), dtype=object)[pick(rng, chances)]
    # The job-clarification course exists only under the reassessment's law; before and after it, cases just end.
    reason[(reason == "clarification") & (law_now != "reassessment")] = "automatic_stop"
    return reason


def _lean(spells: pd.DataFrame, drawn: pd.DataFrame) -> dict[str, Floats]:
    """How much likelier each end is for this person than for others, before the shares are met."""
    illness, outlook = np.array(ILLNESSES, dtype=object)[spells["illness"].to_numpy()], spells["outlook"].to_numpy()
    status, age = spells["employment_status"].to_numpy(), spells["age_years"].to_numpy()
    dismissed = drawn["dismissed_day"].to_numpy() < spells["last_day"].to_numpy()
    one = np.ones(len(spells))
    # Who falls ill again has neither died nor been pensioned.
    last = np.where(spells["has_later"].to_numpy(dtype=bool), 0.0, 1.0)
    return {
        "recovered": one,
        "other": one,
        "fund": np.where(status == "unemployed", 1.0, np.where(dismissed, 0.6, 0.02)),
        "death": last * np.where(illness == "cancer", 12.0, np.where(illness == "cardiovascular", 4.0, 0.3)),
        "age_pension": last * np.where(age >= 65, 1.0, 0.001),
        "flexjob": np.where(status == "flexjob", 0.3, 1.0)
        * np.where(outlook >= 2, 1.5, 0.7)
        * np.where(age >= 40, 1.2, 0.6),
        "disability_pension": last * np.where(outlook == 3, 2.5, 0.7) * np.where(age >= 45, 1.4, 0.5),
        "clarification": np.where(illness == "cancer", 0.3, 1.0) * np.where(age >= 63, 0.4, 1.0),
    }


def _rake(weights: Floats, shares: Floats) -> Floats:
    """Chances (n, k) that keep the leanings and whose mean is the wanted shares (iterative proportional fitting)."""
    chances = weights * (shares / shares.sum())
    for _ in range(_ROUNDS):
        chances = chances / chances.sum(axis=1, keepdims=True)
        chances = chances * (shares / shares.sum()) / np.maximum(chances.mean(axis=0), 1e-12)
    return chances / chances.sum(axis=1, keepdims=True)
