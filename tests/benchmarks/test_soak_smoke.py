"""The soak runs for seconds and measures what it says; what it found is asserted nowhere, for a busy machine is another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import soak


def test_the_smoke_run_keeps_a_service_under_load_and_writes_what_it_held(tmp_path: Path) -> None:
    done = CliRunner().invoke(soak.main, ["--minutes", "0.05", "--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "soak.md").read_text("utf-8")
    assert "x 200." in text, "every request was answered with 200"
    assert "| memory, MB | " in text
    assert "| open files | " in text


def test_a_slope_is_that_of_the_line_and_its_interval_holds_it() -> None:
    """600 s at 3 MB an hour with noise of 0.01 MB, by hand: 3 within the interval, and no wider than 1 MB."""
    rng = np.random.default_rng(1)
    seconds = np.arange(600.0)
    found = soak.slope(seconds, 100 + 3 * seconds / 3600 + rng.normal(0, 0.01, 600))
    assert found.low < 3 < found.high
    assert found.high - found.low < 1
    straight = soak.slope(seconds, 100 - 2 * seconds / 3600)
    assert straight.per_hour == pytest.approx(-2, abs=1e-9)
