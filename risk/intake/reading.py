"""From grids to rows with roles: which column is which, which rows are broken, and what is not used.

Every row keeps its number in the file (the headings are row 1), so that whatever is said of a row later can be looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from risk.errors import IntakeError
from risk.intake.formats import Grid, read_grids
from risk.intake.mapping import Mapping, normal_heading
from risk.intake.pseudonym import masked


@dataclass
class Part:
    """The rows of one file or sheet, as text, with its columns named by what they are for.

    Attributes
    ----------
    text : DataFrame
        One row per data row, one object column per role the mapping knows (see :meth:`Mapping.roles`).
    row : array of int, (n,)
        Row number in the file; the headings are row 1.
    record : list of list of str
        The same rows as they stood in the file.
    broken : array of object, (n,)
        Why a row cannot be read at all (too many or too few fields), or None.
    place : dict
        Role to position among the fields of a row.
    """

    name: str
    kind: Literal["cases", "facts"]
    text: pd.DataFrame
    row: np.ndarray
    record: list[list[str]]
    broken: np.ndarray
    place: dict[str, int]
    encoding: str | None = None
    separator: str | None = None
    unused: list[str] = field(default_factory=list)
    n_empty: int = 0


def read_parts(path: Path, mapping: Mapping) -> list[Part]:
    """The parts of one extract file: one, or one per sheet of a workbook that holds cases or facts.

    Raises
    ------
    IntakeError
        When the file is missing, empty, not in a readable encoding or format, or holds neither cases nor facts.
    """
    grids = read_grids(Path(path), mapping)
    parts = [part for grid in grids if (part := _part(grid, mapping)) is not None]
    if not parts:
        wanted = ", ".join(_needed(mapping).values())
        raise IntakeError(
            f"{masked(Path(path).name)}: row 1 holds neither the headings of cases nor of facts; "
            f"cases of mapping {mapping.name!r} need {wanted}"
        )
    return parts


def _part(grid: Grid, mapping: Mapping) -> Part | None:
    """The rows of a grid under their roles; None when it holds neither cases nor facts."""
    header = list(grid.rows[0])
    while header and not header[-1].strip():
        header.pop()
    found = [normal_heading(h) for h in header]
    facts = _columns(found, mapping.fact_roles(), grid.name)
    if mapping.facts and len(facts) == 4:
        return _rows(grid, "facts", facts, header, mapping)
    cases = _columns(found, mapping.roles(), grid.name)
    if len(cases) < 2:
        return None
    needed = _needed(mapping)
    missing = [heading for role, heading in needed.items() if role not in cases]
    if missing:
        raise IntakeError(
            f"{grid.name} lacks the column {missing[0]!r}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + f"; add it to the extract, or its heading to mapping {mapping.name!r}"
        )
    return _rows(grid, "cases", cases, header, mapping)


def _needed(mapping: Mapping) -> dict[str, str]:
    """The roles a cases file must have, with the first heading of each."""
    needed = {role: key.headings[0] for role, key in mapping.keys.items() if key.headings}
    if mapping.durations:
        needed |= {"@duration": mapping.durations.headings[0], "@period": mapping.durations.period[0]}
    return needed


def _columns(found: list[str], roles: Iterable[tuple[str, list[str]]], name: str) -> dict[str, int]:
    """Role to position, for the roles whose heading is there."""
    columns: dict[str, int] = {}
    for role, headings in roles:
        places = [i for i, heading in enumerate(found) if heading in headings]
        if len(places) > 1:
            raise IntakeError(
                f"{name}: columns {places[0] + 1} and {places[1] + 1} both hold {headings[0]!r}; take one out"
            )
        if places:
            columns[role] = places[0]
    return columns


def _rows(
    grid: Grid, kind: Literal["cases", "facts"], columns: dict[str, int], header: list[str], mapping: Mapping
) -> Part:
    width = len(header)
    record: list[list[str]] = []
    numbers: list[int] = []
    broken: list[str | None] = []
    n_empty = 0
    for number, row in enumerate(grid.rows[1:], start=2):
        if not any(cell and not cell.isspace() for cell in row):
            n_empty += 1
            continue
        why = None
        if len(row) < width:
            why = "too few fields"
        elif any(cell and not cell.isspace() for cell in row[width:]):
            why = "too many fields"
        record.append(row)
        numbers.append(number)
        broken.append(why)
    cells = np.full((len(record), width), "", dtype=object)
    for i, row in enumerate(record):
        if broken[i] is None:
            cells[i] = row[:width]
    used = set(columns.values())
    ignored = {normal_heading(h) for h in mapping.reading.ignored}
    unused = [
        masked(h.strip()) for i, h in enumerate(header) if i not in used and normal_heading(h) not in {*ignored, ""}
    ]
    return Part(
        name=grid.name,
        kind=kind,
        text=pd.DataFrame({role: cells[:, place] for role, place in columns.items()}, dtype=object),
        row=np.array(numbers, dtype=np.int64),
        record=record,
        broken=np.array(broken, dtype=object),
        place=columns,
        encoding=grid.encoding,
        separator=grid.separator,
        unused=unused,
        n_empty=n_empty,
    )


def is_totals(part: Part, words: tuple[str, ...]) -> np.ndarray:
    """Rows whose first filled cell is a word for a sum, (n,) bool."""
    wanted = {" ".join(w.casefold().split()) for w in words}
    longest = max(map(len, wanted), default=0) + 4

    def says_so(row: list[str]) -> bool:
        first = row[0] if row[0] and not row[0].isspace() else next(c for c in row if c and not c.isspace())
        return len(first) <= longest and " ".join(first.casefold().split()).rstrip(" :") in wanted

    return np.fromiter(map(says_so, part.record), dtype=bool, count=len(part.record))
