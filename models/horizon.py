r"""Learners of one horizon: a single sum of trees for P(open past week 52 | open now), and a curve laid through it.

.. math:: P(T > \tau \mid e, x) = \mathrm{expit}\{ \mathrm{offset}(e) + F(x, e) \}, \qquad
          S(w \mid e, x) = P(T > \tau \mid e, x)^{r(w)}

The offset is the share that cases of that age keep (Kaplan-Meier), ``F`` the trees. ``r(w)`` is the part of the
cumulative hazard from ``e`` to the horizon that falls before ``w``: it rises with ``w``, so the curve never does, and it
is 1 at the horizon. Its shape comes from a small hazard model with one covariate, the risk beside that of the average case
of the same age, because cases at high risk close at other times than cases at low risk. One evaluation of the trees gives
every horizon.

What differs between these learners is only which outcome each row is given: see :mod:`models.direct`,
:mod:`models.additive` and :mod:`models.naive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from models.arrays import FloatArray, IntArray, expit, logit
from models.baseline import product_limit
from models.boosting import (
    BoostedLearner,
    Repeated,
    boost,
    from_text,
    held_out_scores,
    make_dataset,
    settle,
    soft_outcomes,
    split,
    to_text,
)
from models.folds import holdouts
from models.periods import (
    Periods,
    as_periods,
    baseline_log_hazard,
    choose_periods,
    log_odds_open,
    require_closings,
    watch,
)
from models.poisson import Data, make_penalty, maximise
from models.rows import Rows
from models.treescores import raw_score, tree_parts
from risk.errors import TooFewCasesError

LARGEST_OFFSET = 7.0


@dataclass(frozen=True)
class Shape:
    """Where between entry and horizon the closings of a case of given risk fall.

    ``alpha`` (K,), ``steady`` and ``changing`` are the coefficients of the small hazard model; ``centre`` is the mean
    log risk it was fitted on. Risk is the cumulative hazard to the horizon, and where ``is_by_age`` over that of the average
    case of the same age: else old cases, with little of it left, would pass for cases of another kind, and what the small
    model says of early weeks, which only young cases tell of, would be too low.
    """

    periods: Periods
    alpha: FloatArray
    steady: float
    changing: float
    centre: float
    is_by_age: bool = True

    def shares(self, risk: FloatArray, weeks: FloatArray, entry: FloatArray, horizon: float) -> FloatArray:
        """``r``: cumulative hazard from entry to each of ``weeks`` over that to the horizon, (n, k)."""
        asked = weeks if weeks[-1] == horizon else np.append(weeks, horizon)
        upto = self.periods.cumulative(self._hazard(risk), entry, asked)
        return upto[:, : len(weeks)] / np.maximum(upto[:, -1:], 1e-300)

    def beyond(self, week: float, entry: FloatArray) -> FloatArray:
        """Cumulative hazard of the average case from an entry at or after the horizon, (n,)."""
        exposure = self.periods.exposure(entry, np.full(len(entry), week))
        return (exposure * np.exp(self.alpha)).sum(axis=1)

    def _hazard(self, risk: FloatArray) -> FloatArray:
        term = np.minimum(np.maximum(np.log(np.maximum(risk, 1e-12)) - self.centre, -4.0), 4.0)
        # The steady effect of risk cancels from the share; only how it changes over time bends the curve.
        return np.exp(self.alpha + (self.changing * term)[:, None] * self.periods.log_middle)


class HorizonLearner(BoostedLearner):
    """Base of the learners above; they fill in ``_outcomes`` and, when they like, ``_tree_params``."""

    horizon: float
    n_estimators: int
    min_rows: int

    def _outcomes(self, rows: Rows) -> tuple[Rows, FloatArray]:
        """The rows to learn from, and for each its outcome: 1 open past the horizon, 0 closed before, or between."""
        raise NotImplementedError

    def _tree_params(self, rows: Rows) -> dict[str, Any]:
        """Settings of LightGBM beside those of ``_params``, or in their place."""
        return {}

    def _begin(self) -> None:
        """Called before fitting anew."""

    def _start(self, rows: Rows, share_open: FloatArray, offset: FloatArray) -> FloatArray:
        """What the trees start from beside the offset, (n,)."""
        return np.zeros(len(rows))

    def _finish(self, rows: Rows) -> None:
        """Called when the trees stand."""

    def _fit(self, rows: Rows) -> None:
        self._begin()
        self._learn(rows, None)

    def _grow(self, rows: Rows, fold: IntArray, held_out: Sequence[int]) -> list[tuple[int, lgb.Booster]]:
        self._begin()
        return self._learn(rows, None, (fold, held_out))

    def refitted(self, rows: Rows) -> Self:
        if not hasattr(self, "drawn_in_"):  # opened from files, which hold what scoring needs and no more
            return super().refitted(rows)
        other: Self = clone(self).set_params(n_estimators=self.n_trees_, patience=0)
        other._adopt(self.columns_)
        other._tuned_as(self)
        with threadpool_limits(limits=1, user_api="blas"):
            other._learn(rows, (self.level_, self.drawn_in_))
        return other

    def _tuned_as(self, other: Self) -> None:
        """Take over what else ``other`` tuned, before learning from other rows."""

    def _learn(
        self,
        rows: Rows,
        settled: tuple[float, float] | None,
        folds: tuple[IntArray, Sequence[int]] | None = None,
    ) -> list[tuple[int, lgb.Booster]]:
        """Fit; boosting stops where rows of the folds held out no longer gain. The trees grown without each of them.

        ``settled`` are the level and slope found before, when they are not to be found anew; ``folds`` a fold per row
        and those to hold out, for learners whose outcomes leave no row aside.
        """
        ahead = rows.entry < self.horizon
        rows, share_open = self._outcomes(rows.take(ahead))
        if not len(rows) or not (rows.closed & (rows.weeks <= self.horizon)).any():
            raise TooFewCasesError(
                f"no case with a known outcome closed by week {self.horizon:g}: nothing can be learned; "
                "extend the period or the cut date"
            )
        self._keep_offset(*product_limit(rows))
        params = self._params(rows)
        if not (share_open.min() >= 0.0 and share_open.max() <= 1.0):
            params["objective"] = soft_outcomes
        offset = self._offset(rows.entry)
        offset = offset + self._start(rows, share_open, offset)
        table = Repeated(rows.matrix, np.arange(len(rows)), rows.entry)
        data = make_dataset(table, share_open, rows.weight, offset, self.columns_.categories, params)
        parts: dict[int, tuple[IntArray, IntArray]] = {}
        if self.patience:
            fold, held_out = holdouts(rows.group, self.random_state) if folds is None else (folds[0][ahead], folds[1])
            parts = split(fold, held_out, rows.closed & (rows.weeks <= self.horizon))
        boosted = boost(data, params, self.n_estimators, list(parts.values()), self.patience)
        self.booster_, self.n_trees_ = boosted.booster, boosted.n_trees
        self.level_, self.slope_ = settled or (0.0, 1.0)
        if parts:
            at, score = held_out_scores(boosted, table, list(parts.values()), self.n_jobs)
            self.level_, self.slope_ = settle(score, offset[at], share_open[at], rows.weight[at], expit)
        self.drawn_in_ = self.slope_
        self._finish(rows)
        cumulative = _cumulative(self._score(self._trees(rows.matrix, rows.entry), rows.entry))
        self.shape_ = fit_shape(rows, cumulative / self._average(rows.entry), self.horizon)
        return list(zip(parts, boosted.without_fold, strict=True))

    def _params(self, rows: Rows) -> dict[str, Any]:
        return (
            {
                "objective": "cross_entropy",
                "min_data_in_leaf": self.min_rows,
                "min_sum_hessian_in_leaf": 1.0,
            }
            | self._settings()
            | self._tree_params(rows)
        )

    def _keep_offset(self, weeks: FloatArray, log_open: FloatArray) -> None:
        """Log-odds of passing the horizon by age alone: a step function of age, worked out once."""
        self.offset_weeks_, self.offset_log_open_ = weeks, log_open
        curve = np.concatenate([[0.0], log_open])
        at = np.searchsorted(weeks, [self.horizon], side="right")
        whole = np.clip(curve[at] - curve, -LARGEST_OFFSET, -np.exp(-LARGEST_OFFSET))
        self._offset_steps = logit(np.exp(whole))

    def _offset(self, entry: FloatArray) -> FloatArray:
        """Log-odds of passing the horizon by age alone, (n,)."""
        found: FloatArray = self._offset_steps[self.offset_weeks_.searchsorted(entry, side="right")]
        return found

    def _trees(self, matrix: FloatArray, entry: FloatArray) -> FloatArray:
        """Sum of trees, drawn in, (n,)."""
        return self.slope_ * raw_score(self.booster_, np.column_stack([matrix, entry]), self.n_jobs)

    def _tree_parts(self, matrix: FloatArray, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What each feature adds to the sum of trees, (n, p), and the sum, (n,)."""
        parts = self.slope_ * tree_parts(self.booster_, np.column_stack([matrix, entry]), self.n_jobs)
        return parts[:, : matrix.shape[1]], parts[:, -1]

    def _score(self, trees: FloatArray, entry: FloatArray) -> FloatArray:
        """Log-odds of passing the horizon, (n,)."""
        return self._offset(entry) + self.level_ + trees

    def _log_odds(self, score: FloatArray, week: float, entry: FloatArray) -> FloatArray:
        """Log-odds of being open after ``week``, (n,), for cases with log-odds ``score`` at the horizon."""
        if week == self.horizon:
            before = score
        else:
            cumulative = _cumulative(score)
            before = log_odds_open(cumulative * self._shares(cumulative, np.array([week]), entry)[:, 0])
        late = entry >= self.horizon
        if not late.any():
            return before
        return np.where(late, log_odds_open(np.maximum(self.shape_.beyond(week, entry), 1e-12)), before)

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        return self._curve(self._score(self._trees(matrix, entry), entry), weeks, entry)

    def _curve(self, score: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        """P(open after each of ``weeks``), (n, k), of log-odds ``score`` at the horizon."""
        cumulative = _cumulative(score)
        late, whole_way = entry >= self.horizon, weeks == self.horizon
        whole = cumulative[:, None]
        if not whole_way.all():
            whole = whole * self._shares(cumulative, weeks, entry)
            whole[:, whole_way] = cumulative[:, None]
        if late.any():
            beyond = np.column_stack([self.shape_.beyond(week, entry) for week in weeks])
            whole = np.where(late[:, None], beyond, whole)
        out: FloatArray = np.exp(-whole)
        return out

    def _shares(self, cumulative: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        risk = cumulative / self._average(entry) if self.shape_.is_by_age else cumulative
        return self.shape_.shares(risk, weeks, entry, self.horizon)

    def _average(self, entry: FloatArray) -> FloatArray:
        """Cumulative hazard from entry to the horizon of the average case of that age, (n,)."""
        return _cumulative(self._offset(entry))

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts, trees = self._tree_parts(matrix, entry)
        score = self._score(trees, entry)
        reached = self._log_odds(score, week, entry)
        if week != self.horizon:
            # The log-odds at another week are a function of the score alone, so each part is stretched alike.
            start = score - parts.sum(axis=1)
            step = np.where(np.abs(score - start) > 1e-4, score - start, 1e-4)
            stretch = (self._log_odds(start + step, week, entry) - self._log_odds(start, week, entry)) / step
            parts = parts * stretch[:, None]
        return parts, reached - parts.sum(axis=1)

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        return self._curve_state(), {"trees.txt": to_text(self.booster_, self.n_trees_)}

    def _curve_state(self) -> dict[str, Any]:
        """All but the trees."""
        shape = self.shape_
        return {
            "offset_weeks": self.offset_weeks_.tolist(),
            "offset_log_open": self.offset_log_open_.tolist(),
            "level": self.level_,
            "slope": self.slope_,
            "n_trees": self.n_trees_,
            "shape": {
                "edges": shape.periods.edges.tolist(),
                "alpha": shape.alpha.tolist(),
                "steady": shape.steady,
                "changing": shape.changing,
                "centre": shape.centre,
                "is_by_age": shape.is_by_age,
            },
        }

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self._restore_curve(state)
        self.booster_ = from_text(files["trees.txt"])

    def _restore_curve(self, state: dict[str, Any]) -> None:
        self._keep_offset(
            np.array(state["offset_weeks"], dtype=np.float64), np.array(state["offset_log_open"], dtype=np.float64)
        )
        self.level_ = float(state["level"])
        self.slope_ = float(state["slope"])
        self.n_trees_ = int(state["n_trees"])
        shape = state["shape"]
        self.shape_ = Shape(
            as_periods(shape["edges"]),
            np.array(shape["alpha"], dtype=np.float64),
            float(shape["steady"]),
            float(shape["changing"]),
            float(shape["centre"]),
            bool(shape.get("is_by_age", False)),  # bundles of before
        )


def fit_shape(rows: Rows, risk: FloatArray, horizon: float) -> Shape:
    """The small hazard model of :class:`Shape` on rows with known risk."""
    periods = choose_periods(rows, (horizon,), 14)
    seen = watch(rows, periods)
    require_closings(seen.closed, periods)
    log_risk = np.log(np.maximum(risk, 1e-12))
    centre = float(np.average(log_risk, weights=rows.weight))
    term = np.clip(log_risk - centre, -4.0, 4.0)[:, None]
    data = Data(term, seen, rows.weight, periods.log_middle, np.array([0], dtype=np.int64))
    penalty = make_penalty(baseline_log_hazard(rows, seen, periods), np.array([1.0, 10.0]))
    theta = maximise(data, penalty, penalty.start)
    k = periods.count
    return Shape(periods, theta[:k], float(theta[k]), float(theta[k + 1]), centre)


def _cumulative(score: FloatArray) -> FloatArray:
    """Minus the log of ``expit(score)``, (n,), exact in both tails."""
    return np.logaddexp(0.0, -score)
