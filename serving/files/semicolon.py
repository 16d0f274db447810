"""The list as CSV for Excel in Denmark: semicolons, decimal comma, dd-mm-yyyy, UTF-8 with a byte-order mark."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import date

import pandas as pd

from serving.language import Speaker
from serving.worklist import COLUMNS, Column

# A cell that starts with one of these is run as a formula by a spreadsheet; an apostrophe in front makes it text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_lines(rows: pd.DataFrame, headings: Sequence[str]) -> list[str]:
    """The heading and the rows (columns of ``COLUMNS``) as lines of a CSV file.

    Dates and numbers are written the Danish way whatever the language of the texts: Excel in Denmark reads the file.
    """
    speaker = Speaker("da")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([harmless(h) for h in headings])
    columns = [[_cell(v, c, speaker) for v in rows[c.name].tolist()] for c in COLUMNS]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().split("\r\n")[:-1]  # no cell holds a line break: see harmless()


def csv_bytes(lines: Sequence[str]) -> bytes:
    """Lines of :func:`csv_lines` as the bytes of a file, with the mark by which Excel knows UTF-8."""
    return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode("utf-8")


def harmless(text: str) -> str:
    """Text that no spreadsheet runs as a formula, on one line.

    >>> harmless("=HYPERLINK(1)"), harmless("Team Nord")
    ("'=HYPERLINK(1)", 'Team Nord')
    """
    text = "'" + text if text.startswith(_FORMULA_STARTS) else text
    return " ".join(text.splitlines()) if "\n" in text or "\r" in text else text


def _cell(value: object, column: Column, speaker: Speaker) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if column.kind == "day":
        assert isinstance(value, date)
        return speaker.day(value)
    if column.kind in ("decimal", "share", "amount"):
        decimals = {"decimal": 1, "share": 4, "amount": 0}[column.kind]
        return f"{value:.{decimals}f}".replace(".", ",")
    return str(value) if column.kind == "whole" else harmless(str(value))
