"""The list as an Excel workbook: a cover that says what the list is and is not for, and one sheet per team."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from serving.files.semicolon import harmless
from serving.language import Speaker
from serving.sentences import OVERVIEW, about_lines, fact_lines, overview_cells, review_line, team_lines, title
from serving.worklist import COLUMNS, Column, Lists, team_names

# Narrower than the CSV, so that a sheet can be read on paper: the reasons share a cell, and what the CSV adds is left out.
_LEFT_OUT = ("week", "office", "team", "opened_on", "base_rate", "p_close", "reason_2", "reason_3", "milestone_on")
_REASONS = Column("reasons", "text", 52)
_LINE_POINTS = 13
_HEADER_ROW = 3


def write_workbook(lists: Lists, rows: pd.DataFrame, revision: int, path: Path, speaker: Speaker) -> None:
    """Write the workbook; the same lists give the same bytes.

    Parameters
    ----------
    rows : DataFrame
        :func:`serving.worklist.rows_in_words` of the lists.
    """
    work = lists.worklist
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        heading = title(lists, speaker)
        # Without a date of its own the workbook would carry the clock, and no two files would be equal.
        created = datetime.combine(work.as_of, time())
        book.set_properties({"title": heading, "comments": speaker.say("list.purpose"), "created": created})
        formats = _formats(book, speaker)
        names = team_names(work.teams)
        sheets = sheet_names([speaker.say("list.cover"), *names])
        _cover(book.add_worksheet(sheets[0]), lists, names, sheets[1:], revision, speaker, formats)
        place = dict(list(rows.groupby(["office", "team"], sort=True)))
        for sheet, name, team in zip(sheets[1:], names, work.teams.itertuples(), strict=True):
            mine = place.get((team.office, team.team), rows.iloc[:0])
            _team_sheet(book.add_worksheet(sheet), name, team, mine, lists, speaker, formats)


def _on_sheet(lists: Lists) -> tuple[Column, ...]:
    """The columns of a sheet: the cost only where the policy orders by it."""
    left_out = _LEFT_OUT if lists.worklist.policy.order.needs_cost else (*_LEFT_OUT, "cost")
    return tuple(_REASONS if c.name == "reason_1" else c for c in COLUMNS if c.name not in left_out)


def sheet_names(names: Sequence[str]) -> list[str]:
    """Names Excel accepts: at most 31 characters, none of ``[]:*?/\\``, no two equal.

    >>> sheet_names(["Team A/B", "team a b"])
    ['Team A B', 'team a b 2']
    """
    out: list[str] = []
    taken = {"history"}
    for name in names:
        clean = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", name).strip().strip("'") or "Team"
        tried, n = clean[:31], 1
        while tried.lower() in taken:
            n += 1
            tried = f"{clean[: 30 - len(str(n))]} {n}"
        taken.add(tried.lower())
        out.append(tried)
    return out


def _formats(book: Any, speaker: Speaker) -> dict[str, Any]:
    day = "dd-mm-yyyy" if speaker.language == "da" else "yyyy-mm-dd"
    cell = {"valign": "top", "border": 1, "border_color": "#D0D5D9", "font_size": 10}
    kinds: dict[str, dict[str, Any]] = {
        "text": {"text_wrap": True},
        "whole": {"num_format": "0;-0;", "align": "center"},
        "decimal": {"num_format": "0.0", "align": "center"},
        "share": {"num_format": "0%", "align": "center"},
        "amount": {"num_format": "#,##0", "align": "right"},
        "day": {"num_format": day, "align": "left"},
    }
    # A section begins under a heavier line: the sheet can be filtered, so it has no headings between the rows.
    first = {"top": 2, "top_color": "#1A1F24"}
    return {
        **{kind: book.add_format(cell | own) for kind, own in kinds.items()},
        **{f"{kind}_first": book.add_format(cell | own | first) for kind, own in kinds.items()},
        "title": book.add_format({"bold": True, "font_size": 16}),
        "name": book.add_format({"bold": True, "font_size": 12}),
        "line": book.add_format({"text_wrap": True, "valign": "top"}),
        "plain": book.add_format({"font_size": 9, "italic": True}),
        "warning": book.add_format({"bold": True, "font_color": "#8A1C10"}),
        "head": book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E4EAEE", "border": 1, "font_size": 10}
        ),
        "number": book.add_format({"align": "right", "border": 1, "border_color": "#D0D5D9"}),
        "cell": book.add_format({"border": 1, "border_color": "#D0D5D9"}),
    }


def _cover(
    sheet: Any,
    lists: Lists,
    names: Sequence[str],
    sheets: Sequence[str],
    revision: int,
    speaker: Speaker,
    formats: dict[str, Any],
) -> None:
    """What the list is, what it is not for, and the overview with counts under 5 hidden."""
    work, say = lists.worklist, speaker.say
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, len(OVERVIEW), 13)
    sheet.write_string(0, 0, title(lists, speaker), formats["title"])
    row = 1
    if lists.register.is_synthetic:
        sheet.write_string(row, 0, say("list.synthetic"), formats["warning"])
        row += 1
    warning = review_line(lists, speaker)
    texts = [say("list.purpose"), *([warning] if warning else []), *about_lines(lists, speaker), say("list.legend")]
    for text in [*texts, *fact_lines(lists, revision, speaker)]:
        sheet.merge_range(row, 0, row, len(OVERVIEW), "", formats["line"])
        sheet.write_string(row, 0, text, formats["line"])
        sheet.set_row(row, 15 * (1 + len(text) // 140))
        row += 1
    row += 1
    sheet.set_row(row, 2 * _LINE_POINTS + 4)
    sheet.write_string(row, 0, say("overview.team"), formats["head"])
    for k, what in enumerate(OVERVIEW):
        sheet.write_string(row, k + 1, say(f"overview.{what}", horizon=work.horizon_weeks), formats["head"])
    for name, link, team in zip(names, sheets, work.teams.itertuples(), strict=True):
        row += 1
        quoted = link.replace("'", "''")
        sheet.write_url(row, 0, f"internal:'{quoted}'!A1", formats["cell"], harmless(name))
        for k, text in enumerate(overview_cells(team, speaker)):
            sheet.write_string(row, k + 1, text, formats["number"])
    sheet.write_string(row + 1, 0, say("list.print_hint"), formats["plain"])
    _print_set_up(sheet, speaker)


def _team_sheet(
    sheet: Any, name: str, team: Any, rows: pd.DataFrame, lists: Lists, speaker: Speaker, formats: dict[str, Any]
) -> None:
    horizon = lists.worklist.horizon_weeks
    rows = rows.assign(reasons=_joined_reasons(rows))
    mark = f" · {speaker.say('list.synthetic')}" if lists.register.is_synthetic else ""
    sheet.write_string(0, 0, f"{name} · {title(lists, speaker)}{mark}", formats["name"])
    sheet.write_string(1, 0, speaker.say("list.purpose"), formats["plain"])
    columns = _on_sheet(lists)
    begins = (rows["section"] != rows["section"].shift()).tolist()
    for k, column in enumerate(columns):
        sheet.set_column(k, k, column.width)
        sheet.write_string(_HEADER_ROW, k, speaker.say(f"column.{column.name}", horizon=horizon), formats["head"])
        styles = [formats[f"{column.kind}_first" if is_first else column.kind] for is_first in begins]
        _write_column(sheet, k, column.kind, rows[column.name].tolist(), styles)
    sheet.set_row(_HEADER_ROW, 2 * _LINE_POINTS + 4)
    for i, n_lines in enumerate(_lines_needed(rows, columns), start=_HEADER_ROW + 1):
        sheet.set_row(i, n_lines * _LINE_POINTS + 3)
    last = _HEADER_ROW + max(len(rows), 1)
    sheet.autofilter(_HEADER_ROW, 0, last, len(columns) - 1)
    sheet.freeze_panes(_HEADER_ROW + 1, 3)
    sheet.repeat_rows(_HEADER_ROW)
    for k, text in enumerate(_team_notes(lists, team, speaker)):
        sheet.write_string(last + 2 + k, 0, text)
    _print_set_up(sheet, speaker)


def _joined_reasons(rows: pd.DataFrame) -> list[str]:
    three = zip(rows["reason_1"], rows["reason_2"], rows["reason_3"], strict=True)
    return ["\n".join(r for r in reasons if r) for reasons in three]


def _lines_needed(rows: pd.DataFrame, columns: Sequence[Column]) -> list[int]:
    """Lines of the tallest cell of each row: Excel does not always make room for wrapped text by itself."""
    needed = [1] * len(rows)
    for column in columns:
        if column.kind == "text":
            room = round(1.15 * column.width)  # letters are narrower than the digits a column is measured in
            for i, text in enumerate(rows[column.name].tolist()):
                needed[i] = max(needed[i], sum(1 + max(len(t) - 1, 0) // room for t in text.split("\n")))
    return needed


def _team_notes(lists: Lists, team: Any, speaker: Speaker) -> list[str]:
    """Below the rows: the account of the team, and who left the list."""
    left = lists.worklist.left
    left = left[(left["office"] == team.office) & (left["team"] == team.team)]
    gone = [f"{harmless(r.case_id)}: {speaker.say(f'left.{r.why}')}" for r in left.itertuples()]
    return [*team_lines(team, lists, speaker), *([speaker.say("left.title")] if gone else []), *gone]


def _write_column(sheet: Any, k: int, kind: str, values: list[Any], styles: list[Any]) -> None:
    """Write one column of cells; text is always written as text, so that nothing in it can be run."""
    for i, (value, style) in enumerate(zip(values, styles, strict=True), start=_HEADER_ROW + 1):
        if value is None or value is pd.NaT or value != value or value == "":
            sheet.write_blank(i, k, None, style)
        elif kind == "text":
            sheet.write_string(i, k, str(value), style)
        elif kind == "day":
            sheet.write_datetime(i, k, value.to_pydatetime(), style)
        else:
            sheet.write_number(i, k, float(value), style)


def _print_set_up(sheet: Any, speaker: Speaker) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
    sheet.set_footer(f"&L{speaker.say('list.footer')}&R{speaker.say('list.page')} &P / &N")
