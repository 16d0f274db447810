"""From Arrow columns to the numbers of a snapshot: the same codes as :func:`risk.encoded.encode`, without pandas.

Text columns are read as dictionaries, so a level is looked up once per batch and not once per row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from risk import schema
from risk.errors import CaseDataError
from risk.schema import Attribute
from risk.weeks import Dates, Floats

Bools = npt.NDArray[np.bool_]
# Distinct texts remembered per fact; beyond it they are numbers that hardly repeat, and remembering them gains nothing.
MOST_REMEMBERED = 10_000


def values_of(column: pa.Array, attribute: Attribute, name: str) -> tuple[Floats, Bools]:
    """Values of an attribute as a snapshot holds them, (n,), nan where there is none; and which are not allowed, (n,).

    Raises
    ------
    CaseDataError
        When the column is of a type that cannot hold the attribute.
    """
    kind, unfit = attribute.kind, pa.types.is_null(column.type)
    if unfit:
        return np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_)
    if kind == "category" and is_text(column.type):
        return _levels(column, attribute)
    if kind == "flag" and pa.types.is_boolean(column.type):
        return _floats(column), np.zeros(len(column), dtype=np.bool_)
    if kind == "number" and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        values = _floats(column)
        # Compared so that nan is neither below nor above; infinity lies outside every range.
        return values, (values < attribute.low) | (values > attribute.high) | np.isinf(values)
    wanted = {"category": "text", "flag": "true or false", "number": "numbers"}[kind]
    raise CaseDataError(f"{name} is of type {column.type}; it must hold {wanted}")


def days_of(column: pa.Array, name: str) -> Dates:
    """Dates as ``datetime64[D]``, (n,), NaT where there is none.

    Raises
    ------
    CaseDataError
        When the column holds no dates.
    """
    return moments_of(column, name).astype("datetime64[D]")


def moments_of(column: pa.Array, name: str) -> npt.NDArray[np.datetime64]:
    """Dates in the unit they are kept in, (n,), NaT where there is none: to turn them into days costs more than reading them.

    Raises
    ------
    CaseDataError
        When the column holds no dates.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.datetime64("NaT", "D"))
    if not (pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)):
        raise CaseDataError(f"{name} is of type {kind}; it must hold dates")
    found: npt.NDArray[np.datetime64] = column.to_numpy(zero_copy_only=False)
    return found


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, as a dictionary or as it is."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def as_dictionary(column: pa.Array) -> tuple[npt.NDArray[np.int64], list[str | None]]:
    """Positions in the distinct texts of a column, (n,), -1 where there is none; and the texts."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices
    if codes.null_count:
        codes = codes.fill_null(-1)
    return codes.to_numpy(zero_copy_only=False).astype(np.int64, copy=False), column.dictionary.to_pylist()


def _floats(column: pa.Array) -> Floats:
    """Numbers and flags as float64; what is missing is nan."""
    column = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
    found: Floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def _levels(column: pa.Array, attribute: Attribute) -> tuple[Floats, Bools]:
    codes, texts = as_dictionary(column)
    place = {level: float(i) for i, level in enumerate(attribute.levels)}
    # The last entry answers code -1, which is missing.
    table = np.array([*(place.get(t, np.nan) if t is not None else np.nan for t in texts), np.nan])
    strange = np.array([*(t is not None and t not in place for t in texts), False], dtype=np.bool_)
    return table[codes], strange[codes]


class FactValues:
    """Texts of facts as numbers: each text is read once, for every fact (:func:`risk.schema.fact_numbers`).

    Parameters
    ----------
    names : the facts
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._facts = [schema.fact_attributes()[name] for name in names]
        self._forget()

    def _forget(self) -> None:
        self._place: dict[str | None, int] = {None: 0}
        self._numbers = np.full((len(self._facts), 1), np.nan)

    def table(self, texts: Sequence[str | None]) -> Floats:
        """What each text says of each fact, (names, n): a level's position, 0/1 or the number; nan where it is not allowed."""
        if not self._place.keys() >= set(texts):
            if len(self._place) > MOST_REMEMBERED:
                self._forget()
            fresh = [t for t in dict.fromkeys(texts) if t not in self._place]
            series = pd.Series(fresh, dtype=object)
            read = np.array([schema.fact_numbers(fact, series) for fact in self._facts])
            self._place.update(zip(fresh, range(len(self._place), len(self._place) + len(fresh)), strict=True))
            self._numbers = np.concatenate([self._numbers, read.reshape(len(self._facts), -1)], axis=1)
        found: Floats = self._numbers[:, [self._place[t] for t in texts]]
        return found


def marks_of(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """A number per text, (n,): equal texts have equal numbers, and two that differ have one by a chance of 2^-64.

    Texts are padded to one length and mixed eight bytes at a time, for all rows at once.
    """
    if pa.types.is_dictionary(ids.type):
        codes, _ = ids.indices.to_numpy(zero_copy_only=False), None
        return marks_of(ids.dictionary)[codes]
    texts = ids.cast(pa.large_binary())
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.uint64)
    width = -(-max(int(lengths.max(initial=1)), 1) // 8) * 8
    block = np.zeros((len(texts), width), dtype=np.uint8)
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    inside = np.arange(width) < lengths[:, None]
    block[inside] = data[offsets[0] : offsets[-1]]
    mixed = lengths * np.uint64(0x9E3779B97F4A7C15)
    for word in block.view(np.uint64).T:
        mixed = (mixed ^ word) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        mixed = mixed * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    return mixed
