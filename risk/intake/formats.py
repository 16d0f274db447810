"""From a file to a grid of text: encodings, separators, workbooks and Parquet; nothing is understood here yet."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class Grid:
    """One file or sheet: its rows of text, the headings first, and how it was written."""

    name: str
    rows: list[list[str]]
    encoding: str | None = None
    separator: str | None = None


def read_grids(path: Path, mapping: Mapping) -> list[Grid]:
    """The grids of one extract file: one, or one per sheet of a workbook.

    Raises
    ------
    IntakeError
        When the file is missing, empty, or not in a readable encoding or format.
    """
    name = masked(path.name or str(path))
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
        grids = [Grid(name, _parquet(path, name, mapping))]
    else:
        grids = [_delimited(path, name, mapping)]
    grids = [grid for grid in grids if grid.rows]
    if not grids:
        raise IntakeError(f"{name} is empty; export it again")
    return grids


def _delimited(path: Path, name: str, mapping: Mapping) -> Grid:
    text, encoding = _decoded(path.read_bytes(), name, mapping.reading.encoding)
    if not text.strip():
        raise IntakeError(f"{name} is empty; export it again")
    separator = mapping.reading.separator or _sniffed(text, mapping)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        line = _line_of_csv_error(text, separator)
        raise IntakeError(f"{name}: the quotes in row {line} do not pair, so later rows cannot be told apart") from None
    return Grid(name, rows, encoding, {"\t": "tab"}.get(separator, separator))


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


def _workbook(path: Path, name: str, mapping: Mapping) -> list[Grid]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = {s: book.get_sheet_by_name(s).to_python(skip_empty_area=False) for s in book.sheet_names}
    except (python_calamine.CalamineError, OSError):
        raise IntakeError(f"{name} is not a readable workbook (damaged, or locked with a password)") from None
    return [
        Grid(f"{name}[{masked(sheet)}]", [[_as_text(cell, mapping) for cell in row] for row in rows])
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
