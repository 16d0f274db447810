"""Monday's page as a file, opened on a telephone: nothing runs into what stands beside it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

LIST = Path(__file__).parents[1] / "golden" / "list" / "worklist.html"


def test_no_cell_of_the_list_runs_over_its_edge_on_a_narrow_screen(chromium: Browser) -> None:
    for width in (390, 1280):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto(LIST.as_uri())
        assert page.locator("table.list").count() > 0
        over = page.evaluate(
            "[...document.querySelectorAll('table.list th, table.list td')]"
            ".filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"
        )
        assert over == [], width
        page.close()
