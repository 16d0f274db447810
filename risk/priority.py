"""Priority: duties first, then what is left of the week in the policy's order; every open case is listed, counted or excluded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.duties import Duties
from risk.errors import CaseDataError, ConfigError, TooFewCasesError
from risk.outlook import Outlook
from risk.places import bands, draw_seed, due_key, falling, give_places, places
from risk.policy import Policy
from risk.scoring import Scores
from risk.steadiness import TEAM, LastWeek, change_since, left_since
from risk.weeks import iso_week

__all__ = ["SECTIONS", "TEAM", "LastWeek", "Worklist", "draw_seed", "prioritise"]

SECTIONS = ("duty", "risk", "audit", "closing", "past_horizon", "no_score")
_BY_DATE = ("duty", "past_horizon", "no_score")
_BEHIND = 10.0  # more than any chance, share of cost and lift together


@dataclass(frozen=True)
class Worklist:
    """The lists of one week, all teams.

    Attributes
    ----------
    rows : DataFrame
        One row per listed case: ``week, office, team, section, rank`` (1 = first within the team), ``case_id, opened_on,
        age_weeks, status, p_exceed_<h>w, base_rate, band, p_close_4w, is_closing`` (at or above the policy's chance),
        ``weeks_ahead, cost_ahead`` (see :class:`risk.outlook.Outlook`), ``duty, due_on, overdue_days, is_planned,
        exclusion, milestone, milestone_on, milestone_state, abstain_reason, change`` (``new``, ``stayed``, or empty
        without an earlier list).
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
    outlook: Outlook

    @property
    def p_name(self) -> str:
        return f"p_exceed_{self.horizon_weeks}w"


def prioritise(
    scores: Scores, duties: Duties, policy: Policy, last_week: LastWeek | None = None, *, outlook: Outlook
) -> Worklist:
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
    outlook : Outlook
        The coming weeks of the same cases (:func:`risk.outlook.take_outlook`), with their cost if the policy orders by it.

    Raises
    ------
    TooFewCasesError
        When no case is open.
    CaseDataError
        When scores, duties and outlook speak of different cases, or the policy orders by a cost that the outlook lacks.
    ConfigError
        When the earlier list is not of an earlier week.
    """
    week, p_name = iso_week(duties.as_of), f"p_exceed_{scores.horizon_weeks}w"
    if last_week is not None and last_week.week >= week:
        raise ConfigError(f"the earlier list is of week {last_week.week}, not before {week}; name an earlier one")
    table = _joined(scores.frame, duties.frame, outlook, p_name, policy)
    table["section"] = _first_section(table, duties.as_of, policy)
    units = table.groupby(TEAM, sort=True)
    unit: npt.NDArray[np.int64] = np.asarray(units.ngroup(), dtype=np.int64)
    teams = places(table, units.size(), unit, policy)
    draws = give_places(table, unit, teams, week, policy)
    table["band"] = bands(table, unit, teams, p_name, policy)
    table["week"] = week
    rows = _ranked(table, p_name)
    rows["change"] = change_since(rows, last_week)
    return Worklist(
        week=week,
        as_of=duties.as_of,
        horizon_weeks=scores.horizon_weeks,
        model_version=scores.model_version,
        policy=policy,
        rows=rows,
        rest=_rest(table, rows),
        left=left_since(table, last_week, SECTIONS),
        teams=_counted(table, teams, duties, policy),
        draws=draws,
        last_week=last_week.week if last_week else None,
        outlook=outlook,
    )


def _joined(scores: pd.DataFrame, duties: pd.DataFrame, outlook: Outlook, p_name: str, policy: Policy) -> pd.DataFrame:
    """One row per open case; a case under an exclusion shows no score, and nothing else a model says of it."""
    if not len(duties):
        raise TooFewCasesError("no case is open on the as-of date; choose another date or a newer extract")
    columns = ["case_id", "age_weeks", "status", "abstain_reason", p_name, "base_rate"]
    table = duties.merge(scores[columns], on="case_id", how="left", validate="one_to_one")
    table = table.merge(outlook.frame, on="case_id", how="left", validate="one_to_one", indicator="ahead")
    is_apart = table["status"].isna() | (table["ahead"] != "both")
    n_apart = int(is_apart.sum()) + max(0, len(scores) - len(duties))
    if n_apart:
        raise CaseDataError(f"scores and duties differ in {n_apart} cases; take both from one register on one day")
    hidden = table["exclusion"] != ""
    table.loc[hidden & (table["status"] == "scored"), "status"] = "not_shown"
    no_score = table["status"] != "scored"
    # A base rate beside no score would be read as one.
    table.loc[no_score, [p_name, "base_rate", "p_close_4w", "weeks_ahead", "cost_ahead", "cost_share"]] = np.nan
    table["is_closing"] = table["p_close_4w"] >= policy.closing.p_at_least
    table["chance"] = table[p_name]
    table["value"] = _value(table, policy)
    return table


def _value(table: pd.DataFrame, policy: Policy) -> npt.NDArray[np.float64]:
    """What the waiting are ordered by, (n,): chance, share of cost or their mix, and the lift; old cases behind the young.

    Chance and share of cost lie in 0..1 and depend on nothing but the case itself, so no other case moves a mix.
    """
    weight = policy.order.cost_weight
    value = table["chance"].to_numpy(dtype=np.float64) * (1.0 - weight)
    if weight:
        if table.loc[table["status"] == "scored", "cost_share"].isna().any():
            raise CaseDataError(
                f'the policy orders by "{policy.order.by}", but the outlook holds no cost of some cases'
            )
        value = value + weight * table["cost_share"].to_numpy(dtype=np.float64)
    is_late = table["age_weeks"].to_numpy() > policy.order.first_until_week
    return value + table["lift"].to_numpy() - np.where(is_late, _BEHIND, 0.0)


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
            table["is_closing"].to_numpy(dtype=bool),
        ],
        ["excluded", "duty", "past_horizon", "no_score", "cooling", "closing"],
        default="waiting",
    ).astype(object)


def _ranked(table: pd.DataFrame, p_name: str) -> pd.DataFrame:
    """The listed cases in the order of the page."""
    listed = table[table["section"].isin(SECTIONS)].copy()
    place = listed["section"].map({s: i for i, s in enumerate(SECTIONS)}).to_numpy()
    by_date = listed["section"].isin(_BY_DATE).to_numpy()
    value = listed["chance"].where(by_date, listed["value"])
    value = value.where(listed["section"] != "closing", listed["p_close_4w"])
    order = np.lexsort(
        (
            listed["case_id"].to_numpy(dtype=str),
            listed["opened_on"].to_numpy(),
            falling(value),
            np.where(by_date, due_key(listed["due_on"]), 0),
            place,
            listed["team"].to_numpy(dtype=str),
            listed["office"].to_numpy(dtype=str),
        )
    )
    rows = listed.iloc[order].reset_index(drop=True)
    rows["rank"] = rows.groupby(TEAM, sort=False).cumcount() + 1
    score = [
        "age_weeks",
        "status",
        p_name,
        "base_rate",
        "band",
        "p_close_4w",
        "is_closing",
        "weeks_ahead",
        "cost_ahead",
    ]
    duty = ["duty", "due_on", "overdue_days", "is_planned", "exclusion", "milestone", "milestone_on", "milestone_state"]
    return rows[["week", *TEAM, "section", "rank", "case_id", "opened_on", *score, *duty, "abstain_reason"]]


def _rest(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The open cases without a place on the page, by team and case id."""
    columns = [c for c in rows.columns if c not in ("rank", "change")]
    return table.loc[~table["section"].isin(SECTIONS), columns].sort_values([*TEAM, "case_id"], ignore_index=True)


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
