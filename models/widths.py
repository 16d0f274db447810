"""How wide the interval of a calibrated log-odds is: between two knots a polynomial, worked out once.

The map of :class:`models.calibration.Calibrator` is linear between knots of age, and so is each of its parts; the variance of
what it says is therefore a polynomial of second degree in the place between two knots and in the log-odds. What single cases
add is linear in the place between two knots of age and between two of the log-odds. For a handful of rows plain numbers are
cheaper than arrays; both ways do the same steps in the same order, so they give the same bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from models.arrays import FloatArray, IntArray


class _Between:
    """The stretches between knots (K,): where a number lies, and how far it is on the way to the next knot, 0 to 1."""

    def __init__(self, knots: FloatArray) -> None:
        self.begin = knots[:-1] if len(knots) > 1 else knots
        self.length = np.diff(knots) if len(knots) > 1 else np.ones(1)
        self.left = np.arange(len(self.begin))
        self.right = np.minimum(self.left + 1, len(knots) - 1)  # of a single knot, itself
        self._inner = knots[1:-1]
        self._plain = self.begin.tolist(), self.length.tolist(), self._inner.tolist()

    def of(self, numbers: FloatArray) -> tuple[IntArray, FloatArray]:
        at = np.searchsorted(self._inner, numbers, side="right")
        share = np.minimum(np.maximum((numbers - self.begin[at]) / self.length[at], 0.0), 1.0)
        return at, share

    def of_one(self, number: float) -> tuple[int, float]:
        begin, length, inner = self._plain
        at = bisect_right(inner, number)
        return at, min(max((number - begin[at]) / length[at], 0.0), 1.0)


class Widths:
    """Of one calibrator; the arguments are its attributes.

    Parameters
    ----------
    farthest : log-odds before calibration are thought no farther from 0 than this
    """

    def __init__(
        self,
        knots: FloatArray,
        lines: tuple[FloatArray, FloatArray],
        center: float,
        covariance: FloatArray,
        misfit: float,
        spread_at: FloatArray,
        spread: FloatArray,
        farthest: float,
    ) -> None:
        self._ages, self._center, self._misfit, self._farthest = _Between(knots), center, misfit * misfit, farthest
        k, left, right = len(knots), self._ages.left, self._ages.right
        slope = covariance[:k, k:] + covariance[k:, :k]
        # Rows of 13: intercept and slope of the map, each with its rise, then the variance.
        lines_between = [part for line in lines for part in (line[left], line[right] - line[left])]
        blocks = (covariance[:k, :k], slope, covariance[k:, k:])
        self._parts = np.array([*lines_between, *(c for block in blocks for c in _squared(block, left, right))])
        self._rows: list[list[float]] = self._parts.T.tolist()
        self._scores, self._kinds = None, np.zeros(0)
        if len(spread):
            self._scores = _Between(spread_at)
            self._kinds = np.array([_both(s.reshape(k, -1), self._ages, self._scores) for s in spread])
        # By kind, place between ages and place between scores: four numbers.
        self._plain_kinds: list[Any] = np.moveaxis(self._kinds, 1, -1).tolist() if len(spread) else []

    def ends(self, eta: FloatArray, start: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
        """Low and high end, ``z`` standard deviations around calibrated log-odds, (n,) each.

        Parameters
        ----------
        eta : (n,) calibrated log-odds
        start : (n,) weeks already open
        """
        at, s = self._ages.of(start)
        a, a_rise, b, b_rise, *v = self._parts[:, at]
        slope = b + s * b_rise
        x = np.minimum(np.maximum((eta - (a + s * a_rise)) / slope, -self._farthest), self._farthest)
        u = x - self._center
        variance = self._misfit + (
            (v[0] + s * (v[1] + s * v[2])) + u * ((v[3] + s * (v[4] + s * v[5])) + u * (v[6] + s * (v[7] + s * v[8])))
        )
        if self._scores is not None:
            there, t = self._scores.of(x)
            c = np.moveaxis(self._kinds[:, :, at, there], 1, 0)
            kinds = (c[0] + t * c[1]) + s * (c[2] + t * c[3])
            variance = variance + slope * slope * ((kinds.max(axis=0) + kinds.sum(axis=0)) / 2)
        half = z * np.sqrt(np.maximum(variance, 0.0))
        return eta - half, eta + half

    def ends_of_few(self, eta: Sequence[float], start: Sequence[float], z: float) -> tuple[list[float], list[float]]:
        """:meth:`ends` of a handful of rows."""
        low, high = [], []
        for of_case, age in zip(eta, start, strict=True):
            half = z * sqrt(max(self._variance(of_case, age), 0.0))
            low.append(of_case - half)
            high.append(of_case + half)
        return low, high

    def _variance(self, eta: float, age: float) -> float:
        at, s = self._ages.of_one(age)
        a, a_rise, b, b_rise, v0, v1, v2, v3, v4, v5, v6, v7, v8 = self._rows[at]
        slope = b + s * b_rise
        x = min(max((eta - (a + s * a_rise)) / slope, -self._farthest), self._farthest)
        u = x - self._center
        variance = self._misfit + (
            (v0 + s * (v1 + s * v2)) + u * ((v3 + s * (v4 + s * v5)) + u * (v6 + s * (v7 + s * v8)))
        )
        if self._scores is None:
            return variance
        there, t = self._scores.of_one(x)
        kinds = []
        for kind in self._plain_kinds:
            c0, c1, c2, c3 = kind[at][there]
            kinds.append((c0 + t * c1) + s * (c2 + t * c3))
        # Kinds of evidence overlap in part: the largest counts whole, the others by half.
        return variance + slope * slope * ((max(kinds) + sum(kinds)) / 2)


def _squared(block: FloatArray, left: IntArray, right: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients, by stretch, of the square of a line under ``block`` (K, K) in the place between two knots."""
    here, there, across = block[left, left], block[right, right], block[left, right] + block[right, left]
    return here, across - 2 * here, here - across + there


def _both(values: FloatArray, ages: _Between, scores: _Between) -> FloatArray:
    """Coefficients, (4, stretches of age, stretches of score), of what is linear in either place between ``values``."""
    here, later = values[ages.left], values[ages.right]
    a, b, c, d = here[:, scores.left], here[:, scores.right], later[:, scores.left], later[:, scores.right]
    return np.array([a, b - a, c - a, d - c - b + a])
