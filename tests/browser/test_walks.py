"""What a caseworker does on a Monday, without scripts, by keyboard alone, on a small screen, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from playwright.sync_api import Page, expect

NARROW = 320


def test_a_caseworker_signs_in_reads_filters_opens_a_case_answers_changes_language_and_prints(visit: Callable) -> None:
    page: Page = visit("karen", scripts=False)
    expect(page.locator("h1")).to_have_text("Ugens liste, uge 48 2026 · Nord")
    expect(page.locator("main [role=status]")).to_have_text("Viser 1-50 af 63 sager")
    page.select_option("#section", "risk")
    page.select_option("#sort", "age")
    page.click(".choose button")
    expect(page.locator("main [role=status]")).to_have_text("Viser 1-44 af 44 sager")
    page.locator("tbody th a").first.click()
    expect(page.locator("h1")).to_contain_text("Sag SYN")
    case_id = page.locator("h1").inner_text().removeprefix("Sag ")
    expect(page.locator("svg.curve")).to_be_visible()
    page.get_by_role("button", name="Ingen handling").click()
    expect(page.locator("p.note")).to_have_text(f"Svaret er gemt: Ingen handling for sag {case_id}.")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text(f"Case {case_id}")
    page.get_by_role("link", name="To the week's list").click()
    row = page.locator("tr", has=page.get_by_role("link", name=case_id))
    expect(row.locator(".answered")).to_have_text("No action")
    row.locator("summary").click()
    row.get_by_role("button", name="Something else").click()
    row = page.locator("tr", has=page.get_by_role("link", name=case_id))
    expect(row.locator(".answered")).to_have_text("Disagree: something else")
    page.emulate_media(media="print")
    for hidden in (".menu", ".choose", "details.give >> nth=0", ".pages"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator(".purpose")).to_be_visible()
    expect(page.locator(".list").first).to_be_visible()
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/list")
    expect(page.locator("h1")).to_have_text("Sign in")


def test_another_teams_case_is_refused_as_if_there_were_none(visit: Callable) -> None:
    vibeke: Page = visit("vibeke")
    others = vibeke.locator("tbody th a").first.get_attribute("href")
    assert others is not None
    karen: Page = visit("karen")
    for path in (others, others.split("?")[0], "/list?team=Vest"):
        answered = karen.goto(path)
        assert answered is not None
        assert answered.status == 404
        expect(karen.locator("h1")).to_have_text("Siden findes ikke")
    answered = karen.goto("/overview")
    assert answered is not None
    assert answered.status == 403


def tab_to(page: Page, found: str, most: int = 80) -> None:
    """Press Tab until the element with the focus fits a selector; it must be seen that it has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("found => document.activeElement.matches(found)", found):
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{found} has the focus and does not show it"
            return
    raise AssertionError(f"{found} was not reached by Tab")


def test_everything_is_done_with_the_keyboard_alone(visit: Callable, site: tuple[str, ModuleType]) -> None:
    page: Page = visit()
    page.goto("/sign-in")
    tab_to(page, "a.skip", most=1)
    page.keyboard.press("Enter")
    tab_to(page, "#name", most=1)
    page.keyboard.type("karen")
    tab_to(page, "#password", most=1)
    page.keyboard.type(site[1].PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/list")
    tab_to(page, "a.skip", most=1)
    page.keyboard.press("Enter")
    tab_to(page, "details.give summary")
    page.keyboard.press("Enter")
    tab_to(page, "button[value=contacted]", most=1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/list?**answered=**")
    expect(page.locator(".answered").first).to_have_text("Talt med borgeren")


def test_pages_fit_a_width_of_320_pixels(visit: Callable) -> None:
    for name, paths in {
        "": ("/sign-in", "/help", "/accessibility", "/nowhere"),
        "karen": ("/list", "/list?sort=age", "/weeks", "a case"),
        "lars": ("/overview",),
        "anna": ("/accounts",),
    }.items():
        page: Page = visit(name, width=NARROW)
        for path in paths:
            if path == "a case":
                page.goto("/list")
                page.locator("tbody th a").nth(10).click()
            else:
                page.goto(path)
            width = page.evaluate("() => document.documentElement.scrollWidth")
            assert width <= NARROW, f"{path} is {width} pixels wide"


def test_on_a_small_screen_an_answer_still_takes_two_clicks_on_buttons_wide_enough(visit: Callable) -> None:
    page: Page = visit("karen", width=NARROW)
    page.locator("details.give summary").nth(6).click()
    button = page.locator("details.give[open] button").first
    size = button.bounding_box()
    assert size is not None
    assert size["width"] > 60
    assert size["height"] < 60
    button.click()
    expect(page.locator("p.note")).to_contain_text("Svaret er gemt")
