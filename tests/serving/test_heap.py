"""What a request has used is kept for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A thread of its own, as a request of many cases has; more in all than a few times its largest piece, which is where the
# library gives back by itself.
USED_AGAIN = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from serving.heap import keep_memory

def request():
    held = [b"x" * 1_000_000 for _ in range(15)]
    return len(held)

with ThreadPoolExecutor(1) as pool:
    if "keep" in sys.argv:
        assert keep_memory()
    for _ in range(5):
        pool.submit(request).result()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        pool.submit(request).result()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_memory_used_by_one_request_is_not_asked_for_again_by_the_next() -> None:
    asked = {
        how: int(
            subprocess.run([sys.executable, "-c", USED_AGAIN, how], capture_output=True, text=True, check=True).stdout
        )
        for how in ("keep", "give back")
    }
    assert asked["keep"] < 200 < asked["give back"]
