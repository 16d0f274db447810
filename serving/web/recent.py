"""Lists read lately, kept in memory: a list does not change, and unpacking a thousand cases costs more than the page."""

from __future__ import annotations

import threading
from collections import OrderedDict

from serving.store.engine import Store
from serving.store.listed import StoredList
from serving.store.worklists import mark_of, read_list

MOST = 16  # about 5 MB each for a team of 1,250 open cases


class RecentLists:
    """Reads lists of a store, and gives again what it read as long as the store still holds the same.

    Each time the store is asked for the number of the list and of its cases: a new revision, and a person who was erased,
    show at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._read: OrderedDict[tuple[str, str, str | None], tuple[tuple[int, int], StoredList]] = OrderedDict()

    def read(self, office: str, team: str, week: str | None) -> StoredList | None:
        """The newest revision of the list of a team and week (None: its newest week); None when there is none."""
        place, mark = (office, team, week), mark_of(self._store, office, team, week)
        with self._lock:
            kept = self._read.get(place)
            if kept is not None and kept[0] == mark:
                self._read.move_to_end(place)
                return kept[1]
            self._read.pop(place, None)
        found = read_list(self._store, office, team, week) if mark is not None else None
        if found is None or mark is None:
            return None
        with self._lock:
            self._read[place] = (mark, found)
            while len(self._read) > MOST:
                self._read.popitem(last=False)
        return found
