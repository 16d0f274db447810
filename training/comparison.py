r"""Which of two learners is better, and by more than chance: paired differences in Brier score over the backtest.

The difference is taken row by row on the same cases, averaged with the censoring weights within a landmark, plainly over
the landmarks of an origin, and plainly over origins. Its standard error is the larger of two:

over origins
    the standard deviation of the origins' differences over the root of their number: what another year would have changed
    (fits, mixture of cases). With three origins it has two degrees of freedom, so by luck it can come out far too small.
over persons
    the root of the sum over persons of their squared influence on the mean, all rows of a person at every landmark and
    origin taken together (infinitesimal jackknife; Efron 1982). A case judged at week 8 of one origin and at week 39 of the
    next, or a person with two cases, therefore counts as one. It knows nothing of how a learner would have been fitted on
    other cases.

What neither sees is that origins learn from overlapping histories, which makes them more alike than new years would be:
one reason for taking the larger. With one origin only persons are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.weeks import Floats

COLUMNS = [
    "learner", "other", "brier", "other_brier", "ahead", "error", "error_origins", "error_persons", "origins", "n_persons",
]  # fmt: skip


@dataclass(frozen=True)
class Losses:
    """What each learner lost on the rows of one origin and landmark.

    Attributes
    ----------
    origin : date
    landmark : str
    person : (m,) int, the same number for the same person at every origin
    w : (m,) censoring weight; 0 where the outcome is not known
    loss : learner -> (m,) squared distance of its probability from the outcome; nan where it gave none
    """

    origin: date
    landmark: str
    person: npt.NDArray[np.int64]
    w: Floats
    loss: dict[str, Floats]


def compare(cells: Sequence[Losses], learners: Sequence[str]) -> pd.DataFrame:
    """Every ordered pair of learners on the cells where each of them was judged.

    Returns
    -------
    DataFrame ``learner, other, brier, other_brier`` (means over origins), ``ahead`` (by how much ``other`` has the lower
    score), ``error`` (its standard error, the larger of ``error_origins`` and ``error_persons``), ``origins, n_persons``;
    empty when there is nothing to compare on.
    """
    judged = [cell for cell in (_common(cell, learners) for cell in cells) if cell is not None]
    if not judged:
        return pd.DataFrame(columns=COLUMNS)
    mean = {name: _over_origins(judged, name)[0].mean() for name in learners}
    made = [
        {"learner": name, "other": other, "brier": mean[name], "other_brier": mean[other]} | _pair(judged, name, other)
        for name, other in permutations(learners, 2)
    ]
    return pd.DataFrame(made, columns=COLUMNS)


def _common(cell: Losses, learners: Sequence[str]) -> Losses | None:
    """The rows every learner scored and whose outcome is known; None when there are none."""
    keep = (cell.w > 0) & np.isfinite([cell.loss[name] for name in learners]).all(axis=0)
    if not keep.any():
        return None
    loss = {name: cell.loss[name][keep] for name in learners}
    return Losses(cell.origin, cell.landmark, cell.person[keep], cell.w[keep], loss)


def _over_origins(cells: Sequence[Losses], name: str, other: str | None = None) -> tuple[Floats, Floats, list[Floats]]:
    """Per origin the mean loss (minus that of ``other``); and per cell its share of the overall mean, and its rows' losses."""
    day = [cell.origin for cell in cells]
    origins = sorted(set(day))
    values = [cell.loss[name] - (cell.loss[other] if other else 0.0) for cell in cells]
    of_cell = np.array([np.average(v, weights=cell.w) for v, cell in zip(values, cells, strict=True)])
    of_origin = np.array([of_cell[[d == o for d in day]].mean() for o in origins])
    share = np.array([1.0 / (day.count(d) * len(origins)) for d in day])
    return of_origin, share, [v - m for v, m in zip(values, of_cell, strict=True)]


def _pair(cells: Sequence[Losses], name: str, other: str) -> dict[str, float]:
    of_origin, share, off = _over_origins(cells, name, other)
    influence = [s * cell.w * v / cell.w.sum() for s, cell, v in zip(share, cells, off, strict=True)]
    person = np.unique(np.concatenate([cell.person for cell in cells]), return_inverse=True)[1]
    by_person = np.bincount(person, weights=np.concatenate(influence))
    n = len(of_origin)
    over_origins = float(np.std(of_origin, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    over_persons = float(np.sqrt((by_person**2).sum()))
    return {
        "ahead": float(of_origin.mean()),
        "error": float(np.nanmax([over_origins, over_persons])),
        "error_origins": over_origins,
        "error_persons": over_persons,
        "origins": n,
        "n_persons": len(by_person),
    }
