"""The page of the adaptation benchmark: months until each way is there, and the curve, in Markdown and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality_page import grid

LIMITS = (0.05, 0.03, 0.02)


def settled(mean: pd.DataFrame, way: str, within: float, column: str = "error") -> float:
    """First month after the change from which the error of a way stays within ``within``; inf when it never does.

    ``column``: ``error``, of all registers together, or ``worst``, of the register with the largest.
    """
    own = mean[(mean["way"] == way) & (mean["month"] >= 0)].sort_values("month")
    bad = own.loc[own[column].abs() > within, "month"]
    later = own["month"] if bad.empty else own.loc[own["month"] > bad.max(), "month"]
    return float(later.min()) if len(later) else float("inf")


def page(
    mean: pd.DataFrame, ways: Sequence[str], ours: str, others: Sequence[str], head: Sequence[str], picture: str
) -> str:
    """The page in Markdown.

    Parameters
    ----------
    mean : one row per ``month`` and ``way``: ``true``, ``error`` and ``worst``
    ways : in the order of the tables; ``ours`` among them is set against ``others``
    head : the paragraphs below the title
    picture : file of the curve, beside the page
    """
    points = [f"{limit * 100:.0f} points" for limit in LIMITS]
    months, worst = (
        [[way, *(_months(settled(mean, way, limit, column)) for limit in LIMITS)] for way in ways]
        for column in ("error", "worst")
    )
    sooner = [[way, *(ahead(mean, ours, way, limit) for limit in LIMITS)] for way in others]
    wide = mean.pivot(index="month", columns="way", values="error")[list(ways)]
    true = mean.groupby("month")["true"].first()
    curve = [
        [f"{m:+d}", f"{true[m]:.3f}", *(f"{e:+.3f}" for e in errors)]
        for m, errors in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    parts = [
        "# How soon each way of learning follows a change",
        *head,
        "Months after the change until the mean expected share past week 52 stays within so many percentage points of the truth:",
        grid(["way", *points], months),
        "The same in every single register:",
        grid(["way", *points], worst),
        f"How many months sooner *{ours}* is there, by the mean:",
        grid(["than", *points], sooner),
        f"![expected minus true share past week 52]({picture})",
        "Expected minus true share past week 52, all landmarks of the eight weeks after each look, by months since the change:",
        grid(["month", "true share", *ways], curve),
    ]
    return "\n\n".join(parts) + "\n"


def _months(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "never seen"


def ahead(mean: pd.DataFrame, ours: str, other: str, within: float) -> str:
    """Months by which ``ours`` is there sooner; a bound where one of the two had not arrived by the last look."""
    own, its, last = settled(mean, ours, within), settled(mean, other, within), float(mean["month"].max())
    if not np.isfinite(own):
        return "-" if not np.isfinite(its) else f"more than {last - its:.0f} later"
    return f"{its - own:.0f}" if np.isfinite(its) else f"more than {last - own:.0f}"


def draw(mean: pd.DataFrame, looks: Mapping[str, tuple[str, str]], path: Path) -> None:
    """The curve as SVG, colour and line by way; without a date in it: the same numbers give the same bytes."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"svg.hashsalt": "adaptation", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
        for way, (colour, line) in looks.items():
            own = mean[mean["way"] == way]
            points = own["month"], 100 * own["error"]
            axes.plot(*points, color=colour, linestyle=line, marker="o", markersize=3, label=way)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axvline(0, color="grey", linewidth=0.8, linestyle="--")
        axes.set_xlabel("months since the change")
        axes.set_ylabel("expected minus true share\npast week 52, percentage points")
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)
