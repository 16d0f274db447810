r"""A penalised linear hazard: few assumptions, small tables, and hard to beat on small registers.

.. math:: \eta_k(x, e) = \alpha_k + b(e) + \sum_j \bigl[ f_j(x_j) + g_k\, u_j(x_j) + \log(1 + e)\, v_j(x_j) \bigr]

``alpha`` is the baseline by period, ``b`` the effect of the age at which the case was looked at, ``f`` straight and bent
terms (:mod:`models.design`), ``u`` how an effect changes while the case gets older, ``v`` how it differs between cases
looked at early and late. Each group of terms has a ridge penalty of its own, and is kept only where it pays in cross-
validation over persons; so has each feature then, by evidence (:mod:`models.linear_evidence`), where that pays. Where cases are looked at at several ages, what the features say is then drawn in or out by
factors per age and per period, learned from persons that the coefficients have not seen (:mod:`models.spread`). The penalty is on
the scale of the whole log-likelihood, where the best value hardly depends on how many cases there are, so a sample is
enough to choose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from models.arrays import FEW_ROWS, FloatArray
from models.contract import HORIZONS, Learner
from models.design import design_from_list, make_design, make_number, number_from_dict
from models.folds import fold_of_group
from models.linear_choice import choice_from_dict, fit_choice, fit_own, without_folds
from models.linear_search import search
from models.periods import (
    Watched,
    as_periods,
    choose_periods,
    cumulative_hazard,
    log_odds_open,
    period_weights,
    require_closings,
    survival_at,
    watch,
)
from models.recent import Change, change_from_dict, find_change
from models.rows import Rows
from models.spread import spread

CHUNK = 16384
SPREAD_FOLDS = 5
LARGEST = 30.0  # of a log hazard; keeps a wild row finite


class LinearHazard(Learner):
    """Ridge-penalised piecewise-exponential hazard; the module text has the formula.

    Parameters
    ----------
    horizons : weeks asked for later
    n_periods : about how many periods the hazard has
    follow_up : where following cases ends, in multiples of the last horizon; later weeks continue the last hazard
    penalties : ridge penalties tried, from weak to strong; one value is taken without a search
    ratios : how many times harder bends and changing effects are penalised, tried in turn; empty leaves them out
    n_changing : how many terms may change with time or age, the strongest first
    search_rows : rows (whole persons) on which penalties are chosen
    random_state : seed of that sample and of the folds

    Attributes
    ----------
    periods_ : the periods
    choice_ : the penalties chosen and the terms kept
    theta_ : coefficients
    spread_ : level and factor by age and period (:mod:`models.spread`); None when all rows were looked at at the same age
    """

    name: ClassVar[str] = "linear"
    refreshes: ClassVar[bool] = True

    def __init__(
        self,
        horizons: Sequence[float] = HORIZONS,
        n_periods: int = 14,
        follow_up: float = 2.0,
        penalties: Sequence[float] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0),
        ratios: Sequence[float] = (20.0, 5.0),
        n_changing: int = 20,
        search_rows: int = 10000,
        random_state: int = 0,
    ) -> None:
        self.horizons = horizons
        self.n_periods = n_periods
        self.follow_up = follow_up
        self.penalties = penalties
        self.ratios = ratios
        self.n_changing = n_changing
        self.search_rows = search_rows
        self.random_state = random_state

    def _fit(self, rows: Rows) -> None:
        self.periods_ = choose_periods(rows, self.horizons, self.n_periods, self.follow_up)
        self.design_ = make_design(rows.matrix, self.columns_.categories)
        self.age_ = make_number(np.log1p(rows.entry), -1, many_values=4)
        seen = watch(rows, self.periods_)
        require_closings(seen.closed, self.periods_)
        settings = (self.penalties, self.ratios, self.n_changing, self.search_rows, self.random_state)
        self.choice_, start = search(rows, seen, self.design_, self.age_, self.periods_, *settings)
        parts = (rows, seen, self.design_, self.age_, self.periods_, self.choice_)
        if start is not None and self.choice_.own and len(rows) > self.search_rows:
            self.choice_, self.theta_ = fit_own(*parts, start)
        else:
            self.theta_ = fit_choice(*parts, start)
        self.spread_: FloatArray | None = None
        self._unpack()
        if self.age_ is not None:
            self.spread_ = self._spread(rows, seen)

    def _spread(self, rows: Rows, seen: Watched) -> FloatArray:
        """Level and spread by age, from what coefficients say of persons that they were fitted without."""
        fold = fold_of_group(rows.group, SPREAD_FOLDS, self.random_state)
        parts = (rows, seen, self.design_, self.age_, self.periods_, self.choice_)
        said, start = np.empty(seen.exposure.shape), np.empty(seen.exposure.shape)
        for f, theta in enumerate(without_folds(*parts, self.theta_, fold)):
            other, at = copy(self), fold == f
            other.theta_ = theta
            other._unpack()
            steady, changing, start[at], _ = other._by_feature(rows.matrix[at], rows.entry[at])
            said[at] = steady.sum(axis=1)[:, None] + changing.sum(axis=1)[:, None] * self._clock
        repeats = len(rows) / len(np.unique(rows.group))
        assert self.age_ is not None
        return spread(said, start, self.age_.terms(np.log1p(rows.entry)), seen, rows.weight, repeats)

    def refitted(self, rows: Rows) -> Self:
        other: Self = clone(self)
        other._adopt(self.columns_)
        other.periods_, other.design_, other.age_, other.choice_ = self.periods_, self.design_, self.age_, self.choice_
        seen = watch(rows, self.periods_)
        require_closings(seen.closed, self.periods_)
        other.spread_ = self.spread_
        other.theta_ = fit_choice(rows, seen, self.design_, self.age_, self.periods_, self.choice_, self.theta_)
        other._unpack()
        return other

    def _refresh(self, rows: Rows, age: FloatArray, within: float, known: Change | None) -> Change | None:
        self.change_ = None
        eta = self.log_hazards(rows.matrix, rows.entry, np.inf)
        return find_change(rows, eta, self.periods_, age, within, known)

    def _unpack(self) -> None:
        """Coefficients by role, from ``theta_``."""
        k, q = self.periods_.count, self.design_.n_terms
        n_age = self.age_.n_terms if self.age_ else 0
        self._alpha, rest = self.theta_[:k], self.theta_[k:]
        steady = np.array(self.choice_.steady, dtype=np.int64)
        at = np.cumsum([len(steady), n_age, len(self.choice_.ageing)])
        self._steady, self._changing, self._ageing = np.zeros(q), np.zeros(q), np.zeros(q)
        self._steady[steady] = rest[: at[0]]
        self._age = rest[at[0] : at[1]]
        self._ageing[list(self.choice_.ageing)] = rest[at[1] : at[2]]
        self._changing[list(self.choice_.changing)] = rest[at[2] :]
        self._has_ageing, self._has_changing = bool(self._ageing.any()), bool(self._changing.any())
        self._by_role = np.array(
            [self._steady, *[self._ageing] * self._has_ageing, *[self._changing] * self._has_changing]
        )
        self._clock = self.periods_.log_middle

    def _by_feature(
        self, matrix: FloatArray, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | float]:
        """Steady and changing effect of each feature, (n, p) twice; log hazards of the average case, (n, K); and the factor that
        draws effects in or out, (n, K) or 1."""
        terms = self.design_.terms(matrix)
        if self.age_ is None:
            age, start = np.zeros(len(matrix)), np.broadcast_to(self._alpha, (len(matrix), len(self._alpha)))
        else:
            age_terms = self.age_.terms(np.log1p(entry))
            age, start = age_terms[:, 0], self._alpha + (age_terms * self._age).sum(axis=1)[:, None]
        # Summed row by row, here and below, never as a product of matrices: a case has the same bits alone as among many.
        steady, *others = self._sums(terms, matrix.shape[1])
        if self._has_ageing:
            steady += age[:, None] * others[0]
        changing = others[-1] if self._has_changing else np.zeros_like(steady)
        factor: FloatArray | float = 1.0
        if self.spread_ is not None:
            a = 1 + age_terms.shape[1]
            level, wider = ((at[0] + (age_terms * at[1:a]).sum(axis=1))[:, None] + at[a:] for at in self.spread_)
            start, factor = start + level, 1.0 + wider
        if self.change_ is not None:
            start = start + self.change_.shift(entry)
        return steady, changing, start, factor

    def _sums(self, terms: FloatArray, n_features: int) -> list[FloatArray]:
        """Terms by the steady coefficients, by those of age and by those of time where there are any, by feature, (n, p) each."""
        if len(terms) <= FEW_ROWS:
            return list(self.design_.by_feature(terms * self._by_role[:, None], n_features))
        return [self.design_.by_feature(terms * one, n_features) for one in self._by_role]

    def _log_hazard(
        self, steady: FloatArray, changing: FloatArray, start: FloatArray, factor: FloatArray | float
    ) -> FloatArray:
        step = steady.sum(axis=1)[:, None] + changing.sum(axis=1)[:, None] * self._clock
        return np.minimum(np.maximum(start + factor * step, -LARGEST), LARGEST)

    def log_hazards(self, matrix: FloatArray, entry: FloatArray, until: float) -> FloatArray:
        """Log hazard of each period for encoded rows, (n, K); those after ``until`` weeks may be left out."""
        chunks = [slice(a, a + CHUNK) for a in range(0, len(matrix), CHUNK)]
        return np.concatenate([self._log_hazard(*self._by_feature(matrix[at], entry[at])) for at in chunks])

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        return survival_at(self.log_hazards(matrix, entry, float(weeks.max())), self.periods_, weeks, entry)

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts, base = np.empty(matrix.shape), np.empty(len(matrix))
        for a in range(0, len(matrix), CHUNK):
            at = slice(a, a + CHUNK)
            effects = self._by_feature(matrix[at], entry[at])
            eta, exposure = self._log_hazard(*effects), self.periods_.exposure(entry[at], np.full(len(entry[at]), week))
            parts[at] = self._parts(eta, exposure, *effects)
            base[at] = log_odds_open(cumulative_hazard(eta, exposure)) - parts[at].sum(axis=1)
        return parts, base

    def _parts(
        self,
        eta: FloatArray,
        exposure: FloatArray,
        steady: FloatArray,
        changing: FloatArray,
        start: FloatArray,
        factor: FloatArray | float,
    ) -> FloatArray:
        """What each feature adds to the log-odds of being open after these exposures, (n, p)."""
        weights = period_weights(eta, start, exposure) * factor
        return steady * weights.sum(axis=1)[:, None] + changing * (weights * self._clock).sum(axis=1)[:, None]

    def _survival_and_parts(
        self, matrix: FloatArray, weeks: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        if len(matrix) > CHUNK:
            return super()._survival_and_parts(matrix, weeks, week, entry)
        effects = self._by_feature(matrix, entry)
        eta, exposure = self._log_hazard(*effects), self.periods_.exposure(entry, np.full(len(entry), week))
        return survival_at(eta, self.periods_, weeks, entry), self._parts(eta, exposure, *effects)

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        state = {
            "edges": self.periods_.edges.tolist(),
            "design": self.design_.to_list(),
            "age": None if self.age_ is None else asdict(self.age_),
            "choice": asdict(self.choice_),
            "theta": self.theta_.tolist(),
            "spread": None if self.spread_ is None else self.spread_.tolist(),
            "change": None if self.change_ is None else self.change_.to_dict(),
        }
        return state, {}

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self.periods_ = as_periods(state["edges"])
        self.design_ = design_from_list(state["design"])
        self.age_ = None if state["age"] is None else number_from_dict(state["age"])
        self.choice_ = choice_from_dict(state["choice"])
        self.theta_ = np.array(state["theta"], dtype=np.float64)
        self.spread_ = None if state.get("spread") is None else np.array(state["spread"], dtype=np.float64)
        self.change_ = change_from_dict(state.get("change"))
        self._unpack()
