"""From a file to rows of text: encodings, separators, workbooks and Parquet; nothing is understood here yet.

Every cell becomes text as the source would have written it, and every row keeps its number in the file (the headings are
row 1), so that whatever is said of a row later can be looked up.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from risk.errors import IntakeError
from risk.intake.mapping import Mapping, normal_heading
from risk.intake.pseudonym import masked

WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_SEPARATORS = (";", "\t", ",")
# What UTF-8 letters look like when each byte was read as a letter of its own: æ, ø, å, Æ, Ø, Å.
_MIXED = re.compile("Ã[¦¸¥†˜…]")


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


@dataclass
class _Grid:
    name: str
    rows: list[list[str]]
    encoding: str | None = None
    separator: str | None = None


def read_parts(path: Path, mapping: Mapping) -> list[Part]:
    """The parts of one extract file: one, or one per sheet of a workbook that holds cases or facts.

    Raises
    ------
    IntakeError
        When the file is missing, empty, not in a readable encoding or format, or holds neither cases nor facts.
    """
    path = Path(path)
    name = masked(path.name)
    try:
        size = path.stat().st_size
    except OSError as why:
        raise IntakeError(f"{name} cannot be read ({why.strerror}); check the path") from None
    if path.is_dir():
        raise IntakeError(f"{name} is a folder; name the extract files in it")
    if size == 0:
        raise IntakeError(f"{name} is empty; export it again")
    if path.suffix.lower() in WORKBOOKS:
        grids = _workbook(path, name, mapping)
    elif path.suffix.lower() == ".parquet":
        grids = [_Grid(name, _parquet(path, name, mapping))]
    else:
        grids = [_delimited(path, name, mapping)]
    if not any(grid.rows for grid in grids):
        raise IntakeError(f"{name} is empty; export it again")
    parts = [part for grid in grids if grid.rows and (part := _part(grid, mapping)) is not None]
    if not parts:
        wanted = ", ".join(_needed(mapping))
        raise IntakeError(
            f"{name}: row 1 holds neither the headings of cases nor of facts; mapping {mapping.name!r} needs {wanted}"
        )
    return parts


# ---- formats ----------------------------------------------------------------------------------------------------------


def _delimited(path: Path, name: str, mapping: Mapping) -> _Grid:
    text, encoding = _decoded(path.read_bytes(), name, mapping.reading.encoding)
    if not text.strip():
        raise IntakeError(f"{name} is empty; export it again")
    separator = mapping.reading.separator or _sniffed(text, mapping)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        line = _line_of_csv_error(text, separator)
        raise IntakeError(f"{name}: the quotes in row {line} do not pair, so later rows cannot be told apart") from None
    return _Grid(name, rows, encoding, {"\t": "tab"}.get(separator, separator))


def _line_of_csv_error(text: str, separator: str) -> int:
    row = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row, _ in enumerate(reader, start=1):  # noqa: B007 - the last good row is what we are after
            pass
    except csv.Error:
        return row + 1
    return row


def _decoded(raw: bytes, name: str, hint: str | None) -> tuple[str, str]:
    """The text and its encoding: the hint, else UTF-8, else Windows-1252 (which holds ISO-8859-1's letters)."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:100_000]:
        raise IntakeError(f"{name} is UTF-16 or not a text file; export it as CSV in UTF-8 or Windows-1252")
    if hint is not None:
        try:
            return raw.decode("utf-8-sig" if hint.lower() in ("utf-8", "utf8") else hint), hint
        except UnicodeDecodeError:
            raise IntakeError(f"{name} is not in {hint}, the encoding its mapping states; mend one of them") from None
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        raise IntakeError(
            f"{name} is neither in UTF-8 nor in Windows-1252; export it in UTF-8, or state 'encoding' in the mapping"
        ) from None
    if _MIXED.search(text):
        raise IntakeError(f"{name} mixes UTF-8 with another encoding; export it again in one of them")
    return text, "windows-1252"


def _sniffed(text: str, mapping: Mapping) -> str:
    """The separator that makes the most known headings of the first row."""
    known = {h for _, headings in (*mapping.roles(), *mapping.fact_roles()) for h in headings}

    def n_known(separator: str) -> int:
        try:
            first = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
        except csv.Error:
            return 0
        return sum(normal_heading(h) in known for h in first)

    return max(_SEPARATORS, key=n_known)


def _workbook(path: Path, name: str, mapping: Mapping) -> list[_Grid]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = {s: book.get_sheet_by_name(s).to_python(skip_empty_area=False) for s in book.sheet_names}
    except (python_calamine.CalamineError, OSError):
        raise IntakeError(f"{name} is not a readable workbook (damaged, or locked with a password)") from None
    return [
        _Grid(f"{name}[{masked(sheet)}]", [[_as_text(cell, mapping) for cell in row] for row in rows])
        for sheet, rows in sheets.items()
    ]


def _parquet(path: Path, name: str, mapping: Mapping) -> list[list[str]]:
    import pyarrow

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, pyarrow.ArrowException):
        raise IntakeError(f"{name} is not a readable Parquet file; export it again") from None
    columns = [[_as_text(cell, mapping) for cell in frame[c].astype(object)] for c in frame.columns]
    return [[str(c) for c in frame.columns], *map(list, zip(*columns, strict=True))]


def _as_text(cell: Any, mapping: Mapping) -> str:
    """A typed cell as the source's own files would write it: dates as ISO, the mapping's decimal sign, whole numbers whole."""
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float | np.floating):
        return np.format_float_positional(cell, trim="-").replace(".", mapping.reading.decimal)
    if isinstance(cell, dt.datetime):
        # Midnight is how a workbook or a Parquet file writes a date without a time.
        return cell.date().isoformat() if cell.time() == dt.time() and cell.tzinfo is None else cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


# ---- columns and rows ---------------------------------------------------------------------------------------------------


def _part(grid: _Grid, mapping: Mapping) -> Part | None:
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
    grid: _Grid, kind: Literal["cases", "facts"], columns: dict[str, int], header: list[str], mapping: Mapping
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

    def first(row: list[str]) -> str:
        return next((" ".join(c.casefold().split()).rstrip(":") for c in row if c and not c.isspace()), "")

    return np.fromiter((first(row) in wanted for row in part.record), dtype=bool, count=len(part.record))
