"""The reasons of many cases at once, in columns: the same ones, in the same order, as :func:`risk.reasons.reasons_of_scored`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from risk import features
from risk.distinct import Ints, distinct
from risk.features.feature import Feature
from risk.reasons import LEAST_CONTRIBUTION, tellable
from risk.scoring import Judged
from risk.snapshot import Snapshot
from risk.weeks import Dates, Floats

Bools = npt.NDArray[np.bool_]
# Whole numbers below this are told apart without sorting them.
_SMALL = 2048


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
    is_up: Bools
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
    if parts is None or not n:
        nothing = np.full((len(rows), n), -1, dtype=np.int64)
        return ReasonColumns(nothing, nothing >= 0, nothing.astype("datetime64[D]"), [])
    names = tuple(parts.names)
    if len(rows) < len(snapshot):
        built = built.rows(names, rows)
    _, places, facts, _ = tellable(names)
    values, said = built.table(names), _Said(_sayings(names))
    left = np.ascontiguousarray(parts.of_case[:, places])  # row by row, as it is searched
    np.abs(left, out=left)
    again, every = np.arange(len(rows)), np.arange(len(rows))[:, None]
    which, feature = np.full((len(rows), n), -1, dtype=np.int64), np.zeros((len(rows), n), dtype=np.int64)
    while len(again):  # hardly ever more than twice, and then of few cases
        first, is_told = _heaviest(left if len(again) == len(left) else left[again], n)
        found = np.where(is_told, said.of(first, values[again[:, None], places[first]]), -1)
        which[again], feature[again] = found, first
        # Two features of one fact say it once, the heavier of them; what comes next then moves up.
        is_again = _repeated(np.where(is_told, said.texts[found], -1 - np.arange(n)))
        of, place = np.nonzero(is_again)
        left[again[of], first[of, place]] = -1.0
        again = again[np.flatnonzero(is_again.any(axis=1))]
    known_on = np.where(which >= 0, _days(snapshot, facts, rows)[feature, every], np.datetime64("NaT", "D"))
    is_up = (parts.of_case[every, places[feature]] > 0) & (which >= 0)
    return ReasonColumns(which, is_up, known_on, said.sayings)


def _heaviest(size: Floats, n: int) -> tuple[Ints, Bools]:
    """The ``n`` largest of each row, the first of equals first, (m, n); and whether each is large enough to be told."""
    size, every = size.copy(), np.arange(len(size))
    first, is_told = np.empty((len(size), n), dtype=np.int64), np.empty((len(size), n), dtype=np.bool_)
    for i in range(n):
        at = size.argmax(axis=1)
        first[:, i], is_told[:, i] = at, size[every, at] >= LEAST_CONTRIBUTION
        size[every, at] = -1.0
    return first, is_told


def _repeated(texts: Ints) -> Bools:
    """Which texts stand earlier in their row, (m, n)."""
    found = np.zeros(texts.shape, dtype=np.bool_)
    for i in range(1, texts.shape[1]):
        for earlier in range(i):
            found[:, i] |= texts[:, i] == texts[:, earlier]
    return found


def _days(snapshot: Snapshot, facts: list[tuple[str, ...]], rows: npt.NDArray[Any]) -> Dates:
    """For each feature, the last day on which one of its facts was recorded, (features, m); NaT for one of no fact."""
    days = np.full((len(facts), len(rows)), np.datetime64("NaT", "D"))
    for i, names in enumerate(facts):
        for name in names:
            np.fmax(days[i], snapshot.known_on[name][rows], out=days[i])  # fmax leaves NaT out
    return days


class _Said:
    """Sayings by number: those of levels and flags are known beforehand, those of numbers are added as they come.

    Attributes
    ----------
    texts : which Danish text each saying is, by number
    """

    def __init__(self, known: _Sayings) -> None:
        self._known, self.sayings, self.texts = known, list(known.fixed), known.texts
        self._text_of: dict[str, int] = {}

    def of(self, feature: Ints, value: Floats) -> Ints:
        """Which saying each value of a feature is, of any shape."""
        known = self._known
        is_missing, is_number = np.isnan(value), known.is_number[feature]
        plain = np.where(is_missing | is_number, -1.0, value).astype(np.int64)
        which = known.start[feature] + 1 + np.where(is_missing, -1, plain)
        told = is_number & ~is_missing
        if told.any():
            which[told] = self._numbers(feature[told], value[told])
        return which

    def _numbers(self, feature: Ints, value: Floats) -> Ints:
        """Numbers told, (m,): what is the same in many cases is said once."""
        # Where whole numbers are told, all that round to one of them say the same (halves to the even one, as in text).
        value = np.where(self._known.is_whole[feature] & (value > 1.0), np.rint(value), value)
        is_small = (value >= 0.0) & (value < _SMALL) & (np.floor(value) == value)
        others, alike = np.unique(value[~is_small], return_inverse=True)
        code = np.where(is_small, value, 0.0).astype(np.int64)
        code[~is_small] = _SMALL + alike
        n = _SMALL + len(others)
        used, place = distinct(feature * n + code, len(self._known.start) * n)
        features, codes = (part.tolist() for part in np.divmod(used, n))
        values = [float(c) if c < _SMALL else float(others[c - _SMALL]) for c in codes]
        fresh = list(map(self._known.number, features, values))
        first = len(self.sayings)
        self.sayings += fresh
        known, own = self._known.text_of, self._text_of
        texts = [known.get(s.text_da, -1) for s in fresh]
        texts = [
            own.setdefault(s.text_da, len(known) + len(own)) if t < 0 else t for s, t in zip(fresh, texts, strict=True)
        ]
        self.texts = np.concatenate([self.texts, np.array(texts, dtype=np.int64)])
        return first + place


class _Sayings:
    """What can be said of some features.

    Attributes
    ----------
    fixed : the sayings known beforehand
    start : (features,) where those of each feature begin; the first is that nothing is known
    texts : which Danish text each is; ``text_of`` has the numbers
    is_number, is_whole : (features,) those told as numbers, and those told as whole ones
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._shown: list[Feature] = tellable(names)[0]
        self.fixed, start = list[Saying](), list[int]()
        for feature in self._shown:
            start.append(len(self.fixed))
            self.fixed += [Saying(feature.name, da, en) for da, en in (feature.missing, *feature.texts)]
        self.start = np.array(start, dtype=np.int64)
        self.is_number = np.array([not f.texts for f in self._shown], dtype=np.bool_)
        self.is_whole = np.array([f.decimals == 0 for f in self._shown], dtype=np.bool_)
        self.text_of = {da: i for i, da in enumerate(dict.fromkeys(s.text_da for s in self.fixed))}
        self.texts = np.array([self.text_of[s.text_da] for s in self.fixed], dtype=np.int64)

    def number(self, feature: int, value: float) -> Saying:
        """The saying of a number: which feature, and its value."""
        shown = self._shown[feature]
        return Saying(shown.name, *shown.text_of(value))


@cache
def _sayings(names: tuple[str, ...]) -> _Sayings:
    return _Sayings(names)
