"""The C-index under censoring, in n log n."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models import censoring
from models.censoring import Floats
from models.judged import check_score, not_negative

_HAIR = 1e-9  # weeks


def c_index(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    week: float | None = None,
    *,
    entry: npt.ArrayLike | None = None,
    opened: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    cut_on: Any = None,
) -> float:
    """P(of two cases the one that closes later has the higher p), judged up to ``week``; ties in p count half.

    A pair counts when one case closed before ``week`` and the other, at risk by then, was open past that day or censored on
    it. Each pair counts with the square of the closing case's censoring weight (Uno et al. 2011), exact for one marginal
    curve and one entry age, an approximation when the two cases of a pair were followed under different curves.

    Parameters
    ----------
    week : float
        Closings at ``week`` or later are not compared. None compares all of them, without censoring weights unless
        ``weights`` are given: Harrell's C, which depends on how cases were censored.
    entry, opened, weights, sample_weight, cut_on
        As everywhere in ``models.metrics``.

    Returns
    -------
    float; nan when no pair can be compared.

    Raises
    ------
    CaseDataError
        When shapes differ or a score is missing.

    >>> y = np.array([(True, 9.0), (True, 60.0), (False, 30.0)], [("closed", bool), ("weeks", float)])
    >>> c_index(y, np.array([0.2, 0.9, 0.1]))
    0.5
    """
    closed, weeks, start = censoring.check_outcomes(y, entry)
    n = len(weeks)
    score = check_score(p, n, probability=False)
    m = np.ones(n) if sample_weight is None else not_negative(sample_weight, n, "sample_weight")
    if weights is not None:
        ipcw = not_negative(weights, n, "weights")
    elif week is not None:
        ipcw = censoring.weights(y, week, entry, opened, cut_on=cut_on, sample_weight=sample_weight)
    else:
        ipcw = np.ones(n)
    if week is not None:
        m = np.where(censoring.judged_rows(y, week, opened, cut_on), m, 0.0)
    pair = np.where(closed & (weeks < (np.inf if week is None else week)), m * ipcw**2, 0.0)
    first = np.flatnonzero(pair)
    # Later means a later day, or censored the same day: a hair orders the two without touching real differences.
    outlasts = np.where(closed, weeks, weeks + _HAIR)
    lower, tied, total = _after(outlasts, score, m, weeks[first], score[first])
    if start.any():  # cases that had not entered by the closing were not at risk: take them out again
        enters = np.where(closed, np.minimum(start, weeks - 2 * _HAIR), start)
        young = _after(enters, score, m, weeks[first] - _HAIR, score[first])
        lower, tied, total = lower - young[0], tied - young[1], total - young[2]
    pairs = pair[first] @ total
    return float(pair[first] @ (total - lower - tied / 2) / pairs) if pairs > 0 else float("nan")


def _after(
    position: Floats, score: Floats, m: Floats, asked: Floats, asked_score: Floats
) -> tuple[Floats, Floats, Floats]:
    """For each asker (k,), the weight of rows with ``position > asked``: with lower scores, with equal ones, and in all.

    Divide and conquer over the order of positions, vectorised over rows: each of the log2(n + k) levels splits every block
    of the order in two and counts, for askers in the left half, the rows of the right half by score.
    """
    k, size = len(asked), len(asked) + len(score)
    # Askers after rows at the same place, so that only rows placed strictly later are counted.
    is_asker = np.arange(size) < k
    place = np.empty(size, dtype=np.int32)
    place[np.lexsort((is_asker, np.concatenate([asked, position])))] = np.arange(size)
    code = np.unique(np.concatenate([asked_score, score]), return_inverse=True)[1].astype(np.int32)
    weight = np.concatenate([np.zeros(k), m])
    row = np.argsort(code, kind="stable").astype(np.int32)
    place, code, weight = place[row], code[row], weight[row]
    lower, tied, total = np.zeros(size), np.zeros(size), np.zeros(size)
    here = np.arange(size)
    for bit in range(int(max(size - 1, 1)).bit_length() - 1, -1, -1):
        block, left = place >> (bit + 1), (place >> bit) & 1 == 0
        counted = np.concatenate([[0.0], np.cumsum(np.where(left, 0.0, weight))])
        new_block = np.concatenate([[True], block[1:] != block[:-1]])
        new_tie = new_block | np.concatenate([[True], code[1:] != code[:-1]])
        begin, end = _runs(new_block)
        tie_begin, tie_end = _runs(new_tie)
        ask = left & (row < k)
        who, before = row[ask], counted[begin[ask]]
        lower[who] += counted[tie_begin[ask]] - before
        tied[who] += counted[tie_end[ask]] - counted[tie_begin[ask]]
        total[who] += counted[end[ask]] - before
        # Split each block, keeping the order by score within its halves.
        ahead = np.concatenate([[0], np.cumsum(left)])
        to = np.where(left, begin + ahead[:-1] - ahead[begin], here + ahead[end] - ahead[:-1])
        for values in (place, code, weight, row):
            values[to] = values.copy()
    return lower[:k], tied[:k], total[:k]


def _runs(new: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First position, and one past the last, of the run each element belongs to."""
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, len(new)))
    return np.repeat(starts, lengths), np.repeat(starts + lengths, lengths)
