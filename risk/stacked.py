"""Columns by name that are the rows of one matrix, so that many of them can be taken at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=np.generic)


class Stacked(Mapping[str, npt.NDArray[T]], Generic[T]):
    """Columns by name, (n,) each: the rows of ``matrix`` in the order of ``names``.

    A column is cut out when it is asked for: of many columns and a few rows, to cut out each would cost more than to use them.
    """

    def __init__(self, names: Sequence[str], matrix: npt.NDArray[T]) -> None:
        self._names, self._matrix = tuple(names), matrix
        self._place = _place(self._names)

    def __getitem__(self, name: str) -> npt.NDArray[T]:
        return self._matrix[self._place[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def table(self, names: Sequence[str]) -> npt.NDArray[T]:
        """The named columns side by side, (n, p) in Fortran order; not copied when they are the first ones."""
        if tuple(names) == self._names[: len(names)]:
            return self._matrix[: len(names)].T
        return self._matrix[_places(self._names, tuple(names))].T

    def rows(self, names: Sequence[str], chosen: npt.NDArray[Any]) -> Self:
        """The named columns of some rows."""
        at = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        matrix = np.empty((len(names), len(at)), dtype=self._matrix.dtype)
        # Column by column, straight to its place: to take the columns first and their rows then would copy all twice.
        for place, row in zip(_places(self._names, tuple(names)).tolist(), matrix, strict=True):
            self._matrix[place].take(at, out=row, mode="clip")
        return type(self)(names, matrix)


@lru_cache(maxsize=64)
def _place(names: tuple[str, ...]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...], wanted: tuple[str, ...]) -> npt.NDArray[np.intp]:
    return np.array([_place(names)[name] for name in wanted], dtype=np.intp)
