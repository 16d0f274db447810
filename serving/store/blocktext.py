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
from serving.store.blocks import Block, Ints, score_id_of

FORMAT = 1
# The first numbers of what was told: the row's place in the request, and which template says it.
PLACE, SHAPE = 0, 1
# The first numbers of what was asked, in days since 1970; then one for each attribute.
OPENED, REGISTERED, ATTRIBUTES = 0, 1, 2
_DAY_0 = date(1970, 1, 1)
# Numbers in this range are written alike by all that write the shortest text that reads back the same.
_PLAINLY = 1e-4, 1e15


class Template(NamedTuple):
    """What is told of rows of one kind: a text with a ``%s`` for each slot.

    A slot is ``case``, ``score`` (its id), or a letter with a column: ``i`` a whole number, ``n`` a number, ``c`` a text.
    """

    text: str
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
    templates = [Template(text, tuple(slots)) for text, slots in _about(block.header)["told"]]
    shapes, numbers = block.numbers[:, SHAPE], _Numbers(block.numbers)
    out = [""] * len(block)
    for i, template in enumerate(templates):
        here = np.flatnonzero(shapes == i)
        if len(here) == len(block):
            columns = [_slot(block, block_id, slot, numbers, None) for slot in template.slots]
            return list(map(template.text.__mod__, zip(*columns, strict=True)))
        if len(here):
            columns = [_slot(block, block_id, slot, numbers, here) for slot in template.slots]
            for place, text in zip(here.tolist(), map(template.text.__mod__, zip(*columns, strict=True)), strict=True):
                out[place] = text
    return out


def _slot(block: Block, block_id: str, slot: str, numbers: _Numbers, here: Ints | None) -> list[str]:
    """What stands in one gap, for each row, or for some."""
    if slot in ("case", "score"):
        texts = block.case_ids if slot == "case" else [score_id_of(block_id, row) for row in block.rows.tolist()]
    elif slot[0] == "c":
        texts = list(map(block.pieces.__getitem__, block.codes[:, int(slot[1:])].tolist()))
    elif slot[0] == "n":
        texts = numbers.texts(int(slot[1:]))
    else:
        texts = list(map(str, block.numbers[:, int(slot[1:])].astype(np.int64).tolist()))
    return texts if here is None else [texts[i] for i in here.tolist()]


class _Numbers:
    """Numbers as Python writes them, null for nan: all of a block written at once, which costs a fifth."""

    def __init__(self, numbers: Floats) -> None:
        flat = numbers.T.ravel()
        texts = to_json(flat.tolist(), inf_nan_mode="null")[1:-1].decode().split(",") if flat.size else []
        size = np.abs(flat)
        odd = (size < _PLAINLY[0]) | (size >= _PLAINLY[1])
        for i in np.flatnonzero(odd & (flat != 0.0)).tolist():
            texts[i] = repr(float(flat[i]))
        self._texts, self._n = texts, len(numbers)

    def texts(self, column: int) -> list[str]:
        return self._texts[column * self._n : (column + 1) * self._n]


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
