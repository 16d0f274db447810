"""Bands of single scores: where a score would stand on the office's newest weekly list.

A band follows from what an office has time for (:func:`risk.places.bands`), so one case alone has none. The newest week of
the office's kept lists says how many of its cases were high and how many middle; a score is high when it is at least that
of the last of so many, all teams together. Another model's lists say nothing of this model's scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from serving.store.engine import Store
from serving.store.listed import LEFT, ListedCase, ListHead
from serving.store.overview import newest_lists
from serving.store.tables import worklist
from serving.store.worklists import read_list

BANDS = ("high", "middle", "low")


@dataclass(frozen=True)
class Cuts:
    """The lowest chances that are high and middle, by one model; a cut above 1 when no place is left for any."""

    model_version: str
    high: float
    middle: float

    def band_of(self, p: float, model_version: str) -> str | None:
        """The band of a chance of that model, None when the cuts come from another one.

        >>> Cuts("a", 0.6, 0.3).band_of(0.6, "a"), Cuts("a", 0.6, 0.3).band_of(0.29, "a"), Cuts("a", 0.6, 0.3).band_of(0.7, "b")
        ('high', 'low', None)
        """
        if model_version != self.model_version:
            return None
        return "high" if p >= self.high else "middle" if p >= self.middle else "low"


def cuts_of(model_version: str, cases: Sequence[ListedCase]) -> Cuts | None:
    """The cuts of the cases of one week; None when none of them has a band."""
    banded = [
        (case.p, case.band) for case in cases if case.p is not None and case.section != LEFT and case.band in BANDS
    ]
    if not banded:
        return None
    chances = sorted((p for p, _ in banded), reverse=True)
    n_high = sum(band == "high" for _, band in banded)
    n_middle = sum(band == "middle" for _, band in banded)
    high = chances[n_high - 1] if n_high else 2.0
    return Cuts(model_version, high, chances[n_high + n_middle - 1] if n_high + n_middle else high)


class Bands:
    """The cuts of every office, as the newest kept lists have them; read again when there are newer ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[int, ...]] = {}
        self._cuts: dict[str, Cuts] = {}

    def of(self, office: str) -> Cuts | None:
        return self._cuts.get(office)

    def refresh(self) -> None:
        """Read what is new.

        Raises
        ------
        StoreError
            The cuts known before stay.
        """
        newest = select(worklist.c.office, func.max(worklist.c.week)).group_by(worklist.c.office)
        with self._store.reading() as connection:
            weeks = [(office, week) for office, week in connection.execute(newest)]
            heads = {office: newest_lists(connection, office, week) for office, week in weeks}
        for office, lists in heads.items():
            seen = tuple(head.list_id for head in lists)
            if self._seen.get(office) != seen:
                self._read(office, lists)
                self._seen[office] = seen

    def _read(self, office: str, heads: Sequence[ListHead]) -> None:
        versions = {head.model_version for head in heads}
        cases = [
            case
            for head in heads
            if (whole := read_list(self._store, office, head.team, head.week)) is not None
            for case in whole.rows
        ]
        cuts = cuts_of(versions.pop(), cases) if len(versions) == 1 else None
        if cuts is None:
            self._cuts.pop(office, None)
        else:
            self._cuts[office] = cuts
