"""A few values for many rows in Arrow: the same as to write each row's own."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from serving.arrow_few import Few, ends_of

TEXT = pa.dictionary(pa.int32(), pa.string())
NOTE = pa.struct([("code", TEXT), ("known_on", pa.date32()), ("n", pa.int64())])
NOTES: list[Any] = [
    {"code": "late", "known_on": "2026-10-14", "n": 3}, None, {"code": "late", "known_on": None, "n": None},
    {"code": None, "known_on": "2026-10-15", "n": 0},
]  # fmt: skip


def as_read(value: Any) -> Any:
    """A value of JSON as Arrow gives it back."""
    if isinstance(value, dict):
        return {k: date.fromisoformat(v) if k == "known_on" and v else v for k, v in value.items()}
    return [as_read(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["high", "low", "high", None], TEXT),
        (["high", "low", "middle"], TEXT),
        (NOTES, NOTE),
        ([[], [NOTES[0]], [NOTES[2], NOTES[0], NOTES[3]]], pa.list_(NOTE)),
        ([["a", "b"], [], ["b"]], pa.list_(TEXT)),
    ],
)
@pytest.mark.parametrize("n", [0, 1, 50])
def test_values_that_many_rows_share_are_each_rows_own(values: list[Any], kind: pa.DataType, n: int) -> None:
    place = np.random.default_rng(n).integers(0, len(values), n)
    placed = Few(values, kind).placed(place)
    placed.validate(full=True)
    assert placed.type == kind
    assert placed.to_pylist() == [as_read(values[i]) for i in place]


def test_a_text_stands_once_in_a_dictionary_however_often_it_is_given() -> None:
    placed = Few(["late", None, "late", "early"], TEXT).placed(np.array([0, 1, 2, 3, 0]))
    assert placed.dictionary.to_pylist() == ["late", "early"]


def test_lists_end_where_the_next_ones_begin() -> None:
    assert ends_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
