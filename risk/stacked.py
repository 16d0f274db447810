"""Columns by name that are the rows of one matrix, so that many of them can be taken at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from risk.weeks import Floats


class Stacked(dict[str, Floats]):
    """Columns by name, (n,) each: the rows of ``matrix`` in the order of ``names``."""

    def __init__(self, names: Sequence[str], matrix: Floats) -> None:
        super().__init__(zip(names, matrix, strict=True))
        self._names, self._matrix = tuple(names), matrix

    def table(self, names: Sequence[str]) -> Floats:
        """The named columns side by side, (n, p) in Fortran order; not copied when they are the first ones."""
        if tuple(names) == self._names[: len(names)]:
            return self._matrix[: len(names)].T
        return self._matrix[_places(self._names, tuple(names))].T

    def rows(self, names: Sequence[str], chosen: npt.NDArray[Any]) -> Self:
        """The named columns of some rows."""
        at = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        matrix = np.empty((len(names), len(at)))
        # Column by column, straight to its place: to take the columns first and their rows then would copy all twice.
        for place, row in zip(_places(self._names, tuple(names)).tolist(), matrix, strict=True):
            self._matrix[place].take(at, out=row, mode="clip")
        return type(self)(names, matrix)


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...], wanted: tuple[str, ...]) -> npt.NDArray[np.intp]:
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in wanted], dtype=np.intp)
