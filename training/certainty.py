r"""How far a case's own chance may lie from the model's: what the interval around a score must also hold.

Recalibration tells what share of the cases of one score exceeds. It cannot tell how far the chance of one of them lies
from that share, since every case happens once. Two things that can be computed show it, in squared log-odds:

another draw of cases
    the learner is fitted again without each fold of persons, and the predictions of one case compared: the delete-a-group
    jackknife :math:`v = \frac{K-1}{K}\sum_k (f_{-k} - \bar f)^2` (Kott 2001, J. Official Statistics 17:521). It is the variance.
another kind of learner
    the squared distance to a learner that is wrong in other ways, the largest where there are two: trees for those with a ridge
    fit, the linear one for trees, both for the glass box, which has of both, and for a blend those of its members that have trees.
    It stands for bias: what no number of cases would teach this learner, and what its penalties hold back. It holds the
    errors of both, so not all of it counts unless the learner is the worse of them; and where the two happen to agree neither is known to be right, so half
    of it counts everywhere alike.

The interval uses the sum of the two, smoothed over age and score (:meth:`models.calibration.Calibrator.learn_spread`).
It is not a theorem: ``benchmarks/interval_coverage.py`` says what it holds where the truth is known.
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
# Of a squared distance: of two learners as wrong as each other, in unlike ways, each owns half; of a witness that is right, all.
# Trees by themselves are the farther off of the two: all of it is theirs.
OWN = {"hazard": 1.0, "direct": 1.0}
OWN_OF_OTHERS = 0.8
WITNESSES = {"additive": ("hazard", "linear"), "linear": ("hazard",)}  # any other has the linear one
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

    own = odds(learner)
    again = np.array([odds(copy) for copy in _without_each_fold(learner, material, plan)] or [own])
    variance = (FOLDS - 1) / FOLDS * ((again - again.mean(axis=0)) ** 2).sum(axis=0)
    apart = np.max([(own - odds(other)) ** 2 for other in _witnesses(learner, material, plan)], axis=0)
    share = OWN.get(learner.name, OWN_OF_OTHERS)
    calibrator.learn_spread(own, entry, np.array([variance + share * (apart + apart.mean()) / 2]))


def _witnesses(learner: Learner, material: Material, plan: Plan) -> list[Learner]:
    """Learners of another kind on the same rows, following the same change."""
    from models.stacked import Stacked

    if isinstance(learner, Stacked) and len(learner.members_) > 1:
        found = [member for member in learner.members_ if member.uses_boosting]
        if found:
            return found
    rows, group = material.rows, material.rows.snapshot.person
    made = []
    for name in WITNESSES.get(learner.name, ("linear",)):
        other = make(name, plan).fit(material.X, rows.y, rows.entry, groups=group)
        if learner.change_ is not None and other.refreshes:
            other.refresh(material.X, rows.y, rows.entry, weeks_to_cut(rows), known=learner.change_, groups=group)
        made.append(other)
    return made


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
