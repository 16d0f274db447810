"""From the body of a request to its cases: looked at as a whole first, then case by case or in columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import ValidationError

from serving.arrow_in import MEDIA_TYPE as ARROW
from serving.arrow_in import read_stream
from serving.columns import Columns
from serving.columns_json import read_body_columns, read_columns
from serving.messages import Envelope, Row, flaws_of
from serving.problems import Flaw, Refused
from serving.reading import JSON, parse_json
from serving.rows import read_rows
from serving.rows_json import read_body_rows
from serving.settings import Settings

# Two days: somewhere it is tomorrow already, and a case registered today is asked about with tomorrow's date.
DAYS_AHEAD = 2


@dataclass(frozen=True)
class Limits:
    """What one kind of request may hold, and whether a request without a single readable case is a problem."""

    max_cases: int
    needs_one: bool
    media: str = JSON


class Opening:
    """Opens requests; what cannot be a request is refused, and a case that does not fit only has flaws.

    Parameters
    ----------
    today : the clock; only the latest allowed as-of date depends on it
    """

    def __init__(self, settings: Settings, today: Callable[[], date]) -> None:
        self._settings, self._today = settings, today

    def read(self, body: bytes, limits: Limits) -> list[Row]:
        """The cases of a small request in JSON, one by one.

        Raises
        ------
        Refused
        """
        most_facts = self._settings.max_facts
        whole = read_body_rows(body, limits.max_cases, most_facts)
        if whole is None:
            asked = self._opened(body, limits)
            rows = read_rows(asked.cases, asked.as_of, most_facts)
        else:
            as_of, rows = whole
            self._check_day(as_of)
        if limits.needs_one and all(row.flaws for row in rows):
            raise Refused("no-case-fits", [flaw for row in rows for flaw in row.flaws])
        return rows

    def read_many(self, body: bytes, limits: Limits) -> Columns:
        """The cases of a request in JSON or Arrow, in columns.

        Raises
        ------
        Refused
        """
        if limits.media == ARROW:
            settings = self._settings
            cases = read_stream(body, limits.max_cases, settings.max_facts, settings.max_body_bytes)
            self._check_day(cases.as_of)
            return cases
        most_facts = self._settings.max_facts
        whole = read_body_columns(body, limits.max_cases, most_facts)
        if whole is None:
            asked = self._opened(body, limits)
            cases = read_columns(asked.cases, asked.as_of, most_facts)
        else:
            cases = whole
            self._check_day(cases.as_of)
        if limits.needs_one and not len(cases):
            raise Refused("no-case-fits", [flaw for row in cases.rejected for flaw in row.flaws])
        return cases

    def _opened(self, body: bytes, limits: Limits) -> Envelope:
        """The outer part of a request in JSON.

        Raises
        ------
        Refused
            When it is none, looks from a day to come, or holds too many cases.
        """
        asked = _envelope(parse_json(body))
        self._check_day(asked.as_of)
        if len(asked.cases) > limits.max_cases:
            flaw = Flaw(pointer="/cases", code="too-many", detail=f"at most {limits.max_cases} cases in a request")
            raise Refused("too-large", [flaw])
        return asked

    def _check_day(self, as_of: date) -> None:
        if as_of > self._today() + timedelta(days=DAYS_AHEAD):
            flaw = Flaw(pointer="/as_of", code="in-the-future", detail="a day no later than tomorrow")
            raise Refused("invalid-request", [flaw])


def _envelope(given: Any) -> Envelope:
    try:
        return Envelope.model_validate(given)
    except ValidationError as broken:
        raise Refused("invalid-request", flaws_of(broken)) from None
