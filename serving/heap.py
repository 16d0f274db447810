"""How the C library keeps the memory that a request, or one part of a file, has used."""

from __future__ import annotations

import ctypes

# From malloc.h of the GNU C library, and the most it takes as a threshold (mallopt(3)).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST = 32 << 20


def keep_memory() -> bool:
    """Keep what a large request has used for the next one, instead of giving it back and asking for it page by page.

    A request of 1,000 cases takes some megabytes for a few milliseconds, a part of a register a few dozen. Given back each
    time, about a tenth of the work goes into the system clearing the same pages again. Kept is at most what the largest
    requests at one time have needed.

    Returns
    -------
    bool
        Whether this C library can do that; another one is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not the GNU C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _MOST)) and bool(mallopt(_TRIM_THRESHOLD, 2 * _MOST))
