"""What every learner promises, and the one door through which cases enter it.

A learner is fitted on rows ``(x, entry, weeks, closed)``: a case was open after ``entry`` weeks, we knew ``x`` about it
then, and it was seen until ``weeks`` weeks after it opened, when it closed or was lost from sight. It answers with
``survival``: the chance that a case open at ``entry`` is still open after each of some weeks. Weeks always count from
the day the case opened, never from ``entry``.

:class:`Learner` holds everything that is the same for all of them: checking, matching columns by name, putting rows in
a canonical order (so that training does not depend on the order in which a register was read), and writing text files.
A concrete learner fills in ``_fit``, ``_survival``, ``_contributions``, ``_state`` and ``_restore``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from models.columns import Columns, row_hash
from risk.errors import BundleError, CaseDataError, ConfigError, TooFewCasesError, rows_named

if TYPE_CHECKING:
    from models.recent import Change

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

OUTCOME_DTYPE = np.dtype([("closed", np.bool_), ("weeks", np.float64)])
HORIZONS = (8.0, 13.0, 22.0, 26.0, 52.0)
FEW_ROWS = 32  # up to here one operation on a wide array is cheaper than many on a column each; the bits are the same
FILES_FORMAT = 1


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


class Learner(BaseEstimator):
    """Base of all learners; see the module text for what they promise."""

    name: ClassVar[str]
    uses_boosting: ClassVar[bool] = False
    refreshes: ClassVar[bool] = False  # whether :meth:`refresh` can move its hazard
    change_: Change | None = None

    def fit(
        self,
        X: pd.DataFrame,
        y: npt.NDArray[np.void],
        entry: npt.ArrayLike | None = None,
        *,
        sample_weight: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from cases, closed or not.

        Parameters
        ----------
        X : (n, p) numeric and categorical columns, missing allowed
        y : (n,) structured, see :func:`outcome`
        entry : (n,) weeks already open when the row starts to be observed; 0 when None
        sample_weight : (n,) at least 0; 1 when None
        groups : (n,) the person a row belongs to; rows of one person are never split between folds. Each row is its
            own person when None.

        Raises
        ------
        CaseDataError
            A column is neither numeric nor categorical, lengths differ, or weeks are missing or negative.
        TooFewCasesError
            No row has been watched after its entry, or none of them closed.
        """
        columns = Columns.of(X)
        return self.fit_rows(columns, canonical_rows(columns, X, y, entry, sample_weight, groups))

    def fit_rows(self, columns: Columns, rows: Rows) -> Self:
        """:meth:`fit` for rows already checked, encoded and sorted: how one learner trains another."""
        self._adopt(columns)
        # One BLAS thread: the matrices are small, so threads would mostly wait for each other on a busy machine, and a
        # sum whose order depends on the number of threads would not give the same bytes everywhere.
        with threadpool_limits(limits=1, user_api="blas"):
            self._fit(rows)
        return self

    def refitted(self, rows: Rows) -> Self:
        """A copy fitted on other rows with what was tuned on these (penalties, number of trees) kept: for cross-fitting."""
        copy: Self = clone(self)
        return copy.fit_rows(self.columns_, rows)

    def borrow(self, fitted: Sequence[Learner]) -> None:
        """Take over from learners already fitted on the rows to come what need not be found twice; nothing by default."""

    def fit_left_out(
        self, columns: Columns, rows: Rows, fold: IntArray, held_out: Sequence[int]
    ) -> list[tuple[int, Learner]]:
        """:meth:`fit_rows`, and copies fitted without each of the folds ``held_out``, (n,) a fold per row.

        What was tuned on all rows is kept in the copies. A fold without which nothing can be learned may be missing.
        """
        self.fit_rows(columns, rows)
        return [(f, self.refitted(rows.take(fold != f))) for f in held_out]

    def refresh(
        self,
        X: pd.DataFrame,
        y: npt.NDArray[np.void],
        entry: npt.ArrayLike | None,
        age: npt.ArrayLike,
        *,
        within: float = 104.0,
        known: Change | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Look for a day since which cases close otherwise than learned, and follow what they do now (:mod:`models.recent`).

        What was found stands in ``change_``; None when nothing was, and nothing is moved then.

        Parameters
        ----------
        X, y, entry, groups : as in :meth:`fit`, all rows learned from
        age : (n,) weeks from opening to the day that outcomes are known to, whether the case is still open or not
        within : how many weeks before that day a change is looked for
        known : a change found on more rows, of which only the size is measured again

        Raises
        ------
        ConfigError
            The learner has no hazard to move (``refreshes`` is False).
        CaseDataError
            As :meth:`fit`.
        """
        if not self.refreshes:
            raise ConfigError(f"learner {self.name!r} has no hazard to refresh; choose linear, hazard or stacked")
        check_is_fitted(self)
        rows, weeks = watched_rows(self.columns_, X, y, entry, age, groups)
        if len(rows):
            with threadpool_limits(limits=1, user_api="blas"):
                self.change_ = self._refresh(rows, weeks, within, known)
        return self

    def survival(self, X: pd.DataFrame, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> FloatArray:
        """P(open after each of ``weeks`` | open at ``entry``).

        Parameters
        ----------
        X : (n, p) the columns learned from, in any order
        weeks : (k,) weeks from opening, in any order
        entry : (n,) weeks already open; 0 when None

        Returns
        -------
        (n, k) probabilities; exactly 1 where ``weeks[j] <= entry``, never rising with weeks

        Raises
        ------
        CaseDataError
            A column is missing, unknown or of another kind, or a week is missing or negative.
        """
        check_is_fitted(self)
        matrix = self.columns_.encode(X)
        return self.survival_encoded(matrix, weeks, check_entry(entry, len(matrix)))

    def survival_encoded(self, matrix: FloatArray, weeks: npt.ArrayLike, entry: FloatArray) -> FloatArray:
        """:meth:`survival` for rows already encoded by ``columns_.encode``: no pandas on the way."""
        asked = np.atleast_1d(np.asarray(weeks, dtype=np.float64))
        if asked.ndim != 1 or not np.all(np.isfinite(asked)) or np.any(asked < 0):
            raise CaseDataError("weeks to score at: give one or more finite weeks from opening, 0 or above")
        if not len(matrix) or not len(asked):
            return np.ones((len(matrix), len(asked)))
        return _within(self._survival(matrix, asked, entry), asked, entry)

    def survival_and_parts(
        self, matrix: FloatArray, weeks: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """:meth:`survival_encoded` and the parts of :meth:`contributions_encoded`, with the same bits.

        Learners that can make both from one evaluation do.
        """
        if not len(matrix) or (entry >= week).any():
            return self.survival_encoded(matrix, weeks, entry), self.contributions_encoded(matrix, week, entry)[0]
        p, parts = self._survival_and_parts(matrix, weeks, float(week), entry)
        return _within(p, weeks, entry), parts

    def contributions(self, X: pd.DataFrame, week: float, entry: npt.ArrayLike | None = None) -> pd.DataFrame:
        """What each column adds to the log-odds of being open after ``week``.

        Returns
        -------
        (n, p + 1) frame, the columns in the order learned, then ``base``: what is expected from the age of the case
        alone. Rows add up to the log-odds of ``survival(X, [week], entry)``. Where ``week <= entry`` the answer is
        certain: contributions are 0 and base is infinite.

        Raises
        ------
        CaseDataError
            As :meth:`survival`.
        """
        check_is_fitted(self)
        matrix = self.columns_.encode(X)
        parts, base = self.contributions_encoded(matrix, week, check_entry(entry, len(matrix)))
        frame = pd.DataFrame(parts, columns=list(self.columns_.names))
        frame["base"] = base
        return frame

    def contributions_encoded(
        self, matrix: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """:meth:`contributions` for encoded rows: (n, p) parts and (n,) base."""
        certain = week <= entry
        if len(matrix) and not certain.any():
            return self._contributions(matrix, float(week), entry)
        parts, base = np.zeros(matrix.shape), np.full(len(matrix), np.inf)
        if not certain.all():
            at_risk = ~certain
            parts[at_risk], base[at_risk] = self._contributions(matrix[at_risk], float(week), entry[at_risk])
        return parts, base

    def to_files(self) -> dict[str, str]:
        """The fitted learner as text: file name to content. No pickle, and nothing needed to open it but this package."""
        check_is_fitted(self)
        state, texts = self._state()
        head = {
            "learner": self.name,
            "format": FILES_FORMAT,
            "params": self.get_params(deep=False),
            "columns": self.columns_.to_list(),
            "state": state,
        }
        return {"learner.json": json.dumps(head, sort_keys=True, allow_nan=False), **texts}

    @classmethod
    def from_files(cls, files: dict[str, str]) -> Self:
        """Open what :meth:`to_files` wrote; scores are equal to the last bit.

        Raises
        ------
        BundleError
            The files are of another learner or of another format.
        """
        head = json.loads(files["learner.json"])
        if head.get("learner") != cls.name or head.get("format") != FILES_FORMAT:
            raise BundleError(
                f"learner.json holds learner {head.get('learner')!r} in format {head.get('format')!r}, but "
                f"{cls.name!r} in format {FILES_FORMAT} is needed; train again or install the version that wrote it"
            )
        learner = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in head["params"].items()})
        learner._adopt(Columns.from_list(head["columns"]))
        learner._restore(head["state"], files)
        return learner

    # What a concrete learner fills in ------------------------------------------------------------------------------

    def _fit(self, rows: Rows) -> None:
        raise NotImplementedError

    def _refresh(self, rows: Rows, age: FloatArray, within: float, known: Change | None) -> Change | None:
        """The change found and followed; only where ``refreshes``."""
        raise NotImplementedError

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        raise NotImplementedError

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, p) and (n,) for rows with ``entry < week``."""
        raise NotImplementedError

    def _survival_and_parts(
        self, matrix: FloatArray, weeks: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(n, k) and (n, p) for rows with ``entry < week``."""
        return self._survival(matrix, weeks, entry), self._contributions(matrix, week, entry)[0]

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        """JSON-able state, and further text files by name."""
        raise NotImplementedError

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------------------------------

    def _adopt(self, columns: Columns) -> None:
        self.columns_ = columns
        self.change_ = None  # what a refresh moved belongs to the fit before
        self.n_features_in_ = len(columns.names)
        self.feature_names_in_ = np.array(columns.names, dtype=object)


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
        As :meth:`Learner.fit`.
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
        As :meth:`Learner.fit`, or ``age`` is missing or of another length.
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
        raise CaseDataError(
            "y must be a structured array with fields closed and weeks; models.contract.outcome makes one"
        )
    if y.shape != (n,):
        raise CaseDataError(f"y has shape {y.shape}, but X has {n} rows")
    weeks = np.ascontiguousarray(y["weeks"], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(weeks) | (weeks < 0))
    if len(bad):
        raise CaseDataError(f"field weeks of y is missing or negative in {rows_named(bad.tolist())}")
    return np.ascontiguousarray(y["closed"], dtype=np.bool_), weeks


def _within(p: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
    """Probabilities of being open after each of ``weeks``: certain where they lie behind, never outside [0, 1]."""
    return np.where(weeks <= entry[:, None], 1.0, np.minimum(np.maximum(p, 0.0), 1.0))


def logit(p: FloatArray) -> FloatArray:
    """Log-odds of probabilities strictly between 0 and 1."""
    return np.log(p) - np.log1p(-p)


def expit(z: FloatArray) -> FloatArray:
    """Probability of log-odds, without overflow.

    >>> expit(np.array([-800.0, 0.0, 800.0])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


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
