r"""A blend of hazard learners on the log-odds, with weights learned on persons that the members had not seen.

.. math:: \mathrm{logit}\, S(w \mid e, x) = \sum_m v_m\, \mathrm{logit}\, S_m(w \mid e, x), \quad v_m > 0,\ \sum_m v_m = 1

Each member's curve falls, hence so does the blend, and contributions are blended with the same weights. The weights
maximise the censored likelihood of the interval between horizons in which a case closed (stacking: Wolpert 1992; for
hazards Golmakani and Polley 2020, Int. J. Biostatistics 16(2)), with a prior that holds them near equal until the
register says otherwise: near-equal weights are hard to beat when members are about as good. Equal means between kinds, a
line and trees, and then among members of a kind: two sums of trees err alike, so they are given one voice between them.

Every member is fitted once. What it says of persons it had not seen comes from the trees that early stopping grows beside
held-out persons anyway; the folds of the members are therefore those of the blend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize

from models import catalogue
from models.arrays import BoolArray, FloatArray, IntArray, expit, logit
from models.contract import HORIZONS, Learner
from models.folds import drawn_share, holdouts
from models.recent import Change
from models.rows import Rows
from risk.errors import ConfigError

NEAREST = 1e-12  # to 0 or 1 that a member's chance is taken to be


class Stacked(Learner):
    """Cross-fitted blend; the module text has the formula.

    Parameters
    ----------
    members : names of learners in the catalogue
    horizons : weeks asked for later
    n_folds : parts of persons held out in turn to learn the weights (see :func:`models.folds.holdouts`)
    prior_deviation : how far the logarithms of the weights may lie from equal ones before data
    learning_rate : of members that boost; larger than theirs alone, for a blend averages out what that costs. Of few
        persons, where time is not short, less of it, down to about theirs (see :func:`models.folds.drawn_share`)
    random_state : seed of the folds and of the members
    n_jobs : threads, for members that take any

    Attributes
    ----------
    members_ : the fitted members
    weights_ : their weights, (m,)
    """

    name: ClassVar[str] = "stacked"
    uses_boosting: ClassVar[bool] = True
    refreshes: ClassVar[bool] = True

    def __init__(
        self,
        members: Sequence[str] = ("linear", "hazard", "direct"),
        horizons: Sequence[float] = HORIZONS,
        n_folds: int = 5,
        prior_deviation: float = 0.5,
        learning_rate: float = 0.1,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.members = members
        self.horizons = horizons
        self.n_folds = n_folds
        self.prior_deviation = prior_deviation
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, rows: Rows) -> None:
        if self.name in self.members or not self.members:
            raise ConfigError(f"members of a blend are other learners, not {', '.join(self.members) or 'none'}")
        fold, all_folds = holdouts(rows.group, self.random_state, self.n_folds)
        held_out = [f for f in all_folds if len(self.members) > 1 and _can_learn(rows, fold != f, max(self.horizons))]
        left_out = self._fit_members(rows, fold, held_out)
        self.weights_ = equal_by_kind([m.uses_boosting for m in self.members_])
        held_out = [f for f in held_out if all(f in copies for copies in left_out)]
        if not held_out:
            return
        tests = [rows.take(fold == f) for f in held_out]
        odds = [
            np.stack([self._odds(copies[f], test) for copies in left_out])
            for f, test in zip(held_out, tests, strict=True)
        ]
        closed_in, seen_to = zip(
            *(intervals(t, np.sort(np.asarray(self.horizons, dtype=np.float64))) for t in tests), strict=True
        )
        weight = np.concatenate([t.weight for t in tests])
        # Rows of one person repeat one another; they count as one person together.
        weight = weight * len(np.unique(rows.group)) / len(rows)
        where = np.concatenate(closed_in), np.concatenate(seen_to)
        self.weights_ = self._weigh(np.concatenate(odds, axis=1), *where, weight)

    def _fit_members(self, rows: Rows, fold: IntArray, held_out: Sequence[int]) -> list[dict[int, Learner]]:
        """Fit the members; for each, its copies by the fold that they were fitted without."""
        self.members_: list[Learner] = []
        left_out = []
        learning_rate = self.learning_rate * drawn_share(len(np.unique(rows.group)))
        for name in self.members:
            member = self._member(name, learning_rate)
            member.borrow(self.members_)
            if held_out:
                left_out.append(dict(member.fit_left_out(self.columns_, rows, fold, held_out)))
            else:
                member.fit_rows(self.columns_, rows)
            self.members_.append(member)
        return left_out

    def _refresh(self, rows: Rows, age: FloatArray, within: float, known: Change | None) -> Change | None:
        kept = [m.refreshes for m in self.members_]
        if not any(kept):
            return None
        for member in self.members_:
            if member.refreshes:
                member.change_ = member._refresh(rows, age, within, known)
        found = [m.change_ for m in self.members_ if m.change_ is not None]
        if not found:
            return None
        # A member without a hazard would hold the blend where it was: it leaves, and the others share its weight.
        self.members_ = [m for m, k in zip(self.members_, kept, strict=True) if k]
        self.weights_ = self.weights_[kept] / self.weights_[kept].sum()
        return max(found, key=lambda change: change.evidence)

    def _member(self, name: str, learning_rate: float) -> Learner:
        known = catalogue.learner_class(name)._get_param_names()
        given = {"horizons": self.horizons, "horizon": float(max(self.horizons))}
        given |= {"learning_rate": learning_rate, "random_state": self.random_state, "n_jobs": self.n_jobs}
        return catalogue.make(name, **{k: v for k, v in given.items() if k in known})

    def _odds(self, member: Learner, rows: Rows) -> FloatArray:
        """Log-odds of being open at each horizon, (n, k)."""
        p = member.survival_encoded(rows.matrix, np.sort(np.asarray(self.horizons, dtype=np.float64)), rows.entry)
        return logit(np.clip(p, NEAREST, 1.0 - NEAREST))

    def _weigh(self, odds: FloatArray, closed_in: IntArray, seen_to: IntArray, weight: FloatArray) -> FloatArray:
        """Weights, (m,), from held-out log-odds (m, n, k)."""
        prior = np.log(self.weights_)

        def loss(ratios: FloatArray) -> float:
            p = expit(np.tensordot(share(ratios), odds, axes=1))
            p = np.concatenate([np.ones((len(p), 1)), p], axis=1)
            # Closed in an interval: open at its start and not at its end. Else open at the last horizon seen.
            likely = np.where(closed_in > 0, pick(p, closed_in - 1) - pick(p, closed_in), pick(p, seen_to))
            gain = weight @ np.log(np.maximum(likely, NEAREST))
            return float(-gain + 0.5 * np.sum((ratios - prior) ** 2) / self.prior_deviation**2)

        found = minimize(loss, prior, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6})
        return share(found.x)

    def _survival(self, matrix: FloatArray, weeks: FloatArray, entry: FloatArray) -> FloatArray:
        odds = np.zeros((len(matrix), len(weeks)))
        for v, member in zip(self.weights_, self.members_, strict=True):
            odds += v * logit(np.clip(member.survival_encoded(matrix, weeks, entry), NEAREST, 1.0 - NEAREST))
        return expit(odds)

    def _contributions(self, matrix: FloatArray, week: float, entry: FloatArray) -> tuple[FloatArray, FloatArray]:
        parts, base = np.zeros(matrix.shape), np.zeros(len(matrix))
        for v, member in zip(self.weights_, self.members_, strict=True):
            own_parts, own_base = member.contributions_encoded(matrix, week, entry)
            parts, base = parts + v * own_parts, base + v * own_base
        return parts, base

    def _state(self) -> tuple[dict[str, Any], dict[str, str]]:
        texts = {f"{m.name}.{file}": text for m in self.members_ for file, text in m.to_files().items()}
        return {"members": [m.name for m in self.members_], "weights": self.weights_.tolist()}, texts

    def _restore(self, state: dict[str, Any], files: dict[str, str]) -> None:
        self.weights_ = np.array(state["weights"], dtype=np.float64)
        self.members_ = []
        for name in state["members"]:
            own = {file.removeprefix(f"{name}."): text for file, text in files.items() if file.startswith(f"{name}.")}
            self.members_.append(catalogue.from_files(own))


def equal_by_kind(is_tree: Sequence[bool]) -> FloatArray:
    """Equal weights for the kinds of members, shared equally by the members of each, (m,).

    >>> equal_by_kind([False, True, True]).tolist()
    [0.5, 0.25, 0.25]
    """
    kind = np.asarray(is_tree, dtype=np.int64)
    _, at, count = np.unique(kind, return_inverse=True, return_counts=True)
    weights: FloatArray = 1.0 / (len(count) * count[at])
    return weights


def _can_learn(rows: Rows, chosen: BoolArray, horizon: float) -> bool:
    """Whether somebody among the rows chosen closed by the horizon who was seen before it; and not all are chosen."""
    closed = rows.closed & (rows.weeks <= horizon) & (rows.entry < horizon)
    return bool(closed[chosen].any() and not chosen.all())


def share(ratios: FloatArray) -> FloatArray:
    """Positive weights that sum to 1 (softmax)."""
    raised = np.exp(ratios - ratios.max())
    return raised / raised.sum()


def pick(p: FloatArray, column: IntArray) -> FloatArray:
    """One entry per row."""
    return p[np.arange(len(p)), np.maximum(column, 0)]


def intervals(rows: Rows, horizons: FloatArray) -> tuple[IntArray, IntArray]:
    """Per row: the interval (1..k) in which it closed, 0 if in none; and how many horizons it was seen to pass.

    A case censored inside an interval is only known to have passed the horizon before it.
    """
    passed = np.searchsorted(horizons, rows.weeks, side="right")
    closed_in = np.searchsorted(horizons, rows.weeks, side="left") + 1
    return np.where(rows.closed & (closed_in <= len(horizons)), closed_in, 0), passed
