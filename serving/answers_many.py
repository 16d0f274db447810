"""The answer to many cases at once: scored, explained and put into words in columns, which is also how it is recorded.

The very same answer as :func:`serving.answers.answer` gives each of them alone. What is told of a row is numbers and texts
that many rows share, so a text is made once, and the outcome of a row is a template that they fill
(:mod:`serving.store.blocktext`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from models.certainty import score_interval
from risk import features, schema
from risk.distinct import Ints, distinct
from risk.reason_columns import ReasonColumns, Saying, reason_columns
from risk.reasons import Reason
from risk.schema import Attribute
from risk.scoring import Judged, judge
from risk.weeks import Floats
from serving.access import Caller
from serving.answers import body_of, rejected
from serving.bands import BANDS, Cuts
from serving.columns import Columns
from serving.inservice import InService
from serving.messages import Note, accepted_attributes
from serving.plain import Bools
from serving.store.blocks import BLOCK_DIGITS, Block
from serving.store.blocktext import Template, header_of, listed
from serving.store.ledger import Entry, block_entry, instant
from serving.unrecorded import unrecorded
from serving.wording import INTERVAL, LEVEL, OUTCOME, Wording, abstention, notes, reason, said, wording_of

# Where each number and each text of what is told stands in a block; then the curve, and the reasons for and against.
PLACE, SHAPE, P, LOW, HIGH, RATE, AGE, CURVE = range(8)
STATUS, BAND, WORDS, UNKNOWN, WARNINGS, ABSTAINED, REASONS = range(7)
SCORED, WITHOUT = 0, 1


@dataclass(frozen=True, eq=False)
class AnsweredMany:
    """The answer to a request of many cases.

    Attributes
    ----------
    block : what is told of the cases that fit, and kept of them
    covers : what the intervals around the scores cover; None when there are none
    lacking : (n, k) of the facts behind the model, which nobody has recorded of a case that has a score
    scored : (m,) the rows of the block that have a score, and ``reasons`` theirs
    others : places and outcomes of those that do not, which are not recorded
    """

    request_id: str
    model: InService
    as_of: date
    block_id: str
    block: Block
    covers: str | None
    lacking: Bools
    scored: Ints
    reasons: ReasonColumns
    others: Sequence[tuple[int, str]]

    @cached_property
    def statuses(self) -> list[str]:
        """Of those that fit, then of the others."""
        told = map(self.block.pieces.__getitem__, self.block.codes[:, STATUS].tolist())
        return [*told, *["rejected"] * len(self.others)]

    def body(self) -> bytes:
        """As JSON."""
        begun, ended = body_of(self.request_id, self.statuses, [_GAP]).encode().split(_GAP.encode())
        others = [(place, text.encode()) for place, text in self.others]
        return b"".join([begun, *listed(self.block, self.block_id, others), ended])

    def entries(self, caller: Caller) -> list[Entry]:
        """What the ledger keeps of it; nothing when no case fits."""
        if not len(self.block):
            return []
        return [
            block_entry(
                self.block, block_id=self.block_id, at=instant(datetime.now(UTC)), caller=caller.name, office=caller.office,
                request_id=self.request_id, model_version=self.model.version, as_of=self.as_of.isoformat(),
            )
        ]  # fmt: skip


def answer_many(cases: Columns, model: InService, n_reasons: int, cuts: Cuts | None, request_id: str) -> AnsweredMany:
    """Score the cases that fit, and say of the others what is wrong.

    Parameters
    ----------
    cuts : where the bands begin for whoever asked; no case has a band when None
    """
    others = [(row.place, rejected(row, model).text) for row in cases.rejected]
    block_id = secrets.token_hex(BLOCK_DIGITS // 2)
    return AnsweredMany(request_id, model, cases.as_of, block_id, *_told(cases, model, n_reasons, cuts), others)


def _told(
    cases: Columns, model: InService, n_reasons: int, cuts: Cuts | None
) -> tuple[Block, str | None, Bools, Ints, ReasonColumns]:
    """What is told of the cases: from ``block`` to ``reasons`` of :class:`AnsweredMany`."""
    words, snapshot, n, texts = wording_of(model), cases.snapshot(), len(cases), _Texts()
    built = features.build_features(snapshot, words.features)
    judged = judge(snapshot, model, built, with_parts=n_reasons > 0)
    here, p = judged.scored, judged.p[:, model.outcome.horizons_weeks.index(model.outcome.horizon_weeks)]
    is_scored = np.zeros(n, dtype=np.bool_)
    is_scored[here] = True
    low, high, covers = _around(p, judged, model)
    shape = np.where(is_scored, SCORED, WITHOUT)
    numbers = np.array([cases.place, shape, p, low, high, judged.base_rate, judged.entry, *judged.p.T]).T
    codes = np.full((n, REASONS + 2 * n_reasons), texts.code(""), dtype=np.int64)
    codes[:, STATUS], codes[:, ABSTAINED] = texts.code("scored"), texts.code("null")
    for i in np.flatnonzero(~is_scored).tolist():
        codes[i, STATUS] = texts.code(judged.status[i])
        if judged.status[i] == "abstained":
            codes[i, ABSTAINED] = texts.code(abstention(judged.why[i]))
    lacking = unrecorded(snapshot, words.facts) & is_scored[:, None]
    codes[here, BAND], codes[here, WORDS] = _bands(p[here], cuts, model, texts), _in_words(p[here], texts)
    codes[here, UNKNOWN] = texts.patterns(lacking[here], words.lacking)
    _put_warnings(codes, cases, words, words.is_outside(built) & is_scored[:, None], texts)
    reasons = reason_columns(snapshot, judged, built, n_reasons)
    _put_reasons(codes, reasons, here, texts)
    header = _header(words, cases.as_of, judged.p.shape[1], n_reasons, covers)
    block = Block(header, np.arange(n), cases.case_id, *_asked(cases), numbers, codes, texts.made)
    return block, covers, lacking, here, reasons


def _around(p: Floats, judged: Judged, model: InService) -> tuple[Floats, Floats, str | None]:
    """The ends of the interval around each score, nan where there is none, and what such an interval covers."""
    low, high, here = np.full(len(p), np.nan), np.full(len(p), np.nan), judged.scored
    if not len(here) or model.bundle.calibrator is None:
        return low, high, None
    found = score_interval(model.bundle, p[here], judged.entry[here], LEVEL)
    if found is None:
        return low, high, None
    low[here], high[here] = found.low, found.high
    return low, high, found.covers


def _asked(cases: Columns) -> tuple[Floats, Ints, Floats]:
    """What was asked of each case: its numbers, where its facts end, and the facts."""
    told = cases.told
    given = np.vstack([cases.opened_on.astype(np.int64), cases.registered_on.astype(np.int64), cases.attributes]).T
    facts = np.array([told.name, told.known_on.astype(np.int64), told.value], dtype=np.float64).T
    return given, np.cumsum(np.bincount(told.row, minlength=len(cases))), facts


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        if (found := self._codes.get(text)) is None:
            found = self._codes[text] = len(self.made)
            self.made.append(text)
        return found

    def codes(self, texts: Iterable[str]) -> list[int]:
        return list(map(self.code, texts))

    def patterns(self, marks: Bools, text: Callable[[Bools], str]) -> Ints:
        """The text of each row of ``marks``, (n, k), which is made once for rows that are marked alike."""
        n, k = marks.shape
        if not marks.any():
            return np.full(n, self.code(text(marks[0]))) if n else np.zeros(0, dtype=np.int64)
        bits = np.zeros((n, -(-k // 64) * 8), dtype=np.uint8)
        bits[:, : -(-k // 8)] = np.packbits(marks, axis=1)
        first_64, *further = bits.view(np.uint64).T
        alike = first_64
        for marks_64 in further:  # each tells some apart that were alike so far
            _, so_far = np.unique(alike, return_inverse=True)
            _, here = np.unique(marks_64, return_inverse=True)
            alike = (so_far * n + here).astype(np.uint64)
        _, first, place = np.unique(alike, return_index=True, return_inverse=True)
        return np.array([self.code(text(marks[i])) for i in first.tolist()], dtype=np.int64)[place]


def _bands(p: Floats, cuts: Cuts | None, model: InService, texts: _Texts) -> Ints:
    if cuts is None or cuts.band_of(1.0, model.version) is None:
        return np.full(len(p), texts.code("null"))
    made = np.array(texts.codes(f'"{band}"' for band in BANDS))
    return made[np.where(p >= cuts.high, 0, np.where(p >= cuts.middle, 1, 2))]


def _in_words(p: Floats, texts: _Texts) -> Ints:
    """:func:`serving.wording.words` of many."""
    of_100 = np.where(p < 0.01, 0, np.where(p > 0.99, 100, np.floor(p * 100 + 0.5))).astype(np.int64)
    which, place = distinct(of_100, 101)
    return np.array(texts.codes(said(n) for n in which.tolist()), dtype=np.int64)[place]


def _put_warnings(codes: Ints, cases: Columns, words: Wording, is_outside: Bools, texts: _Texts) -> None:
    """The warnings of each case as one text: of the model, of the case, and of what lies outside what the model has seen."""
    of_model = words.notes_on(cases.as_of)

    def told(of_case: Sequence[Note], outside: Bools) -> str:
        own = notes(of_case) + [note for note, is_told in zip(words.outside_notes, outside, strict=True) if is_told]
        return ",".join([of_model, *own] if of_model else own)

    codes[:, WARNINGS] = texts.patterns(is_outside, lambda outside: told((), outside))
    for i, of_case in cases.notes.items():
        codes[i, WARNINGS] = texts.code(told(of_case, is_outside[i]))


def _put_reasons(codes: Ints, reasons: ReasonColumns, here: Ints, texts: _Texts) -> None:
    """The reasons of each case, those for and those against in columns of their own; each but the first with a comma."""
    is_told, n = reasons.which >= 0, reasons.which.shape[1]
    up = is_told & reasons.is_up
    rank = np.where(up, np.cumsum(up, axis=1), np.cumsum(is_told & ~up, axis=1)) - 1
    row, at = np.nonzero(is_told)
    rank, days = rank[row, at], reasons.known_on[row, at].astype(np.int64)
    # Numbers as small as may be: days after the one before the first, 0 for none.
    is_dated = days != _NO_DAY
    before = int(days.min(where=is_dated, initial=_LATEST)) - 1
    days = np.where(is_dated, days - before, 0)
    n_days = int(days.max(initial=0)) + 1
    keys = (reasons.which[row, at] * 2 + (rank > 0)) * n_days + days
    different, place = distinct(keys, 2 * len(reasons.sayings) * n_days)
    which, day = (part.tolist() for part in np.divmod(different, n_days))
    dated = {d: f'"{date.fromordinal(_DAY_0 + before + d)}"}}' if d else "null}" for d in set(day)}
    begun = {w: ("," if w % 2 else "") + _begun(reasons.sayings[w // 2]) for w in set(which)}
    made = texts.codes(begun[w] + dated[d] for w, d in zip(which, day, strict=True))
    codes[here[row], REASONS + rank + np.where(up[row, at], 0, n)] = np.array(made, dtype=np.int64)[place]


@lru_cache(maxsize=4096)
def _begun(saying: Saying) -> str:
    """A reason as it is written, up to the day it was known on."""
    # The direction is not among what is written of a reason: it stands where it belongs.
    return reason(Reason(saying.feature, "", saying.text_da, saying.text_en, None)).removesuffix("null}")


_DAY_0 = date(1970, 1, 1).toordinal()
_NO_DAY, _LATEST = int(np.datetime64("NaT", "D").astype(np.int64)), date.max.toordinal() - _DAY_0


_GAP = "\0"  # stands in no text of JSON


@lru_cache(maxsize=64)
def _header(words: Wording, as_of: date, n_curve: int, n_reasons: int, covers: str | None) -> str:
    """How such a block is read: the wording of outcomes with gaps for what differs, and what the numbers asked stand for."""
    gap, quoted = _GAP, f'"{_GAP}"'
    outcome, reasons_of, curve_of = (
        OUTCOME.replace("%d", "%s", 1),
        gap * n_reasons,
        words.curve_text % ((gap,) * n_curve),
    )
    interval = "null" if covers is None else INTERVAL % (gap, gap, LEVEL, covers)
    scored = outcome % (
        gap, quoted, quoted, "scored", gap, interval, gap, gap, curve_of, gap, gap, reasons_of, reasons_of, gap, gap,
        "null", "[]", as_of, words.ending,
    )  # fmt: skip
    without = outcome % (
        gap, quoted, quoted, gap, "null", "null", "null", "null", "", gap, gap, "", "", "[]", gap, gap, "[]", as_of, words.ending,
    )  # fmt: skip
    around = () if covers is None else (f"n{LOW}", f"n{HIGH}")
    first, last = (f"i{PLACE}", "case", "score"), (f"n{RATE}", f"n{AGE}")
    curve = [f"n{CURVE + i}" for i in range(n_curve)]
    reasons = [f"c{REASONS + i}" for i in range(2 * n_reasons)]
    templates = [
        Template(tuple(scored.split(gap)), (*first, f"n{P}", *around, f"c{BAND}", f"c{WORDS}", *curve, *last, *reasons, f"c{UNKNOWN}", f"c{WARNINGS}")),
        Template(tuple(without.split(gap)), (*first, f"c{STATUS}", *last, f"c{WARNINGS}", f"c{ABSTAINED}")),
    ]  # fmt: skip
    return header_of(as_of, templates, _declared(accepted_attributes()), _declared(schema.fact_attributes()))


def _declared(attributes: dict[str, Attribute]) -> list[Any]:
    return [[name, a.kind, list(a.levels)] for name, a in attributes.items()]
