r"""What a ridge fit says of each feature, as tables: where the trees of the glass box start from.

On small registers a straight line per feature tells more than steps that trees have to find one by one. So the log-odds
begin with a penalised logistic fit on the same outcomes,

.. math:: \mathrm{offset}(e) + b(e) + s(e) \sum_j \bigl[ f_j(x_j) + \log(1 + e)\, v_j(x_j) \bigr], \qquad
          s(e) \propto \frac{H(e)}{1 - \exp(-H(e))}, \quad H(e) = -\log\mathrm{expit}(\mathrm{offset}(e)),

with the terms that the linear hazard chose on these rows (:mod:`models.linear`). It is fitted twice: first to what the
hazard itself says of each row, which is this form's nearest to it and hardly needs a penalty, for the hazard has learned from
when cases ended, not only from whether they passed; then to the mean of that and the outcome, with the hazard's own
penalties, which now pull to the first fit and not to zero. A step of the log hazard
moves the log-odds of passing in proportion to ``s``, up to twice as far for a young case as for one close to the horizon,
where little of the hazard ``H`` of the average case is left; so one and the same effect of a feature serves all ages. ``s``
is 1 on average over rows. Every number is replaced
by the mean of its bin beforehand, so the fit is a function of bins and is written into tables without loss; the trees
then learn what is left of it, and both stand in the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve

from models.arrays import FloatArray, IntArray, expit
from models.linear import LinearHazard
from models.linear_choice import AGE_PENALTY
from models.poisson import factorise
from models.rows import Rows
from models.tables import GRAIN, Tables

BINS, AGE_BINS = 63, 24
BLOCK = 8192
STEPS = 25
LOOSE = 10.0  # penalty of the fit to what the hazard says, which has no noise
PULL = 2.0  # of the hazard's penalties: an outcome that counts by half says half as much
UNCHANGING = 1000.0  # penalty of a term to change with age, where the hazard had no use for it


def straight_tables(
    rows: Rows, outcome: FloatArray, said: FloatArray, offset: FloatArray, linear: LinearHazard
) -> Tables:
    """Tables of the fit; their sums are multiples of :data:`models.tables.GRAIN`.

    Parameters
    ----------
    outcome : (n,) chance of passing the horizon, 0, 1 or between
    said : (n,) the same chance as the hazard has it
    offset : (n,) log-odds it is added to
    linear : fitted on such rows; only its terms and penalties are used
    """
    binned = _Binned.of(rows, offset, linear)
    penalties = _penalties(linear)
    # Rows of a person count in full: how many there are tells when the case ended. But they repeat one another.
    repeats = len(rows) / len(np.unique(rows.group))
    loose, zero = np.full(len(penalties), LOOSE), np.zeros(len(penalties))
    near = _maximise(binned, said, offset, rows.weight, linear, zero, loose)
    both = (outcome + said) / 2
    theta = _maximise(binned, both, offset, rows.weight, linear, near, PULL * repeats * penalties)
    return binned.tables(theta, linear)


@dataclass(frozen=True)
class _Column:
    """Cuts of a column, (c,), and the terms of each of its bins, (c + 2, terms), the last being missing."""

    cuts: FloatArray
    terms: FloatArray


@dataclass(frozen=True)
class _Binned:
    """Rows as bins: the columns that have terms, ages, and where each row lies in them."""

    columns: dict[int, _Column]
    age: _Column
    at: npt.NDArray[np.intp]  # (columns, n)
    at_age: npt.NDArray[np.intp]  # (n,)
    stretch: FloatArray  # (ages,) s of the module text
    n_features: int

    @classmethod
    def of(cls, rows: Rows, offset: FloatArray, linear: LinearHazard) -> _Binned:
        columns: dict[int, _Column] = {}
        at = np.empty((len(linear.design_.parts), len(rows)), dtype=np.intp)
        for i, part in enumerate(linear.design_.parts):
            levels, values = linear.columns_.levels[part.feature], rows.matrix[:, part.feature]
            cuts = _cuts(values, BINS) if levels is None else np.arange(0.5, len(levels) - 1, dtype=np.float64)
            at[i] = np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left"))
            middle = _means(values, at[i], cuts) if levels is None else np.arange(len(cuts) + 1, dtype=np.float64)
            columns[part.feature] = _Column(cuts, part.terms(np.append(middle, np.nan)))
        cuts = _cuts(rows.entry, AGE_BINS)
        at_age = np.searchsorted(cuts, rows.entry, side="left")
        middle = _means(rows.entry, at_age, cuts)
        terms = np.zeros((len(middle), 0)) if linear.age_ is None else linear.age_.terms(np.log1p(middle))
        ahead = np.logaddexp(0.0, -offset)  # hazard of the average case from its age to the horizon
        steps = np.where(ahead > 1e-9, ahead / -np.expm1(-np.maximum(ahead, 1e-9)), 1.0)
        steps /= steps.mean()  # only ages differ: what one age alone needs is the penalty's business
        number = np.bincount(at_age, minlength=len(middle))
        stretch = np.where(number > 0, np.bincount(at_age, steps, len(middle)) / np.maximum(number, 1), 1.0)
        return cls(columns, _Column(cuts, terms), at, at_age, stretch, rows.matrix.shape[1])

    def blocks(self, linear: LinearHazard) -> Iterator[tuple[slice, FloatArray]]:
        """Some rows at a time, and their terms: steady, of age, and ageing, as many as there are coefficients."""
        steady, ageing = _positions(linear)
        for a in range(0, len(self.at_age), BLOCK):
            here = slice(a, a + BLOCK)
            every = np.concatenate(
                [c.terms[at[here]] for c, at in zip(self.columns.values(), self.at, strict=True)], axis=1
            )
            age = self.age.terms[self.at_age[here]]
            every *= self.stretch[self.at_age[here], None]
            yield here, np.concatenate([every[:, steady], age, every[:, ageing] * age[:, :1]], axis=1)

    def tables(self, theta: FloatArray, linear: LinearHazard) -> Tables:
        steady, ageing = _positions(linear)
        n_age, n_terms = self.age.terms.shape[1], linear.design_.n_terms
        always, with_age = np.zeros(n_terms), np.zeros(n_terms)
        always[steady], with_age[ageing] = theta[: len(steady)], theta[len(steady) + n_age :]
        base = self.age.terms @ theta[len(steady) : len(steady) + n_age]
        straight = self.age.terms[:, :1] if n_age else np.zeros((len(base), 1))
        cuts = [np.zeros(0)] * self.n_features
        values = [np.zeros((len(base), 2))] * self.n_features
        first = 0
        for j, column in self.columns.items():
            own = slice(first, first + column.terms.shape[1])
            first = own.stop
            cuts[j] = column.cuts
            effect = column.terms @ always[own] + straight * (column.terms @ with_age[own])
            values[j] = _rounded(self.stretch[:, None] * effect)
        return Tables(self.age.cuts, _rounded(base), tuple(cuts), tuple(values))


def _penalties(linear: LinearHazard) -> FloatArray:
    """Of steady terms, of age, and of steady terms that change with age, in the order of the coefficients."""
    choice, (steady, ageing) = linear.choice_, _positions(linear)
    n_age = linear.age_.n_terms if linear.age_ is not None else 0
    own = np.array(choice.own)
    of_steady = choice.penalty * np.where(linear.design_.bent[steady], choice.bend, 1.0)
    of_ageing = np.full(len(choice.ageing), choice.penalty * choice.ageing_ratio)
    if choice.own:  # steady, age, ageing, and the changing ones that have no place here
        first = len(steady) + n_age
        of_steady, of_ageing = own[: len(steady)], own[first : first + len(choice.ageing)]
    changing = np.full(linear.design_.n_terms, UNCHANGING)
    changing[list(choice.ageing)] = of_ageing
    return np.concatenate([of_steady, np.full(n_age, AGE_PENALTY), changing[ageing]])


def _maximise(
    binned: _Binned,
    outcome: FloatArray,
    offset: FloatArray,
    weight: FloatArray,
    linear: LinearHazard,
    centre: FloatArray,
    precision: FloatArray,
) -> FloatArray:
    """Coefficients that maximise the penalised likelihood, by Newton's method from ``centre``, to which they are pulled."""
    theta = centre.copy()
    for _ in range(STEPS if len(theta) else 0):
        gradient, second = -precision * (theta - centre), np.diag(precision)
        for here, terms in binned.blocks(linear):
            p = expit(offset[here] + terms @ theta)
            gradient = gradient + terms.T @ (weight[here] * (outcome[here] - p))
            second = second + (terms * (weight[here] * p * (1.0 - p))[:, None]).T @ terms
        step = np.clip(cho_solve(factorise(second), gradient), -1.0, 1.0)
        theta = theta + step
        if np.abs(step).max() < 1e-7:
            break
    return theta


def _positions(linear: LinearHazard) -> tuple[IntArray, IntArray]:
    """Terms that take part, and those of them that may change with age: all, for what changes with time does too."""
    steady = np.array(linear.choice_.steady, dtype=np.int64)
    return steady, steady if linear.age_ is not None else steady[:0]


def _cuts(values: FloatArray, n_bins: int) -> FloatArray:
    """Between neighbouring values when they are few, else at quantiles."""
    seen = np.unique(values[~np.isnan(values)])
    if len(seen) <= n_bins:
        return seen[:-1] + np.diff(seen) / 2
    return np.unique(np.nanquantile(values, np.linspace(0.0, 1.0, n_bins + 1)[1:-1]))


def _means(values: FloatArray, at: npt.NDArray[np.intp], cuts: FloatArray) -> FloatArray:
    """Mean of the values in each bin but the one of missing values, (c + 1,); of an empty bin its border."""
    here = ~np.isnan(values)
    count = np.bincount(at[here], minlength=len(cuts) + 1)
    border = np.append(cuts, cuts[-1:] if len(cuts) else 0.0)
    return np.where(count > 0, np.bincount(at[here], values[here], len(cuts) + 1) / np.maximum(count, 1), border)


def _rounded(values: FloatArray) -> FloatArray:
    return np.asarray(np.round(values / GRAIN) * GRAIN, dtype=np.float64)
