"""Drawing levels by chance, for many cases at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from risk.synthetic.world import Floats, Ints

Texts = npt.NDArray[np.object_]


def pick(rng: np.random.Generator, chances: Floats) -> Ints:
    """One column per row, drawn by the row's chances (n, k); rows need not sum to 1. -> (n,) int."""
    running = np.cumsum(chances, axis=1)
    mark = rng.random(len(chances)) * running[:, -1]
    return np.minimum((mark[:, None] >= running).sum(axis=1), chances.shape[1] - 1).astype(np.int64)


def pick_level(rng: np.random.Generator, chances: Mapping[str, float], n: int) -> Texts:
    """Draw n levels of one table of chances."""
    return names(tuple(chances), rng.choice(len(chances), size=n, p=normal(list(chances.values()))))


def tilted(chances: Sequence[float], slopes: Sequence[float], score: Floats) -> Floats:
    """Chances (n, k) that lean with a score: each level's weight times ``exp(slope * score)``."""
    weights = np.asarray(chances, dtype=np.float64)[None, :] * np.exp(np.outer(score, np.asarray(slopes)))
    return weights / weights.sum(axis=1, keepdims=True)


def names(levels: Sequence[str], codes: npt.ArrayLike) -> Texts:
    """Levels by their positions, as an object array."""
    return np.array(levels, dtype=object)[np.asarray(codes)]


def normal(weights: Sequence[float]) -> Floats:
    """Weights that sum to 1."""
    array = np.asarray(weights, dtype=np.float64)
    return array / array.sum()


def only_where(chosen: npt.NDArray[np.bool_], values: npt.ArrayLike) -> Texts:
    """The values where chosen, else None."""
    out = np.array(values, dtype=object)
    out[~chosen] = None
    return out
