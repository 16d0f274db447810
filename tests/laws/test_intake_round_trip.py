"""A register written as a Danish office would export it comes back through the border as the same register."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from risk.intake import intake
from risk.schema import FACT_KEYS
from risk.synthetic import synthesise
from risk.synthetic.danish import write_danish


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_written_in_danish_is_read_back_the_same(tmp_path: Path, seed: int) -> None:
    register, _ = synthesise(300, seed)
    write_danish(register, tmp_path)
    back = intake("danish_kmd", sorted(tmp_path.glob("*.csv")), key=b"k" * 32)
    assert back.report.n_rejected == 0
    assert back.register.extract_on == register.extract_on
    assert back.register.is_synthetic

    def plain(cases: pd.DataFrame) -> pd.DataFrame:
        return cases.drop(columns="person_key").sort_values("case_id", ignore_index=True)

    pd.testing.assert_frame_equal(plain(back.register.cases), plain(register.cases))
    keys = list(FACT_KEYS)
    pd.testing.assert_frame_equal(
        back.register.facts.sort_values(keys, ignore_index=True), register.facts.sort_values(keys, ignore_index=True)
    )
    # The pseudonym differs from the made-up id, but ties the same cases together.
    pairs = register.cases[["case_id", "person_key"]].merge(
        back.register.cases[["case_id", "person_key"]], on="case_id"
    )
    assert (
        pairs["person_key_x"].nunique()
        == pairs["person_key_y"].nunique()
        == len(pairs.drop_duplicates(["person_key_x", "person_key_y"]))
    )
