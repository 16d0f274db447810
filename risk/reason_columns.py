"""The reasons of many cases at once, in columns: the same ones, in the same order, as :func:`risk.reasons.reasons_of_scored`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from risk import features
from risk.distinct import Ints, distinct
from risk.reasons import LEAST_CONTRIBUTION, tellable
from risk.scoring import Judged
from risk.snapshot import Snapshot
from risk.weeks import Dates, Floats


class Saying(NamedTuple):
    """What can be said of a case, in both languages."""

    feature: str
    text_da: str
    text_en: str


@dataclass(frozen=True, eq=False)
class ReasonColumns:
    """Up to k reasons of each of n cases, the strongest first.

    Attributes
    ----------
    which : (n, k) place in ``sayings``; -1 where there is no further reason
    is_up : (n, k) whether it speaks for a long course
    known_on : (n, k) the day the fact behind it was recorded; NaT for what came with the case
    """

    which: Ints
    is_up: npt.NDArray[np.bool_]
    known_on: Dates
    sayings: list[Saying]


def reason_columns(snapshot: Snapshot, judged: Judged, built: features.Built, n: int) -> ReasonColumns:
    """The ``n`` weightiest reasons of the cases that have a score, (m,) of them.

    Parameters
    ----------
    judged : what :func:`risk.scoring.judge` found, with the parts
    built : the model's features of the snapshot
    """
    rows, parts = judged.scored, judged.parts
    made = ReasonColumns(
        np.full((len(rows), n), -1, dtype=np.int64),
        np.zeros((len(rows), n), dtype=np.bool_),
        np.full((len(rows), n), np.datetime64("NaT", "D")),
        [],
    )
    if parts is None or not n:
        return made
    names = tuple(parts.names)
    if len(rows) < len(snapshot):
        built = built.rows(names, rows)
    _, places, facts, _ = tellable(names)
    weight, values = parts.of_case[:, places], built.table(names)[:, places]
    said, days = _Said(names), _days(snapshot, facts, rows)
    size = np.abs(weight)
    texts = np.full((len(rows), n), -1, dtype=np.int64)
    n_told = np.zeros(len(rows), dtype=np.int64)
    here = np.arange(len(rows))
    while len(here):  # one more of the heaviest of every case that may be told more
        first = (size if len(here) == len(size) else size[here]).argmax(axis=1)
        is_heavy = size[here, first] >= LEAST_CONTRIBUTION
        here, first = here[is_heavy], first[is_heavy]
        size[here, first] = -1.0
        which, text = said.of(first, values[here, first])
        fresh = (texts[here] != text[:, None]).all(axis=1)  # two features of one fact say it once
        row, feature, place = here[fresh], first[fresh], n_told[here[fresh]]
        texts[row, place], made.which[row, place] = text[fresh], which[fresh]
        made.is_up[row, place] = weight[row, feature] > 0
        made.known_on[row, place] = days[feature, row]
        n_told[row] += 1
        here = here[n_told[here] < n]
    made.sayings.extend(said.sayings)
    return made


def _days(snapshot: Snapshot, facts: list[tuple[str, ...]], rows: npt.NDArray[Any]) -> Dates:
    """For each feature, the last day on which one of its facts was recorded, (features, m); NaT for one of no fact."""
    days = np.full((len(facts), len(rows)), np.datetime64("NaT", "D"))
    for i, names in enumerate(facts):
        for name in names:
            np.fmax(days[i], snapshot.known_on[name][rows], out=days[i])  # fmax leaves NaT out
    return days


class _Said:
    """Sayings by number: those of levels and flags are known beforehand, those of numbers are made as they come."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._shown = tellable(names)[0]
        sayings, self._start, self._is_number = _fixed(names)
        self.sayings = list(sayings)
        self._texts: dict[str, int] = {}
        self._text = [self._texts.setdefault(s.text_da, len(self._texts)) for s in sayings]
        self._made: dict[tuple[int, float], int] = {}

    def of(self, feature: Ints, value: Floats) -> tuple[Ints, Ints]:
        """Which saying each value of a feature is, (m,), and which Danish text that is, (m,)."""
        is_missing, is_number = np.isnan(value), self._is_number[feature]
        which = self._start[feature] + np.where(is_missing, 0.0, np.where(is_number, 0.0, value) + 1).astype(np.int64)
        told = np.flatnonzero(is_number & ~is_missing)
        if len(told):  # what is the same in many cases is said once
            values, alike = np.unique(value[told], return_inverse=True)
            pairs, place = distinct(feature[told] * len(values) + alike, len(self._start) * len(values))
            made = [self._number(pair // len(values), float(values[pair % len(values)])) for pair in pairs.tolist()]
            which[told] = np.array(made, dtype=np.int64)[place]
        return which, np.array(self._text, dtype=np.int64)[which]

    def _number(self, feature: int, value: float) -> int:
        shown = self._shown[feature]
        # Where whole numbers are told, all that round to one of them say the same (halves to the even one, as in text).
        alike = float(np.rint(value)) if shown.decimals == 0 and value > 1.0 else value
        if (found := self._made.get((feature, alike))) is None:
            da, en = shown.text_of(value)
            found = self._made[feature, alike] = len(self.sayings)
            self.sayings.append(Saying(shown.name, da, en))
            self._text.append(self._texts.setdefault(da, len(self._texts)))
        return found


@cache
def _fixed(names: tuple[str, ...]) -> tuple[list[Saying], Ints, npt.NDArray[np.bool_]]:
    """The sayings known beforehand, where those of each feature begin (the first is that nothing is known), and which
    features are numbers."""
    shown, sayings, start = tellable(names)[0], list[Saying](), list[int]()
    for feature in shown:
        start.append(len(sayings))
        sayings += [Saying(feature.name, da, en) for da, en in (feature.missing, *feature.texts)]
    return sayings, np.array(start, dtype=np.int64), np.array([not f.texts for f in shown], dtype=np.bool_)
