"""From drawn spells to a register, and the truth table beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from risk import schema
from risk.errors import ConfigError
from risk.progress import progress
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
    pace: float | None,
    only_new: bool,
) -> tuple[Register, pd.DataFrame]:
    """See :func:`risk.synthetic.synthesise`."""
    if not 1 <= n_cases <= MOST_CASES:
        raise ConfigError(f"the number of cases must lie between 1 and {MOST_CASES:,}, not {n_cases}")
    if seed < 0:
        raise ConfigError(f"the seed must be 0 or more, not {seed}")
    world = make_world(
        extract_on or DEFAULT_EXTRACT,
        scenario=scenario,
        years=years,
        law=law,
        switch_on=switch_on,
        pace=pace,
        only_new=only_new,
    )
    making = _Making(n_cases, world, np.random.default_rng(seed))
    for step in progress(making.steps(), f"making {n_cases:,} synthetic cases"):
        step()
    return making.register, pd.concat(making.truth, ignore_index=True)


class _Making:
    """One register in the making, step by step, so that a bar can follow it."""

    def __init__(self, n_cases: int, world: World, rng: np.random.Generator) -> None:
        self.n_cases, self.world, self.rng = n_cases, world, rng
        self.truth: list[pd.DataFrame] = []

    def steps(self) -> list[Callable[[], None]]:
        landmarks = ("registration", *map(str, LANDMARK_WEEKS), "extract")
        return [self._people, self._told, self._register, *(partial(self._truth, name) for name in landmarks)]

    def _people(self) -> None:
        self.spells = draw_spells(self.rng, self.world, self.n_cases)
        self.drawn = draw_facts(self.rng, self.spells)

    def _told(self) -> None:
        rows = told_facts(self.rng, self.spells, self.drawn)
        add_follow_up(self.rng, self.spells, self.drawn, rows)
        self.facts = rows.table(self.spells, self.world.extract_day)

    def _register(self) -> None:
        reasons = close_reasons(self.rng, self.spells, self.drawn, self.world)
        cases = case_table(self.spells, reasons, self.world)
        self.register = make_register(cases, self.facts, self.world.extract_on, source="synthetic", is_synthetic=True)
        del self.facts

    def _truth(self, landmark: str) -> None:
        self.truth.append(truth_at(landmark, self.spells, self.drawn, self.world))


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


def truth_at(landmark: str, spells: pd.DataFrame, drawn: pd.DataFrame, world: World) -> pd.DataFrame:
    """The truth per case at one landmark.

    Parameters
    ----------
    landmark : str
        ``registration``, a number of weeks, or ``extract`` (the day of the extract).
    spells, drawn : DataFrame
        Registered spells (:func:`draw_spells`) and their facts (:func:`risk.synthetic.facts.draw_facts`).

    Returns
    -------
    DataFrame
        ``case_id``; ``landmark``; ``as_of`` (the day one looks); ``weeks`` (weeks survived then); ``p_true``,
        ``p_observable`` (probabilities of being open past week 52, given open at the landmark; see
        :mod:`risk.synthetic.oracle`); ``exceeds_52w`` (what will happen, extract or no extract, to a person who does not
        move away); ``days`` (days from opening to closing, likewise). A row stands only where the case was known and open
        at the landmark, the landmark not after the extract, and week 52 not yet passed.
    """
    opened, delay, last = (spells[c].to_numpy() for c in ("opened", "delay", "last_day"))
    until = world.extract_day - opened - 1  # whole days survived on the extract date, if still open
    if landmark == "registration":
        day = delay
    elif landmark == "extract":
        day = until
    else:
        day = np.full(len(spells), int(landmark) * DAYS_PER_WEEK)
    chosen = np.flatnonzero((delay <= day) & (last > day) & (day <= until) & (day < HORIZON_DAYS))
    some, facts, at = spells.iloc[chosen], drawn.iloc[chosen], day[chosen]
    return pd.DataFrame(
        {
            "case_id": some["case_id"].to_numpy(),
            "landmark": landmark,
            "as_of": (opened[chosen] + at + 1).astype("datetime64[D]").astype("datetime64[us]"),
            "weeks": at / DAYS_PER_WEEK,
            "p_true": p_true(some, world, at),
            "p_observable": p_observable(some, facts, world, at),
            "exceeds_52w": some["days"].to_numpy() > HORIZON_DAYS,
            "days": some["days"].to_numpy(),
        }
    )
