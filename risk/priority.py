"""Priority: duties first, then what is left of the week by risk; every open case is listed, counted or excluded.

Nothing here draws lots except the audit places, whose draw is seeded by week and team and recorded.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.duties import Duties
from risk.errors import CaseDataError, ConfigError, TooFewCasesError
from risk.policy import Policy
from risk.scoring import Scores
from risk.weeks import iso_week

SECTIONS = ("duty", "risk", "audit", "past_horizon", "no_score")
TEAM = ["office", "team"]


@dataclass(frozen=True)
class LastWeek:
    """An earlier list, as far as steadiness needs it: its week and ``case_id, office, team, section`` of its rows."""

    week: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Worklist:
    """The lists of one week, all teams.

    Attributes
    ----------
    rows : DataFrame
        One row per listed case: ``week, office, team, section, rank`` (1 = first within the team), ``case_id, opened_on,
        age_weeks, status, p_exceed_<h>w, base_rate, band, duty, due_on, overdue_days, is_planned, exclusion, milestone,
        milestone_on, milestone_state, abstain_reason, change`` (``new``, ``stayed``, or empty without an earlier list).
    rest : DataFrame
        The open cases that are not listed, with the columns of ``rows`` but ``rank`` and ``change``; ``section`` says why:
        ``remainder``, ``cooling`` or ``excluded``.
    left : DataFrame
        Cases of the earlier list that are not on this one: ``office, team, case_id, why``.
    teams : DataFrame
        One row per team: capacity and the counts that add up to its open cases.
    draws : DataFrame
        Every case that took part in the draw of audit places: ``office, team, case_id, is_drawn, p_drawn``.
    """

    week: str
    as_of: date
    horizon_weeks: int
    model_version: str
    policy: Policy
    rows: pd.DataFrame
    rest: pd.DataFrame
    left: pd.DataFrame
    teams: pd.DataFrame
    draws: pd.DataFrame
    last_week: str | None

    @property
    def p_name(self) -> str:
        return f"p_exceed_{self.horizon_weeks}w"


_BEHIND = 10.0  # more than any chance and lift together


def prioritise(scores: Scores, duties: Duties, policy: Policy, last_week: LastWeek | None = None) -> Worklist:
    """Lay out the week: who is on each team's list, where, and what becomes of the rest.

    Parameters
    ----------
    scores : Scores
        Scores of the open cases.
    duties : Duties
        Duties of the same cases on the same day.
    policy : Policy
    last_week : LastWeek, optional
        The list before this one, for new, stayed and left.

    Raises
    ------
    TooFewCasesError
        When no case is open.
    CaseDataError
        When scores and duties speak of different cases.
    ConfigError
        When the earlier list is not of an earlier week.
    """
    week, p_name = iso_week(duties.as_of), f"p_exceed_{scores.horizon_weeks}w"
    if last_week is not None and last_week.week >= week:
        raise ConfigError(f"the earlier list is of week {last_week.week}, not before {week}; name an earlier one")
    table = _joined(scores.frame, duties.frame, p_name, policy)
    table["section"] = _first_section(table, duties.as_of, policy)
    units = table.groupby(TEAM, sort=True)
    unit: npt.NDArray[np.int64] = np.asarray(units.ngroup(), dtype=np.int64)
    teams = _places(table, units.size(), unit, policy)
    draws = _fill(table, unit, teams, week, policy)
    table["band"] = _bands(table, unit, teams, p_name, policy)
    table["week"] = week
    rows = _ranked(table, p_name)
    rows["change"] = _change(rows, last_week)
    return Worklist(
        week=week,
        as_of=duties.as_of,
        horizon_weeks=scores.horizon_weeks,
        model_version=scores.model_version,
        policy=policy,
        rows=rows,
        rest=_rest(table, rows),
        left=_left(table, last_week),
        teams=_counted(table, teams, duties, policy),
        draws=draws,
        last_week=last_week.week if last_week else None,
    )


def _joined(scores: pd.DataFrame, duties: pd.DataFrame, p_name: str, policy: Policy) -> pd.DataFrame:
    """One row per open case; a case under an exclusion shows no score."""
    if not len(duties):
        raise TooFewCasesError("no case is open on the as-of date; choose another date or a newer extract")
    columns = ["case_id", "age_weeks", "status", "abstain_reason", p_name, "base_rate"]
    table = duties.merge(scores[columns], on="case_id", how="left", validate="one_to_one")
    n_apart = int(table["status"].isna().sum()) + max(0, len(scores) - len(duties))
    if n_apart:
        raise CaseDataError(f"scores and duties differ in {n_apart} cases; take both from one register on one day")
    hidden = table["exclusion"] != ""
    table.loc[hidden, p_name] = np.nan
    table.loc[hidden & (table["status"] == "scored"), "status"] = "not_shown"
    table.loc[table["status"] != "scored", "base_rate"] = np.nan  # beside no score it would be read as one
    # Old cases queue behind the young, whatever their chance and lift.
    is_late = table["age_weeks"] > policy.order.first_until_week
    table["value"] = table[p_name] + table["lift"] - np.where(is_late, _BEHIND, 0.0)
    return table


def _first_section(table: pd.DataFrame, as_of: date, policy: Policy) -> npt.NDArray[np.object_]:
    """Where each case belongs before places are given out; ``waiting`` are those that compete for them."""
    keeps = [e.fact for e in policy.exclusions if e.keeps_duties]
    is_due, status = table["is_due"].to_numpy(dtype=bool), table["status"].to_numpy(dtype=object)
    excluded = (table["exclusion"] != "").to_numpy()
    since = np.datetime64(as_of, "D") - policy.order.cool_down_days
    contacted = (table["contacted_on"].to_numpy().astype("M8[D]") >= since) & (policy.order.cool_down_days > 0)
    return np.select(
        [
            excluded & ~(is_due & table["exclusion"].isin(keeps).to_numpy()),
            is_due,
            status == "past_horizon",
            status == "abstained",
            contacted,
        ],
        ["excluded", "duty", "past_horizon", "no_score", "cooling"],
        default="waiting",
    ).astype(object)


def _places(table: pd.DataFrame, n_open: pd.Series, unit: npt.NDArray[np.int64], policy: Policy) -> pd.DataFrame:
    """Capacity of each team, and what its duties leave for risk."""
    teams = n_open.rename("n_open").reset_index()
    n_duty = np.bincount(unit, weights=(table["section"] == "duty").to_numpy(dtype=float), minlength=len(teams))
    capacity = [policy.capacity.of_team(str(t), int(n)) for t, n in zip(teams["team"], teams["n_open"], strict=True)]
    left = [policy.capacity.left_for_risk(c, int(d)) for c, d in zip(capacity, n_duty, strict=True)]
    return teams.assign(
        capacity=capacity, risk_places=[places for places, _ in left], shortfall=[short for _, short in left]
    )


def _fill(
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
            section[pool[drawn]] = "audit"
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


def _bands(
    table: pd.DataFrame, unit: npt.NDArray[np.int64], teams: pd.DataFrame, p_name: str, policy: Policy
) -> npt.NDArray[np.object_]:
    """High, middle or low, from the places of the team; empty without a score or without places."""
    band = np.full(len(table), "", dtype=object)
    scored = np.flatnonzero(table[p_name].notna())
    order = scored[_by_value(table, scored, unit, p_name)]
    bounds = np.searchsorted(unit[order], np.arange(len(teams) + 1))
    hours = policy.capacity.risk_minutes / 60 if policy.capacity.unit == "hours" else 1.0
    for i, (capacity, risk_places) in enumerate(
        zip(teams["capacity"].tolist(), teams["risk_places"].tolist(), strict=True)
    ):
        queue = order[bounds[i] : bounds[i + 1]]
        if not capacity:
            continue
        wanted = max(risk_places, math.ceil(policy.bands.high_share * capacity / hours))
        n_high = min(wanted, math.ceil(policy.bands.most_share * len(queue)))
        n_middle = n_high + math.ceil(policy.bands.middle_factor * n_high)
        band[queue[:n_high]], band[queue[n_high:n_middle]], band[queue[n_middle:]] = "high", "middle", "low"
    return band


def _ranked(table: pd.DataFrame, p_name: str) -> pd.DataFrame:
    """The listed cases in the order of the page."""
    listed = table[table["section"].isin(SECTIONS)].copy()
    place = listed["section"].map({s: i for i, s in enumerate(SECTIONS)}).to_numpy()
    by_date = listed["section"].isin(["duty", "past_horizon", "no_score"]).to_numpy()
    due = listed["due_on"].to_numpy().astype("M8[D]")
    due_key = np.where(by_date, np.where(np.isnat(due), np.iinfo(np.int64).max, due.astype(np.int64)), 0)
    value = listed[p_name].where(by_date, listed["value"]).to_numpy()
    order = np.lexsort(
        (
            listed["case_id"].to_numpy(dtype=str),
            listed["opened_on"].to_numpy(),
            np.where(np.isnan(value), np.inf, -value),
            due_key,
            place,
            listed["team"].to_numpy(dtype=str),
            listed["office"].to_numpy(dtype=str),
        )
    )
    rows = listed.iloc[order].reset_index(drop=True)
    rows["rank"] = rows.groupby(TEAM, sort=False).cumcount() + 1
    first = [
        "week",
        *TEAM,
        "section",
        "rank",
        "case_id",
        "opened_on",
        "age_weeks",
        "status",
        p_name,
        "base_rate",
        "band",
    ]
    then = ["duty", "due_on", "overdue_days", "is_planned", "exclusion", "milestone", "milestone_on", "milestone_state"]
    return rows[[*first, *then, "abstain_reason"]]


def _rest(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The open cases without a place on the page, by team and case id."""
    columns = [c for c in rows.columns if c not in ("rank", "change")]
    return table.loc[~table["section"].isin(SECTIONS), columns].sort_values([*TEAM, "case_id"], ignore_index=True)


def _change(rows: pd.DataFrame, last_week: LastWeek | None) -> npt.NDArray[np.object_]:
    if last_week is None:
        return np.full(len(rows), "", dtype=object)
    before = pd.MultiIndex.from_frame(last_week.rows[[*TEAM, "case_id"]].astype(object))
    stayed = pd.MultiIndex.from_frame(rows[[*TEAM, "case_id"]].astype(object)).isin(before)
    return np.where(stayed, "stayed", "new").astype(object)


def _left(table: pd.DataFrame, last_week: LastWeek | None) -> pd.DataFrame:
    """Cases of the earlier list that are not on this one, and why."""
    if last_week is None:
        return pd.DataFrame({c: pd.Series(dtype=object) for c in [*TEAM, "case_id", "why"]})
    before = last_week.rows[[*TEAM, "case_id", "section"]].rename(
        columns={"office": "office_before", "team": "team_before", "section": "section_before"}
    )
    both = before.merge(table[["case_id", *TEAM, "section"]], on="case_id", how="left")
    section = both["section"].fillna("").to_numpy(dtype=object)
    moved = (both["office"] != both["office_before"]) | (both["team"] != both["team_before"])
    why = np.select(
        [
            section == "",
            moved.to_numpy(),
            section == "excluded",
            section == "cooling",
            (both["section_before"] == "duty").to_numpy(),
            (both["section_before"] == "audit").to_numpy(),
        ],
        ["not_open", "moved_team", "excluded", "contacted", "duty_met", "draw_over"],
        default="below_capacity",
    )
    gone = (section == "") | moved.to_numpy() | ~np.isin(section, SECTIONS)
    left = both.assign(why=why)[gone].drop(columns=TEAM)
    left = left.rename(columns={"office_before": "office", "team_before": "team"})
    return left[[*TEAM, "case_id", "why"]].sort_values([*TEAM, "why", "case_id"], ignore_index=True)


def _counted(table: pd.DataFrame, teams: pd.DataFrame, duties: Duties, policy: Policy) -> pd.DataFrame:
    """The account of each team: listed by section, remainder, cooling down and excluded add up to the open cases."""
    counts = table[TEAM].copy()
    for section in (*SECTIONS, "cooling", "remainder"):
        counts[f"n_{section}"] = table["section"] == section
    excluded = table["section"] == "excluded"
    for exclusion in policy.exclusions:
        counts[f"n_excluded_{exclusion.fact}"] = excluded & (table["exclusion"] == exclusion.fact)
    counts["n_excluded_due"] = excluded & table["is_due"]
    counts["n_overdue"] = (table["section"] == "duty") & (table["overdue_days"] > 0)
    summed = counts.groupby(TEAM, sort=True).sum().astype(np.int64).reset_index()
    return teams.merge(summed, on=TEAM).merge(duties.timeliness, on=TEAM, how="left")
