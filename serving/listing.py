"""From the rows of a week's worklist to cases as the store and the pages know them, one object per case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from risk.priority import TEAM

# Columns of a worklist that a case has under the same name; the chance is named after its horizon.
_SHARED = ("section", "rank", "case_id", "opened_on", "age_weeks", "status", "base_rate", "band", "duty", "due_on",
           "overdue_days", "is_planned", "exclusion", "milestone", "milestone_on", "milestone_state", "abstain_reason",
           "change")  # fmt: skip


def case_values(rows: pd.DataFrame, p_name: str) -> Iterator[dict[str, Any]]:
    """Of each row the values of a :class:`serving.store.listed.ListedCase`, without those that are missing.

    Parameters
    ----------
    p_name : the column that holds the chance of passing the horizon
    """
    further = [c for c in rows.columns if c not in (*_SHARED, *TEAM, "week", p_name)]
    shared = plain_rows(rows[[*_SHARED, p_name]].rename(columns={p_name: "p"}))
    for line, more in zip(shared, plain_rows(rows[further]), strict=True):
        if line["rank"] is not None:
            line["rank"] = int(line["rank"])  # beside rows without one the column holds floats
        yield {
            **{k: v for k, v in line.items() if v is not None},
            "more": {k: v for k, v in more.items() if v is not None},
        }


def plain_rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as dicts of plain values; missing is None."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            columns.append(values.to_numpy().astype("M8[D]").tolist())
        else:
            columns.append([plain_value(v) for v in values.tolist()])
    for row in zip(*columns, strict=True) if columns else ({} for _ in range(len(frame))):
        yield dict(zip(frame.columns, row, strict=True))


def plain_value(value: Any) -> Any:
    """A Python value; nan and not-a-time are None."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value
