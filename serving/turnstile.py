"""Counts who asks how often: fixed windows, held in memory, each of a caller's own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from limits import RateLimitItem

MOST_KNOWN = 10_000


class Turnstile:
    """Lets so many through in each window of time; a request costs one look-up and no thread.

    Parameters
    ----------
    clock : seconds that never run backwards
    """

    def __init__(self, rate: RateLimitItem, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = rate.amount, rate.get_expiry(), clock
        self._windows: dict[str, tuple[float, int]] = {}

    def seconds_to_wait(self, who: str) -> int:
        """Count one more of ``who``; 0, or the seconds until the next one is welcome."""
        now = self._clock()
        ends_at, n = self._windows.get(who, (0.0, 0))
        if ends_at <= now:
            if len(self._windows) >= MOST_KNOWN:
                self._forget(now)
            ends_at, n = now + self._seconds, 0
        if n >= self._most:
            return max(1, math.ceil(ends_at - now))
        self._windows[who] = ends_at, n + 1
        return 0

    def _forget(self, now: float) -> None:
        """Windows that are over; of too many that are not, the oldest half, so that memory stays bounded."""
        self._windows = {who: window for who, window in self._windows.items() if window[0] > now}
        for who in list(self._windows)[: max(0, len(self._windows) - MOST_KNOWN // 2)]:
            del self._windows[who]
