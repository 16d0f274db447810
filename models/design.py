"""From encoded columns to the terms of a linear hazard: scaled numbers, bends, levels, and what is missing.

A number becomes a straight term (standard deviation 1, extremes pulled in to the 0.5 and 99.5 percentiles) and, when it
takes many values, a few bends: hinges at quantiles with their straight part removed, so that a penalty on them is a
penalty on curvature only. A level becomes an indicator of standard deviation 1 at a share of one half and less when
rarer, so that a rare level is drawn harder towards the average. Missing is a term of its own when it was seen in
training. Every term is 0 on average: a level or a missing value never seen before counts as an average case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models.arrays import FEW_ROWS, FloatArray, IntArray
from models.design_few import FewRows

KNOTS = (0.2, 0.5, 0.8)
MANY_VALUES = 8
MAX_LEVELS = 50


@dataclass(frozen=True)
class Number:
    """A numeric column: clip to ``low..high``, centre, scale; bends; and an indicator of missing."""

    feature: int
    low: float
    high: float
    centre: float
    scale: float
    bends: tuple[tuple[float, float, float, float], ...]  # knot, intercept and slope removed, scale
    missing_share: float

    @property
    def n_terms(self) -> int:
        return 1 + (self.missing_share > 0) + len(self.bends)

    @property
    def n_straight(self) -> int:
        """Terms before the bends."""
        return 1 + (self.missing_share > 0)

    def terms(self, values: FloatArray) -> FloatArray:
        """(n, n_terms): straight, missing, bends."""
        missing = np.isnan(values)
        z = (np.clip(values, self.low, self.high) - self.centre) / self.scale
        out = np.empty((len(values), self.n_terms))
        out[:, 0] = np.where(missing, 0.0, z)
        if self.missing_share > 0:
            out[:, 1] = 2.0 * (missing - self.missing_share)
        for i, (knot, intercept, slope, scale) in enumerate(self.bends):
            bend = (np.maximum(z - knot, 0.0) - intercept - slope * z) / scale
            out[:, self.n_straight + i] = np.where(missing, 0.0, bend)
        return out


@dataclass(frozen=True)
class Levels:
    """A categorical column: one indicator per level seen, and one for missing when seen."""

    feature: int
    codes: tuple[int, ...]  # -1 is missing
    shares: tuple[float, ...]

    @property
    def n_terms(self) -> int:
        return len(self.codes)

    @property
    def n_straight(self) -> int:
        return len(self.codes)

    @cached_property
    def table(self) -> FloatArray:
        """Terms by code; the last row answers missing, the one before it anything unseen."""
        size = max(self.codes) + 2
        table = np.zeros((size + 1, self.n_terms))
        for t, code in enumerate(self.codes):
            table[size if code < 0 else code] = -2.0 * np.asarray(self.shares)
            table[size if code < 0 else code, t] += 2.0
        return table

    def terms(self, values: FloatArray) -> FloatArray:
        """(n, n_terms); an unseen level is 0 everywhere."""
        size = len(self.table) - 1
        at = np.where(np.isnan(values), size, np.minimum(values, size - 1)).astype(np.int64)
        return self.table[at]


Term = Number | Levels


@dataclass(frozen=True)
class Design:
    """All terms of a model, feature after feature."""

    parts: tuple[Term, ...]

    @cached_property
    def n_terms(self) -> int:
        return sum(p.n_terms for p in self.parts)

    @property
    def feature(self) -> IntArray:
        """(n_terms,) the feature each term belongs to."""
        return np.array([p.feature for p in self.parts for _ in range(p.n_terms)], dtype=np.int64)

    @property
    def bent(self) -> np.ndarray:
        """(n_terms,) whether the term is a bend."""
        return np.array([t >= p.n_straight for p in self.parts for t in range(p.n_terms)], dtype=np.bool_)

    def terms(self, matrix: FloatArray) -> FloatArray:
        """(n, n_terms) of encoded rows."""
        if len(matrix) <= FEW_ROWS:
            return self._few.terms(matrix)
        out = np.empty((len(matrix), self.n_terms))
        at = 0
        for part in self.parts:
            out[:, at : at + part.n_terms] = part.terms(matrix[:, part.feature])
            at += part.n_terms
        return out

    def by_feature(self, values: FloatArray, n_features: int) -> FloatArray:
        """Values of the terms (..., n_terms) added up for each feature, (..., n_features); 0 for one without a term."""
        out = np.zeros((*values.shape[:-1], n_features))
        if self.parts:
            out[..., self._features] = np.add.reduceat(values, self._first, axis=-1)
        return out

    @cached_property
    def _features(self) -> IntArray:
        """(parts,) the feature of each part."""
        return np.array([part.feature for part in self.parts], dtype=np.int64)

    @cached_property
    def _first(self) -> IntArray:
        """(parts,) where the terms of each part begin."""
        sizes = np.array([part.n_terms for part in self.parts], dtype=np.int64)
        return np.cumsum(sizes) - sizes

    @cached_property
    def _few(self) -> FewRows:
        at = list(zip(self.parts, self._first.tolist(), strict=True))
        numbers = [(part, first) for part, first in at if isinstance(part, Number)]
        levels = [(part, first) for part, first in at if isinstance(part, Levels)]
        return FewRows(numbers, levels, self.n_terms)

    def to_list(self) -> list[dict[str, Any]]:
        return [{"kind": type(p).__name__, **asdict(p)} for p in self.parts]


def make_design(matrix: FloatArray, categories: Sequence[int]) -> Design:
    """The terms that encoded training rows call for; constant and empty columns call for none."""
    is_category = set(categories)
    made = [
        _levels(matrix[:, j], j) if j in is_category else make_number(matrix[:, j], j) for j in range(matrix.shape[1])
    ]
    return Design(tuple(p for p in made if p is not None))


def design_from_list(items: Sequence[dict[str, Any]]) -> Design:
    """The opposite of :meth:`Design.to_list`."""
    return Design(tuple(_part(item) for item in items))


def number_from_dict(item: dict[str, Any]) -> Number:
    """One number read back."""
    values = {k: v for k, v in item.items() if k != "kind"}
    return Number(**{**values, "bends": tuple(tuple(b) for b in values["bends"])})


def _part(item: dict[str, Any]) -> Term:
    if item["kind"] == "Number":
        return number_from_dict(item)
    return Levels(item["feature"], tuple(item["codes"]), tuple(item["shares"]))


def make_number(values: FloatArray, feature: int, many_values: int = MANY_VALUES) -> Number | None:
    """The terms of one number; None when it never varies. It may bend when it takes ``many_values`` or more."""
    missing = np.isnan(values)
    share = float(missing.mean())
    seen = values[~missing]
    distinct = np.unique(seen)
    if len(distinct) < 2:
        # Constant where present: only its being missing can say something.
        level = float(distinct[0]) if len(distinct) else 0.0
        return Number(feature, level, level, level, 1.0, (), share) if 0 < share < 1 else None
    low, high = float(distinct[0]), float(distinct[-1])
    if len(distinct) > 4 * many_values:
        inner = np.quantile(seen, [0.005, 0.995])
        # A column that is nearly always one value keeps its extremes: they are all it has to say.
        low, high = (float(inner[0]), float(inner[1])) if inner[0] < inner[1] else (low, high)
    clipped = np.clip(seen, low, high)
    # Two values are an indicator and are scaled as one, so that a rare 1 is not blown up.
    scale = (high - low) / 2 if len(distinct) == 2 else float(clipped.std())
    centre = float(clipped.mean())
    bends = _bends((clipped - centre) / scale) if len(distinct) >= many_values else ()
    return Number(feature, low, high, centre, scale, bends, share)


def _bends(z: FloatArray) -> tuple[tuple[float, float, float, float], ...]:
    """Hinges at quantiles, each without its best straight line and with standard deviation 1."""
    found = []
    variance = float(z.var())
    for knot in np.unique(np.quantile(z, KNOTS)):
        hinge = np.maximum(z - knot, 0.0)
        slope = float(np.mean(hinge * z) - hinge.mean() * z.mean()) / variance
        intercept = float(hinge.mean()) - slope * float(z.mean())
        scale = float((hinge - intercept - slope * z).std())
        if scale > 0.01:
            found.append((float(knot), intercept, slope, scale))
    return tuple(found)


def _levels(values: FloatArray, feature: int) -> Levels | None:
    codes = np.where(np.isnan(values), -1, values).astype(np.int64)
    seen, counts = np.unique(codes, return_counts=True)
    if len(seen) < 2:
        return None
    if len(seen) > MAX_LEVELS:
        most = np.sort(np.argsort(-counts, kind="stable")[:MAX_LEVELS])
        seen, counts = seen[most], counts[most]
    return Levels(feature, tuple(int(c) for c in seen), tuple(float(c) / len(values) for c in counts))
