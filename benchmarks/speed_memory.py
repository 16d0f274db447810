"""How much more memory a process needs to fit the hazard learner than to hold its table. Run in a process of its own."""

from __future__ import annotations

import json
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
    from benchmarks.memory import peak, resident, start_anew
    from benchmarks.speed_rows import make_rows
    from models import catalogue

    small = make_rows(500, columns, seed=0)
    catalogue.make("hazard", n_estimators=2, patience=0).fit(small.X, small.y, small.entry)
    made = make_rows(n, columns, seed=1)
    before = resident()
    # What making the rows took at its peak must not hide what fitting takes: start the high-water mark anew.
    start_anew()
    catalogue.make("hazard", n_estimators=trees, patience=0).fit(made.X, made.y, made.entry)
    print(json.dumps({"grown": max(peak() - before, 0), "matrix": n * columns * 8}))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:4]))
