"""What a benchmark ran on, said in one line."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def describe() -> str:
    """Processor, cores, memory and how busy it is."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB{busy}"


def command(module: str) -> str:
    """The command line that is running, without where it wrote and what it read back: those are this machine's affair."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in ("--out", "--cache"):
            next(words, None)
        elif not word.startswith(("--out=", "--cache=", "--report-only")):
            kept.append(word)
    return " ".join(["python -m", module, *kept])
