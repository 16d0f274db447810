"""The serving benchmark runs at toy sizes; that every server answered is asserted, never how fast."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks import serving


def test_the_smoke_run_asks_floor_and_service_and_writes_the_table(tmp_path: Path) -> None:
    """Without MLflow's server, which takes half a minute to start."""
    done = CliRunner().invoke(serving.main, ["--smoke", "--no-peer", "--learner", "linear", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "serving.json").read_text("utf-8"))["linear"]
    assert {s["server"] for s in found} == {
        "floor", "ours", "floor, batch of 20", "ours, batch of 20", "ours, Arrow batch of 20",
        "ours, Arrow batch of 40", "least, batch of 20", "least, Arrow batch of 20", "least, Arrow batch of 40",
    }  # fmt: skip
    assert all(s["requests"] >= 1 and s["p99_ms"] >= s["p50_ms"] > 0 for s in found)
    page = (tmp_path / "serving.md").read_text("utf-8")
    assert all(f"| {s['server']} |" in page for s in found)


def test_a_ratio_is_that_of_the_medians() -> None:
    def served(server: str, requests: int, cpu: float) -> serving.Served:
        return serving.Served(server, 0, requests, 1.0, cpu, 1.0, 2.0)

    tables = {"additive": [served("floor", 1000, 0.5), served("ours", 500, 0.5), served("mlflow", 10, 0.5)]}
    [ours] = [line for line in serving.page(tables, "").splitlines() if line.startswith("| ours |")]
    # 500 of 1000 per second; 1000 us of 500 us; 2 ms of 1 ms; 500 of 10 rows per second; 50,000 us of 1000 us
    assert ours == "| ours | 500.0 | 500 | 1,000.0 | 1.0 | 2.0 | 0.50 | 2.00 | 2.0 | 50.0 | 50.0 |"
