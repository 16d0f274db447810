"""Curves of staying open at weekly steps from each case's own age, as the model in service draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risk import features
from risk.errors import TooFewCasesError
from risk.outcomes import OutcomeDefinition
from risk.scoring import ScoringModel, score_snapshot, survival_of
from risk.snapshot import Snapshot
from risk.weeks import DAYS_PER_WEEK, Floats

_SMALLEST = 1e-12  # a share of 0 has no logarithm; nobody can tell it from one in a million millions
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Curves:
    """Cumulative closing hazards (minus the logarithm of the chance of still being open) of n cases.

    Attributes
    ----------
    age : (n,) weeks open when the curve begins
    steps : (n, k + 1) cumulative hazard after 0 ... k weeks more
    to_horizon : (n,) cumulative hazard up to the horizon; 0 when it is passed
    is_scored : (n,) whether the case has a score; one without follows the scored case nearest in age
    horizon_weeks : int
    """

    age: Floats
    steps: Floats
    to_horizon: Floats
    is_scored: npt.NDArray[np.bool_]
    horizon_weeks: int

    def __len__(self) -> int:
        return len(self.age)

    @property
    def p_exceed(self) -> Floats:
        """P(open past the horizon) at the start of the curve, (n,)."""
        return np.exp(-self.to_horizon)

    def of_rows(self, rows: npt.NDArray[np.int64]) -> Curves:
        return Curves(self.age[rows], self.steps[rows], self.to_horizon[rows], self.is_scored[rows], self.horizon_weeks)


def weekly_curves(snapshot: Snapshot, model: ScoringModel, n_weeks: int) -> Curves:
    """The curve of every row of a snapshot, from its age on, over ``n_weeks`` weeks.

    Raises
    ------
    TooFewCasesError
        When the model can score none of the cases.
    """
    scores = score_snapshot(snapshot, model).frame
    outcome = OutcomeDefinition.model_validate(model.meta["outcome"])
    age, status = scores["age_weeks"].to_numpy(), scores["status"].to_numpy(dtype=str)
    is_scored = status == "scored"
    can_follow = np.flatnonzero(status != "abstained")
    if not len(can_follow):
        raise TooFewCasesError("the model has a score for none of these cases; train on a register with their columns")
    columns = features.build_features(snapshot, model.meta["features"])
    steps, to_horizon = np.zeros((len(age), n_weeks + 1)), np.zeros(len(age))
    ahead = hazards_ahead(columns, model, age, can_follow, n_weeks, outcome.horizon_weeks)
    steps[can_follow], to_horizon[can_follow] = ahead
    _lend(np.flatnonzero(status == "abstained"), can_follow, age, steps, to_horizon)
    to_horizon[age >= outcome.horizon_weeks] = 0.0
    return Curves(age, steps, to_horizon, is_scored, outcome.horizon_weeks)


def hazards_ahead(
    columns: Mapping[str, Floats],
    model: ScoringModel,
    age: Floats,
    rows: npt.NDArray[np.int64],
    n_weeks: int,
    horizon: int,
) -> tuple[Floats, Floats]:
    """Cumulative closing hazards of the chosen rows from their age on: after 0 ... n_weeks weeks, and up to the horizon.

    Parameters
    ----------
    columns : built features of all n cases
    age : (n,) weeks already open
    rows : (m,) positions of the cases asked for

    Returns
    -------
    (m, n_weeks + 1) and (m,)
    """
    steps, to_horizon = np.zeros((len(rows), n_weeks + 1)), np.zeros(len(rows))
    # The model takes the same weeks for all rows: rows whose age has the same part of a week are asked together.
    part = np.round(age[rows] * DAYS_PER_WEEK).astype(np.int64) % DAYS_PER_WEEK
    for day in np.unique(part):
        here = np.flatnonzero(part == day)
        for chunk in np.array_split(here, -(-len(here) // _ROWS_AT_ONCE)):
            steps[chunk], to_horizon[chunk] = _follow(rows[chunk], columns, model, age, n_weeks, horizon)
    return steps, to_horizon


def _follow(
    rows: npt.NDArray[np.int64],
    columns: Mapping[str, Floats],
    model: ScoringModel,
    age: Floats,
    n_weeks: int,
    horizon: int,
) -> tuple[Floats, Floats]:
    """Ask the model for the curves of rows whose ages differ by whole weeks."""
    whole = np.round(age[rows] - age[rows].min()).astype(np.int64)
    weeks = age[rows].min() + np.arange(whole.max() + n_weeks + 1)
    asked = np.concatenate([weeks, [float(horizon)]])
    open_share = survival_of(model, {n: v[rows] for n, v in columns.items()}, asked, age[rows])
    hazard = -np.log(np.clip(open_share, _SMALLEST, 1.0))
    own = np.take_along_axis(hazard[:, :-1], whole[:, None] + np.arange(n_weeks + 1), axis=1)
    own[:, 0] = 0.0  # a case is open when its curve begins
    return np.maximum.accumulate(own, axis=1), hazard[:, -1]


def _lend(
    without: npt.NDArray[np.int64], lenders: npt.NDArray[np.int64], age: Floats, steps: Floats, to_horizon: Floats
) -> None:
    """Give cases without a score the curve of the case nearest in age that has one."""
    order = lenders[np.argsort(age[lenders], kind="stable")]
    after = np.clip(np.searchsorted(age[order], age[without]), 0, len(order) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(age[order[before]] - age[without]) <= np.abs(age[order[after]] - age[without])
    lender = order[np.where(nearer, before, after)]
    steps[without], to_horizon[without] = steps[lender], to_horizon[lender]
