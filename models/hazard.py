r"""A boosted hazard: trees on top of the baseline hazard, with effects that may change over the life of a case.

.. math:: \eta_k(x, e) = \log \lambda_k + F(x, e, b(k))

``lambda_k`` is the baseline hazard of period ``k`` and enters as an offset; ``F`` is a sum of trees that sees the
features, the age ``e`` at which they were measured, and the band ``b(k)`` that the period lies in. Periods are fine
(about 14) where the baseline needs it; bands are coarse (about 3) where an effect may change. Inside a band a case
contributes one Poisson count with the expected number of closings ``sum_k f_k lambda_k`` as exposure, which is exactly
the likelihood of all its periods: fine periods cost no rows, and late entry costs none either. Of few persons each tree
learns from rows drawn anew (:func:`models.folds.drawn_share`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
from sklearn.base import clone

from models.arrays import FloatArray, IntArray
from models.boosting import (
    BoostedLearner,
    Repeated,
    bagged,
    boost,
    from_text,
    held_out_scores,
    make_dataset,
    offered,
    settle,
    split,
    to_text,
)
from models.contract import HORIZONS
from models.folds import holdouts
from models.periods import (
    Watched,
    as_periods,
    baseline_log_hazard,
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
from models.treescores import raw_score, tree_parts

CHUNK = 65536
LARGEST = 30.0


class BoostedHazard(BoostedLearner):
    """LightGBM piecewise-exponential hazard; the module text has the formula.

    Parameters
    ----------
    horizons : weeks asked for later
    n_periods : about how many periods the baseline has
    follow_up : where following cases ends, in multiples of the last horizon; later weeks continue the last hazard
    n_bands : in how many bands of weeks effects may differ
    n_estimators : most trees
    learning_rate, num_leaves, min_closings, reg_lambda, feature_fraction : as in LightGBM; ``min_closings`` is the
        least expected number of closings in a leaf
    patience : trees without gain on held-out persons before boosting stops; 0 uses all ``n_estimators``
    random_state : seed
    n_jobs : threads

    Attributes
    ----------
    periods_, band_ : the periods, and the band of each, (K,)
    offset_ : log baseline hazard, (K,)
    booster_, n_trees_ : the trees
    slope_, level_ : by how much their sum is drawn in, and what is added to all log hazards, from held-out persons
    """

    name: ClassVar[str] = "hazard"
    refreshes: ClassVar[bool] = True

    def __init__(
        self,
        horizons: Sequence[float] = HORIZONS,
        n_periods: int = 14,
        follow_up: float = 1.0,
        n_bands: int = 3,
        n_estimators: int = 400,
        learning_rate: float = 0.07,
        num_leaves: int = 8,
        min_closings: float = 10.0,
        reg_lambda: float = 5.0,
        feature_fraction: float = 0.5,
        patience: int = 20,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.horizons = horizons
        self.n_periods = n_periods
        self.follow_up = follow_up
        self.n_bands = n_bands
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_closings = min_closings
        self.reg_lambda = reg_lambda
        self.feature_fraction = feature_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, rows: Rows) -> None:
        self._grow(rows, *holdouts(rows.group, self.random_state))

    def _grow(self, rows: Rows, fold: IntArray, held_out: Sequence[int]) -> list[tuple[int, lgb.Booster]]:
        self.periods_ = choose_periods(rows, self.horizons, self.n_periods, self.follow_up)
        seen = watch(rows, self.periods_)
        require_closings(seen.closed, self.periods_)
        self.offset_ = baseline_log_hazard(rows, seen, self.periods_)
        self.band_ = choose_bands(seen, self.n_bands)
        row, band, expected, closed = count_by_band(seen, self.offset_, self.band_)
        offset = np.log(expected, out=expected)
        del seen  # a number per row and period: a third of the features' memory, not to be held while trees grow
        counted = Repeated(rows.matrix, row, rows.entry, band.astype(np.int16))
        params, weight = self._params(rows), rows.weight[row]
        data = make_dataset(counted, closed, weight, offset, self.columns_.categories, params)
        parts = split(fold[row], held_out, closed > 0) if self.patience else {}
        folds = list(parts.values())
        boosted = boost(data, params, self.n_estimators, folds, self.patience)
        self.booster_, self.n_trees_, self.slope_ = boosted.booster, boosted.n_trees, 1.0
        self.level_ = 0.0
        if folds:
            at, score = held_out_scores(boosted, counted, folds, self.n_jobs)
            self.level_, self.slope_ = settle(score, offset[at], closed[at], weight[at], np.exp)
            self.offset_ = self.offset_ + self.level_
        return list(zip(parts, boosted.without_fold, strict=True))

    def refitted(self, rows: Rows) -> Self:
        other: Self = clone(self).set_params(n_estimators=self.n_trees_, patience=0)
        other.fit_rows(self.columns_, rows)
        other.offset_, other.slope_, other.level_ = other.offset_ + self.level_, self.slope_, self.level_
        return other

    def _refresh(self, rows: Rows, age: FloatArray, within: float, known: Change | None) -> Change | None:
        self.change_ = None
        eta = self.log_hazards(rows.matrix, rows.entry, float(self.periods_.edges[-1]))
        return find_change(rows, eta, self.periods_, age, within, known)

    def _baseline(self, entry: FloatArray) -> FloatArray:
        """Log hazards of a case of which the trees say nothing, (n, K) or (1, K)."""
        return self.offset_[None, :] if self.change_ is None else self.offset_ + self.change_.shift(entry)

    def _params(self, rows: Rows) -> dict[str, Any]:
        few = bagged(len(np.unique(rows.group)))
        return (
            self._settings()
            | few
            | {
                "objective": "poisson",
                # LightGBM's default damps every step by exp(0.7); the learning rate is there for that.
                "poisson_max_delta_step": 0.1,
                "min_data_in_leaf": 10,
                "min_sum_hessian_in_leaf": self.min_closings,
                "feature_fraction": offered(self.feature_fraction, rows.matrix.shape[1] + 1),
            }
        )

    def _by_band(self, matrix: FloatArray, entry: FloatArray, exposure: FloatArray, of: Any, width: int) -> FloatArray:
        """``of(booster, rows)`` for each band in which a row is still exposed, (n, bands, width); 0 elsewhere."""
        out = np.zeros((len(matrix), int(self.band_[-1]) + 1, width))
        for band in range(out.shape[1]):
            exposed = exposure[:, self.band_ == band].any(axis=1)
            if exposed.any():
                age = entry[exposed]
                rows = np.column_stack([matrix[exposed], age, np.full(len(age), float(band))])
                out[exposed, band] = of(self.booster_, rows, self.n_jobs).reshape(len(age), width)
        return out

    def log_hazards(self, matrix: FloatArray, entry: FloatArray, until: float) -> FloatArray:
        """Log hazard of each period for encoded rows, (n, K); bands out of reach by week ``until`` are not scored."""
        out = np.empty((len(matrix), self.periods_.count))
        for a in range(0, len(matrix), CHUNK):
            at = slice(a, a + CHUNK)
            ahead = self.periods_.exposure(entry[at], np.full(len(entry[at]), until))
            score = self._by_band(matrix[at], entry[at], ahead, raw_score, 1)[:, self.band_, 0]
            out[at] = np.clip(self._baseline(entry[at]) + self.slope_ * score, -LARGEST, LARGEST)
        return out

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        return survival_at(self.log_hazards(matrix, entry, float(weeks.max())), self.periods_, weeks, entry)

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        n, p = matrix.shape
        exposure = self.periods_.exposure(entry, np.full(n, week))
        shap = self._by_band(matrix, entry, exposure, tree_parts, p + 4)
        shap, score = shap[:, :, :-1], shap[:, :, -1]
        # What the trees say from age and band alone is no feature's doing: it is where the path of each case starts.
        shap *= self.slope_
        start = np.clip(self._baseline(entry) + shap[:, :, p:].sum(axis=2)[:, self.band_], -LARGEST, LARGEST)
        eta = np.clip(self._baseline(entry) + self.slope_ * score[:, self.band_], -LARGEST, LARGEST)
        weights = period_weights(eta, start, exposure)
        parts = np.zeros((n, p))
        for band in range(shap.shape[1]):
            parts += shap[:, band, :p] * weights[:, self.band_ == band].sum(axis=1)[:, None]
        return parts, log_odds_open(cumulative_hazard(eta, exposure)) - parts.sum(axis=1)

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        state = {
            "edges": self.periods_.edges.tolist(),
            "offset": self.offset_.tolist(),
            "band": self.band_.tolist(),
            "n_trees": self.n_trees_,
            "slope": self.slope_,
            "level": self.level_,
            "change": None if self.change_ is None else self.change_.to_dict(),
        }
        return state, {"trees.txt": to_text(self.booster_, self.n_trees_)}

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self.periods_ = as_periods(state["edges"])
        self.offset_ = np.array(state["offset"], dtype=np.float64)
        self.band_ = np.array(state["band"], dtype=np.int64)
        self.n_trees_ = int(state["n_trees"])
        self.slope_ = float(state["slope"])
        self.level_ = float(state["level"])
        self.change_ = change_from_dict(state.get("change"))
        self.booster_ = from_text(files["trees.txt"])


def choose_bands(seen: Watched, n_bands: int) -> IntArray:
    """The band of each period, (K,), rising from 0: neighbouring periods with about the same number of closings."""
    closings = np.bincount(seen.period[seen.closed], minlength=seen.exposure.shape[1]).astype(np.float64)
    before = np.cumsum(closings) - closings / 2
    band = np.floor(before / closings.sum() * n_bands).astype(np.int64)
    return np.unique(np.clip(band, 0, n_bands - 1), return_inverse=True)[1].astype(np.int64)


def count_by_band(
    seen: Watched, offset: FloatArray, band: IntArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """One count per row and band in which it was watched: row, band, expected closings, closings (0 or 1)."""
    n, n_bands = len(seen.period), int(band[-1]) + 1
    expected = np.empty((n, n_bands))
    for b in range(n_bands):
        expected[:, b] = seen.exposure[:, band == b] @ np.exp(offset[band == b])
    row, at = np.nonzero(expected > 0)
    closed = seen.closed[row] & (band[seen.period[row]] == at)
    return row.astype(np.int64), at.astype(np.int64), expected[row, at], closed.astype(np.float64)
