"""Reading the columns of rows: values out, rows that cannot be read settled, and a log of what was done on the way."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from risk import schema
from risk.intake.mapping import AttributeColumn, Mapping, normal_code
from risk.intake.pseudonym import looks_like_cpr
from risk.intake.report import Coerced, UnknownCode
from risk.intake.rows import Rows
from risk.intake.values import Column, Reader, code_reader, number_reader, read_column, read_flag, skipping_blanks
from risk.weeks import Dates

UNKNOWN_CODE = "unknown code"
MAX_CODE_SHOWN = 12
NOTHING = np.array(None, dtype=object)


@dataclass
class _Read:
    label: str
    rows: Rows
    index: np.ndarray
    texts: np.ndarray
    column: Column


@dataclass
class Log:
    """Every column read in one load."""

    reads: list[_Read] = field(default_factory=list)

    def coerced(self) -> list[Coerced]:
        """What was done to values of kept rows, counted by column."""
        counts: Counter[tuple[str, str]] = Counter()
        for read in self.reads:
            kept = read.rows.kept[read.index]
            for note in read.column.notes[kept]:
                if note is not None and note != UNKNOWN_CODE:
                    counts[read.label, note] += 1
        return [Coerced(label, what, n) for (label, what), n in counts.items()]

    def unknown_codes(self) -> list[UnknownCode]:
        """Codes the mapping does not know, by column; long or CPR-like texts are counted without being shown."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for read in self.reads:
            kept = read.rows.kept[read.index]
            became_known = kept & (read.column.notes == UNKNOWN_CODE)
            refused = (read.rows.fate[read.index] == "rejected") & (read.column.problems == UNKNOWN_CODE)
            for i in np.flatnonzero(became_known):
                counts[read.label, shown(read.texts[i]), str(read.column.values[i])] += 1
            for i in np.flatnonzero(refused):
                counts[read.label, shown(read.texts[i]), "rejected"] += 1
        return [UnknownCode(label, code, n, became) for (label, code, became), n in sorted(counts.items())]


def shown(code: str) -> str:
    """The code, if it is too short to hold anything of a person."""
    code = " ".join(code.split())
    safe = len(code) <= MAX_CODE_SHOWN and not looks_like_cpr(code) and len(re.findall(r"\d", code)) < 6
    return code if safe else "(a longer text, not shown)"


def read(
    rows: Rows, role: str, reader: Reader, mapping: Mapping, log: Log, label: str, index: np.ndarray | None = None
) -> np.ndarray:
    """The values of one column, (n,) or of the rows at ``index``; rows that cannot be read are rejected."""
    index = np.arange(len(rows)) if index is None else index
    texts = rows.text[role].iloc[index] if len(index) != len(rows) else rows.text[role]
    column = read_column(texts, skipping_blanks(reader, mapping.reading))
    for problem in sorted({p for p in column.problems if p is not None}):
        which = np.zeros(len(rows), dtype=bool)
        which[index[column.problems == problem]] = True
        rows.settle(which, "rejected", f"{problem} in {label}")
    log.reads.append(_Read(label, rows, index, texts.to_numpy(dtype=object), column))
    return column.values


def attribute_reader(name: str, column: AttributeColumn, mapping: Mapping) -> Reader:
    """The reader of an attribute's values, by its kind."""
    attribute = schema.attributes()[name]
    if attribute.kind == "flag":
        return read_flag
    if attribute.kind == "number":
        return number_reader(mapping.reading, attribute.low, attribute.high, column.outside)
    return code_reader(column.level_of, column.unknown_code)


def as_dates(values: np.ndarray) -> Dates:
    """Days (or None) as ``datetime64[D]``, None as NaT."""
    return pd.to_datetime(pd.Series(values, dtype=object)).to_numpy().astype("datetime64[D]")


def fact_text(value: object) -> str:
    """A fact's value as the register writes it: true/false, a level, or a number without needless zeros."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)


def code_of(text: str) -> str:
    """A code in its normal form, ``1.0`` as ``1``."""
    return re.sub(r"^(\d+)[.,]0+$", r"\1", normal_code(text))


def is_none(values: np.ndarray) -> np.ndarray:
    """Where there is no value, (n,) bool."""
    return np.array([v is None for v in values], dtype=bool)
