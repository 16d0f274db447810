"""The pages without a case: the leader's, the data scientist's, the administrator's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from models.bundle import Bundle
from serving.store.accounts import Account, accounts
from serving.store.feedback import give_feedback
from serving.store.worklists import read_list

KAREN = Account("karen", "caseworker", "Nordby", "Nord", "da")
LONG = "endnu en lang sætning til prøve"


def answer(web: FastAPI, n: int, kind: str, first: int = 0) -> None:
    house = web.state.house
    found = read_list(house.store, "Nordby", "Nord")
    assert found is not None
    for row in found.rows[first : first + n]:
        reason = "other" if kind == "disagree" else ""
        give_feedback(house.store, KAREN, found.head, row.case_id, kind, reason, house.now())


def cells(text: str, team: str) -> list[str]:
    row = text.split(f'<th scope="row">{team}</th>')[1].split("</tr>")[0]
    return [re.sub(r"<[^>]+>", " ", c).strip() for c in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def test_a_leader_sees_shares_of_the_offices_teams_and_small_counts_hidden(web: FastAPI, browser: Callable) -> None:
    answer(web, 7, "contacted")
    text = browser("lars").get("/overview").text
    # 67 open; 34 of 40 duties met; two workers; 4 past week 52 is a small count; 6.2 of 67; 7 of 63 talked to
    assert cells(text, "Nord") == ["67", "85 %", "34", "under 5", "9 %", "11 %", "–"]
    assert "Vest" not in text
    assert "SYN" not in text
    assert "karen" not in text


@pytest.mark.parametrize(("name", "path"), [("lars", "/overview"), ("sofie", "/model")])
def test_figures_of_made_up_cases_are_marked_as_such(browser: Callable, name: str, path: str) -> None:
    assert "Opdigtede sager" in browser(name).get(path).text


@pytest.mark.parametrize(
    ("n_agree", "n_disagree", "told"),
    [(20, 0, "0 % lav: under 5 %"), (2, 8, "80 % høj: over 60 %"), (15, 5, "25 %"), (10, 2, "for få til at vise")],
)
def test_how_often_the_list_was_contradicted_is_flagged_at_both_ends(
    web: FastAPI, browser: Callable, n_agree: int, n_disagree: int, told: str
) -> None:
    answer(web, n_agree, "agree")
    answer(web, n_disagree, "disagree", first=n_agree)
    assert " ".join(cells(browser("lars").get("/overview").text, "Nord")[-1].split()) == told


def test_a_data_scientist_sees_the_model_and_figures_but_no_case(
    web: FastAPI, browser: Callable, small_bundle: Bundle, tmp_path: Path
) -> None:
    small_bundle.save(tmp_path / "no-model")
    text = browser("sofie").get("/model").text
    assert small_bundle.version in text
    assert "weekly_hours" in text
    assert "Nordby" in text
    assert "Vestby" in text
    assert "SYN" not in text
    assert "karen" not in text


def test_an_administrator_adds_closes_and_gives_passwords(web: FastAPI, browser: Callable) -> None:
    anna, store = browser("anna"), web.state.house.store
    new = {"name": "ole", "role": "caseworker", "office": "Nordby", "team": "Nord", "language": "en", "password": LONG}
    assert anna.submit("/accounts/add", "/accounts", **new).headers["location"] == "/accounts?added=1"
    assert "Brugeren er oprettet." in anna.get("/accounts?added=1").text
    assert browser().sign_in("ole", LONG).status_code == 303
    assert anna.submit("/accounts/password", "/accounts", name="ole", password=LONG + "!").status_code == 303
    assert browser().sign_in("ole", LONG).status_code == 401
    assert anna.submit("/accounts/disable", "/accounts", name="ole").status_code == 303
    assert browser().sign_in("ole", LONG + "!").status_code == 401
    assert {a.account.name: a.is_active for a in accounts(store)}["ole"] is False
    assert "SYN" not in anna.get("/accounts").text


@pytest.mark.parametrize(
    "change", [{"password": "short"}, {"name": "karen"}, {"team": ""}, {"role": "king"}, {"name": "<b>x</b>"}]
)
def test_an_account_that_does_not_fit_is_told_and_not_made(
    web: FastAPI, browser: Callable, change: dict[str, str]
) -> None:
    anna, before = browser("anna"), accounts(web.state.house.store)
    new = {"name": "ole", "role": "caseworker", "office": "Nordby", "team": "Nord", "language": "da", "password": LONG}
    given = anna.submit("/accounts/add", "/accounts", **(new | change))
    assert given.status_code == 400
    assert "Det blev ikke gjort." in given.text
    assert accounts(web.state.house.store) == before


def test_an_administrator_cannot_shut_herself_out(browser: Callable) -> None:
    anna = browser("anna")
    assert anna.submit("/accounts/disable", "/accounts", name="anna").status_code == 400
    assert anna.get("/accounts").status_code == 200


def test_the_accessibility_statement_is_dated_and_names_whom_to_tell(web: FastAPI, browser: Callable) -> None:
    house = web.state.house
    object.__setattr__(house.settings, "web_contact", "tlf. 00 00 00 00")  # as RISK_WEB_CONTACT
    text = browser().get("/accessibility").text
    assert "tlf. 00 00 00 00" in text
    assert re.search(r"Erklæringen er fra \d\d-\d\d-20\d\d", text)
    assert "WCAG 2.1" in text
