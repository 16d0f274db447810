"""The boosted hazard: counts by band are the likelihood of all periods, and trees find what is there."""

import numpy as np
import pandas as pd

from models import catalogue
from models.boosting import Repeated, settle, split
from models.columns import Columns
from models.folds import holdouts
from models.hazard import choose_bands, count_by_band
from models.periods import baseline_log_hazard, choose_periods, watch
from models.rows import canonical_rows, outcome


def register(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    product = np.where(X["a"] * X["b"] > 0, 0.8, -0.8)  # an interaction that no sum of curves can show
    weeks = np.ceil(rng.exponential(30 * np.exp(product)) * 7) / 7
    seen = np.ceil(rng.uniform(5, 110, size=n) * 7) / 7
    return X, outcome(weeks <= seen, np.minimum(weeks, seen)), np.where(rng.random(n) < 0.5, 0.0, 4 + 3 / 7), weeks


def test_band_counts_hold_every_closing_and_all_expected_ones_once():
    X, y, entry, _ = register()
    rows = canonical_rows(Columns.of(X), X, y, entry)
    periods = choose_periods(rows, (8, 13, 22, 26, 52), 14)
    seen = watch(rows, periods)
    offset = baseline_log_hazard(rows, seen, periods)
    band = choose_bands(seen, 3)
    row, at, expected, closed = count_by_band(seen, offset, band)
    assert np.all(np.diff(band) >= 0)
    assert band[0] == 0
    assert band[-1] == 2
    assert closed.sum() == seen.closed.sum()
    np.testing.assert_allclose(expected.sum(), (seen.exposure @ np.exp(offset)).sum(), rtol=1e-12)
    assert len(row) == len(np.unique(row * 10 + at))
    np.testing.assert_allclose(expected.sum(), closed.sum(), rtol=0.01)  # the baseline expects what closed


def test_an_interaction_is_found_and_ranks_better_than_a_linear_hazard():
    X, y, entry, _ = register(4000)
    test, _, _, weeks = register(3000, seed=5)
    long = weeks > 52

    def brier(name):
        return np.mean((catalogue.make(name).fit(X, y, entry).survival(test, [52.0])[:, 0] - long) ** 2)

    assert brier("hazard") < brier("linear") - 0.01


def test_pure_noise_stops_early_and_stays_close_to_the_baseline():
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(800, 20))).rename(columns=str)
    y = outcome(np.ones(800, bool), np.ceil(rng.exponential(30, size=800)))
    learner = catalogue.make("hazard").fit(X, y)
    assert learner.n_trees_ < 60
    assert learner.survival(X, [52.0])[:, 0].std() < 0.08


def test_persons_are_never_split_between_holdouts():
    group = np.repeat(np.arange(100), 4)
    fold, held_out = holdouts(group, seed=0)
    parts = split(fold, held_out, np.ones(400, bool))
    assert len(parts) == 5
    for inside, outside in parts.values():
        assert not set(group[inside]) & set(group[outside])
        assert len(inside) + len(outside) == 400


def test_a_fold_with_the_only_closing_is_not_held_out():
    fold = np.array([0, 0, 1, 1, 2, 2])
    assert list(split(fold, range(4), np.arange(6) == 3)) == [0, 2]


def test_repeated_rows_are_read_as_if_they_had_been_written_out():
    matrix, rows, band = np.arange(12.0).reshape(6, 2), np.array([5, 0, 5, 3]), np.array([1, 2, 3, 4], dtype=np.int16)
    entry = np.linspace(0.0, 1.0, 6)
    whole = np.column_stack([matrix[rows], entry[rows], band])
    lazy = Repeated(matrix, rows, entry, band)
    assert len(lazy) == 4
    np.testing.assert_array_equal(lazy[1:3], whole[1:3])
    np.testing.assert_array_equal(lazy[2], whole[2])
    np.testing.assert_array_equal(lazy[[3, 0]], whole[[3, 0]])


def test_scores_spread_too_widely_are_drawn_in():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=20_000)
    closed = rng.poisson(np.exp(0.5 * truth - 1.0)).astype(float)
    level, slope = settle(truth, np.full(20_000, -1.0), closed, np.ones(20_000), np.exp)
    assert abs(slope - 0.5) < 0.05
    assert abs(level) < 0.05


def test_a_refit_on_a_part_keeps_trees_and_shrinkage():
    X, y, entry, _ = register()
    learner = catalogue.make("hazard").fit(X, y, entry)
    rows = canonical_rows(learner.columns_, X, y, entry)
    part = learner.refitted(rows.take(np.arange(len(rows)) % 3 > 0))
    assert (part.n_trees_, part.slope_) == (learner.n_trees_, learner.slope_)
    assert learner.get_params()["patience"] == 20
    p, q = learner.survival(X, [52.0], entry)[:, 0], part.survival(X, [52.0], entry)[:, 0]
    assert 0.6 < np.corrcoef(p, q)[0, 1] < 1.0
