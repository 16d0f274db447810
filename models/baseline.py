"""What any model must beat: the age of the case alone, and the rule used today."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from models.arrays import FloatArray, logit
from models.contract import Learner
from models.rows import Rows


class KaplanMeierByAge(Learner):
    r"""Share still open by age of the case, the same for every case of that age.

    The product-limit estimator (Kaplan and Meier 1958, JASA 53:457) with late entry: at each closing week only the
    cases already entered and not yet gone are counted. ``survival`` is the ratio of the curve at ``week`` and at
    ``entry``.

    Parameters
    ----------
    floor : probabilities are kept inside ``[floor, 1 - floor]`` before certainty is reached, so that log-odds exist
    """

    name: ClassVar[str] = "baseline"

    def __init__(self, floor: float = 1e-6) -> None:
        self.floor = floor

    def _fit(self, rows: Rows) -> None:
        self.weeks_, self.log_open_ = product_limit(rows)

    def _log_survival(self, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        curve = np.concatenate([[0.0], self.log_open_])
        at = np.searchsorted(self.weeks_, weeks, side="right")
        start = np.searchsorted(self.weeks_, entry, side="right")
        return curve[at][None, :] - curve[start][:, None]

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        return np.clip(np.exp(self._log_survival(weeks, entry)), self.floor, 1.0 - self.floor)

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        p = self._survival(matrix, np.array([week]), entry)[:, 0]
        return np.zeros(matrix.shape), logit(p)

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        return {"weeks": self.weeks_.tolist(), "log_open": self.log_open_.tolist()}, {}

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self.weeks_ = np.array(state["weeks"], dtype=np.float64)
        self.log_open_ = np.array(state["log_open"], dtype=np.float64)


class LongestOpenFirst(Learner):
    r"""The rule many offices use today: whoever has been open longest comes first.

    Written as a model with one weekly closing rate for all, :math:`S(w \mid e) = e^{-\lambda (w - e)}` with
    :math:`\lambda` = closings over weeks watched, so its order is the order of age and nothing else.
    """

    name: ClassVar[str] = "longest_open"

    def _fit(self, rows: Rows) -> None:
        closings = float(rows.weight[rows.closed].sum())
        self.weekly_rate_ = closings / float(rows.weight @ (rows.weeks - rows.entry))

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        return np.exp(-self.weekly_rate_ * np.maximum(weeks[None, :] - entry[:, None], 0.0))

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        p = self._survival(matrix, np.array([week]), entry)[:, 0]
        return np.zeros(matrix.shape), logit(p)

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        return {"weekly_rate": self.weekly_rate_}, {}

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self.weekly_rate_ = float(state["weekly_rate"])


def product_limit(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Closing weeks (m,), and the logarithm of the share open after each (m,).

    Where everyone at risk closes, half a case is thought to stay: with late entry the first weeks can have very few
    cases at risk, and a share of 0 there would wipe out the rest of the curve.
    """
    weeks, at = np.unique(rows.weeks[rows.closed], return_inverse=True)
    closings = np.bincount(at, rows.weight[rows.closed])
    entered = _weight_below(rows.entry, rows.weight, weeks)
    gone = _weight_below(rows.weeks, rows.weight, weeks)
    at_risk = entered - gone
    everyone = closings >= at_risk - 1e-9
    share = np.where(everyone, 0.5 / (at_risk + 0.5), 1.0 - closings / at_risk)
    return weeks, np.cumsum(np.log(share))


def _weight_below(times: FloatArray, weight: FloatArray, at: FloatArray) -> FloatArray:
    """Total weight of the times strictly below each of ``at``."""
    order = np.argsort(times, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    return total[np.searchsorted(times[order], at, side="left")]
