"""What makes a case last: the log multipliers on its exit hazard, seen and hidden, and its exposure to laws."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.world import Floats, Ints

ILLNESSES = tuple(fx.ILLNESS_MIX)


def observed_score(people: pd.DataFrame) -> Floats:
    """Log multiplier on the hazard from everything known at registration, (n,): the table of 3.4."""
    score = np.zeros(len(people))
    for (name, level), multiplier in fx.LEVEL_EFFECTS.items():
        score += np.log(multiplier) * (people[name].to_numpy() == level)
    for name, multiplier in fx.FLAG_EFFECTS.items():
        if name in people:
            score += np.log(multiplier) * people[name].to_numpy(dtype=bool)
    for name, (multiplier, per, centre, high) in fx.NUMBER_EFFECTS.items():
        values = people[name].fillna(centre).to_numpy(dtype=float)
        score += np.log(multiplier) * (np.minimum(values, high) - centre) / per
    return score + np.log(fx.TWO_SPELLS_EFFECT) * (people["n_spells_24m"].to_numpy() >= 2)


def hidden_score(illness: Ints, outlook: Ints, claim: np.ndarray, unemployed: np.ndarray) -> Floats:
    """Log multiplier from what is not known at registration: illness, outlook, injury claim; broadcasts."""
    by_illness = np.log([fx.ILLNESS_EFFECTS[i] for i in ILLNESSES])
    by_outlook = np.log([fx.OUTLOOK_EFFECTS[o] for o in fx.OUTLOOKS])
    both = (illness == ILLNESSES.index("mental")) & unemployed
    return (
        by_illness[illness]
        + by_outlook[outlook]
        + np.log(fx.CLAIM_EFFECT) * claim
        + np.log(fx.UNEMPLOYED_MENTAL_EFFECT) * both
    )


def exposure_to_law(illness: Ints, claim: np.ndarray) -> Floats:
    """Share of the exits by law a case is exposed to (extension grounds 5 and 6); broadcasts."""
    by_illness = np.array([fx.LAW_BY_ILLNESS.get(i, 1.0) for i in ILLNESSES])
    return by_illness[illness] * np.where(claim, fx.LAW_WITH_CLAIM, 1.0)
