"""Recalibration on the newest outcomes: an affine map of the log-odds that may change with the age of the case.

``logit p_cal = a(entry) + b(entry) * logit p`` with b > 0, a and b linear between knots of case age. The same map for every
week of a curve keeps curves falling, and leaves 0 and 1 where they are.

Fitted by censoring-weighted logistic likelihood (Robins and Rotnitzky 1992 for the weights; Cox 1958 and Platt 1999 for the
map). The knots' values are drawn together: each deviates from a common value with a variance chosen by the data (empirical
Bayes, Laplace's approximation of the marginal likelihood), and the common value is pulled weakly to the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.special import expit, logit, ndtri

from models import censoring
from models.arrays import FEW_ROWS
from models.censoring import Floats
from models.intervals import person_codes
from models.judged import check_score, not_negative
from models.logit_map import misfit, posterior, robust_covariance
from models.widths import Widths
from risk.errors import CaseDataError

KNOTS = (0.0, 4.0, 8.0, 13.0, 22.0, 26.0, 39.0)
_SPREAD_AT = (0.05, 0.3, 0.5, 0.7, 0.95)  # quantiles of the score between which the spread of single cases is linear
_CLIP = 1e-6  # p nearer to 0 or 1 is read as this near when fitting; applying needs no clip
_FARTHEST = float(logit(1 - _CLIP))
_DEVIATIONS = (0.02, 0.05, 0.1, 0.2, 0.4)  # candidate standard deviations of a knot from the common map


class Calibrator:
    """Affine recalibration of log-odds by age of case, with an interval for each probability.

    Parameters
    ----------
    knots : sequence of float
        Case ages in weeks where the map may differ; knots far from every row of the fit are left out.
    min_cases : int
        The map stays the identity unless at least this many known cases exceeded and as many did not (effective numbers
        after censoring weights).

    Attributes
    ----------
    knots_, intercepts_, slopes_ : arrays (K,)
        The fitted map at its knots.
    covariance_ : array (2K, 2K)
        Of (log-odds shift at ``center_``, slope) at the knots, robust to several rows per person.
    misfit_ : float
        Standard deviation, in log-odds, of what no affine map explains, from bins of the score (0 when none shows).
    n_known_ : float
        Effective number of known outcomes used.
    spread_at_ : array (L,)
        Log-odds between which the spread of single cases is linear.
    spread_ : array (kinds, K x L)
        Squared log-odds by which one case's own chance may lie off the score, by age and score, as each
        kind of evidence has it (:meth:`learn_spread`); no rows before that.
    """

    def __init__(self, knots: Sequence[float] = KNOTS, min_cases: int = 30) -> None:
        self.knots = knots
        self.min_cases = min_cases
        self._kept: tuple[Floats, Floats, Widths] | None = None

    def fit(
        self,
        p: npt.ArrayLike,
        y: npt.ArrayLike,
        week: float | Sequence[float],
        entry: npt.ArrayLike | None = None,
        *,
        weights: npt.ArrayLike | None = None,
        opened: npt.ArrayLike | None = None,
        cut_on: Any = None,
        groups: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Calibrator:
        """Learn the map from predictions and what came of them.

        Parameters
        ----------
        p : array (n,), or (n, k) for k weeks
            P(open past week | open at entry), predicted by a model that did not learn from these outcomes.
        y : structured array (n,)
            Fields closed (bool) and weeks (float, from opening).
        week : float, or k floats
            Horizon in weeks. With several, cases too young for the long ones speak through the short ones; each counts 1/k.
        entry : array (n,)
            Weeks already open when judged; rows with ``entry >= week`` say nothing.
        weights : array (n,), or (n, k)
            Censoring weights computed before; else ``censoring.weights`` with ``opened`` and ``cut_on``.
        groups : array (n,)
            Person of each row, for the intervals.
        sample_weight : array (n,)
            How often each row counts.

        Returns
        -------
        self

        Raises
        ------
        CaseDataError
            When shapes differ or p leaves [0, 1].
        """
        _, _, start = censoring.check_outcomes(y, entry)
        n, horizons = len(start), np.atleast_1d(np.asarray(week, dtype=np.float64))
        p = _columns(p, n, len(horizons), "p")
        given = None if weights is None else _columns(weights, n, len(horizons), "weights")
        m = np.ones(n) if sample_weight is None else not_negative(sample_weight, n, "sample_weight")
        x, outcome, ipcw, row = [], [], [], []
        for j, horizon in enumerate(horizons):
            score, seen = check_score(p[:, j], n, probability=True), censoring.exceeds(y, horizon)
            u = (
                censoring.weights(y, horizon, entry, opened, cut_on=cut_on, sample_weight=sample_weight)
                if given is None
                else not_negative(given[:, j], n, "weights")
            )
            use = np.flatnonzero((start < horizon) & np.isfinite(seen) & (u * m > 0))
            x.append(logit(np.clip(score[use], _CLIP, 1 - _CLIP)))
            outcome.append(seen[use])
            ipcw.append(u[use])
            row.append(use)
        rows, weight = np.concatenate(row), np.concatenate(ipcw)
        # Unequal weights know less than their sum: Kish's effective number sets how much the data may say.
        often = m[rows] / len(horizons)
        w = often * weight * (often @ weight / (often @ weight**2)) if len(rows) else weight
        person = person_codes(groups, n)[rows]
        self._fit(np.concatenate(x), np.concatenate(outcome), w, start[rows], person)
        return self

    def _fit(self, x: Floats, outcome: Floats, w: Floats, start: Floats, person: npt.NDArray[np.intp]) -> None:
        self.n_known_ = float(w.sum())
        self.spread_at_, self.spread_ = np.zeros(0), np.zeros((0, 0))
        self._identity()
        if min((w * outcome).sum(), (w * (1 - outcome)).sum()) < self.min_cases:
            return
        self.knots_ = _near(np.asarray(sorted(self.knots), dtype=np.float64), start)
        self.center_ = float(np.average(x, weights=w))
        hats = _hats(start, self.knots_)
        Z = np.hstack([hats, hats * (x - self.center_)[:, None]])
        fits = [posterior(Z, x, outcome, w, sd) for sd in _DEVIATIONS]
        _, theta, precision = max(fits, key=lambda fit: fit[0])
        k = len(self.knots_)
        self.slopes_ = 1.0 + theta[k:]
        self.intercepts_ = theta[:k] - theta[k:] * self.center_
        mu = expit(x + Z @ theta)
        self.covariance_ = robust_covariance(Z, w * (outcome - mu), w * mu * (1 - mu), precision, person)
        self.misfit_ = misfit(x + Z @ theta, outcome, mu, w, person)

    def _identity(self) -> None:
        self.knots_, self.center_, self.misfit_ = np.zeros(1), 0.0, 0.0
        self.intercepts_, self.slopes_, self.covariance_ = np.zeros(1), np.ones(1), np.full((2, 2), np.nan)

    @property
    def is_identity(self) -> bool:
        """Whether there was too little to learn from."""
        return bool(np.isnan(self.covariance_[0, 0]))  # all of it is missing, or nothing

    def slope(self, entry: npt.ArrayLike) -> Floats:
        """The factor b on the log-odds at these case ages (weeks), (n,); above 0."""
        return np.interp(np.atleast_1d(np.asarray(entry, dtype=np.float64)), self.knots_, self.slopes_)

    def intercept(self, entry: npt.ArrayLike) -> Floats:
        """The shift a on the log-odds at these case ages (weeks), (n,)."""
        return np.interp(np.atleast_1d(np.asarray(entry, dtype=np.float64)), self.knots_, self.intercepts_)

    def apply(self, S: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Floats:
        """Calibrated probabilities or curves, in the shape they came.

        Parameters
        ----------
        S : array (n,) or (n, k)
            Probabilities, along a row P(open past week j), never rising.
        entry : array (n,)
            Weeks already open; 0 when None.

        Raises
        ------
        CaseDataError
            When shapes differ or S leaves [0, 1].
        """
        S = np.asarray(S, dtype=np.float64)
        if S.ndim not in (1, 2) or not ((S >= 0) & (S <= 1)).all():
            raise CaseDataError(f"S must be (n,) or (n, k) with values between 0 and 1; its shape is {S.shape}")
        start = np.zeros(len(S)) if entry is None else censoring.check_column(entry, len(S), "entry")
        if self.is_identity:
            return S.copy()
        a, b = self.intercept(start), self.slope(start)
        if S.ndim == 1:
            return expit(a + b * logit(S))
        # Neither logit nor expit promises to be monotone to the last bit.
        return np.minimum.accumulate(expit(a[:, None] + b[:, None] * logit(S)), axis=1)

    def learn_spread(self, x: Floats, entry: Floats, squared: Floats) -> None:
        """Learn how far single cases lie from the score, as a smooth function of age and score.

        Parameters
        ----------
        x : array (n,)
            Log-odds predicted, before calibration.
        entry : array (n,)
            Weeks already open.
        squared : array (kinds, n)
            Squared distances on the log-odds. Each kind of evidence is smoothed by itself; the largest counts whole, the
            others by half.

        Raises
        ------
        CaseDataError
            When nothing was learned of the map: an interval then is the whole of [0, 1].
        """
        if self.is_identity:
            raise CaseDataError("the map is the identity: fit it on more outcomes before learning how cases spread")
        self.spread_at_ = np.unique(np.quantile(x, _SPREAD_AT))
        terms = _spread_terms(_hats(entry, self.knots_), _hats(x, self.spread_at_))
        # Never below zero, and a few rows that are far off must not make a wave of it: least squares with positive terms.
        self.spread_ = np.array([nnls(terms, kind)[0] for kind in squared])

    def interval(
        self, p: npt.ArrayLike, entry: npt.ArrayLike | None = None, coverage: float = 0.9
    ) -> tuple[Floats, Floats]:
        """Low and high end for the calibrated probability of cases predicted ``p`` (before calibration), each (n,).

        Without ``spread_`` it covers the share that exceeds among cases of this score and age, given that an affine map
        per age plus scattered misfit describes it (uncertainty of the map, sandwich covariance over persons, and
        ``misfit_``). With ``spread_`` it is wider and is meant for the chance of one case given what was recorded of it: on
        the made-up register, where that is known, ``benchmarks/interval_coverage.py`` says how often it holds it.

        Raises
        ------
        CaseDataError
            When shapes differ, p leaves [0, 1] or coverage is not inside (0, 1).
        """
        if not 0 < coverage < 1:
            raise CaseDataError(f"coverage must lie inside (0, 1), not {coverage}")
        p = check_score(p, len(np.asarray(p)), probability=True)
        if self.is_identity:  # nothing was learned about how good p is
            return np.zeros(len(p)), np.ones(len(p))
        start = np.zeros(len(p)) if entry is None else censoring.check_column(entry, len(p), "entry")
        middle = self.intercept(start) + self.slope(start) * logit(np.clip(p, _CLIP, 1 - _CLIP))
        low, high = self._widths().ends(middle, start, float(ndtri((1 + coverage) / 2)))
        certain = (p == 0) | (p == 1)  # a curve that has ended, or not begun to fall, is not a matter of calibration
        return np.where(certain, p, expit(low)), np.where(certain, p, expit(high))

    def around(self, p: Floats, start: Floats, coverage: float = 0.9) -> tuple[Floats, Floats]:
        """:meth:`interval` around probabilities this calibrator has answered, (n,) within [0, 1]; none is checked."""
        eta, z = logit(p), float(ndtri((1 + coverage) / 2))
        if len(p) <= FEW_ROWS:
            low, high = expit(np.array(self._widths().ends_of_few(eta.tolist(), start.tolist(), z)))
            return low, high
        below, above = self._widths().ends(eta, start, z)
        return expit(below), expit(above)

    def _widths(self) -> Widths:
        """Worked out once for what was fitted last."""
        fitted = (self.covariance_, self.spread_)
        if self._kept is None or self._kept[0] is not fitted[0] or self._kept[1] is not fitted[1]:
            lines = (self.intercepts_, self.slopes_)
            made = Widths(
                self.knots_, lines, self.center_, self.covariance_, self.misfit_, self.spread_at_, self.spread_, _FARTHEST
            )  # fmt: skip
            self._kept = (*fitted, made)
        return self._kept[2]

    def to_dict(self) -> dict[str, Any]:
        """The fitted map as plain numbers and lists; JSON keeps every bit of them."""
        learned = not self.is_identity
        return {
            "min_cases": self.min_cases,
            "candidate_knots": [float(k) for k in self.knots],
            "knots": self.knots_.tolist(),
            "intercepts": self.intercepts_.tolist(),
            "slopes": self.slopes_.tolist(),
            "center": self.center_,
            "covariance": self.covariance_.tolist() if learned else None,
            "misfit": self.misfit_,
            "n_known": self.n_known_,
            "spread_at": self.spread_at_.tolist(),
            "spread": self.spread_.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Calibrator:
        """The calibrator that ``to_dict`` wrote.

        Raises
        ------
        CaseDataError
            When a part is missing, lengths differ, a number is not finite, or a slope is not above 0.
        """
        try:
            made = cls(tuple(saved["candidate_knots"]), int(saved["min_cases"]))
            made.knots_, made.intercepts_, made.slopes_ = (
                np.asarray(saved[name], dtype=np.float64) for name in ("knots", "intercepts", "slopes")
            )
            size = 2 * len(made.knots_)
            learned = saved["covariance"] is not None
            made.covariance_ = np.asarray(saved["covariance"], float) if learned else np.full((size, size), np.nan)
            made.center_, made.misfit_ = float(saved["center"]), float(saved["misfit"])
            made.n_known_ = float(saved["n_known"])
            # A bundle saved before cases were known to spread has none.
            made.spread_at_ = np.asarray(saved["spread_at"] if saved.get("spread") else [], dtype=np.float64)
            made.spread_ = np.asarray(saved.get("spread", []), dtype=np.float64)
            made.spread_ = made.spread_.reshape(len(made.spread_), len(made.knots_) * len(made.spread_at_))
        except (KeyError, TypeError, ValueError) as why:
            raise CaseDataError(f"saved calibration is damaged ({type(why).__name__}: {why}); fit it again") from None
        parts = [made.knots_, made.intercepts_, made.slopes_, np.array([made.center_, made.misfit_])]
        fits = made.knots_.shape == made.intercepts_.shape == made.slopes_.shape and made.covariance_.shape == (
            size,
            size,
        )
        parts += [made.spread_at_, made.spread_]
        finite = (
            all(np.isfinite(part).all() for part in parts)
            and (made.spread_ >= 0).all()
            and (np.diff(made.spread_at_) > 0).all()
            and (not learned or np.isfinite(made.covariance_).all())
        )
        if not (fits and finite and size and (np.diff(made.knots_) > 0).all() and (made.slopes_ > 0).all()):
            raise CaseDataError(
                "saved calibration is damaged (lengths, order of knots, or a slope not above 0); fit it again"
            )
        return made


def _columns(values: npt.ArrayLike, n: int, k: int, name: str) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.shape != (n, k):
        raise CaseDataError(
            f"{name} has shape {table.shape}, expected ({n}, {k}): one row per case, one column per week"
        )
    return table


def _near(knots: Floats, start: Floats) -> Floats:
    """Knots that are the nearest one to some row: the others would be pure shrinkage."""
    return knots[np.unique(np.abs(np.unique(start)[:, None] - knots).argmin(axis=1))]


def _hats(start: Floats, knots: Floats) -> Floats:
    """Linear interpolation as a matrix, (n, K): row i holds the shares of the knots in the value at ``start[i]``."""
    hats = np.zeros((len(start), len(knots)))
    if len(knots) == 1:
        hats[:] = 1.0
        return hats
    row, left = np.arange(len(start)), np.searchsorted(knots[1:-1], start, side="right")
    share = np.minimum(np.maximum((start - knots[left]) / (knots[left + 1] - knots[left]), 0.0), 1.0)
    hats[row, left], hats[row, left + 1] = 1.0 - share, share
    return hats


def _spread_terms(age: Floats, score: Floats) -> Floats:
    """Terms of the spread, (n, K x L): products of hats over age and over the score, linear in either between knots."""
    return np.asarray((age[:, :, None] * score[:, None, :]).reshape(len(age), -1))
