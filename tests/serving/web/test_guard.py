"""Who may ask for what, walked along the route table; forms from elsewhere; what every answer carries and every log leaves out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from risk.errors import StoreError
from serving.store.feedback import feedback_of_case
from serving.web import lists
from serving.web.rules import ANYONE, PAGES, SIGNED_IN, way_back

ROLES = {"karen": "caseworker", "lars": "leader", "sofie": "scientist", "anna": "admin"}
CASE = "SYN000003"


def routes(app: FastAPI) -> set[tuple[str, str]]:
    return {(m, r.path) for r in app.routes if isinstance(r, APIRoute) for m in r.methods}


def address(app: FastAPI, path: str) -> str:
    return path.replace("{key}", app.state.house.case_key(CASE))


def test_every_route_is_listed_with_the_roles_it_is_for_and_nothing_else_is(web: FastAPI) -> None:
    assert routes(web) == set(PAGES)


@pytest.mark.parametrize("name", ROLES)
def test_a_role_gets_the_pages_that_are_for_it_and_no_other(web: FastAPI, browser: Callable, name: str) -> None:
    visitor = browser(name)
    for method, path in sorted(PAGES):
        allowed = PAGES[method, path]
        given = visitor.get(address(web, path)) if method == "GET" else browser(name).submit(path)
        is_for_me = allowed is ANYONE or ROLES[name] in allowed
        assert (given.status_code == 403) != is_for_me, (method, path, given.status_code)


def test_nobody_gets_in_without_signing_in(web: FastAPI, browser: Callable) -> None:
    for method, path in sorted(PAGES):
        if PAGES[method, path] is ANYONE:
            continue
        stranger = browser()
        if method == "GET":
            given = stranger.get(address(web, path))
            assert (given.status_code, given.headers["location"].split("?")[0]) == (303, "/sign-in"), path
        else:
            assert stranger.submit(path).status_code == 401, path


def test_a_route_that_is_not_listed_is_for_nobody(web: FastAPI, browser: Callable) -> None:
    @web.get("/forgotten")
    def forgotten() -> str:
        return "for nobody"

    assert browser().get("/forgotten").status_code == 303
    for name in ROLES:
        assert browser(name).get("/forgotten").status_code == 403


@pytest.mark.parametrize("path", ["/list?team=Vest", "/weeks?team=Vest", "/list?team=Nowhere", "/list?week=2020-W01"])
def test_another_teams_list_is_not_there(browser: Callable, path: str) -> None:
    for name in ("karen", "lars"):
        assert browser(name).get(path).status_code == 404


def test_another_teams_case_looks_like_no_case(web: FastAPI, browser: Callable) -> None:
    key_of = web.state.house.case_key
    karen = browser("karen")
    others, nobodys = key_of("SYN000601"), key_of("SYN999999")
    told = [karen.get(f"/case/{key}{query}") for key in (others, nobodys) for query in ("", "?team=Vest", "?team=Nord")]
    assert {t.status_code for t in told} == {404}
    own = {re.sub(r"[0-9a-f]{24,64}", "", t.text).replace("?team=Vest", "").replace("?team=Nord", "") for t in told}
    assert len(own) == 1, "the answer tells one from the other"
    given = karen.submit("/feedback", key=others, team="Nord", week="2026-W48", revision="1", answer="agree")
    also = karen.submit("/feedback", key=others, team="Vest", week="2026-W48", revision="1", answer="agree")
    assert (given.status_code, also.status_code) == (404, 404)
    assert feedback_of_case(web.state.house.store, "SYN000601") == []
    assert browser("vibeke").get(f"/case/{others}").status_code == 200


def test_a_leader_sees_the_teams_of_the_office_and_no_other(web: FastAPI, browser: Callable) -> None:
    lars, key_of = browser("lars"), web.state.house.case_key
    assert lars.get(f"/case/{key_of(CASE)}", params={"team": "Nord"}).status_code == 200
    assert lars.get(f"/case/{key_of('SYN000301')}", params={"team": "Syd & Sø"}).status_code == 200
    assert lars.get(f"/case/{key_of('SYN000601')}", params={"team": "Vest"}).status_code == 404


def test_cases_that_are_only_counted_have_no_page(web: FastAPI, browser: Callable) -> None:
    key_of = web.state.house.case_key
    for hidden in ("SYN000066", "SYN000250"):  # a protected address; one that left the list
        assert browser("karen").get(f"/case/{key_of(hidden)}").status_code == 404


@pytest.mark.parametrize(
    ("headers", "change", "status"),
    [
        ({}, {"token": ""}, 403),
        ({}, {"token": "0" * 64}, 403),
        ({"Origin": "https://elsewhere.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, {}, 403),
        ({"Sec-Fetch-Site": "same-site"}, {}, 403),
        ({"Content-Type": "application/json"}, {}, 400),
        ({"Content-Type": "text/plain"}, {}, 400),
        ({}, {"more": "x" * 20_000}, 413),
        ({}, {"more": "\x00"}, 400),
        ({}, {f"more{i}": "" for i in range(50)}, 400),
        ({"Origin": "https://page.test", "Sec-Fetch-Site": "same-origin"}, {}, 303),
    ],
)
def test_a_form_counts_only_from_a_page_of_ours(
    web: FastAPI, browser: Callable, headers: dict[str, str], change: dict[str, str], status: int
) -> None:
    karen = browser("karen")
    fields = {"token": karen.token(), "key": web.state.house.case_key(CASE), "team": "Nord", "week": "2026-W48"}
    fields |= {"revision": "1", "answer": "agree"}
    given = karen.post("/feedback", data=fields | change, headers=headers)
    assert given.status_code == status
    assert len(feedback_of_case(web.state.house.store, CASE)) == (status == 303)


def test_a_token_of_another_session_does_not_count(browser: Callable) -> None:
    stolen = browser("karen").token()
    assert browser("karen").post("/sign-out", data={"token": stolen}).status_code == 403


@pytest.mark.parametrize(
    "asked",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/list\r\nSet-Cookie: a=b", "/list#x",
     "javascript:alert(1)", "/nowhere", "", "/sign-in/../list", "/list?" + "a=1&" * 400],
)  # fmt: skip
def test_the_way_back_never_leads_away(asked: str) -> None:
    assert way_back(asked) == "/"


def test_the_way_back_leads_to_pages_of_ours() -> None:
    for ours in ("/list", "/list?team=Syd+%26+S%C3%B8&page=2", "/case/0123456789abcdef01234567?week=2026-W47"):
        assert way_back(ours) == ours


def test_every_page_forbids_scripts_frames_caches_and_outside_addresses(web: FastAPI, browser: Callable) -> None:
    paths = {"karen": ["/list", "/weeks", f"/case/{web.state.house.case_key(CASE)}"], "lars": ["/overview"],
             "anna": ["/accounts"], "": ["/sign-in", "/help", "/accessibility", "/nowhere"]}  # fmt: skip
    for name, pages in paths.items():
        for path in pages:
            given = browser(name).get(path)
            headers = given.headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert "unsafe" not in headers["content-security-policy"], path
            assert headers["cache-control"] == "no-store", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["referrer-policy"] == "same-origin", path
            assert "max-age" in headers["strict-transport-security"], path
            assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|//", given.text.split("<head>")[1]), path


def test_the_purpose_and_its_limits_stand_on_every_page(web: FastAPI, browser: Callable) -> None:
    for name, path in (
        ("karen", "/list"),
        ("anna", "/accounts"),
        ("", "/sign-in"),
        ("", "/nowhere"),
        ("sofie", "/list"),
    ):
        assert "Den må ikke bruges til afgørelser om ret til ydelse" in browser(name).get(path).text


def test_logs_name_no_case_and_no_person(web: FastAPI, browser: Callable, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="risk.web")
    karen, key = browser("karen"), web.state.house.case_key(CASE)
    karen.get(f"/case/{key}?team=Nord")
    karen.submit("/feedback", key=key, team="Nord", week="2026-W48", revision="1", answer="agree")
    told = "\n".join(r.getMessage() for r in caplog.records if r.name == "risk.web")
    assert "GET /case/{key} 200" in told
    assert "POST /feedback 303" in told
    for secret in (CASE, key, "Nord", "karen"):
        assert secret not in told


def test_what_breaks_becomes_a_page_without_its_message(
    browser: Callable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise ValueError("SYN000003 is secret")

    monkeypatch.setattr(lists, "feedback_of_list", breaks)
    given = browser("karen").get("/list")
    assert given.status_code == 500
    assert given.headers["x-request-id"] in given.text
    assert "ValueError" in caplog.text
    assert "SYN000003" not in given.text + caplog.text


def test_a_store_that_fails_is_told_and_nothing_is_shown(browser: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreError("the store failed (OperationalError)")

    monkeypatch.setattr("serving.web.cases.note_view", fails)
    karen = browser("karen")
    found = re.search(r'href="(/case/[^"]+)"', karen.get("/list").text)
    assert found is not None
    given = karen.get(found[1].replace("&amp;", "&"))
    assert given.status_code == 503
    assert "Lageret svarer ikke" in given.text
    assert "Tidligere forløb" not in given.text


def test_a_role_for_a_page_is_one_that_exists() -> None:
    for allowed in PAGES.values():
        assert allowed is ANYONE or allowed <= SIGNED_IN


@pytest.mark.parametrize(("language", "said"), [("da", "Ikke til ret til ydelse"), ("en", "Not for entitlement")])
def test_every_sheet_of_paper_says_what_the_list_is_not_for(browser: Callable, language: str, said: str) -> None:
    style = browser().get(f"/web.css?language={language}").text
    assert said in style.split("@bottom-left")[1].split("}")[0]
    assert "http" not in style
