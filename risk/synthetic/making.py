"""From drawn spells to a register, and the truth table beside it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from risk import schema
from risk.errors import ConfigError
from risk.register import Register, make_register
from risk.synthetic.draws import only_where
from risk.synthetic.endings import close_reasons
from risk.synthetic.facts import draw_facts, told_facts
from risk.synthetic.followups import add_follow_up, assign_teams
from risk.synthetic.oracle import HORIZON_DAYS, p_observable, p_true
from risk.synthetic.spells import registered_spells
from risk.synthetic.world import DEFAULT_EXTRACT, Law, World, make_world
from risk.weeks import DAYS_PER_WEEK

MOST_CASES = 999_999
LANDMARK_WEEKS = (4, 8, 13, 22, 26, 39)


def make(
    n_cases: int,
    seed: int,
    *,
    extract_on: date | None,
    scenario: str,
    years: float,
    law: Law | None,
    switch_on: date | None,
) -> tuple[Register, pd.DataFrame]:
    """See :func:`risk.synthetic.synthesise`."""
    if not 1 <= n_cases <= MOST_CASES:
        raise ConfigError(f"the number of cases must lie between 1 and {MOST_CASES:,}, not {n_cases}")
    if seed < 0:
        raise ConfigError(f"the seed must be 0 or more, not {seed}")
    world = make_world(extract_on or DEFAULT_EXTRACT, scenario=scenario, years=years, law=law, switch_on=switch_on)
    rng = np.random.default_rng(seed)
    spells = draw_spells(rng, world, n_cases)
    drawn = draw_facts(rng, spells)
    rows = told_facts(rng, spells, drawn)
    add_follow_up(rng, spells, drawn, rows)
    cases = case_table(spells, close_reasons(rng, spells, drawn, world), world)
    register = make_register(
        cases, rows.table(spells, world.extract_day), world.extract_on, source="synthetic", is_synthetic=True
    )
    return register, truth_table(spells, drawn, world)


def draw_spells(rng: np.random.Generator, world: World, n_cases: int) -> pd.DataFrame:
    """Registered spells with ids, in the order of registration; hidden columns included."""
    spells = registered_spells(rng, world, n_cases)
    spells["registered"] = spells["opened"] + spells["delay"]
    # Pseudonyms are handed out in random order, so that they tell neither age nor order of the person's first case.
    pseudonym = rng.permutation(int(spells["person"].max()) + 1)[spells["person"].to_numpy()]
    spells["person_key"] = _numbered("SYN-P", pseudonym)
    spells = spells.sort_values(["registered", "opened", "person"], kind="stable", ignore_index=True)
    spells["case_id"] = _numbered("SYN", np.arange(1, n_cases + 1))
    assign_teams(rng, spells)
    return spells


def _numbered(prefix: str, numbers: np.ndarray) -> np.ndarray:
    return np.char.add(prefix, np.char.zfill(numbers.astype(str), 6)).astype(object)


def case_table(spells: pd.DataFrame, reasons: np.ndarray, world: World) -> pd.DataFrame:
    """The cases as an extract shows them: those that close on or after the extract date are open."""
    closed = (spells["opened"] + spells["last_day"]).to_numpy()
    is_open = closed >= world.extract_day
    days = {
        "opened_on": spells["opened"].to_numpy(),
        "registered_on": spells["registered"].to_numpy(),
        "closed_on": closed,
    }
    dates = {name: day.astype("datetime64[D]").astype("datetime64[us]") for name, day in days.items()}
    dates["closed_on"][is_open] = np.datetime64("NaT")
    cases = spells[["case_id", "person_key", "office", "team"]].assign(
        **dates, close_reason=only_where(~is_open, reasons)
    )
    attributes = [name for name in schema.case_attributes() if name in spells.columns]
    return pd.concat([cases, spells[attributes]], axis=1)


def truth_table(spells: pd.DataFrame, drawn: pd.DataFrame, world: World) -> pd.DataFrame:
    """The truth per case and landmark.

    Returns
    -------
    DataFrame
        ``case_id``; ``landmark`` (``registration``, ``4`` ... ``39`` weeks, or ``extract``: the day of the extract);
        ``as_of`` (the day one looks); ``weeks`` (weeks survived then); ``p_true``, ``p_observable`` (probabilities of being
        open past week 52, given open at the landmark; see :mod:`risk.synthetic.oracle`); ``exceeds_52w`` (what will happen,
        extract or no extract, to a person who does not move away); ``days`` (days from opening to closing, likewise).
        A row stands only where the case was known and open at the landmark, not after the extract, not past week 52.
    """
    opened, delay, last = (spells[c].to_numpy() for c in ("opened", "delay", "last_day"))
    until = world.extract_day - opened - 1  # whole days survived on the extract date, if still open
    landmarks = [("registration", delay)]
    landmarks += [(str(w), np.full(len(spells), w * DAYS_PER_WEEK)) for w in LANDMARK_WEEKS]
    landmarks.append(("extract", until))
    parts = []
    for name, day in landmarks:
        chosen = np.flatnonzero((delay <= day) & (last > day) & (day <= until) & (day < HORIZON_DAYS))
        some, facts, at = spells.iloc[chosen], drawn.iloc[chosen], day[chosen]
        parts.append(
            pd.DataFrame(
                {
                    "case_id": some["case_id"].to_numpy(),
                    "landmark": name,
                    "as_of": (opened[chosen] + at + 1).astype("datetime64[D]").astype("datetime64[us]"),
                    "weeks": at / DAYS_PER_WEEK,
                    "p_true": p_true(some, world, at),
                    "p_observable": p_observable(some, facts, world, at),
                    "exceeds_52w": some["days"].to_numpy() > HORIZON_DAYS,
                    "days": some["days"].to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
