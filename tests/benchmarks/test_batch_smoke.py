"""The batch benchmark runs at toy sizes; that every row was scored is asserted, never how fast."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks import batch


def test_the_smoke_run_scores_every_case_with_each_learner_and_writes_the_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(batch.main, ["--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "batch.json").read_text("utf-8"))
    assert [m["name"] for m in found] == ["bare", "additive", "direct", "direct, 300 x 31"]
    assert all(m["rows"] == 500 and m["cpu_seconds"] > 0 and m["peak_mib"] > 10 for m in found)


def test_a_ratio_is_that_of_the_medians() -> None:
    found = [batch.Measured("bare", r, cpu, 2 * cpu, 100.0, 9) for r, cpu in enumerate((9.0, 10.0, 99.0))]
    found += [batch.Measured("additive", r, cpu, cpu, 300.0, 9) for r, cpu in enumerate((4.0, 1.0, 5.0))]
    [line] = [line for line in batch.page(found, "").splitlines() if line.startswith("| additive |")]
    # 4 of 10 seconds of CPU, 4 of 20 on the wall
    assert line == "| additive | 9 | 4.00 | 4.00 | 300 | 0.40 | 0.20 |"
