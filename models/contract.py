"""What every learner promises.

A learner is fitted on rows ``(x, entry, weeks, closed)``: a case was open after ``entry`` weeks, we knew ``x`` about it
then, and it was seen until ``weeks`` weeks after it opened, when it closed or was lost from sight. It answers with
``survival``: the chance that a case open at ``entry`` is still open after each of some weeks. Weeks always count from
the day the case opened, never from ``entry``.

:class:`Learner` holds everything that is the same for all of them: the door through which cases enter (:mod:`models.rows`),
matching columns by name, and writing text files.
A concrete learner fills in ``_fit``, ``_survival``, ``_contributions``, ``_state`` and ``_restore``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from models.arrays import FloatArray, IntArray
from models.columns import Columns
from models.recent import Change
from models.rows import Rows, canonical_rows, check_entry, watched_rows
from risk.errors import BundleError, CaseDataError, ConfigError

HORIZONS = (8.0, 13.0, 22.0, 26.0, 52.0)
FILES_FORMAT = 1


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
        y : (n,) structured, see :func:`models.rows.outcome`
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


def _within(p: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
    """Probabilities of being open after each of ``weeks``: certain where they lie behind, never outside [0, 1]."""
    return np.where(weeks <= entry[:, None], 1.0, np.minimum(np.maximum(p, 0.0), 1.0))
