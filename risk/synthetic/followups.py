"""What the office does: interviews held, late or missed, contacts, milestones, standby, and who must be left out.

Nothing here changes how long a case lasts, and nothing here looks at what is hidden: the office decides on the recorded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic.draws import Texts, names
from risk.synthetic.facts import FactRows, on_day
from risk.synthetic.scores import ILLNESSES
from risk.synthetic.world import NEVER

# Teams and the share of interviews they hold in time (domain brief 1.1: about 90-95 %; 1.5: 84 % in a case review).
TEAMS = {"Nord 1": 0.95, "Nord 2": 0.91, "Nord 3": 0.88, "Syd 1": 0.93, "Syd 2": 0.90, "Syd 3": 0.84}
CASES_PER_WORKER = {
    "Nord 1": 38,
    "Nord 2": 44,
    "Nord 3": 52,
    "Syd 1": 41,
    "Syd 2": 47,
    "Syd 3": 58,
}  # 3.2: 25-45 advised
FIRST_DUE, EVERY = 56, 28  # first interview by the end of week 8, then every four weeks (1.3)
MISSED_SHARE = 0.25  # of those not held in time: never held; the others one day to three weeks late
VISITATION_ENDS = ("2025-01-01", "2026-01-01")  # category 3 until the first day, 1 and 2 until the second (1.3)


def assign_teams(rng: np.random.Generator, spells: pd.DataFrame) -> None:
    """Give every person a team, and every case its office, its caseload and the local unemployment of the month."""
    person = spells["person"].to_numpy()
    team_of = rng.choice(len(TEAMS), size=int(person.max()) + 1, p=[0.19, 0.17, 0.15, 0.18, 0.17, 0.14])
    team = names(tuple(TEAMS), team_of[person])
    spells["team"] = team
    spells["office"] = np.where(np.char.startswith(team.astype(str), "Nord"), "Nord", "Syd")
    month = spells["opened"].to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(int)
    usual = pd.Series(team).map(CASES_PER_WORKER).to_numpy(dtype=float)
    swing = 1.0 + 0.08 * np.sin(2.0 * np.pi * (month % 12) / 12.0)
    spells["caseload"] = np.round(usual * swing + rng.normal(0.0, 3.0, len(spells)))
    spells["local_unemployment"] = np.round(
        3.1 + 0.6 * np.sin(2.0 * np.pi * month / 70.0) + 0.2 * np.cos(month % 12), 1
    )


def add_follow_up(rng: np.random.Generator, spells: pd.DataFrame, drawn: pd.DataFrame, rows: FactRows) -> None:
    """All steering facts: follow-up, visitation, contact, milestone, standby and exclusions."""
    _interviews(rng, spells, rows)
    _visitation(rng, spells, drawn, rows)
    n, delay, last = len(spells), spells["delay"].to_numpy(), spells["last_day"].to_numpy()
    age = np.where(rng.random(n) < 0.55, 84 + rng.integers(0, 22, n), NEVER)
    rows.add("milestone_done", on_day(age > delay, age), "broad_assessment")
    kinds = np.array(["phone", "meeting", "offer"], dtype=object)
    day = delay + 2
    for _ in range(3):
        day = day + 1 + np.floor(rng.exponential(70.0, n)).astype(np.int64)
        rows.add(
            "contact", on_day((rng.random(n) < 0.45) & (day < last), day), kinds[rng.choice(3, n, p=[0.6, 0.25, 0.15])]
        )
    told = drawn["illness_day"].to_numpy()
    grave = (spells["illness"].to_numpy() == ILLNESSES.index("cancer")) & (told < NEVER)
    rows.add("standby", on_day(grave & (rng.random(n) < 0.35), np.maximum(told + rng.integers(0, 30, n), 28)), "true")
    rows.add("objection", on_day(rng.random(n) < 0.004, delay + rng.integers(0, 120, n)), "true")
    hidden = rng.random(int(spells["person"].max()) + 1) < 0.008
    rows.add("protected_address", on_day(hidden[spells["person"].to_numpy()], delay), "true")


def _interviews(rng: np.random.Generator, spells: pd.DataFrame, rows: FactRows) -> None:
    """Each interview is planned before it is due and held in time, late or not at all; the next is due four weeks on."""
    in_time = spells["team"].map(TEAMS).to_numpy(dtype=float)
    last, delay = spells["last_day"].to_numpy(), spells["delay"].to_numpy()
    active = np.arange(len(spells))
    due = np.maximum(FIRST_DUE, delay + 14)
    while len(active):
        n = len(active)
        slack = rng.integers(0, 7, n)
        kept, missed = rng.random(n) < in_time[active], rng.random(n) < MISSED_SHARE
        held = np.where(kept, due - slack, due + 1 + rng.integers(0, 21, n))
        planned = np.maximum(due - slack - rng.integers(7, 18, n), delay[active])
        kind = _kind(rng, n)
        rows.add("follow_up_planned", planned, kind, active)
        rows.add("follow_up_held", on_day(kept | ~missed, held), kind, active)
        due = np.where(~kept & missed, due, held) + EVERY
        goes_on = due < last[active] + EVERY
        active, due = active[goes_on], due[goes_on]


def _kind(rng: np.random.Generator, n: int) -> Texts:
    return np.array(["interview", "written", "round_table"], dtype=object)[rng.choice(3, n, p=[0.88, 0.08, 0.04])]


def _visitation(rng: np.random.Generator, spells: pd.DataFrame, drawn: pd.DataFrame, rows: FactRows) -> None:
    """Category by what is recorded: 1 when a quick recovery is expected, 3 with other problems, else 2; until 2025."""
    n, form = len(spells), drawn["form_day"].to_numpy()
    day = np.where(form < NEVER, form + 2, np.maximum(spells["delay"].to_numpy() + 28, 49)).astype(np.int64)
    told = drawn["outlook_day"].to_numpy() < NEVER
    soon = told & (spells["outlook"].to_numpy() == 0)
    heavy = spells["has_prior_clarification"].to_numpy(dtype=bool) | (spells["other_benefit_weeks_5y"].to_numpy() > 52)
    category = np.where(soon, 1, np.where(heavy & (rng.random(n) < 0.6), 3, 2))
    category = np.where(rng.random(n) < 0.08, 2, category)
    known = spells["opened"].to_numpy() + day
    two, none = (int(np.datetime64(d, "D").astype(int)) for d in VISITATION_ENDS)
    category = np.where(known >= two, np.minimum(category, 2), category)
    rows.add("visitation_category", on_day(known < none, day), category.astype(str).astype(object))
