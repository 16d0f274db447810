"""Signing in: cookies, sessions and their ends, tries that fail alike, secrets, languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from risk.errors import ConfigError
from serving.settings import Settings
from serving.start import KNOWN_TO_ALL
from serving.store.accounts import accounts, disable_account
from serving.store.feedback import feedback_of_case
from serving.web.app import create_web

PASSWORD = "en lang sætning til prøve"
SESSION = "__Host-risk52_session"
WRONG = "Det lykkedes ikke."


def test_the_session_lies_in_a_cookie_no_script_and_no_other_site_can_use(browser: Callable) -> None:
    given = browser().sign_in("karen")
    assert (given.status_code, given.headers["location"]) == (303, "/")
    cookies = [c.lower() for c in given.headers.get_list("set-cookie") if c.startswith(SESSION)]
    assert len(cookies) == 1
    for part in ("httponly", "secure", "samesite=strict", "path=/"):
        assert part in cookies[0]
    assert "domain" not in cookies[0]


def test_signing_in_gives_a_new_session_whatever_cookie_came_with_it(browser: Callable) -> None:
    stranger = browser()
    planted = "planted-by-somebody-else-0123456789abcdef"
    stranger.cookies.set(SESSION, planted, domain="page.test")
    assert stranger.sign_in("karen").status_code == 303
    assert stranger.cookies[SESSION] != planted
    other = browser()
    other.cookies.set(SESSION, planted, domain="page.test")
    assert other.get("/list").status_code == 303


def test_signing_in_again_ends_the_session_before(browser: Callable) -> None:
    karen = browser("karen")
    before = karen.cookies[SESSION]
    assert karen.sign_in("karen").status_code == 303
    other = browser()
    other.cookies.set(SESSION, before, domain="page.test")
    assert other.get("/list").status_code == 303


def test_a_wrong_password_an_unknown_name_a_shut_and_a_locked_account_get_the_same_answer(
    web: FastAPI, browser: Callable
) -> None:
    house = web.state.house
    disable_account(house.store, "sofie", house.now(), by="tests")
    tries = [("karen", "not this one at all"), ("nobody", PASSWORD), ("sofie", PASSWORD)]
    for _ in range(6):
        browser().sign_in("lars", "wrong again and again")
    told = [browser().sign_in(*given) for given in [*tries, ("lars", PASSWORD)]]
    assert {t.status_code for t in told} == {401}
    assert all(WRONG in t.text for t in told)
    assert len({len(t.text) for t in told}) == 1


def test_signing_out_ends_the_session_in_the_store_too(browser: Callable) -> None:
    karen = browser("karen")
    kept = karen.cookies[SESSION]
    assert karen.submit("/sign-out", "/list").headers["location"] == "/sign-in?out=1"
    karen.cookies.set(SESSION, kept, domain="page.test")
    assert karen.get("/list").status_code == 303


def test_who_was_away_too_long_signs_in_again_and_comes_back_to_the_page(browser: Callable, clock: Any) -> None:
    karen = browser("karen")
    clock.at += timedelta(minutes=31)
    sent = karen.get("/list?sort=age")
    assert sent.status_code == 303
    asked = karen.get(sent.headers["location"])
    assert "ikke har været i brug i 30 minutter" in asked.text
    assert karen.sign_in("karen", back="/list?sort=age").headers["location"] == "/list?sort=age"


def test_a_form_sent_after_the_session_ended_keeps_nothing(web: FastAPI, browser: Callable, clock: Any) -> None:
    karen = browser("karen")
    fields = {"token": karen.token("/list"), "key": web.state.house.case_key("SYN000003"), "team": "Nord"}
    clock.at += timedelta(hours=1)
    given = karen.post("/feedback", data=fields | {"week": "2026-W48", "answer": "agree"})
    assert given.status_code == 401
    assert "Du er logget ud" in given.text
    assert feedback_of_case(web.state.house.store, "SYN000003") == []


def test_too_many_tries_from_one_address_have_to_wait(filled: Path, browser: Callable, web: FastAPI) -> None:
    web.state.tries.__init__("2/minute")  # as RISK_SIGN_IN_RATE=2/minute
    told = [browser().sign_in("nobody", "wrong again and again") for _ in range(3)]
    assert [t.status_code for t in told] == [401, 401, 429]
    assert 1 <= int(told[2].headers["retry-after"]) <= 60


@pytest.mark.parametrize("key", [None, KNOWN_TO_ALL, "short", "a" * 40])
def test_outside_development_it_does_not_start_without_a_secret_of_its_own(tmp_path: Path, key: str | None) -> None:
    with pytest.raises(ConfigError, match="RISK_WEB_KEY"):
        create_web(Settings(store=f"sqlite:///{tmp_path / 's.db'}", web_key=key))


def test_a_rate_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="RISK_SIGN_IN_RATE"):
        create_web(Settings(store=f"sqlite:///{tmp_path / 's.db'}", environment="development", sign_in_rate="often"))


def test_danish_comes_first_and_the_language_chosen_stays(browser: Callable, web: FastAPI) -> None:
    stranger = browser()
    assert '<html lang="da">' in stranger.get("/sign-in").text
    given = stranger.submit("/language", "/help", language="en", back="/help")
    assert (given.status_code, given.headers["location"]) == (303, "/help")
    assert '<html lang="en">' in stranger.get("/help").text
    karen = browser("karen")
    karen.submit("/language", "/list", language="en", back="/list?sort=age")
    assert "The week&#39;s list, week 48" in karen.get("/list").text
    assert {a.account.name: a.account.language for a in accounts(web.state.house.store)}["karen"] == "en"
    assert karen.submit("/language", "/list", language="tlh").status_code == 400


def test_a_password_of_ones_own_needs_the_old_one(browser: Callable) -> None:
    karen, new = browser("karen"), "en helt anden lang sætning"
    fields = {"old": PASSWORD, "new": new, "again": new}
    assert karen.submit("/password", "/password", **(fields | {"old": "wrong again and again"})).status_code == 400
    assert karen.submit("/password", "/password", **(fields | {"again": "not the same sentence"})).status_code == 400
    assert karen.submit("/password", "/password", **(fields | {"new": "short", "again": "short"})).status_code == 400
    assert karen.submit("/password", "/password", **fields).status_code == 303
    assert karen.get("/list").status_code == 200
    assert browser().sign_in("karen").status_code == 401
    assert browser().sign_in("karen", new).status_code == 303
