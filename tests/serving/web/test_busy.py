"""Several people at once, while the week's list is replaced and a person is erased: every page is whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI

from serving.store.ledger import Seals
from serving.store.persons import erase_person
from serving.store.worklists import save_lists

SEALS = Seals(b"a key for tests only, 32 characters")


def test_readers_get_whole_pages_while_lists_are_replaced(
    web: FastAPI, browser: Callable[..., Any], by_hand: Callable[..., Any]
) -> None:
    house, sizes = web.state.house, ("duty", "risk", "audit", "closing", "past_horizon", "no_score")
    case = f"/case/{house.case_key('SYN000001')}"
    karen = (["/list", case, "/list?sort=age&page=2", "/weeks"], browser("karen"))
    lars = (["/list?team=Nord", "/overview", f"{case}?team=Nord", "/list?team=Syd+%26+S%C3%B8"], browser("lars"))

    def reading(paths: list[str], visitor: Any) -> list[tuple[str, int]]:
        return [(path, visitor.get(path).status_code) for _ in range(6) for path in paths]

    def replacing() -> list[tuple[str, int]]:
        for n in range(2, 8):
            save_lists(house.store, [by_hand("Nordby", "Nord", 0, 1, dict.fromkeys(sizes, n))], house.now(), "tests")
        erase_person(house.store, "person-5", "asked to", "tests", house.now(), SEALS)
        return []

    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(reading, *who) for who in (karen, lars, karen, lars)]
        done.append(pool.submit(replacing))
        told = [answer for future in done for answer in future.result()]
    assert len(told) == 96
    assert [answer for answer in told if answer[1] != 200] == []
