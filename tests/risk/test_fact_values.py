"""Texts of facts as numbers, remembered and forgotten: always what reading each by itself gives."""

import numpy as np
import pandas as pd
import pytest

from risk import arrow, schema
from risk.arrow import FactValues

NAMES = ["expected_recovery", "partial_return_hours", "is_job_adapted"]


@pytest.mark.parametrize("most", [3, 10_000])
def test_a_text_says_the_same_of_every_fact_however_many_were_read_before(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(arrow, "MOST_REMEMBERED", most)
    rng = np.random.default_rng(1)
    known = ["under_8w", "over_26w", "true", "false", "12.5", "0", "-1", "1e9", "nonsense", "", "TRUE", "7", "8", "9"]
    values = FactValues(NAMES)
    for _ in range(50):
        texts = rng.choice(known, rng.integers(0, 6)).tolist()  # some twice, as slices of a register have them
        alone = [schema.fact_numbers(schema.fact_attributes()[n], pd.Series(texts, dtype=object)) for n in NAMES]
        np.testing.assert_array_equal(values.table(texts), np.array(alone).reshape(3, -1))


def test_a_text_that_is_not_there_says_nothing() -> None:
    assert np.isnan(FactValues(NAMES).table([None])).all()
