r"""How far a case's own chance may lie from the model's: what the interval around a score must also hold.

Recalibration tells what share of the cases of one score exceeds. It cannot tell how far the chance of one of them lies
from that share, since every case happens once. Two things that can be computed show it, in squared log-odds:

another draw of cases
    the learner is fitted again without each fold of persons, and the predictions of one case compared: the delete-a-group
    jackknife :math:`v = \frac{K-1}{K}\sum_k (f_{-k} - \bar f)^2` (Kott 2001, J. Official Statistics 17:521). It is taken twice,
    because a penalty or a number of trees chosen by held-out cases is where squared bias is about as large as variance,
    and bias does not change from draw to draw.
another kind of learner
    the squared distance to a learner that is wrong in other ways (trees for those with a ridge fit, the linear one for trees).
    It stands for what no number of cases would teach this learner.

The interval uses the larger of the two and half of the other, each smoothed over age and score
(:meth:`models.calibration.Calibrator.learn_spread`).
Neither is a theorem: ``benchmarks/interval_coverage.py`` says what they hold where the truth is known.
"""

from __future__ import annotations

import numpy as np

from models.arrays import logit
from models.calibration import Calibrator
from models.contract import Learner
from models.folds import fold_of_group
from models.rows import canonical_rows
from risk.weeks import Floats
from training.fit import Material, make, weeks_to_cut
from training.landmarks import week_before
from training.plan import Plan

FOLDS = 2
BIAS = 2.0
# Any other is held against the linear one; the glass box starts from a ridge fit, so it needs trees beside it too.
WITNESS = {"additive": "hazard", "linear": "hazard", "stacked": "direct"}
_MOST_ROWS = 20_000
_CLIP = 1e-6


def learn_spread(learner: Learner, calibrator: Calibrator, material: Material, plan: Plan) -> None:
    """Tell a fitted calibrator how far single cases lie from the learner's probability; nothing when it is the identity.

    Judged on rows of the newest cohorts, followed to the horizon or not, for only predictions are compared.
    """
    rows, horizon = material.rows, float(plan.outcome.horizon_weeks)
    oldest = np.datetime64(week_before(material.cut_on, horizon + plan.calibration.weeks), "D")
    newest = np.flatnonzero((rows.started_on >= oldest) & (rows.entry < horizon))
    newest = newest[np.unique(np.linspace(0, len(newest) - 1, min(_MOST_ROWS, len(newest))).astype(np.int64))]
    if calibrator.is_identity or not len(newest):
        return
    X, entry = material.X.iloc[newest], rows.entry[newest]

    def odds(model: Learner) -> Floats:
        p = model.survival(X, [horizon], entry)[:, 0]
        return logit(np.clip(p, _CLIP, 1 - _CLIP))

    group = rows.snapshot.person
    own = odds(learner)
    again = [odds(copy) for copy in _without_each_fold(learner, material, plan)]
    kinds = (
        [BIAS * (FOLDS - 1) / FOLDS * ((np.array(again) - np.mean(again, axis=0)) ** 2).sum(axis=0)] if again else []
    )
    other = make(WITNESS.get(learner.name, "linear"), plan).fit(material.X, rows.y, rows.entry, groups=group)
    if learner.change_ is not None and other.refreshes:
        other.refresh(material.X, rows.y, rows.entry, weeks_to_cut(rows), known=learner.change_, groups=group)
    kinds.append((own - odds(other)) ** 2)
    calibrator.learn_spread(own, entry, np.array(kinds))


def _without_each_fold(learner: Learner, material: Material, plan: Plan) -> list[Learner]:
    """The learner fitted without each fold of persons; empty when a fold leaves no closed case."""
    rows, group = material.rows, material.rows.snapshot.person
    fold = fold_of_group(group, FOLDS, plan.seed)
    parts = [fold != k for k in range(FOLDS)]
    if not all((rows.y["closed"] & part).any() for part in parts):
        return []
    return [
        learner.refitted(
            canonical_rows(learner.columns_, material.X[part], rows.y[part], rows.entry[part], groups=group[part])
        )
        for part in parts
    ]
