"""Kinds of arrays, and log-odds: what all learners calculate with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

FEW_ROWS = 32  # up to here one operation on a wide array is cheaper than many on a column each; the bits are the same


def logit(p: FloatArray) -> FloatArray:
    """Log-odds of probabilities strictly between 0 and 1."""
    return np.log(p) - np.log1p(-p)


def expit(z: FloatArray) -> FloatArray:
    """Probability of log-odds, without overflow.

    >>> expit(np.array([-800.0, 0.0, 800.0])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)
