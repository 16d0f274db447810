"""The rows of a block as text: what was answered, letter by letter, and what was asked, as JSON.

The header of a block says how: for what was told, templates whose gaps are filled with a row's numbers and texts; for what
was asked, the attributes and facts its numbers stand for. So a block is read back as it was told, whatever later versions
say, and the answer itself is made here too, from the block that is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from risk.weeks import Floats
from serving.store.blocks import Block, Ints, score_ids_of

FORMAT = 1
# The first numbers of what was told: the row's place in the request, and which template says it.
PLACE, SHAPE = 0, 1
# The first numbers of what was asked, in days since 1970; then one for each attribute.
OPENED, REGISTERED, ATTRIBUTES = 0, 1, 2
_DAY_0 = date(1970, 1, 1)
# Numbers in this range are written alike by all that write the shortest text that reads back the same.
_PLAINLY = 1e-4, 1e15


class Template(NamedTuple):
    """What is told of rows of one kind: literals with a slot between each two of them.

    A slot is ``case``, ``score`` (its id), or a letter with a column: ``i`` a whole number, ``n`` a number, ``c`` a text.
    """

    literals: tuple[str, ...]
    slots: tuple[str, ...]


def header_of(as_of: date, templates: Sequence[Template], attributes: Sequence[Any], facts: Sequence[Any]) -> str:
    """How the rows of a block are to be read.

    Parameters
    ----------
    attributes, facts : name, kind and levels of each that a row may have, in the order of its numbers
    """
    about = {
        "format": FORMAT, "as_of": as_of.isoformat(), "told": [list(t) for t in templates],
        "asked": {"attributes": list(attributes), "facts": list(facts)},
    }  # fmt: skip
    return json.dumps(about, separators=(",", ":"), ensure_ascii=False)


def outputs(block: Block, block_id: str) -> list[str]:
    """The outcome of each row as it was answered, JSON."""
    parts, width = _parts(block, block_id)
    return [b"".join(parts[at : at + width])[1:].decode() for at in range(0, len(parts), width)]


def listed(block: Block, block_id: str, others: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """The outcomes in the order of the request with commas between them, in parts to be joined once.

    Parameters
    ----------
    others : places in the request and outcomes that stand between those of the block, rising
    """
    parts, width = _parts(block, block_id)
    told, start = list[bytes](), 0
    before = np.searchsorted(block.numbers[:, PLACE], [place for place, _ in others]) * width
    for end, (_, text) in zip(before.tolist(), others, strict=True):
        told += [*parts[start:end], b",", text]
        start = end
    told = told + parts[start:] if told else parts
    return [told[0][1:], *told[1:]]  # the first follows nobody


def _parts(block: Block, block_id: str) -> tuple[list[bytes], int]:
    """The outcomes, each begun by a comma, as pieces of text; and how many pieces each has."""
    if not len(block):
        return [], 1
    shapes, filled = block.numbers[:, SHAPE], _Filled(block, block_id)
    laid_out = [_laid_out(template) for template in _templates(block.header)]
    for i, pieces in enumerate(laid_out):
        if (shapes == i).all():
            return filled.rows(pieces, None), len(pieces)
    width = max(map(len, laid_out))
    out = [b""] * (width * len(block))
    for i, pieces in enumerate(laid_out):
        here, own = np.flatnonzero(shapes == i), len(pieces)
        made = filled.rows(pieces, here)
        for k, row in enumerate(here.tolist()):
            out[row * width : row * width + own] = made[k * own : k * own + own]
    return out, width


def _laid_out(template: Template) -> list[bytes | str]:
    """What stands in a row of a template, one after the other: literals as bytes, slots by their names."""
    first, *further = template.literals
    pieces: list[bytes | str] = [b"," + first.encode()]
    for slot, literal in zip(template.slots, further, strict=True):
        pieces += [slot, literal.encode()] if literal else [slot]
    return pieces


class _Filled:
    """Fills templates with what stands in a block."""

    def __init__(self, block: Block, block_id: str) -> None:
        self._block, self._id = block, block_id
        self._texts = [text.encode() for text in block.pieces]
        self._numbers: dict[bytes, list[bytes]] = {}

    def rows(self, pieces: Sequence[bytes | str], here: Ints | None) -> list[bytes]:
        """What is told of some rows, or of all of them, row after row."""
        width, n = len(pieces), len(self._block) if here is None else len(here)
        out = [b""] * (width * n)
        for i, piece in enumerate(pieces):
            if isinstance(piece, bytes):
                out[i::width] = [piece] * n
            else:
                column = self._slot(piece)
                out[i::width] = column if here is None else [column[row] for row in here.tolist()]
        return out

    def _slot(self, slot: str) -> list[bytes]:
        """What stands in one slot, for every row."""
        block = self._block
        if slot == "case":
            return "\n".join(block.case_ids).encode().split(b"\n")  # no id holds a line break
        if slot == "score":
            return "\n".join(score_ids_of(self._id, block.rows)).encode().split(b"\n")
        column = int(slot[1:])
        if slot[0] == "c":
            return list(map(self._texts.__getitem__, block.codes[:, column].tolist()))
        if slot[0] == "n":
            return self._number_texts(block.numbers[:, column])
        return [b"%d" % value for value in block.numbers[:, column].tolist()]

    def _number_texts(self, numbers: Floats) -> list[bytes]:
        """Numbers as Python writes them, null for nan; a score stands twice, by itself and in its curve, and is written once."""
        key = numbers.tobytes()
        if key not in self._numbers:
            self._numbers[key] = _number_texts(numbers)
        return self._numbers[key]


def _number_texts(numbers: Floats) -> list[bytes]:
    texts = to_json(numbers.tolist(), inf_nan_mode="null")[1:-1].split(b",")  # all at once, which costs a fifth
    size = np.abs(numbers)
    odd = (size < _PLAINLY[0]) | (size >= _PLAINLY[1])
    for i in np.flatnonzero(odd & (numbers != 0.0)).tolist():
        texts[i] = repr(float(numbers[i])).encode()
    return texts


def inputs(block: Block) -> list[str]:
    """What was asked of each row, as it was understood: a request of its own, JSON."""
    about = _about(block.header)
    attributes, facts = about["asked"]["attributes"], about["asked"]["facts"]
    starts = [0, *block.fact_ends.tolist()]
    told, given = block.facts.tolist(), block.given.tolist()
    out = []
    for i, (case_id, row) in enumerate(zip(block.case_ids, given, strict=True)):
        case = {
            "case_id": case_id,
            "opened_on": _day(row[OPENED]),
            "registered_on": _day(row[REGISTERED]),
            "attributes": {
                a[0]: _word(a, value) for a, value in zip(attributes, row[ATTRIBUTES:], strict=True) if value == value
            },
            "facts": [
                {"known_on": _day(day), "name": facts[int(which)][0], "value": _word(facts[int(which)], value)}
                for which, day, value in told[starts[i] : starts[i + 1]]
            ],
        }
        out.append(to_json({"as_of": about["as_of"], "cases": [case]}).decode())
    return out


def _word(declared: Sequence[Any], value: float) -> Any:
    _, kind, levels = declared
    if kind == "category":
        return levels[int(value)]
    return bool(value) if kind == "flag" else value


def _day(days: float) -> str:
    return (_DAY_0 + timedelta(days=days)).isoformat()


@lru_cache(maxsize=64)
def _templates(header: str) -> list[Template]:
    return [Template(tuple(literals), tuple(slots)) for literals, slots in _about(header)["told"]]


@lru_cache(maxsize=64)
def _about(header: str) -> Mapping[str, Any]:
    """
    Raises
    ------
    ValueError
        It was written by a later version.
    """
    about: dict[str, Any] = json.loads(header)
    if about["format"] != FORMAT:
        raise ValueError("a block was written by a later version of Risk52")
    return about
