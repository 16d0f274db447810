"""The curve of staying open as numbers for a drawing: where its points, grid and marks lie, in the drawing's own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.language import share_of_100

WIDTH, HEIGHT = 640, 320
LEFT_EDGE, RIGHT_EDGE, TOP, BOTTOM = 52, 620, 16, 268
STEP_WEEKS = (4, 8, 13, 26)


@dataclass(frozen=True)
class Mark:
    """A point or a line of the grid: its place, and what is written beside it."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """What the template draws.

    Attributes
    ----------
    points : (x, y) along the curve, the first one now
    marks : (x, y, so many of 100) at the horizons
    across, up : the grid: weeks along the bottom, and so many of 100 up the side
    horizon_x : where the horizon stands
    base_y : how many cases of the same age are open after the horizon; None when that is not known
    """

    points: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, float, int], ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    horizon_x: float
    base_y: float | None

    @property
    def line(self) -> str:
        """The points as an SVG ``polyline`` has them."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


def draw(
    age_weeks: float,
    curve: Sequence[tuple[int, float]],
    base_rate: float | None,
    horizon: int,
    course: Sequence[float] = (),
) -> Drawing:
    """Lay out the curve of a case that has lasted ``age_weeks`` weeks.

    Parameters
    ----------
    curve : (weeks since opening, P(open after them | open now)), at least one point after ``age_weeks``
    base_rate : P(open past the horizon) of all cases of this age
    course : P(open) 1, 2, 3 ... weeks from now; without it the line goes straight from horizon to horizon
    """
    ahead = [(w, p) for w, p in curve if w > age_weeks]
    weekly = ((age_weeks + k, p) for k, p in enumerate(course, 1))
    points = [(age_weeks, 1.0), *sorted([*weekly, *((float(w), p) for w, p in ahead)])]
    first, last = age_weeks, max(points[-1][0], float(horizon))
    step = next((s for s in STEP_WEEKS if (last - first) / s <= 8), STEP_WEEKS[-1])

    def x(week: float) -> float:
        return round(LEFT_EDGE + (RIGHT_EDGE - LEFT_EDGE) * (week - first) / (last - first), 1)

    def y(p: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * p, 1)

    weeks = [w for w in range(0, int(last) + 1, step) if w >= first and abs(w - horizon) > step / 2]
    return Drawing(
        points=tuple((x(w), y(p)) for w, p in points),
        marks=tuple((x(float(w)), y(p), share_of_100(p)) for w, p in ahead),
        across=tuple(Mark(x(w), str(w)) for w in [*weeks, horizon]),
        up=tuple(Mark(y(p), str(share_of_100(p))) for p in (0.0, 0.25, 0.5, 0.75, 1.0)),
        horizon_x=x(float(horizon)),
        base_y=None if base_rate is None else y(base_rate),
    )
