"""Spells: people fall ill, close or stay, fall ill again; the office sees those that last until registration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.draws import normal, only_where, pick, pick_level
from risk.synthetic.hazards import (
    ILLNESSES,
    draw_days,
    exposure_to_law,
    hidden_score,
    observed_score,
    open_in_population,
)
from risk.synthetic.people import make_people, registration_delay
from risk.synthetic.world import BURN_IN_YEARS, NEVER, Floats, Ints, World, make_world

INJURY_BASES = ("injury_employee", "injury_self_employed")
INJURY_REGIONS = {
    "head": 0.08, "neck": 0.10, "upper_limb": 0.30, "trunk": 0.08, "low_back": 0.18, "lower_limb": 0.20,
    "occupational_disease": 0.06,
}  # fmt: skip
RELAPSE_SHARE, RELAPSE_DAYS = 0.30, (12, 320.0)  # own: share that falls ill again; not before, then days on average
WAVES = 3


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
    """Add the hidden part to people: illness, outlook, claim, frailty, partial return, and the score ``eta``."""
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
        was_hospitalised=rng.random(n) < hospital,
        injury_region=only_where(injured, pick_level(rng, INJURY_REGIONS, n)),
        frailty=rng.gamma(1.0 / fx.FRAILTY_VARIANCE, fx.FRAILTY_VARIANCE, n),
        partial_day=partial_return_day(rng, people),
        exposure=exposure_to_law(illness, claim),
    )
    people["eta"] = observed_score(people) + hidden_score(illness, outlook, claim, unemployed)
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
    people = fall_ill(rng, make_people(rng, opening_days(rng, world, 12_000), world), world)
    return people["eta"].to_numpy(), people["partial_day"].to_numpy()


def opening_days(rng: np.random.Generator, world: World, n: int, first_day: int | None = None) -> Ints:
    """First days of absence between ``first_day`` and the extract, fewer in July (3.4)."""
    days = np.arange(world.start_day if first_day is None else first_day, world.extract_day)
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    return rng.choice(days, size=n, p=normal(np.array(fx.STARTS_BY_MONTH)[month]))


def spells_from_entry(rng: np.random.Generator, world: World, n: int, first_day: int | None = None) -> pd.DataFrame:
    """n first spells counted from the first day of absence, the short ones that no office ever sees included."""
    people = make_people(rng, opening_days(rng, world, n, first_day), world)
    people["person"] = np.arange(n)
    return _live(rng, people, world)


def registered_spells(rng: np.random.Generator, world: World, n: int) -> pd.DataFrame:
    """Exactly n registered spells begun inside the register's window, some of the same person, ordered by person."""
    burn_in = world.start_day - round(BURN_IN_YEARS * 365.25)
    window = (world.extract_day - world.start_day) / (world.extract_day - burn_in)
    kept: list[pd.DataFrame] = []
    n_people, n_found = 0, 0
    while n_found < n:
        missing = n - n_found
        wave = spells_from_entry(rng, world, int(missing / window * 1.75) + 200, burn_in)
        wave["person"] += n_people
        n_people += len(wave)
        spells = _with_relapses(rng, wave, world)
        spells = spells[spells["opened"] >= world.start_day]
        kept.append(spells)
        n_found += len(spells)
    spells = pd.concat(kept, ignore_index=True).sort_values(["person", "opened"], ignore_index=True)
    # People are exchangeable, so the first n rows are a sample; a person cut in two keeps the earlier spells.
    return spells.iloc[:n].reset_index(drop=True)


def _live(rng: np.random.Generator, people: pd.DataFrame, world: World) -> pd.DataFrame:
    """Illness, registration, length and end of each spell. ``days``: when it would close; ``last_day``: when it does."""
    spells = fall_ill(rng, people, world)
    spells["delay"] = registration_delay(rng, spells, world)
    recovered, by_law = draw_days(rng, world, spells)
    spells["days"] = np.minimum(recovered, by_law)
    spells["is_by_law"] = by_law <= recovered
    spells["moved_day"] = _moving_day(rng, len(spells))
    spells["last_day"] = np.minimum(spells["days"], spells["moved_day"])
    return spells


def _moving_day(rng: np.random.Generator, n: int) -> Ints:
    """Day on which the person moves away: 2 % of all closings at every length (3.5), whoever it is."""
    days = np.arange(0, 4097, dtype=np.float64)
    hazard = -np.log(open_in_population(days)) * fx.MOVED_SHARE / (1.0 - fx.MOVED_SHARE)
    return np.searchsorted(hazard, rng.exponential(size=n)).astype(np.int64)


def _with_relapses(rng: np.random.Generator, first: pd.DataFrame, world: World) -> pd.DataFrame:
    """Registered spells of all waves; each relapse starts from the person's history as the earlier spell left it."""
    waves = [_registered(first, world)]
    for _ in range(WAVES - 1):
        before = waves[-1]
        ends = before["opened"] + before["last_day"]
        again = before[(ends < world.extract_day).to_numpy() & (rng.random(len(before)) < RELAPSE_SHARE)]
        gap = RELAPSE_DAYS[0] + np.floor(rng.exponential(RELAPSE_DAYS[1], len(again))).astype(np.int64)
        opened = (again["opened"] + again["last_day"] + gap).to_numpy()
        fits = opened < world.extract_day
        waves.append(_registered(_live(rng, _older(again[fits], opened[fits], world), world), world))
    return pd.concat(waves, ignore_index=True)


def _registered(spells: pd.DataFrame, world: World) -> pd.DataFrame:
    """Spells still open when the office learns of them, before the extract."""
    seen = (spells["last_day"] > spells["delay"]) & (spells["opened"] + spells["delay"] < world.extract_day)
    return spells[seen.to_numpy()].reset_index(drop=True)


def _older(before: pd.DataFrame, opened: Ints, world: World) -> pd.DataFrame:
    """The same people at a later first day of absence: age and history moved on by the spell before."""
    people = before.reset_index(drop=True).copy()
    closed = (before["opened"] + before["last_day"]).to_numpy()
    began = before["opened"].to_numpy()
    year, two_years, five_years = opened - 365, opened - 730, opened - 1826
    in_year = np.clip(closed - np.maximum(began, year), 0, None) / 7.0
    in_five = np.clip(closed - np.maximum(began, five_years), 0, None) / 7.0
    gap_years = (opened - began) / 365.25
    fades = np.clip(1.0 - gap_years, 0.0, 1.0)  # what lay within a year of the spell before slides out of the window
    people["opened"] = opened
    people["age_years"] = np.minimum(before["age_years"].to_numpy() + np.floor(gap_years), 75.0)
    people["benefit_weeks_12m"] = np.minimum(np.round(in_year + fades * before["benefit_weeks_12m"].to_numpy()), 52.0)
    people["benefit_weeks_5y"] = np.minimum(np.round(in_five + before["benefit_weeks_5y"].to_numpy() * 0.9), 255.0)
    people["benefit_weeks_5y"] = np.maximum(people["benefit_weeks_5y"], people["benefit_weeks_12m"])
    earlier = np.floor(np.clip(1.0 - gap_years / 2.0, 0.0, 1.0) * before["n_spells_24m"].to_numpy() + 0.5)
    people["n_spells_24m"] = earlier + (closed > two_years)
    people["has_prior_clarification"] = before["has_prior_clarification"].to_numpy() | (
        before["is_by_law"].to_numpy() & (world.law == "reassessment")
    )
    return people


def injured_basis(people: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Cases whose legal basis already says that a work injury is claimed, (n,)."""
    return np.isin(people["benefit_basis"].to_numpy(), INJURY_BASES)
