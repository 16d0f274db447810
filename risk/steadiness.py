"""Steadiness: what is new since an earlier list, what stayed, and what left it and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

TEAM = ["office", "team"]


@dataclass(frozen=True)
class LastWeek:
    """An earlier list, as far as steadiness needs it: its week and ``case_id, office, team, section`` of its rows."""

    week: str
    rows: pd.DataFrame


def change_since(rows: pd.DataFrame, last_week: LastWeek | None) -> npt.NDArray[np.object_]:
    """``new`` or ``stayed`` per listed row, (n,); empty without an earlier list."""
    if last_week is None:
        return np.full(len(rows), "", dtype=object)
    before = pd.MultiIndex.from_frame(last_week.rows[[*TEAM, "case_id"]].astype(object))
    stayed = pd.MultiIndex.from_frame(rows[[*TEAM, "case_id"]].astype(object)).isin(before)
    return np.where(stayed, "stayed", "new").astype(object)


def left_since(table: pd.DataFrame, last_week: LastWeek | None, listed: Sequence[str]) -> pd.DataFrame:
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
    gone = moved.to_numpy() | ~np.isin(section, list(listed))
    left = both.assign(why=why)[gone].drop(columns=TEAM)
    left = left.rename(columns={"office_before": "office", "team_before": "team"})
    return left[[*TEAM, "case_id", "why"]].sort_values([*TEAM, "why", "case_id"], ignore_index=True)
