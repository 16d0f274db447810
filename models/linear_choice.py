"""One penalised model of the linear hazard: which terms take part, how hard each is held, and its fit on all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve

from models.arrays import FloatArray, IntArray
from models.design import Design, Number
from models.linear_evidence import by_evidence, repeats_of
from models.periods import Periods, Watched, baseline_log_hazard
from models.poisson import Data, Penalty, derivatives, factorise, make_penalty, maximise
from models.rows import Rows

AGE_PENALTY = 1.0
LARGE = 4_000_000  # cells; above this terms are kept in half the memory, which moves coefficients by less than 1e-5


@dataclass(frozen=True)
class Choice:
    """A penalised model: which terms take part and how hard each group is penalised.

    ``steady``, ``changing`` (with the period) and ``ageing`` (with the age at entry) are positions of design terms;
    ``bend``, ``change`` and ``ageing_ratio`` multiply ``penalty`` for their group. ``own``, where not empty, is the penalty
    of every coefficient after the baseline (:mod:`models.linear_evidence`) and goes before all these.
    """

    penalty: float
    steady: tuple[int, ...]
    changing: tuple[int, ...] = ()
    ageing: tuple[int, ...] = ()
    bend: float = 1.0
    change: float = 1.0
    ageing_ratio: float = 1.0
    own: tuple[float, ...] = ()


def choice_from_dict(stored: dict[str, Any]) -> Choice:
    """A choice read back from a file."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return Choice(**values)


def fit_choice(
    rows: Rows,
    seen: Watched,
    design: Design,
    age: Number | None,
    periods: Periods,
    choice: Choice,
    start: FloatArray | None = None,
) -> FloatArray:
    """Coefficients of one choice on all rows: periods, steady terms, age, ageing terms, changing terms."""
    data, penalty = _on_all(rows, seen, design, age, periods, choice)
    return maximise(data, penalty, penalty.start if start is None else start)


def fit_own(
    rows: Rows, seen: Watched, design: Design, age: Number | None, periods: Periods, choice: Choice, start: FloatArray
) -> tuple[Choice, FloatArray]:
    """The choice with its own penalties found anew on all rows, and its coefficients."""
    data, penalty = _on_all(rows, seen, design, age, periods, choice)
    theta = maximise(data, penalty, start, tolerance=1e-5)
    gradient, second = derivatives(data, theta)
    repeats = repeats_of(data, penalty, theta, rows.group)
    kind = kinds(design, choice, 0 if age is None else age.n_terms)
    towards = gradient + second @ (theta - penalty.start)
    precision = by_evidence(second, towards, penalty.precision, kind, repeats)
    penalty = Penalty(penalty.start, precision)
    return owning(choice, precision, periods), maximise(data, penalty, theta)


def owning(choice: Choice, precision: FloatArray, periods: Periods) -> Choice:
    return replace(choice, own=tuple(np.diag(precision)[periods.count :].tolist()))


def kinds(design: Design, choice: Choice, n_age: int) -> IntArray:
    """For each coefficient after the baseline a number that those of one feature acting in one way share; -1 for age."""
    feature, n = design.feature, int(design.feature.max(initial=0)) + 1
    steady = np.array(choice.steady, dtype=np.int64)
    ageing, changing = (np.array(c, dtype=np.int64) for c in (choice.ageing, choice.changing))
    parts = [feature[steady] + n * design.bent[steady], np.full(n_age, -1), feature[ageing] + 2 * n]
    return np.unique(np.concatenate([*parts, feature[changing] + 3 * n]), return_inverse=True)[1] - (n_age > 0)


def shares(rows: Rows, seen: Watched) -> FloatArray | None:
    """How much each period of a row counts, (n, K): one over the root of how many rows of the person were watched in it.

    Rows of one person repeat one another: whoever was looked at seven times would tell of his late weeks seven times, one
    looked at twice of his early weeks twice. Counting each week once (one over their number) would let few rows near to
    it say too little of what late facts mean; the root is between the two. None where every person has one row.
    """
    persons, code = np.unique(rows.group, return_inverse=True)
    if len(persons) == len(rows):
        return None
    number = np.column_stack([np.bincount(code, watched, len(persons)) for watched in (seen.exposure > 0).T])
    return 1.0 / np.sqrt(np.maximum(number[code], 1.0))


def _on_all(
    rows: Rows, seen: Watched, design: Design, age: Number | None, periods: Periods, choice: Choice
) -> tuple[Data, Penalty]:
    terms: npt.NDArray[np.floating] = np.empty(
        (len(rows), design.n_terms), dtype=precision_for(len(rows) * design.n_terms)
    )
    at = 0
    for part in design.parts:
        terms[:, at : at + part.n_terms] = part.terms(rows.matrix[:, part.feature])
        at += part.n_terms
    baseline = baseline_log_hazard(rows, seen, periods)
    share = shares(rows, seen)
    return assemble(terms, age_terms_of(rows, age), rows.weight, seen, periods, design, choice, baseline, share)


def without_folds(
    rows: Rows,
    seen: Watched,
    design: Design,
    age: Number | None,
    periods: Periods,
    choice: Choice,
    theta: FloatArray,
    fold: IntArray,
) -> list[FloatArray]:
    """Coefficients without each fold, by one Newton step from those on all rows."""
    data, penalty = _on_all(rows, seen, design, age, periods, choice)
    pieces = [derivatives(data.take(fold == f), theta) for f in range(int(fold.max()) + 1)]
    return list(left_out(pieces, penalty, theta))


def left_out(
    pieces: Sequence[tuple[FloatArray, FloatArray]], penalty: Penalty, theta: FloatArray
) -> Iterator[FloatArray]:
    """The maximum without each piece, one Newton step from the maximum on all: closer than choosing needs."""
    gradient = sum((g for g, _ in pieces), -penalty.precision @ (theta - penalty.start))
    second = sum((h for _, h in pieces), penalty.precision)
    for own_gradient, own_second in pieces:
        yield theta + cho_solve(factorise(second - own_second), gradient - own_gradient)


def assemble(
    terms: npt.NDArray[np.floating],
    age_terms: FloatArray,
    weight: FloatArray,
    seen: Watched,
    periods: Periods,
    design: Design,
    choice: Choice,
    baseline: FloatArray,
    share: FloatArray | None,
) -> tuple[Data, Penalty]:
    steady, changing, ageing = (np.array(c, dtype=np.int64) for c in (choice.steady, choice.changing, choice.ageing))
    blocks = [terms if len(steady) == terms.shape[1] else terms[:, steady]]
    if age_terms.shape[1]:
        blocks += [age_terms.astype(terms.dtype), (terms[:, ageing] * age_terms[:, :1]).astype(terms.dtype)]
    of_terms = np.concatenate(
        [
            choice.penalty * np.where(design.bent[steady], choice.bend, 1.0),
            np.full(age_terms.shape[1], AGE_PENALTY),
            np.full(len(ageing), choice.penalty * choice.ageing_ratio),
            np.full(len(changing), choice.penalty * choice.change),
        ]
    )
    if choice.own:
        of_terms = np.array(choice.own)
    where = np.searchsorted(steady, changing)  # steady is ascending and holds every changing term
    data = Data(np.concatenate(blocks, axis=1), seen, weight, periods.log_middle, where, share)
    return data, make_penalty(baseline, of_terms)


def age_terms_of(rows: Rows, age: Number | None) -> FloatArray:
    return np.empty((len(rows), 0)) if age is None else age.terms(np.log1p(rows.entry))


def precision_for(cells: int) -> type:
    return np.float32 if cells > LARGE else np.float64
