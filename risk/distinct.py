"""Which whole numbers occur, and where: without sorting, when they are small."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
# Marking numbers up to a limit costs less than sorting as long as the limit is at most so many times what is marked.
_TIMES = 32


def distinct(codes: Ints, limit: int) -> tuple[Ints, Ints]:
    """The different numbers among ``codes``, rising, and the place of each code among them.

    Parameters
    ----------
    codes : (n,)
        From 0 up to below ``limit``.

    Returns
    -------
    used : (k,)
    place : (n,)
        ``used[place]`` are the codes.

    >>> distinct(np.array([7, 2, 7]), 9)
    (array([2, 7]), array([1, 0, 1]))
    """
    if limit > _TIMES * len(codes) + 1024:
        used, place = np.unique(codes, return_inverse=True)
        return used.astype(np.int64), place.astype(np.int64)
    occurs = np.zeros(limit, dtype=np.bool_)
    occurs[codes] = True
    used = np.flatnonzero(occurs)
    place = np.empty(limit, dtype=np.int64)
    place[used] = np.arange(len(used))
    return used, place[codes]
