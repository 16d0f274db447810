"""Pages of words alone: help, and the accessibility statement."""

from __future__ import annotations

from datetime import date

from fastapi import FastAPI, Request, Response

from serving.web.render import house_of, page

# The day the pages were last looked through as the statement says.
ACCESSIBILITY_ON = date(2026, 11, 22)
HELP = (
    ("for", ("for_1", "for_2", "for_3")),
    ("not", ("not_1", "not_2", "not_3")),
    ("read", ("read_chance", "read_band", "read_reasons", "read_missing", "read_none")),
    ("answer", ("answer_1", "answer_2", "answer_3", "answer_4")),
    ("keys", ("keys_1", "keys_2", "keys_3")),
)
STATEMENT = (
    ("how", ("how_1", "how_2", "how_3")),
    ("known", ("known_1", "known_2")),
    ("complain", ("complain_1", "complain_2")),
)


def add_pages(app: FastAPI) -> None:
    @app.get("/help")
    def show_help(request: Request) -> Response:
        return page(request, "help.html.j2", parts=HELP, minutes=f"{house_of(request).settings.session_idle_minutes:g}")

    @app.get("/accessibility")
    def show_statement(request: Request) -> Response:
        contact = house_of(request).settings.web_contact
        return page(request, "accessibility.html.j2", parts=STATEMENT, on=ACCESSIBILITY_ON, contact=contact)
