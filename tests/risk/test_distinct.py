"""Which numbers occur is found alike with and without sorting."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from risk.distinct import distinct


@given(st.lists(st.integers(0, 50), max_size=40), st.sampled_from([51, 1000, 10**9]))
def test_what_is_marked_is_what_would_be_sorted_out(numbers: list[int], limit: int) -> None:
    codes = np.array(numbers, dtype=np.int64)
    used, place = distinct(codes, limit)
    assert used.tolist() == sorted(set(numbers))
    assert used[place].tolist() == numbers
