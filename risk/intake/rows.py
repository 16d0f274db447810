"""The rows of an extract and what became of each: every row read has exactly one fate, and the report counts them.

``read = kept + rejected + duplicate + totals + later`` holds because a row changes its fate once only, away from kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from risk.intake.pseudonym import masked
from risk.intake.reading import Part

Fate = Literal["kept", "rejected", "duplicate", "totals", "later"]


@dataclass
class Rows:
    """All rows of one kind (cases or facts), over the files they came in.

    Attributes
    ----------
    text : DataFrame
        (n, roles), the texts to be read; empty where a file lacks the column.
    part : array of int, (n,)
        Which part a row came in.
    row : array of int, (n,)
        Its row number in the file, headings = row 1.
    fate, reason : arrays of object, (n,)
        What became of it, and why.
    made_up : array of bool, (n,)
        The person has a synthetic id (set when persons are read).
    """

    parts: list[Part]
    text: pd.DataFrame
    part: np.ndarray
    row: np.ndarray
    fate: np.ndarray
    reason: np.ndarray
    made_up: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def kept(self) -> np.ndarray:
        """Rows nothing has been said against yet, (n,) bool."""
        return self.fate == "kept"

    def settle(self, which: np.ndarray, fate: Fate, reason: str) -> None:
        """Give the chosen rows (n, bool) their fate; a row that already has one keeps it."""
        chosen = which & self.kept
        self.fate[chosen] = fate
        self.reason[chosen] = reason

    def has(self, role: str) -> bool:
        """True when at least one file has a column for the role."""
        return role in self.text.columns

    def places(self, which: np.ndarray) -> list[tuple[str, list[int]]]:
        """The chosen rows (n, bool) as (file, row numbers), in the order of the files."""
        found = ((part.name, self.row[which & (self.part == i)]) for i, part in enumerate(self.parts))
        return [(name, [int(r) for r in rows]) for name, rows in found if len(rows)]


def joined(parts: list[Part]) -> Rows:
    """The rows of several parts, one after the other."""
    n = sum(len(p.row) for p in parts)
    text = pd.concat([p.text for p in parts], ignore_index=True).fillna("") if parts else pd.DataFrame()
    return Rows(
        parts=parts,
        text=text.astype(object),
        part=np.repeat(np.arange(len(parts)), [len(p.row) for p in parts]),
        row=np.concatenate([p.row for p in parts]) if parts else np.empty(0, dtype=np.int64),
        fate=np.full(n, "kept", dtype=object),
        reason=np.full(n, None, dtype=object),
        made_up=np.zeros(n, dtype=bool),
    )


def rejected_rows(rows: Rows, person: np.ndarray | None) -> pd.DataFrame:
    """The rejected rows as they stood in their files, CPR numbers replaced by the pseudonym or by stars.

    Parameters
    ----------
    rows : Rows
        n rows.
    person : array of object, (n,), or None
        The pseudonym of each row's person where it could be read.

    Returns
    -------
    DataFrame with the columns ``file``, ``row``, ``reason`` and ``text`` (the fields joined by ``;``)
    """
    first = np.concatenate([[0], np.cumsum([len(p.row) for p in rows.parts])])
    found = np.flatnonzero(rows.fate == "rejected")
    texts = []
    for i in found:
        part = rows.parts[rows.part[i]]
        fields = [masked(cell) for cell in part.record[i - first[rows.part[i]]]]
        place = part.place.get("person_key")
        if place is not None and place < len(fields) and part.broken[i - first[rows.part[i]]] is None:
            fields[place] = (person[i] if person is not None else None) or "***"
        texts.append(_one_line(fields))
    return pd.DataFrame(
        {
            "file": [rows.parts[rows.part[i]].name for i in found],
            "row": rows.row[found],
            "reason": rows.reason[found],
            "text": texts,
        }
    )


def _one_line(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=";", lineterminator="").writerow(fields)
    return line.getvalue()


def reasons(rows: Rows, fate: Fate) -> Iterator[tuple[str, np.ndarray]]:
    """Each reason given for a fate, with its rows (n, bool); the commonest first."""
    counted = pd.Series(rows.reason[rows.fate == fate], dtype=object).value_counts(sort=False)
    for reason in sorted(counted.index, key=lambda r: (-counted[r], r)):
        yield str(reason), (rows.fate == fate) & (rows.reason == reason)
