"""axe-core finds no violation on any page, in either language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from serving.language import LANGUAGES
from serving.web.rules import PAGES

VISITS: dict[str, tuple[str, ...]] = {
    "": ("/sign-in", "/sign-in?expired=1", "/help", "/accessibility", "/nowhere"),
    "karen": (
        "/list?page=2",
        "/list?sort=chance&section=duty",
        "/list?week=2026-W47&section=duty",
        "/weeks",
        "/password",
        "/overview",
    ),
    "lars": ("/list?section=duty", "/weeks", "/overview"),
    "sofie": ("/model",),
    "anna": ("/accounts",),
}


def check(page: Page, what: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{what}: {found.generate_report()}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VISITS)
def test_axe_finds_nothing_on_the_pages_of(visit: Callable, name: str, language: str) -> None:
    page: Page = visit(name, language)
    for path in VISITS[name]:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == language
        check(page, path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_on_a_case_an_open_form_and_an_answer(visit: Callable, language: str) -> None:
    page: Page = visit("karen", language)
    page.goto("/list?section=duty")
    page.locator("details.give summary").nth(5).click()
    check(page, "an open form")
    page.locator("details.give[open] button").first.click()
    page.wait_for_url("**answered=**")
    check(page, "an answer")
    page.locator("tbody th a").nth(5).click()
    page.locator("details summary").click()
    check(page, "a case with an answer and its table")
    page.goto("/list?section=past_horizon")
    page.locator("tbody th a").first.click()
    check(page, "a case without a score")


def test_no_page_is_left_out() -> None:
    visited = {path.split("?")[0] for paths in VISITS.values() for path in paths} | {"/case/{key}"}
    pages = {path for method, path in PAGES if method == "GET"} - {"/", "/web.css", "/icon.svg"}
    assert pages <= visited
