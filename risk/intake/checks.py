"""Checks between rows: duplicates, two cases with one id, orders that cannot be, overlapping cases of one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from risk.intake.reading import is_totals
from risk.intake.rows import Rows
from risk.weeks import Dates

if TYPE_CHECKING:
    from risk.intake.mapping import Mapping

TWO_CASES = "two cases with one id"
CLOSED_BEFORE_OPENED = "closed before opened"
REGISTERED_BEFORE_OPENED = "registered before opened"
LATER = "registered on or after the extract date"
FACT_BEFORE_OPENING = "fact recorded before the case opened"
FACT_BEFORE_REGISTRATION = "fact recorded before the case was registered (kept)"
CLOSES_LATER = "closed on or after the extract date (kept as open)"
CLOSED_BEFORE_REGISTERED = "closed before registered (kept)"
IMPOSSIBLE = (CLOSED_BEFORE_OPENED, REGISTERED_BEFORE_OPENED, FACT_BEFORE_OPENING)


def settle_unreadable(rows: Rows, mapping: Mapping) -> None:
    """Set totals rows aside, and reject rows with too many or too few fields."""
    if not len(rows):
        return
    rows.settle(np.concatenate([is_totals(p, mapping.reading.totals) for p in rows.parts]), "totals", "totals row")
    broken = np.concatenate([p.broken for p in rows.parts])
    for why in sorted({b for b in broken if b is not None}):
        rows.settle(broken == why, "rejected", why)


def settle_duplicates(rows: Rows) -> None:
    """Of kept rows that are equal in every column used, keep the first."""
    again = np.zeros(len(rows), dtype=bool)
    again[rows.kept] = rows.text[rows.kept].duplicated().to_numpy()
    rows.settle(again, "duplicate", "exact duplicate")


def settle_shared_ids(rows: Rows, ids: np.ndarray) -> None:
    """Reject every row whose case id another, different row has too: nobody can say which one is right."""
    twice = np.zeros(len(rows), dtype=bool)
    twice[rows.kept] = pd.Series(ids[rows.kept], dtype=object).duplicated(keep=False).to_numpy()
    rows.settle(twice, "rejected", TWO_CASES)


def overlapping(person: np.ndarray, opened: Dates, ended: Dates) -> np.ndarray:
    """Cases that open before an earlier opened case of the same person has ended, (n,) bool.

    Parameters
    ----------
    person : array of object, (n,)
    opened, ended : datetime64[D], (n,)
        ``ended`` is the closing day, or the extract date for an open case. A case may open on the day another closes.
    """
    frame = pd.DataFrame({"person": person, "opened": opened, "ended": ended.astype("datetime64[us]")})
    frame = frame.sort_values(["person", "opened", "ended"], kind="stable")
    days = frame["ended"].astype("int64")
    latest = days.groupby(frame["person"]).cummax().groupby(frame["person"]).shift()
    late = (frame["opened"].astype("datetime64[us]").astype("int64") < latest).fillna(False)
    out = np.zeros(len(person), dtype=bool)
    out[frame.index[late.to_numpy(dtype=bool)]] = True
    return out
