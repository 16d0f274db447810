"""The one door through which cases enter a learner: how they ended, checked, encoded and in a canonical order.

The order is one of content, so that training does not depend on the order in which a register was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.arrays import BoolArray, FloatArray, IntArray
from models.columns import Columns, row_hash
from risk.errors import CaseDataError, TooFewCasesError, rows_named

OUTCOME_DTYPE = np.dtype([("closed", np.bool_), ("weeks", np.float64)])


def outcome(closed: npt.ArrayLike, weeks: npt.ArrayLike) -> npt.NDArray[np.void]:
    """Put what is known of how cases ended into one array.

    Parameters
    ----------
    closed : (n,) bool
        Whether the case closed at ``weeks``; otherwise it was last seen open then.
    weeks : (n,) float
        Weeks from opening.

    Returns
    -------
    (n,) structured array with fields ``closed`` and ``weeks``

    Examples
    --------
    >>> outcome([True, False], [3.0, 60.0])["weeks"]
    array([ 3., 60.])
    """
    closed = np.asarray(closed, dtype=np.bool_)
    y = np.empty(closed.shape, dtype=OUTCOME_DTYPE)
    y["closed"], y["weeks"] = closed, weeks
    return y


@dataclass(frozen=True)
class Rows:
    """Training rows that carry information, encoded and in canonical order.

    Attributes
    ----------
    matrix : (n, p) float, Fortran order; a category is its level number, missing is nan
    closed : (n,) bool
    weeks, entry : (n,) weeks from opening, ``weeks > entry``
    weight : (n,) above 0
    group : (n,) int, the person
    """

    matrix: FloatArray
    closed: BoolArray
    weeks: FloatArray
    entry: FloatArray
    weight: FloatArray
    group: IntArray

    def __len__(self) -> int:
        return len(self.weeks)

    def take(self, chosen: npt.NDArray[Any]) -> Rows:
        """The rows chosen by a mask or by positions, in that order."""
        return Rows(
            np.asfortranarray(self.matrix[chosen]),
            self.closed[chosen],
            self.weeks[chosen],
            self.entry[chosen],
            self.weight[chosen],
            self.group[chosen],
        )


def canonical_rows(
    columns: Columns,
    X: pd.DataFrame,
    y: npt.NDArray[np.void],
    entry: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Rows:
    """Check, drop rows without information, encode, and sort by content, so that no result depends on their order.

    Raises
    ------
    CaseDataError, TooFewCasesError
        As :meth:`models.contract.Learner.fit`.
    """
    n = len(X)
    closed, weeks = check_outcome(y, n)
    start = check_entry(entry, n)
    weight = _weight(sample_weight, n)
    used = (weeks > start) & (weight > 0)
    if not used.any():
        raise TooFewCasesError(f"none of the {n} rows was watched after its entry; give rows with weeks > entry")
    if not (closed & used).any():
        raise TooFewCasesError(
            f"no case closed among {int(used.sum())} rows: nothing can be learned; extend the period or the cut date"
        )
    person = np.zeros(n, dtype=np.int64)
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != (n,):
            raise CaseDataError(f"groups has shape {labels.shape}, but there are {n} rows")
        person = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    at = np.flatnonzero(used)
    keys = (row_hash(columns, X)[at], person[at], weight[at], closed[at], start[at], weeks[at])
    order = at[np.lexsort(keys)]
    # Without groups every row is its own person, numbered only now that the order is canonical.
    person = np.arange(len(order), dtype=np.int64) if groups is None else person[order]
    return Rows(columns.encode(X, order), closed[order], weeks[order], start[order], weight[order], person)


def watched_rows(
    columns: Columns,
    X: pd.DataFrame,
    y: npt.NDArray[np.void],
    entry: npt.ArrayLike | None,
    age: npt.ArrayLike,
    groups: npt.ArrayLike | None,
) -> tuple[Rows, FloatArray]:
    """Checked and encoded rows that were watched at all, in the order given, and their ``age``.

    Raises
    ------
    CaseDataError
        As :meth:`models.contract.Learner.fit`, or ``age`` is missing or of another length.
    """
    n = len(X)
    closed, weeks = check_outcome(y, n)
    start, until_today = check_entry(entry, n), np.asarray(age, dtype=np.float64)
    if until_today.shape != (n,) or not np.isfinite(until_today).all():
        raise CaseDataError(f"age (weeks from opening to the day outcomes are known to) must be {n} finite numbers")
    at = np.flatnonzero(weeks > start)
    person = at if groups is None else np.unique(np.asarray(groups)[at], return_inverse=True)[1]
    rows = Rows(columns.encode(X, at), closed[at], weeks[at], start[at], np.ones(len(at)), person.astype(np.int64))
    return rows, until_today[at]


def check_outcome(y: npt.NDArray[np.void], n: int) -> tuple[BoolArray, FloatArray]:
    """The two fields of ``y``, checked.

    Raises
    ------
    CaseDataError
        ``y`` is not structured, has another length, or holds missing or negative weeks.
    """
    names = getattr(getattr(y, "dtype", None), "names", None) or ()
    if not {"closed", "weeks"} <= set(names):
        raise CaseDataError("y must be a structured array with fields closed and weeks; models.rows.outcome makes one")
    if y.shape != (n,):
        raise CaseDataError(f"y has shape {y.shape}, but X has {n} rows")
    weeks = np.ascontiguousarray(y["weeks"], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(weeks) | (weeks < 0))
    if len(bad):
        raise CaseDataError(f"field weeks of y is missing or negative in {rows_named(bad.tolist())}")
    return np.ascontiguousarray(y["closed"], dtype=np.bool_), weeks


def check_entry(entry: npt.ArrayLike | None, n: int) -> FloatArray:
    """Weeks already open, (n,), checked; 0 when None.

    Raises
    ------
    CaseDataError
        Of another length, missing or negative.
    """
    if entry is None:
        return np.zeros(n)
    weeks = np.asarray(entry, dtype=np.float64)
    if weeks.shape != (n,):
        raise CaseDataError(f"entry has shape {weeks.shape}, but there are {n} rows")
    bad = np.flatnonzero(~np.isfinite(weeks) | (weeks < 0))
    if len(bad):
        raise CaseDataError(f"entry (weeks already open) is missing or negative in {rows_named(bad.tolist())}")
    return weeks


def _weight(sample_weight: npt.ArrayLike | None, n: int) -> FloatArray:
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,):
        raise CaseDataError(f"sample_weight has shape {weight.shape}, but there are {n} rows")
    bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(bad):
        raise CaseDataError(f"sample_weight is missing or negative in {rows_named(bad.tolist())}")
    return weight
