"""How much more memory a process needs to fit the hazard learner than to hold its table. Run in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path


def fit_memory(n: int, columns: int, trees: int) -> tuple[int, int]:
    """Bytes by which a fresh process grows at its peak while fitting, and bytes of the feature matrix as floats.

    Raises
    ------
    subprocess.CalledProcessError
        When the child fails.
    """
    command = [sys.executable, "-m", "benchmarks.speed_memory", str(n), str(columns), str(trees)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    answer = json.loads(done.stdout)
    return int(answer["grown"]), int(answer["matrix"])


def main(n: int, columns: int, trees: int) -> None:
    """Fit a small one first, so that libraries are loaded; then the real one."""
    from benchmarks.speed_rows import make_rows
    from models import catalogue

    small = make_rows(500, columns, seed=0)
    catalogue.make("hazard", n_estimators=2, patience=0).fit(small.X, small.y, small.entry)
    made = make_rows(n, columns, seed=1)
    before = _resident()
    # What making the rows took at its peak must not hide what fitting takes: start the high-water mark anew.
    Path("/proc/self/clear_refs").write_text("5")
    catalogue.make("hazard", n_estimators=trees, patience=0).fit(made.X, made.y, made.entry)
    print(json.dumps({"grown": max(_peak() - before, 0), "matrix": n * columns * 8}))


def _resident() -> int:
    """Bytes in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    """Most bytes in memory since the mark was set anew."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:4]))
