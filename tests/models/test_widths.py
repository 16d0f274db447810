"""The width between two knots is that of the whole quadratic form, and a handful of rows has the bits of many."""

from __future__ import annotations

import numpy as np
import pytest

from models.widths import Widths

FARTHEST, Z = 13.0, 1.645


def hats(numbers, knots):
    """Shares of the knots, one column of linear interpolation each."""
    return np.column_stack([np.interp(numbers, knots, unit) for unit in np.eye(len(knots))])


def drawn(seed, n_knots, n_scores, n_kinds):
    """The attributes of a calibrator: knots, lines, centre, covariance, misfit, and the spread of single cases."""
    draw = np.random.default_rng(seed)
    knots, root = np.sort(draw.uniform(0, 40, n_knots)), draw.normal(0, 0.3, (2 * n_knots, 2 * n_knots))
    lines = draw.normal(0, 0.5, n_knots), draw.uniform(0.4, 1.6, n_knots)
    spread = draw.uniform(0, 0.3, (n_kinds, n_knots * n_scores))
    return knots, lines, -0.4, root @ root.T, 0.11, np.sort(draw.normal(0, 2, n_scores)), spread, FARTHEST


def rows(knots, seed=3, n=400):
    draw = np.random.default_rng(seed)
    start = np.concatenate([draw.uniform(0, 60, n), knots, [0.0, 60.0]])
    return draw.normal(0, 4, len(start)), start


@pytest.mark.parametrize("n_knots", [1, 2, 7])
@pytest.mark.parametrize(("n_scores", "n_kinds"), [(0, 0), (1, 1), (5, 1), (4, 3)])
def test_the_width_is_that_of_the_quadratic_form(n_knots, n_scores, n_kinds):
    knots, lines, center, covariance, misfit, spread_at, spread, _ = given = drawn(1, n_knots, n_scores, n_kinds)
    eta, start = rows(knots)
    age = hats(start, knots)
    slope = age @ lines[1]
    x = np.clip((eta - age @ lines[0]) / slope, -FARTHEST, FARTHEST)
    Z_of = np.hstack([age, age * (x - center)[:, None]])
    variance = np.einsum("ij,jk,ik->i", Z_of, covariance, Z_of) + misfit**2
    if n_kinds:
        terms = np.einsum("ia,ib->iab", age, hats(x, spread_at)).reshape(len(x), -1)
        kinds = terms @ spread.T
        variance += slope**2 * (kinds.max(axis=1) + kinds.sum(axis=1)) / 2
    low, high = Widths(*given).ends(eta, start, Z)
    np.testing.assert_allclose(high - eta, Z * np.sqrt(variance), rtol=1e-9)
    np.testing.assert_allclose(eta - low, Z * np.sqrt(variance), rtol=1e-9)


@pytest.mark.parametrize("n_knots", [1, 2, 7])
@pytest.mark.parametrize(("n_scores", "n_kinds"), [(0, 0), (1, 1), (5, 2)])
def test_a_handful_of_rows_has_the_bits_of_many(n_knots, n_scores, n_kinds):
    for seed in range(20):
        given = drawn(seed, n_knots, n_scores, n_kinds)
        eta, start = rows(given[0], seed)
        eta[:4] = np.inf, -np.inf, 300.0, np.nan
        widths = Widths(*given)
        many, few = widths.ends(eta, start, Z), widths.ends_of_few(eta.tolist(), start.tolist(), Z)
        np.testing.assert_array_equal(many, few)
