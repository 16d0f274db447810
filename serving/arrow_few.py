"""A few values for many rows as Arrow arrays: each value is laid down once, and the rows only say which is theirs.

To take values of many parts from an array of them costs far more than to say it for each part by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from risk.distinct import Ints


class Few:
    """Values of one Arrow type, ready to be placed.

    Parameters
    ----------
    values : as JSON has them
    kind : of each; texts are dictionary-encoded
    """

    def __init__(self, values: Sequence[Any], kind: pa.DataType) -> None:
        self._kind = kind
        none = np.array([v is None for v in values], dtype=np.bool_)
        self._none = none if none.any() else None
        self._table: npt.NDArray[np.int32] | None = None
        if pa.types.is_struct(kind):
            self._parts = [Few([None if v is None else v[f.name] for v in values], f.type) for f in kind]
        elif pa.types.is_list(kind):
            self._sizes = np.array([len(v or ()) for v in values], dtype=np.int64)
            self._starts = np.cumsum(self._sizes) - self._sizes
            self._inner = Few([one for v in values for one in v or ()], kind.value_type)
        elif pa.types.is_dictionary(kind):
            once = {text: i for i, text in enumerate(dict.fromkeys(v for v in values if v is not None))}
            self._whole = pa.array(list(once), kind.value_type)
            if len(once) < len(values):
                self._table = np.array([once.get(text, 0) for text in values], dtype=np.int32)
        else:
            if pa.types.is_date(kind):
                values = [None if v is None else date.fromisoformat(v) for v in values]
            self._whole = pa.array(values, kind)

    def placed(self, place: Ints) -> pa.Array:
        """``values[place]``."""
        return self._placed(place, pa.array(place.astype(np.int32)))

    def _placed(self, place: Ints, index: pa.Array) -> pa.Array:
        """
        Parameters
        ----------
        index : ``place`` again, shared by all parts that need no other
        """
        kind, mask = self._kind, None if self._none is None else self._none[place]
        if pa.types.is_struct(kind):
            parts = [part._placed(place, index) for part in self._parts]
            return pa.StructArray.from_arrays(parts, fields=list(kind), mask=None if mask is None else pa.array(mask))
        if pa.types.is_list(kind):
            many = self._sizes[place]
            ends = ends_of(many)
            inside = np.repeat(self._starts[place] - ends[:-1], many) + np.arange(ends[-1])
            return pa.ListArray.from_arrays(pa.array(ends), self._inner.placed(inside), type=kind)
        if not pa.types.is_dictionary(kind):
            return self._whole.take(index)
        if self._table is not None or mask is not None:
            index = pa.array((place if self._table is None else self._table[place]).astype(np.int32), mask=mask)
        # Not safe from places beyond the texts: there are none, and to look again at every row costs as much as laying it down.
        return pa.DictionaryArray.from_arrays(index, self._whole, safe=False)


def ends_of(sizes: Ints) -> npt.NDArray[np.int32]:
    """Where lists of these sizes begin and end."""
    ends = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=ends[1:])
    return ends
