"""What the commands of all rooms share: how a date is written on a command line."""

from __future__ import annotations

from datetime import date

import click

from risk.weeks import parse_day


class Day(click.ParamType):
    """A date on the command line, as yyyy-mm-dd."""

    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return parse_day(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


DAY = Day()
