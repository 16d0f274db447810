"""A few rows go another way through the arithmetic than many; both ways give the same bits."""

import numpy as np
import pandas as pd
import pytest

from models import catalogue
from models.arrays import FEW_ROWS
from models.design import Design, Levels, Number
from models.periods import Periods, period_weights, survival_at
from models.rows import outcome

N = 3 * FEW_ROWS


def in_parts(size, *arrays):
    return [[a[i : i + size] for a in arrays] for i in range(0, len(arrays[0]), size)]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def some_design():
    return Design(
        (
            Number(0, -1.0, 2.0, 0.3, 0.7, ((-0.4, 0.21, 0.6, 0.3), (0.5, 0.1, 0.2, 0.4)), 0.2),
            Levels(1, (-1, 0, 2), (0.1, 0.5, 0.4)),
            Number(3, 0.0, 1.0, 0.4, 0.5, (), 0.0),
            Levels(4, (0, 1), (0.3, 0.7)),
            Number(2, 5.0, 5.0, 5.0, 1.0, (), 0.5),
        )
    )


def some_rows(rng):
    """Numbers within and beyond what was seen, and levels seen, unseen and beyond the table; a fifth is missing."""
    rows = np.column_stack([rng.normal(0, 3, (N, 1)), rng.integers(0, 6, (N, 1)), rng.normal(5, 1, (N, 1)),
                            rng.random((N, 1)), rng.integers(0, 4, (N, 1))])  # fmt: skip
    rows[rng.random(rows.shape) < 0.2] = np.nan
    return np.asfortranarray(rows)


@pytest.mark.parametrize("size", [1, 2, FEW_ROWS])
def test_terms_of_few_rows_have_the_bits_of_terms_of_many(rng, size):
    design, rows = some_design(), some_rows(rng)
    many = design.terms(rows)
    for i, [few] in enumerate(in_parts(size, rows)):
        np.testing.assert_array_equal(design.terms(few), many[i * size : (i + 1) * size])


@pytest.mark.parametrize("parts", [some_design().parts[:1], some_design().parts[1:2], ()])
def test_a_design_may_lack_numbers_or_levels_or_both(rng, parts):
    design, rows = Design(parts), some_rows(rng)
    np.testing.assert_array_equal(design.terms(rows[:5]), design.terms(rows)[:5])


@pytest.mark.parametrize("n_periods", [1, 7, 14, 40])
@pytest.mark.parametrize("size", [1, FEW_ROWS])
def test_curves_and_weights_of_periods_have_the_same_bits(rng, n_periods, size):
    periods = Periods(np.linspace(0.0, 80.0, n_periods + 1))
    eta, entry, weeks = rng.normal(-3, 1, (N, n_periods)), rng.uniform(0, 60, N), np.array([13.0, 52.0, 8.0, 104.0])
    start = eta + rng.normal(0, 0.5, eta.shape)
    exposure = periods.exposure(entry, np.full(N, 78.0))
    curves, weights = survival_at(eta, periods, weeks, entry), period_weights(eta, start, exposure)
    at = 0
    for few_eta, few_start, few_entry, few_exposure in in_parts(size, eta, start, entry, exposure):
        here = slice(at, at + len(few_eta))
        np.testing.assert_array_equal(survival_at(few_eta, periods, weeks, few_entry), curves[here])
        np.testing.assert_array_equal(period_weights(few_eta, few_start, few_exposure), weights[here])
        at += size


@pytest.mark.parametrize("name", ["linear", "additive"])
def test_a_learner_tells_one_case_and_many_the_same_bits(rng, name):
    X = pd.DataFrame({"a": rng.normal(size=400), "b": pd.Categorical.from_codes(rng.integers(0, 3, 400), list("xyz"))})
    weeks = np.ceil(rng.exponential(40 * np.exp(0.5 * X["a"].to_numpy())) * 7) / 7
    entry = np.where(rng.random(400) < 0.5, 0.0, np.floor(rng.uniform(0, 20, 400)))
    given = {"penalties": (10.0,), "ratios": ()} if name == "linear" else {"n_estimators": 20, "patience": 0}
    learner = catalogue.make(name, **given).fit(X, outcome(weeks <= 90, np.minimum(weeks, 90)), entry)
    matrix = learner.columns_.encode(X)[:N]
    curves = learner.survival_encoded(matrix, [8.0, 26.0, 52.0], entry[:N])
    parts, base = learner.contributions_encoded(matrix, 52.0, entry[:N])
    for ages in (entry[:N], entry[:N] + 52.0 * (np.arange(N) % 5 == 0)):  # all at risk; some past the week asked about
        together = learner.survival_and_parts(matrix, np.array([8.0, 26.0, 52.0]), 52.0, ages)
        np.testing.assert_array_equal(together[0], learner.survival_encoded(matrix, [8.0, 26.0, 52.0], ages))
        np.testing.assert_array_equal(together[1], learner.contributions_encoded(matrix, 52.0, ages)[0])
    for i in range(N):
        row, weeks_open = matrix[i : i + 1], entry[i : i + 1]
        np.testing.assert_array_equal(learner.survival_encoded(row, [8.0, 26.0, 52.0], weeks_open)[0], curves[i])
        one, one_base = learner.contributions_encoded(row, 52.0, weeks_open)
        np.testing.assert_array_equal(one[0], parts[i])
        assert one_base[0] == base[i]
