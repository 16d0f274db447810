"""Places: what the duties leave of a team's week, who gets it, and the bands that follow from it.

Nothing here draws lots except the audit places, whose draw is seeded by week and team and recorded.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.policy import Policy
from risk.steadiness import TEAM
from risk.weeks import as_days


def places(table: pd.DataFrame, n_open: pd.Series, unit: npt.NDArray[np.int64], policy: Policy) -> pd.DataFrame:
    """Capacity of each team, and what its duties leave for risk.

    Parameters
    ----------
    table : one row per open case with its section, due date and what the order of the list needs
    n_open : open cases by office and team
    unit : (n,) number of each row's team in ``n_open``

    Returns
    -------
    DataFrame with ``n_open, capacity, duty_minutes, risk_places, shortfall`` per team
    """
    teams = n_open.rename("n_open").reset_index()
    duty = np.flatnonzero(table["section"] == "duty")
    duty = duty[by_date(table.iloc[duty], unit[duty])]
    minutes = np.array(
        [
            policy.capacity.minutes.of_duty(d, w)
            for d, w in zip(table["duty"].iloc[duty], table["may_be_written"].iloc[duty], strict=True)
        ],
        dtype=np.float64,
    )
    bounds = np.searchsorted(unit[duty], np.arange(len(teams) + 1))
    capacity = [policy.capacity.of_team(str(t), int(n)) for t, n in zip(teams["team"], teams["n_open"], strict=True)]
    mine = [minutes[a:z] for a, z in pairwise(bounds.tolist())]
    left = [policy.capacity.left_for_risk(c, m.tolist()) for c, m in zip(capacity, mine, strict=True)]
    return teams.assign(
        capacity=capacity,
        duty_minutes=[int(m.sum()) for m in mine],
        risk_places=[free for free, _ in left],
        shortfall=[short for _, short in left],
    )


def by_date(rows: pd.DataFrame, unit: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Order of rows that go by date: team, earliest due date, highest chance, earlier opening, case id.

    Without a due date a row stands last, and without a chance behind those that have one.
    """
    chance = falling(rows["chance"])
    return np.lexsort(
        (rows["case_id"].to_numpy(dtype=str), rows["opened_on"].to_numpy(), chance, due_key(rows["due_on"]), unit)
    )


def due_key(due_on: pd.Series) -> npt.NDArray[np.int64]:
    """Due dates as numbers to sort by, (n,); no date comes last."""
    due = as_days(due_on)
    return np.where(np.isnat(due), np.iinfo(np.int64).max, due.astype(np.int64))


def falling(values: pd.Series) -> npt.NDArray[np.float64]:
    """Numbers to sort by, the highest first, (n,); nan comes last."""
    v = values.to_numpy(dtype=np.float64)
    return np.where(np.isnan(v), np.inf, -v)


def give_places(
    table: pd.DataFrame, unit: npt.NDArray[np.int64], teams: pd.DataFrame, week: str, policy: Policy
) -> pd.DataFrame:
    """Give the risk places of each team to its waiting cases, in place; return the draw of audit places."""
    section = table["section"].to_numpy(dtype=object).copy()
    waiting = np.flatnonzero(section == "waiting")
    order = waiting[_by_value(table, waiting, unit, "value")]
    bounds = np.searchsorted(unit[order], np.arange(len(teams) + 1))
    pools: list[pd.DataFrame] = []
    given = zip(teams["office"], teams["team"], teams["risk_places"].tolist(), strict=True)
    for i, (office, team, risk_places) in enumerate(given):
        queue = order[bounds[i] : bounds[i + 1]]
        places = min(risk_places, len(queue))
        rng = np.random.default_rng(draw_seed(policy.audit.seed, week, str(office), str(team)))
        n_drawn = _audit_places(places, len(queue), rng, policy)
        cut = places - n_drawn
        section[queue[cut:]], section[queue[:cut]] = "remainder", "risk"
        if n_drawn:
            pool = queue[cut : cut + n_drawn * policy.audit.window]
            drawn = rng.choice(len(pool), size=n_drawn, replace=False)
            section[pool[drawn]] = "audit" if policy.audit.is_marked else "risk"
            pools.append(
                table.iloc[pool][[*TEAM, "case_id"]].assign(
                    is_drawn=np.isin(np.arange(len(pool)), drawn), p_drawn=n_drawn / len(pool)
                )
            )
    table["section"] = section
    if pools:
        return pd.concat(pools, ignore_index=True)
    return pd.DataFrame({c: pd.Series(dtype=object) for c in [*TEAM, "case_id", "is_drawn", "p_drawn"]})


def draw_seed(seed: int, week: str, office: str, team: str) -> int:
    """The seed of one team's draw in one week: the same whatever happens in other teams."""
    text = "\x1f".join((str(seed), week, office, team))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _audit_places(places: int, n_waiting: int, rng: np.random.Generator, policy: Policy) -> int:
    """How many of the places are drawn: the share, its fraction rounded by lot so that small teams take part too."""
    if n_waiting <= places:
        return 0  # everyone has a place; there is nothing to draw
    whole, part = divmod(places * policy.audit.share, 1.0)
    return int(whole) + int(rng.random() < part)


def _by_value(
    table: pd.DataFrame, rows: npt.NDArray[np.int64], unit: npt.NDArray[np.int64], by: str
) -> npt.NDArray[np.int64]:
    """Order of the rows: by team, falling value, then earlier opening, then case id."""
    chosen = table.iloc[rows]
    case_id = chosen["case_id"].to_numpy(dtype=str)
    return np.lexsort((case_id, chosen["opened_on"].to_numpy(), -chosen[by].to_numpy(), unit[rows]))


def bands(
    table: pd.DataFrame, unit: npt.NDArray[np.int64], teams: pd.DataFrame, p_name: str, policy: Policy
) -> npt.NDArray[np.object_]:
    """High, middle or low, from the places of the team; empty without a score or without places."""
    band = np.full(len(table), "", dtype=object)
    scored = np.flatnonzero(table[p_name].notna())
    order = scored[_by_value(table, scored, unit, p_name)]
    bounds = np.searchsorted(unit[order], np.arange(len(teams) + 1))
    for i, (capacity, risk_places) in enumerate(
        zip(teams["capacity"].tolist(), teams["risk_places"].tolist(), strict=True)
    ):
        queue = order[bounds[i] : bounds[i + 1]]
        if not capacity:
            continue
        wanted = max(risk_places, math.ceil(policy.bands.high_share * capacity / policy.capacity.risk_cost))
        n_high = min(wanted, math.ceil(policy.bands.most_share * len(queue)))
        n_middle = n_high + math.ceil(policy.bands.middle_factor * n_high)
        band[queue[:n_high]], band[queue[n_high:n_middle]], band[queue[n_middle:]] = "high", "middle", "low"
    return band
