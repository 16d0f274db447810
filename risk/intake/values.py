"""From text to values: dates, numbers, flags, codes and persons, each as Danish offices write them. Nothing is guessed.

A reader takes one text and answers with the value, or why it cannot be read, and what had to be done to read it. Columns are
read once per distinct text, which is what makes thirty thousand rows a matter of a second.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from risk.intake.mapping import Reading, normal_code

MIN_YEAR, MAX_YEAR, OPEN_YEAR = 1900, 2100, 9999

_TIME = r"(?:[T ](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
_DATES = (
    re.compile(r"(?P<y>\d{4})(?P<sep>[-./])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})" + _TIME),
    re.compile(r"(?P<d>\d{1,2})(?P<sep>[-./])(?P<m>\d{1,2})(?P=sep)(?P<y>\d{4})" + _TIME),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<time>)"),
)
_FLAGS = {"j": True, "ja": True, "1": True, "true": True, "n": False, "nej": False, "0": False, "false": False}
_FLAGS |= {"sand": True, "falsk": False}  # what a Danish spreadsheet calls true and false
_CPR = re.compile(r"(?P<d>\d{1,2})(?P<m>\d{2})(?P<y>\d{2})(?P<sep>[- ]?)(?P<serial>\d{4})")
_SYNTHETIC = re.compile(r"SYN\d{6,9}")


class Read(NamedTuple):
    """What one text says: its value (None when blank), why it cannot be read, and what was done to read it."""

    value: Any = None
    problem: str | None = None
    note: str | None = None


Reader = Callable[[str], Read]


@dataclass
class Column:
    """A column once read: (n,) values, problems and notes, None where there is none."""

    values: np.ndarray
    problems: np.ndarray
    notes: np.ndarray


def read_column(texts: pd.Series, reader: Reader) -> Column:
    """Read every text of a column, each distinct text once."""
    places, distinct = pd.factorize(texts.to_numpy(dtype=object))
    read = [reader(text) for text in distinct]

    def spread(of: int) -> np.ndarray:
        items = np.empty(len(read), dtype=object)
        items[:] = [r[of] for r in read]
        return items[places] if len(read) else np.empty(0, dtype=object)

    return Column(spread(0), spread(1), spread(2))


def skipping_blanks(reader: Reader, reading: Reading) -> Reader:
    """The same reader, told which texts mean that there is no value."""
    blanks = {normal_code(b) for b in reading.blanks} | {""}

    def read(text: str) -> Read:
        if normal_code(text) in blanks:
            return Read(note="blank sign read as blank" if text.strip() else None)
        return reader(" ".join(text.replace("\xa0", " ").split()))

    return read


def read_date(text: str) -> Read:
    """A day: yyyy-mm-dd, dd-mm-yyyy (also with . or /) or yyyymmdd; the year 9999 means "still open".

    >>> read_date("31.12.2025").value, read_date("20251231").value
    (datetime.date(2025, 12, 31), datetime.date(2025, 12, 31))
    >>> read_date("03-04-25").problem
    'not a date'
    """
    match = next((m for pattern in _DATES if (m := pattern.fullmatch(text))), None)
    if match is None:
        return Read(problem="not a date")
    year = int(match["y"])
    if year == OPEN_YEAR:
        return Read(note="year 9999 read as open")
    if not MIN_YEAR <= year <= MAX_YEAR:
        return Read(problem=f"date outside {MIN_YEAR}-{MAX_YEAR}")
    try:
        day = date(year, int(match["m"]), int(match["d"]))
    except ValueError:
        return Read(problem="no such day")
    return Read(day, note="time of day left out" if match["time"] else None)


def number_reader(reading: Reading, low: float, high: float, outside: str = "reject") -> Reader:
    """A reader of numbers in the source's own signs; ``12.5`` is refused where the dot stands for thousands."""
    decimal, thousand = re.escape(reading.decimal), re.escape(reading.thousand)
    grouped = rf"|[1-9]\d{{0,2}}(?:{thousand}\d{{3}})+" if thousand else ""
    pattern = re.compile(rf"[+-]?(?:\d+{grouped})(?:{decimal}\d+)?(?:[eE][+-]?\d{{1,2}})?")

    def read(text: str) -> Read:
        if not pattern.fullmatch(text):
            return Read(problem="not a number in the source's decimal and thousand signs")
        plain = text.replace(reading.thousand, "") if reading.thousand else text
        number = float(plain.replace(reading.decimal, "."))
        if not (low <= number <= high):
            if outside == "blank":
                return Read(note="number outside its range left blank")
            return Read(problem=f"number outside {low:g} to {high:g}")
        return Read(number)

    return read


def read_flag(text: str) -> Read:
    """J/N, Ja/Nej, 1/0, true/false, in any case.

    >>> read_flag("Ja").value, read_flag("0").value, read_flag("måske").problem
    (True, False, 'not yes or no')
    """
    flag = _FLAGS.get(_whole(normal_code(text)))
    return Read(problem="not yes or no") if flag is None else Read(flag)


def code_reader(levels: dict[str, str], unknown_code: str | None) -> Reader:
    """A reader of coded values: the level of a code; an unknown code becomes ``unknown_code`` or is refused."""

    def read(text: str) -> Read:
        code = normal_code(text)
        level = levels.get(code) or levels.get(_whole(code))
        if level is not None:
            return Read(level)
        if unknown_code is not None:
            return Read(unknown_code, note="unknown code")
        return Read(problem="unknown code")

    return read


def _whole(code: str) -> str:
    """``1.0`` and ``1,0`` are how some tools write the code ``1``."""
    return re.sub(r"^(\d+)[.,]0+$", r"\1", code)


def read_person(text: str) -> Read:
    """A CPR number as ten digits, or a synthetic id; one whose leading zero a spreadsheet took away gets it back.

    >>> read_person("SYN000123").value
    'SYN000123'
    >>> read_person("12345").problem
    'not a CPR number'
    """
    if _SYNTHETIC.fullmatch(text):
        return Read(text)
    match = _CPR.fullmatch(text)
    # Days 61 to 91 are numbers given to persons without one of their own.
    if (
        match is None
        or not (1 <= int(match["d"]) <= 31 or 61 <= int(match["d"]) <= 91)
        or not 1 <= int(match["m"]) <= 12
    ):
        return Read(problem="not a CPR number")
    digits = match["d"].zfill(2) + match["m"] + match["y"] + match["serial"]
    return Read(digits, note="leading zero of a CPR number put back" if len(match["d"]) == 1 else None)


def read_text(text: str) -> Read:
    """A name or number kept as it stands."""
    return Read(text)


def days_of(number: float, unit: str) -> int:
    """A duration in whole days, parts of a day up: 0.25 weeks are 2 days, 52 weeks are 364."""
    return math.ceil(round(number * (7 if unit == "weeks" else 1), 6))
