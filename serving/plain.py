"""Which cases are plainly right: checks of many at once, the same for JSON and Arrow. They only tell plain from odd.

A case is plain when nothing would be said of it. Whatever is not plain, for whatever reason, is read by
:func:`serving.rows.read_row`, which alone has words for what is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from risk.intake.pseudonym import CPR_DIGITS, looks_like_cpr
from risk.snapshot import Told
from risk.weeks import Dates
from serving.messages import CASE_ID_PATTERN, FIRST_DAY, LAST_DAY, LONGEST_CASE_ID, Row
from serving.rows import refuse_repeated

Bools = npt.NDArray[np.bool_]
_CASE_ID = re.compile(CASE_ID_PATTERN)
# Hardly ever is there an odd one, and one look at all of them costs less than one at each.
_CASE_IDS = re.compile(rf"(?:{CASE_ID_PATTERN.strip('^$*')}{{0,{LONGEST_CASE_ID - 1}}}+(?:\n|$))*+")


def odd_ids(ids: Sequence[Any]) -> Bools:
    """Those that are no plain case id, (n,)."""
    lines = "\n".join(ids) if set(map(type, ids)) <= {str} else ""
    if lines[-1:].strip() and lines.count("\n") == len(ids) - 1 and _CASE_IDS.fullmatch(lines):
        if not _could_hold_a_cpr(lines):
            return np.zeros(len(ids), dtype=np.bool_)
        odd = [False] * len(ids)
    else:
        odd = [type(i) is not str or _CASE_ID.fullmatch(i) is None or len(i) > LONGEST_CASE_ID for i in ids]
    fit = [i for i, is_odd in zip(ids, odd, strict=True) if not is_odd]
    if looks_like_cpr("x".join(fit)):
        odd = [is_odd or looks_like_cpr(i) for i, is_odd in zip(ids, odd, strict=True)]
    return np.array(odd, dtype=np.bool_)


def _could_hold_a_cpr(lines: str) -> bool:
    """Whether some line of a text in ASCII has as many digits as the shortest CPR number: counted at a tenth of a search."""
    letters = np.frombuffer(lines.encode(), dtype=np.uint8)
    n_before = np.cumsum(letters - np.uint8(ord("0")) < 10)
    ends = n_before[np.flatnonzero(letters == ord("\n"))]
    return bool(np.diff(ends, prepend=0, append=n_before[-1:]).max() >= CPR_DIGITS)


def odd_days(opened_on: Dates, registered_on: Dates, as_of: date) -> Bools:
    """Those whose days are missing or cannot be true, (n,)."""
    odd = (registered_on < opened_on) | (registered_on >= np.datetime64(as_of, "D"))
    for days in (opened_on, registered_on):
        odd |= ~((days >= np.datetime64(FIRST_DAY, "D")) & (days <= np.datetime64(LAST_DAY, "D")))
    return odd


def odd_facts(told: Told, registered_on: Dates, as_of: date) -> Bools:
    """The cases of facts that are not plain, (n,): nan is no value, and some days are worth saying."""
    # A day nobody could have recorded, one that is not used, and one before registration.
    bad = np.isnan(told.value) | ~(told.known_on >= np.datetime64(FIRST_DAY, "D"))
    bad |= ~(told.known_on < np.datetime64(as_of, "D")) | (told.known_on < registered_on[told.row])
    odd = np.zeros(len(registered_on), dtype=np.bool_)
    odd[told.row[bad]] = True
    return odd


def odd_rows(ids: Sequence[str | None], is_odd: Bools, read: Callable[[list[int]], list[Row]]) -> dict[int, Row]:
    """The odd cases by place, read one by one; also those that stand in the request twice, which have a flaw for it.

    Parameters
    ----------
    ids : of all cases of the request; those of odd ones are not used
    read : the rows at some places
    """
    places, accepted = np.flatnonzero(is_odd).tolist(), list(ids)
    odd = dict(zip(places, read(places), strict=True)) if places else {}
    for place, row in odd.items():
        accepted[place] = row.case_id
    if len(set(accepted)) == len(accepted):
        return odd
    times = Counter(accepted)
    twice = [i for i, case_id in enumerate(accepted) if case_id is not None and times[case_id] > 1]
    unread = [i for i in twice if i not in odd]
    odd |= zip(unread, read(unread), strict=True) if unread else ()
    refuse_repeated([odd[i] for i in twice])
    return odd
