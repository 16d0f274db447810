"""Random digits: many, of one shape, and never twice, from several threads too."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from serving.store.drawn import random_digits


def test_digits_are_drawn_once_whoever_asks() -> None:
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: random_digits(), range(5_000)))
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch("[0-9a-f]{32}", digits) for digits in drawn)
