"""The list page: duties first, filters, sorting, pages; what the rows say; earlier weeks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fastapi import FastAPI

from serving.store.ledger import Seals
from serving.store.listed import ListedCase
from serving.store.persons import erase_person
from serving.store.worklists import save_lists
from serving.web.choosing import PAGE_ROWS, Asked, chosen, due_state, pages, read_asked

SEALS = Seals(b"a key for tests only, 32 characters")


def shown(text: str) -> list[str]:
    """The cases of a page, in its order."""
    return re.findall(r'<th scope="row" role="rowheader"><a href="[^"]+">(SYN\d{6})</a>', text)


def row_of(text: str, case_id: str) -> str:
    return next(part for part in text.split('<tr role="row"') if f">{case_id}</a>" in part).split("</tr>")[0]


def test_duties_come_first_then_the_sections_in_the_order_of_the_files(browser: Callable) -> None:
    text = browser("karen").get("/list").text
    assert shown(text) == [f"SYN{i:06d}" for i in range(PAGE_ROWS)]
    heads = re.findall(r"<h2 id=\"(\w+)\">", text)
    assert heads == ["duty", "risk"]
    assert re.findall(r"<h2 id=\"(\w+)\">", browser("karen").get("/list?page=2").text) == [
        "risk", "audit", "closing", "past_horizon", "no_score"
    ]  # fmt: skip


def test_a_row_says_the_chance_as_a_count_its_band_in_words_and_reasons_with_their_dates(browser: Callable) -> None:
    row = row_of(browser("karen").get("/list").text, "SYN000001")
    assert "omkring 91 ud af 100" in row
    assert '<span class="band high">høj</span>' in row
    assert "samme alder: 31 ud af 100" in row
    assert "6 dage over frist" in row
    assert "17-11-2026" in row
    assert "Tidligere forløb de seneste to år: 3" in row
    assert "(14-11-2026)" in row
    assert "0.91" not in row


def test_a_case_about_to_close_says_so_and_a_cost_stands_where_it_orders_to_the_nearest_hundred(
    browser: Callable,
) -> None:
    text = browser("karen").get("/list?section=closing").text
    assert "Lukker inden fire uger: omkring 62 ud af 100 som denne" in row_of(text, shown(text)[0])
    assert "ventet udgift" not in text
    assert "ventet udgift: 61.200 kr." in browser("karen").get("/list?section=risk").text


def test_a_case_without_a_score_says_why_in_words(browser: Callable) -> None:
    text = browser("karen").get("/list?section=no_score").text
    assert len(shown(text)) == 2
    assert "Ingen vurdering: mangler Egen forventning til raskmelding" in row_of(text, shown(text)[0])


@pytest.mark.parametrize(
    ("query", "n"),
    [("section=duty", 8), ("section=remainder", 2), ("section=cooling", 1), ("section=excluded", 63), ("band=none", 6),
     ("due=overdue", 4), ("answer=none", 63), ("answer=any", 0), ("section=duty&due=overdue", 4), ("band=nonsense", 63)],
)  # fmt: skip
def test_filters_count_what_they_show_and_nonsense_filters_nothing(browser: Callable, query: str, n: int) -> None:
    text = browser("karen").get(f"/list?{query}").text
    expected = f"Viser 1-{min(n, PAGE_ROWS)} af {n} sager" if n > 1 else ("Viser 1 sag" if n else "Ingen sager passer")
    assert expected in text
    assert len(shown(text)) == min(n, PAGE_ROWS)


def test_sorting_tells_the_column_and_the_direction(browser: Callable) -> None:
    karen = browser("karen")
    highest = karen.get("/list?sort=chance").text
    lowest = karen.get("/list?sort=chance&falling=1&section=risk").text
    assert shown(highest)[0] == "SYN000000"
    assert 'class="chance" aria-sort="descending"' in highest
    assert shown(lowest)[0] == "SYN000051"
    assert 'class="chance" aria-sort="ascending"' in lowest
    assert "Sager sorteret efter chance" in highest


def test_the_second_page_goes_on_where_the_first_ended(browser: Callable) -> None:
    karen = browser("karen")
    first, second = karen.get("/list?sort=age"), karen.get("/list?sort=age&page=2")
    assert "Viser 51-63 af 63 sager" in second.text
    assert len(set(shown(first.text)) | set(shown(second.text))) == 63
    assert 'href="/list?team=Nord&amp;sort=age&amp;page=2"' in first.text
    assert shown(karen.get("/list?sort=age&page=999").text) == shown(second.text)


def test_what_is_needed_daily_stands_above_the_cases_and_the_rest_of_the_week_is_folded_away(browser: Callable) -> None:
    text = browser("karen").get("/list").text
    above, folded = (
        text.split('<details class="more">')[0],
        text.split('<details class="more">')[1].split("</details>")[0],
    )
    assert "heraf over fristen: 4" in above
    assert "Regnskab:" not in above
    assert "Regnskab:" in folded
    assert "heraf over fristen" not in folded
    assert "Model 9ba0be476961" in folded


def test_an_earlier_week_is_marked_and_takes_no_answers(browser: Callable) -> None:
    text = browser("karen").get("/list?week=2026-W47").text
    assert "Du ser en tidligere uge" in text
    assert "/feedback" not in text
    assert 'href="/case/' in text
    weeks = browser("karen").get("/weeks").text
    assert weeks.index("2026-W48") < weeks.index("2026-W47")


def test_what_left_the_list_is_told_with_the_reason(browser: Callable) -> None:
    text = browser("karen").get("/list").text
    assert "Gået ud siden sidst (1)" in text
    assert '<th scope="row">SYN000250</th><td>ikke længere åben</td>' in text


def test_a_leader_chooses_among_the_teams_of_the_office(browser: Callable) -> None:
    text = browser("lars").get("/list").text
    assert re.findall(r'<option value="([^"]+)"(?: selected)?>(?:Nord|Syd &amp; Sø)<', text) == ["Nord", "Syd &amp; Sø"]
    assert "Vest" not in text


def test_dates_and_numbers_follow_the_language(browser: Callable) -> None:
    karen = browser("karen")
    karen.submit("/language", "/list", language="en", back="/list")
    row = row_of(karen.get("/list").text, "SYN000001")
    assert "2026-11-17" in row
    assert "about 91 in 100" in row


def case(i: int, **given: Any) -> ListedCase:
    return ListedCase(case_id=f"SYN{i:06d}", person_key=f"p{i}", **({"section": "risk", "rank": i} | given))


def test_cases_without_a_chance_stand_last_however_the_rest_is_sorted() -> None:
    rows = [case(1), case(2, p=0.2), case(3, p=0.7)]
    order = [c.case_id[-1] for c in chosen(rows, Asked(sort="chance"), date(2026, 11, 23), {})]
    assert order == ["3", "2", "1"]


def test_a_due_date_on_sunday_is_this_week_and_on_monday_later() -> None:
    sunday = date(2026, 11, 29)
    assert due_state(case(1, due_on=sunday), sunday) == "this_week"
    assert due_state(case(1, due_on=date(2026, 11, 30)), sunday) == "later"
    assert due_state(case(1, due_on=date(2026, 11, 20), overdue_days=3), sunday) == "overdue"
    assert due_state(case(1), sunday) == "none"


def test_an_address_holds_only_what_was_chosen() -> None:
    asked = read_asked({"band": "high", "page": "2", "sort": "age", "falling": "1", "strange": "x"}, ("agree",))
    assert asked.query() == {"band": "high", "sort": "age", "falling": "1", "page": 2}
    assert asked.query(page=1) == {"band": "high", "sort": "age", "falling": "1"}


@pytest.mark.parametrize(
    ("n", "here", "expected"),
    [(0, 1, (1, [1])), (120, 2, (2, [1, 2, 3])), (5000, 50, (50, [1, 0, 49, 50, 51, 0, 100]))],
)
def test_page_numbers_offer_the_ends_and_the_neighbours(n: int, here: int, expected: Any) -> None:
    assert pages(n, here) == expected


def test_a_team_without_a_list_is_told_so(web: FastAPI, browser: Callable) -> None:
    from serving.store.accounts import Account
    from serving.store.sessions import open_session

    house = web.state.house
    stranger = browser()
    with house.store.writing() as connection:
        connection.exec_driver_sql("UPDATE account SET team = 'Ny' WHERE name = 'karen'")
    token = open_session(house.store, Account("karen", "caseworker", "Nordby", "Ny", "da"), house.now())
    stranger.cookies.set(house.session_cookie, token, domain="page.test")
    assert "Der er ingen liste for teamet endnu" in stranger.get("/list").text
    assert "Der er ingen lister endnu" in stranger.get("/weeks").text


def test_a_new_revision_and_an_erased_case_show_at_once(web: FastAPI, browser: Callable, by_hand: Any) -> None:
    karen, store = browser("karen"), web.state.house.store
    assert "revision 1" in karen.get("/list").text
    size = {"duty": 2, "risk": 1, "audit": 0, "closing": 0, "past_horizon": 0, "no_score": 0}
    save_lists(store, [by_hand("Nordby", "Nord", 0, 1, size)], web.state.house.now(), "tests")
    text = karen.get("/list").text
    assert "revision 2" in text
    assert shown(text) == ["SYN000000", "SYN000001", "SYN000002"]
    erase_person(store, "person-1", "asked", "tests", web.state.house.now(), lambda: SEALS)
    assert shown(karen.get("/list").text) == ["SYN000000", "SYN000002"]
