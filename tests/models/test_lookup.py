"""Bins without a search: always the bins a search would find."""

import numpy as np
import pytest

from models.lookup import Lookup, Work, sum_parts, take_parts


def searched(cuts, x):
    return np.where(np.isnan(x), len(cuts) + 1, np.searchsorted(cuts, x, side="left"))


def beside(cuts, rng, n=4000):
    """Numbers on, beside, between and far from the cuts, and missing ones."""
    on = rng.choice(cuts, n) if len(cuts) else rng.normal(size=n)
    x = np.where(rng.random(n) < 0.5, on, on + rng.normal(size=n) * np.abs(on).clip(1e-9, 1e300))
    x[::5], x[1::5] = np.nextafter(on, np.inf)[::5], np.nextafter(on, -np.inf)[1::5]
    x[::17], x[::19], x[::23] = np.nan, 1e300, -1e300
    return x


CUTS = {
    "normal": lambda rng: np.sort(rng.normal(size=62)),
    "evenly spread": lambda _: np.arange(0.5, 12),
    "one": lambda _: np.array([0.3]),
    "none": lambda _: np.zeros(0),
    "two": lambda _: np.array([-1.0, 1e-9]),
    "far apart": lambda rng: np.sort(np.exp(rng.normal(0, 8, 60))),
    "close together": lambda _: 1e6 + np.arange(40) * 1e-9,
    "neighbours": lambda _: np.array([1.0, np.nextafter(1.0, 2), 5.0]),
    "huge": lambda _: np.array([-1e308, 0.0, 1e308]),
    "tiny": lambda _: np.array([-5e-324, 0.0, 5e-324]),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("seed", range(5))
def test_every_number_lies_in_the_bin_a_search_finds(name, seed):
    rng = np.random.default_rng(seed)
    cuts = CUTS[name](rng)
    x = beside(cuts, rng)
    with np.errstate(over="ignore"):
        found = Lookup.of(cuts).bins(x, Work(len(x)))
    np.testing.assert_array_equal(found, searched(cuts, x))


def test_ordinary_cuts_are_looked_up_and_crowded_ones_searched():
    rng = np.random.default_rng(0)
    assert Lookup.of(CUTS["normal"](rng)).scale > 0
    assert Lookup.of(CUTS["far apart"](rng)).scale == 0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows_at_once", [64, 1000, 5000])
def test_parts_are_taken_and_summed_from_the_row_of_the_group_and_the_column_of_the_bin(order, rows_at_once):
    rng = np.random.default_rng(3)
    cuts = [CUTS[name](rng) for name in ("normal", "one", "none", "far apart")]
    values = [rng.integers(-(2**40), 2**40, (4, len(c) + 2)) * 2.0**-36 for c in cuts]  # their sums are exact
    matrix = np.array(np.column_stack([beside(c, rng, 3001) for c in cuts]), order=order)
    group = rng.integers(0, 4, 3001)
    found = take_parts([Lookup.of(c) for c in cuts], values, matrix, group, rows_at_once)
    for j, c in enumerate(cuts):
        np.testing.assert_array_equal(found[:, j], values[j][group, searched(c, matrix[:, j])])
    summed = sum_parts([Lookup.of(c) for c in cuts], values, matrix, group, rows_at_once)
    np.testing.assert_array_equal(summed, found.sum(axis=1))
