"""The pictures of a training report, as SVG text that stands inside a page.

Each function takes a table of :class:`training.results.TrainingRun` and gives a :class:`Figure`: the drawing and the same
in words. The same table gives the same bytes. Colour never speaks alone: learners differ in marker as well.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Okabe and Ito's colours, told apart by colour-blind readers; the chosen learner is always the blue one.
CHOSEN, INK, GRID = "#0072B2", "#1b1b1b", "#d9d9d9"
OTHERS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4d4d4d")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE: Any = {
    "svg.hashsalt": "risk52",  # ids inside the drawing follow from its content, not from a draw
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and enlarged
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#767676",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Figure:
    """A drawing (``svg``), its name, its caption, and what it shows in words for who cannot see it."""

    name: str
    caption: str
    words: str
    svg: str

    @property
    def file_text(self) -> str:
        """The drawing as a file of its own; inside a page an SVG needs no name space."""
        return self.svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1) + "\n"


def drawn(
    name: str, caption: str, words: str, draw: Callable[[Drawing], None], size: tuple[float, float] = (9.0, 3.6)
) -> Figure:
    """Draw with the house style and give the SVG, stripped of date, software and page size in points."""
    import matplotlib
    from matplotlib.figure import Figure as Drawing

    with matplotlib.rc_context(_STYLE):
        drawing = Drawing(figsize=size, layout="constrained")
        draw(drawing)
        page = io.StringIO()
        drawing.savefig(page, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = page.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' width="[\d.]+pt"', "", re.sub(r' height="[\d.]+pt"', "", svg, count=1), count=1)
    svg = re.sub(r'\s*xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    opening = f'<svg role="img" aria-label={quoteattr(words)} class="figure"'
    return Figure(name, caption, words, svg.replace("<svg", opening, 1).strip())


def splits(table: pd.DataFrame) -> Figure:
    """What each backtest origin learned from, was judged on, and how far its cases were followed."""
    rows = table.reset_index(drop=True)

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        parts = (
            ("train_from", "origin", "#8fb8d8", "learned from"),
            ("judged_from", "judged_to", CHOSEN, "judged on"),
            ("judged_to", "followed_to", "#e8d9b5", "followed until"),
        )
        for start, end, colour, label in parts:
            left = pd.to_datetime(rows[start])
            ax.barh(rows.index, pd.to_datetime(rows[end]) - left, left=left, color=colour, height=0.55, label=label)
        days = [f"{pd.Timestamp(day):%Y-%m-%d}" for day in rows["origin"]]
        ax.set_yticks(rows.index, [f"trained until {day}" for day in days])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    day = {c: pd.to_datetime(rows[c]).dt.strftime("%Y-%m-%d") for c in ("origin", "judged_from", "judged_to")}
    words = "; ".join(
        f"trained until {day['origin'][i]}, judged on {day['judged_from'][i]} to {day['judged_to'][i]}"
        for i in rows.index
    )
    caption = "Backtest: each row is a retraining as it would have happened, judged only on what came after."
    return drawn("splits", caption, words, draw, (9.0, 0.9 + 0.45 * len(rows)))


def by_landmark(
    metrics: pd.DataFrame, metric: str, title: str, learners: Sequence[str], landmarks: Sequence[str]
) -> Figure:
    """One metric of every learner at every landmark, with its 95 % interval; the mean over origins."""
    mean = metrics[metrics["origin"].isna() & (metrics["metric"] == metric)].set_index(["learner", "landmark"])
    shown = [name for name in learners if name in mean.index.get_level_values("learner")]
    landmarks = [name for name in landmarks if name in mean.index.get_level_values("landmark")]

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        for i, learner in enumerate(shown):
            row = mean.loc[learner].reindex(list(landmarks))
            x = np.arange(len(landmarks)) + (i - (len(shown) - 1) / 2) * 0.8 / max(len(shown), 1)
            ends = np.clip(np.vstack([row["value"] - row["low"], row["high"] - row["value"]]).astype(float), 0, None)
            ax.errorbar(x, row["value"], yerr=ends, fmt=MARKERS[i % 7], ms=5, lw=1.2, color=colour(i), label=learner)
        ax.set_xticks(np.arange(len(landmarks)), [landmark_label(name) for name in landmarks])
        ax.set_ylabel(title)
        ax.grid(axis="x", visible=False)
        drawing.legend(ncols=3, loc="outside upper center")

    said = [
        f"{learner}: "
        + ", ".join(f"{landmark_label(str(k))} {v:.2f}" for k, v in mean.loc[learner]["value"].dropna().items())
        for learner in shown
    ]
    return drawn(metric, f"{title} by age of case, mean over origins, 95 % intervals.", "; ".join(said), draw)


def calibration(table: pd.DataFrame, learners: Sequence[str], landmarks: Sequence[str]) -> Figure:
    """Promised against observed per landmark, for a few learners; on the diagonal a promise is kept."""
    here = [name for name in landmarks if name in set(table["landmark"])]
    n_columns = min(4, max(1, len(here)))
    n_rows = -(-len(here) // n_columns)

    def draw(drawing: Drawing) -> None:
        axes = drawing.subplots(n_rows, n_columns, squeeze=False)
        for ax in axes.flat[len(here) :]:
            ax.set_axis_off()
        for ax, landmark in zip(axes.flat, here, strict=False):
            _calibration_panel(ax, table[table["landmark"] == landmark], learners)
            ax.set_title(landmark_label(landmark), fontsize=10)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        drawing.legend(handles, labels, ncols=len(labels), loc="outside upper center")
        drawing.supxlabel("promised: mean probability of the bin", fontsize=10)
        drawing.supylabel("observed share past the horizon", fontsize=10)

    words = f"Calibration of {', '.join(learners)} at {len(here)} ages of case; the numbers stand in the table below."
    caption = "Calibration: a point on the line means that of cases promised p, the share p came. Bars: 95 % intervals."
    return drawn("calibration", caption, words, draw, (9.0, 0.8 + 2.3 * n_rows))


def _calibration_panel(ax: Axes, table: pd.DataFrame, learners: Sequence[str]) -> None:
    top = float(np.nanmax([table["p_mean"].max(), table.loc[table["learner"] == learners[0], "high"].max(), 0.02]))
    ax.plot([0, top], [0, top], color="#767676", lw=1, ls="--")
    for i, learner in enumerate(learners):
        row = table[table["learner"] == learner].sort_values("bin")
        ends = np.clip(np.vstack([row["observed"] - row["low"], row["high"] - row["observed"]]).astype(float), 0, None)
        ax.errorbar(
            row["p_mean"], row["observed"], yerr=ends if i == 0 else None, fmt=MARKERS[i % 7] + "-", ms=4, lw=1.1,
            color=colour(i), label=learner,
        )  # fmt: skip
    ax.set_xlim(-0.03 * top, 1.05 * top)
    ax.set_ylim(-0.03 * top, 1.1 * top)


def promised_and_kept(metrics: pd.DataFrame, learners: Sequence[str], landmarks: Sequence[str]) -> Figure:
    """The share each learner expects past the horizon, against the share that came, per landmark."""
    expected, came = means(metrics, "expected", landmarks), means(metrics, "observed", landmarks)
    kept = [name for name in learners if name in expected.index and expected.loc[name].notna().any()]
    observed = came.max()  # the same for every learner judged on the same cases

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        x = np.arange(len(landmarks))
        ax.bar(x, 100 * observed, width=0.8, color="#e3e3e3", label="what came")
        for i, learner in enumerate(kept):
            shift = (i - (len(kept) - 1) / 2) * 0.7 / max(len(kept), 1)
            ax.plot(
                x + shift,
                100 * expected.loc[learner],
                MARKERS[i % 7],
                ms=6,
                color=colour(i),
                label=learner,
            )
        ax.set_xticks(x, [landmark_label(name) for name in landmarks])
        ax.set_ylabel("past the horizon, in 100 cases")
        ax.grid(axis="x", visible=False)
        drawing.legend(ncols=3, loc="outside upper center")

    promised = {name: dict(zip(landmarks, expected.loc[name].astype(float), strict=True)) for name in kept}
    words = "; ".join(
        f"{landmark_label(k)}: observed {float(observed[k]):.3f}, "
        + ", ".join(f"{name} expects {promised[name][k]:.3f}" for name in kept)
        for k in landmarks
    )
    caption = "What each learner promised, and what came. The naive ways promise too few: that is their price."
    return drawn("promised", caption, words, draw)


def mondays(lists: pd.DataFrame, learner: str, rule: str) -> Figure:
    """Precision of the list on every simulated Monday, beside the rule used today."""
    rows = lists[lists["learner"] == learner].sort_values("monday")
    days = [f"{pd.Timestamp(day):%Y-%m-%d}" for day in rows["monday"]]

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        x = np.arange(len(rows))
        ax.bar(x - 0.2, 100 * rows["precision"], width=0.38, color=CHOSEN, label=learner)
        ax.bar(x + 0.2, 100 * rows["rule_precision"], width=0.38, color="#e8d9b5", hatch="//", label=rule)
        ax.set_xticks(x, days, rotation=30 if len(days) > 5 else 0, ha="right" if len(days) > 5 else "center")
        ax.set_ylabel("of 100 on the list,\npast the horizon later")
        ax.grid(axis="x", visible=False)
        ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    words = "; ".join(
        f"{day}: {100 * p:.0f} in 100 by {learner}, {100 * r:.0f} in 100 by the rule used today"
        for day, p, r in zip(days, rows["precision"], rows["rule_precision"], strict=True)
    )
    return drawn("mondays", "Monday's list: how many of those on it did pass the horizon.", words, draw)


def weights(table: pd.DataFrame, top: int = 15) -> Figure:
    """The features that move scores most: mean absolute contribution on the log-odds."""
    rows = table.head(top).iloc[::-1]

    def draw(drawing: Drawing) -> None:
        ax = drawing.add_subplot()
        ax.barh(rows["feature"], rows["weight"], color=CHOSEN, height=0.65)
        ax.set_xlabel("mean absolute contribution, log-odds")
        ax.grid(axis="y", visible=False)

    heaviest = table.head(top)
    words = ", ".join(
        f"{name} {weight:.2f}" for name, weight in zip(heaviest["feature"], heaviest["weight"], strict=True)
    )
    caption = f"What moves the scores of today's open cases: the {len(rows)} heaviest features."
    return drawn("weights", caption, words, draw, (9.0, 0.8 + 0.26 * len(rows)))


def means(metrics: pd.DataFrame, metric: str, landmarks: Sequence[str]) -> pd.DataFrame:
    """The mean over origins of one metric: learners down, landmarks across; nan where it was not judged."""
    mean = metrics[metrics["origin"].isna() & (metrics["metric"] == metric)]
    return mean.pivot(index="learner", columns="landmark", values="value").reindex(columns=list(landmarks))


def colour(i: int) -> str:
    """Colour of the i-th learner; the first is the chosen one."""
    return CHOSEN if i == 0 else OTHERS[(i - 1) % len(OTHERS)]


def landmark_label(landmark: str) -> str:
    """A landmark in words.

    >>> landmark_label("13"), landmark_label("list")
    ('week 13', "Monday's list")
    """
    return {"registration": "registration", "list": "Monday's list"}.get(landmark, f"week {landmark}")
