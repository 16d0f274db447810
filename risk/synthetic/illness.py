"""The hidden part of a case: illness, outlook, injury claim, frailty and partial return, and the scores they give."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.draws import normal, only_where, pick, pick_level
from risk.synthetic.people import make_people, opening_days
from risk.synthetic.scores import ILLNESSES, exposure_to_law, hidden_score, observed_score
from risk.synthetic.world import NEVER, Floats, Ints, World, make_world

INJURY_BASES = ("injury_employee", "injury_self_employed")
INJURY_REGIONS = {
    "head": 0.08, "neck": 0.10, "upper_limb": 0.30, "trunk": 0.08, "low_back": 0.18, "lower_limb": 0.20,
    "occupational_disease": 0.06,
}  # fmt: skip


def illness_chances(people: pd.DataFrame, world: World) -> Floats:
    """P(illness | what is known at registration but the hospital stay), (n, 10): 3.3, by season, sex, age and trade."""
    weights = np.tile(normal(list(fx.ILLNESS_MIX.values())), (len(people), 1))
    at = {illness: weights[:, k] for k, illness in enumerate(ILLNESSES)}
    opened = people["opened"].to_numpy()
    month = opened.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    at["infection"] *= np.array(fx.INFECTION_BY_MONTH)[month]
    woman, age = people["sex"].to_numpy() == "female", people["age_years"].to_numpy()
    at["pregnancy"] *= np.where(woman & (age < 45), 3.4, 0.0)
    at["cancer"] *= np.where(age >= 50, 1.7, 0.6)
    at["cardiovascular"] *= np.where(age >= 50, 1.8, 0.5)
    at["mental"] *= np.where(woman, 1.12, 0.85)
    industry, occupation = people["industry"].to_numpy(), people["occupation"].to_numpy()
    at["mental"] *= np.where(np.isin(industry, ["social_care", "education", "health_care", "office"]), 1.2, 0.9)
    manual = np.isin(occupation, ["elementary", "craft", "operator", "agricultural"])
    at["musculoskeletal"] *= np.where(manual, 1.3, 0.88)
    at["injury"] *= np.where(manual, 1.35, 0.85)
    at["mental"] *= np.where(opened >= world.drift_day, fx.DRIFT_MENTAL, 1.0)
    injured = np.isin(people["benefit_basis"].to_numpy(), INJURY_BASES)
    for illness, values in at.items():
        values[injured] = {"injury": 0.75, "musculoskeletal": 0.25}.get(illness, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def claim_chances(people: pd.DataFrame) -> Floats:
    """P(work-injury claim | illness, case type), (n, 10)."""
    usual = np.array([fx.CLAIM_SHARE.get(i, 0.0) for i in ILLNESSES])
    injured = np.isin(people["benefit_basis"].to_numpy(), INJURY_BASES)
    return np.where(injured[:, None], 1.0, usual[None, :])


def fall_ill(rng: np.random.Generator, people: pd.DataFrame, world: World) -> pd.DataFrame:
    """Add the hidden part to people: illness, outlook, claim, frailty, partial return, and the scores."""
    n = len(people)
    illness = pick(rng, illness_chances(people, world))
    outlook = pick(rng, np.array([fx.OUTLOOK_MIX[i] for i in ILLNESSES])[illness])
    claim = rng.random(n) < claim_chances(people)[np.arange(n), illness]
    hospital = np.array([fx.HOSPITAL_SHARE[i] for i in ILLNESSES])[illness]
    unemployed = people["employment_status"].to_numpy() == "unemployed"
    injured = np.isin(people["benefit_basis"].to_numpy(), INJURY_BASES)
    people = people.assign(
        illness=illness,
        outlook=outlook,
        claim=claim,
        is_unemployed=unemployed,
        has_employer=people["employment_status"].isin(["employee", "flexjob", "apprentice"]).to_numpy(dtype=bool),
        is_injury_case=injured,
        was_hospitalised=rng.random(n) < hospital,
        injury_region=only_where(injured, pick_level(rng, INJURY_REGIONS, n)),
        frailty=rng.gamma(1.0 / fx.FRAILTY_VARIANCE, fx.FRAILTY_VARIANCE, n),
        partial_day=partial_return_day(rng, people),
        exposure=exposure_to_law(illness, claim),
    )
    people["observed"] = observed_score(people)
    people["eta"] = people["observed"] + hidden_score(illness, outlook, claim, unemployed)
    return people


def partial_return_chances(people: pd.DataFrame) -> Floats:
    """P(a partial return ever begins, if the case lasts), (n,)."""
    status = people["employment_status"].to_numpy()
    return np.asarray(sum(chance * (status == name) for name, chance in fx.PARTIAL_RETURN.items()), dtype=np.float64)


def partial_return_day(rng: np.random.Generator, people: pd.DataFrame) -> Ints:
    """Day of absence on which a partial return begins, (n,); NEVER for most."""
    first, mean = fx.PARTIAL_RETURN_DAYS
    day = np.floor(first + rng.exponential(mean, len(people)))
    return np.where(rng.random(len(people)) < partial_return_chances(people), day, NEVER).astype(np.int64)


def reference_population() -> tuple[Floats, Ints]:
    """Scores and partial returns of a fixed population that the baseline hazard is solved for."""
    rng = np.random.default_rng(52)
    world = make_world()
    people = fall_ill(rng, make_people(rng, opening_days(rng, world, 20_000), world), world)
    return people["eta"].to_numpy(), people["partial_day"].to_numpy()
