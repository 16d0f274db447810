"""Made-up rows for timing, and the plain classifier that times are set against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.rows import outcome


@dataclass(frozen=True)
class Made:
    """Rows with outcomes, weeks from opening; about a third of the cases are still open."""

    X: pd.DataFrame
    y: npt.NDArray[np.void]
    entry: npt.NDArray[np.float64]


def make_rows(n: int, columns: int, seed: int, categories: int | None = None) -> Made:
    """``n`` rows of ``columns`` columns, a quarter of them categories (or as many as said), 4 % of numbers missing."""
    rng = np.random.default_rng(seed)
    n_categories = columns // 4 if categories is None else categories
    made: dict[str, Any] = {}
    risk = np.zeros(n)
    for j in range(columns):
        if j < n_categories:
            levels = [f"level {k}" for k in range(4 + 3 * (j % 5))]
            codes = rng.integers(0, len(levels), n)
            made[f"c{j}"] = pd.Categorical(np.array(levels, dtype=object)[codes], categories=levels)
            risk += 0.05 * (codes % 3)
        else:
            values = rng.normal(size=n)
            risk += 0.4 / (1 + j) * values + 0.1 * (values > 1)
            values[rng.random(n) < 0.04] = np.nan
            made[f"x{j}"] = values
    entry = rng.choice([0.0, 4.0, 8.0, 13.0, 22.0, 26.0], n, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    weeks = entry + np.ceil(7 * rng.exponential(30 * np.exp(risk - risk.mean()))) / 7
    followed = entry + np.ceil(7 * rng.uniform(0, 130, n)) / 7
    return Made(pd.DataFrame(made), outcome(weeks <= followed, np.minimum(weeks, followed)), entry)


def classifier(made: Made, n_trees: int, num_leaves: int) -> Any:
    """A plain LightGBM classifier of "open past week 52", one thread, from frame to booster."""
    import lightgbm

    data = lightgbm.Dataset(made.X, label=(made.y["weeks"] > 52).astype(float), free_raw_data=False)
    settings = {
        "objective": "binary",
        "num_leaves": num_leaves,
        "learning_rate": 0.05,
        "verbosity": -1,
        "num_threads": 1,
    }
    return lightgbm.train(settings, data, n_trees)
