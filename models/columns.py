"""Columns by name: from a frame of numbers and categories to one matrix of floats, and back to text.

A category becomes its level number and a missing value nan. A level that was never declared becomes the level
``unknown`` where that one was declared, and missing otherwise. LightGBM scores by position and accepts renamed columns in
silence, so names and kinds are matched here, before anything reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.errors import CaseDataError

FloatArray = npt.NDArray[np.float64]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Columns:
    """Names, and per name the levels of a category or None for a number."""

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...] | None, ...]

    @classmethod
    def of(cls, X: pd.DataFrame) -> Self:
        """The columns of a frame.

        Raises
        ------
        CaseDataError
            Not a frame, no column, two columns of one name, or a column that is neither numeric nor categorical.
        """
        if not isinstance(X, pd.DataFrame):
            raise CaseDataError(f"X must be a pandas DataFrame with named columns, not {type(X).__name__}")
        unnamed = [c for c in X.columns if not isinstance(c, str)]
        if unnamed:
            raise CaseDataError(f"X has {len(unnamed)} columns whose name is not a text; name every column")
        names = list(X.columns)
        twice = sorted({c for c in names if names.count(c) > 1})
        if not names or twice:
            raise CaseDataError(f"X has {'columns of the same name: ' + ', '.join(twice) if twice else 'no columns'}")
        return cls(tuple(names), tuple(_levels_of(X.iloc[:, j], c) for j, c in enumerate(names)))

    def encode(self, X: pd.DataFrame, order: npt.NDArray[np.intp] | None = None) -> FloatArray:
        """One float per cell, (n, p) in Fortran order; rows in ``order`` when given.

        Raises
        ------
        CaseDataError
            A column is missing, unknown, or of another kind than learned.
        """
        self.check(X)
        out = np.empty((len(X) if order is None else len(order), len(self.names)), order="F")
        for j in range(len(self.names)):
            column = self.encode_column(X, j)
            out[:, j] = column if order is None else column[order]
        return out

    def encode_column(self, X: pd.DataFrame, j: int) -> FloatArray:
        """Column ``j`` as floats, (n,)."""
        values, levels = X[self.names[j]], self.levels[j]
        if levels is None:
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        own = values.cat.categories
        # One look-up per level, not per row; the last entry answers code -1, which is missing.
        known = {level: float(i) for i, level in enumerate(levels)}
        outside = known.get(UNKNOWN, np.nan)
        codes = np.array([*(known.get(_plain(v), outside) for v in own), np.nan])
        return codes[values.cat.codes.to_numpy()]

    def check(self, X: pd.DataFrame) -> None:
        """Refuse a frame whose columns are not exactly these; their order does not matter.

        Raises
        ------
        CaseDataError
            Names the column and what to do.
        """
        if not isinstance(X, pd.DataFrame):
            raise CaseDataError(f"X must be a pandas DataFrame with named columns, not {type(X).__name__}")
        given = [str(c) for c in X.columns]
        missing = [c for c in self.names if c not in given]
        unknown = [c for c in given if c not in self.names]
        if missing or unknown or len(given) != len(self.names):
            said = [f"missing: {', '.join(missing)}"] if missing else []
            said += [f"not known to the model: {', '.join(unknown)}"] if unknown else []
            raise CaseDataError(
                f"columns differ from those learned ({'; '.join(said) or 'a name occurs twice'}); "
                "give the same columns by the same names, in any order"
            )
        for name, levels in zip(self.names, self.levels, strict=True):
            is_category = isinstance(X[name].dtype, pd.CategoricalDtype)
            if is_category and levels is None:
                raise CaseDataError(f"column {name} is categorical but was learned as a number; convert it to a number")
            if levels is not None and not is_category:
                raise CaseDataError(
                    f"column {name} is {X[name].dtype} but was learned as a category; convert it with astype('category')"
                )
            if levels is None:
                _require_numeric(X[name], name)

    def to_list(self) -> list[dict[str, Any]]:
        """As JSON: ``[{name, kind, levels}]``."""
        return [
            {"name": c, "kind": "numeric" if v is None else "category", "levels": None if v is None else list(v)}
            for c, v in zip(self.names, self.levels, strict=True)
        ]

    @classmethod
    def from_list(cls, items: Sequence[Mapping[str, Any]]) -> Self:
        """The opposite of :meth:`to_list`."""
        return cls(
            tuple(str(i["name"]) for i in items),
            tuple(tuple(i["levels"]) if i["kind"] == "category" else None for i in items),
        )

    @property
    def categories(self) -> list[int]:
        """Positions of the categorical columns."""
        return [j for j, v in enumerate(self.levels) if v is not None]


def row_hash(columns: Columns, X: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """A number per row that depends on its values only, (n,): rows can be sorted by it whatever order they came in.

    Column after column, so that no second copy of the matrix is needed.
    """
    mixed = np.full(len(X), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for j in range(len(columns.names)):
        value = columns.encode_column(X, j) + 0.0  # -0.0 becomes 0.0
        value[np.isnan(value)] = np.nan  # one bit pattern for every nan
        mixed ^= value.view(np.uint64)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _levels_of(values: pd.Series, name: str) -> tuple[Any, ...] | None:
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = tuple(_plain(v) for v in values.cat.categories)
        if not all(isinstance(v, str | int | float) for v in levels):
            raise CaseDataError(f"column {name}: levels of a category must be texts or numbers")
        return levels
    _require_numeric(values, name)
    return None


def _require_numeric(values: pd.Series, name: str) -> None:
    if not (pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype)):
        raise CaseDataError(
            f"column {name} is {values.dtype}; give numbers, or a category made with astype('category')"
        )
    if pd.api.types.is_complex_dtype(values.dtype):
        raise CaseDataError(f"column {name} is complex; give real numbers")
    if pd.api.types.is_float_dtype(values.dtype) and np.isinf(values.to_numpy(dtype=np.float64, na_value=np.nan)).any():
        raise CaseDataError(f"column {name} holds infinite values; give them as missing")


def _plain(value: Any) -> Any:
    """A numpy scalar as the Python value that JSON gives back."""
    return value.item() if isinstance(value, np.generic) else value
