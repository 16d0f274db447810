"""Spells: people fall ill, close or stay, fall ill again; the office sees those that last until registration."""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.hazards import draw_days, open_in_population
from risk.synthetic.illness import fall_ill
from risk.synthetic.people import make_people, opening_days, registration_delay
from risk.synthetic.world import BURN_IN_YEARS, Ints, World

RELAPSE_SHARE, RELAPSE_DAYS = 0.30, (12, 320.0)  # own: share that falls ill again; not before, then days on average
WAVES = 3


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
    spells["has_later"] = spells["person"].eq(spells["person"].shift(-1)).to_numpy(dtype=bool)
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
        stays = (ends < world.extract_day) & (before["moved_day"] >= before["days"])
        again = before[stays.to_numpy() & (rng.random(len(before)) < RELAPSE_SHARE)]
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
