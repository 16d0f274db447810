"""A case's page and the answers to it: told in two clicks, shown at once, never taken back, only added to."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from risk.priority import SECTIONS
from serving.store.audit import VIEW, noted
from serving.store.feedback import KINDS, REASONS, feedback_of_case
from serving.store.worklists import save_lists
from serving.web.curve import BOTTOM, LEFT_EDGE, RIGHT_EDGE, TOP, draw

CASE = "SYN000008"  # first of the risk part: 86 of 100, musculoskeletal among its reasons


@pytest.fixture
def key(web: FastAPI) -> str:
    return str(web.state.house.case_key(CASE))


def give(visitor: Any, key: str, answer: str, **change: str) -> Any:
    fields = {"key": key, "team": "Nord", "week": "2026-W48", "revision": "1", "answer": answer}
    fields |= {"back": "/list?sort=age"} | change
    return visitor.submit("/feedback", "/list", **fields)


def test_a_case_page_tells_dates_before_chances_and_facts_on_both_sides(browser: Callable, key: str) -> None:
    text = browser("karen").get(f"/case/{key}").text
    heads = re.findall(r"<h[12][^>]*>([^<]+)</h[12]>", text)
    assert heads == ["Sag SYN000008", "Frister", "Milepæle", "Chance for mere end 52 uger", "Hvad vurderingen bygger på",
                     "Svar på sagen", "Vurderinger uge for uge"]  # fmt: skip
    assert "Omkring 86 ud af 100 sager som denne varer mere end 52 uger." in text
    assert "Af alle sager, der har varet lige så længe, er det 31 ud af 100." in text
    assert "Sygdomsgruppe: bevægeapparat" in text
    assert "(registreret 14-11-2026)" in text
    assert "Lægeattestens prognose" in text
    assert "2026-W47" in text
    assert text.count('<span aria-hidden="true">▲</span>') + text.count('<span aria-hidden="true">▼</span>') <= 5


def test_the_curve_is_a_drawing_with_words_and_a_table_beside_it(browser: Callable, key: str) -> None:
    text = browser("karen").get(f"/case/{key}").text
    drawing = text.split("<svg")[1].split("</svg>")[0]
    assert 'role="img" aria-labelledby="curve-title curve-desc"' in drawing
    assert '<title id="curve-title">' in drawing
    assert "falder til 86 ud af 100 ved uge 52" in drawing
    assert re.search(r'<tr><th scope="row">52</th><td>\d\d-\d\d-20\d\d</td><td>omkring 86 ud af 100</td></tr>', text)


def test_a_case_without_a_score_has_no_curve_and_says_why(web: FastAPI, browser: Callable) -> None:
    text = browser("karen").get(f"/case/{web.state.house.case_key('SYN000057')}").text
    assert "Sagen har ingen vurdering." in text
    assert "Har varet mere end 52 uger" in text
    assert "<svg" not in text
    assert "Uden en vurdering er der intet at forklare." in text
    assert "Oplysninger, der mangler" not in text


def test_every_look_at_a_case_is_recorded_and_nothing_else_is(web: FastAPI, browser: Callable, key: str) -> None:
    karen, store = browser("karen"), web.state.house.store
    karen.get("/list")
    assert noted(store, VIEW) == []
    karen.get(f"/case/{key}")
    assert [(n.by, n.subject) for n in noted(store, VIEW)] == [("karen", CASE)]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "disagree"])
def test_each_answer_is_one_button_in_the_row_and_is_shown_at_once(browser: Callable, key: str, kind: str) -> None:
    karen = browser("karen")
    row = karen.get("/list").text.split(f'id="s{key}"')[1].split("</tr>")[0]
    assert f'<button name="answer" value="{kind}">' in row
    given = give(karen, key, kind)
    assert given.headers["location"] == f"/list?sort=age&answered={key}#s{key}"
    after = karen.get(given.headers["location"].split("#")[0]).text
    assert '<span class="answered">' in after.split(f'id="s{key}"')[1].split("</tr>")[0]
    assert f"for sag {CASE}." in after


def test_the_same_button_pressed_twice_is_one_answer_and_a_day_later_it_is_another(
    web: FastAPI, browser: Callable, key: str, clock: Any
) -> None:
    karen, store = browser("karen"), web.state.house.store
    assert [give(karen, key, "contacted").status_code for _ in range(2)] == [303, 303]
    assert len(feedback_of_case(store, CASE)) == 1
    give(karen, key, "agree")
    give(karen, key, "contacted")
    assert [f.kind for f in feedback_of_case(store, CASE)] == ["contacted", "agree", "contacted"]
    clock.at += timedelta(minutes=5)
    give(karen, key, "contacted")
    assert len(feedback_of_case(store, CASE)) == 4


def test_an_answer_from_a_page_whose_list_was_replaced_meanwhile_is_not_kept(
    web: FastAPI, browser: Callable, key: str, by_hand: Callable
) -> None:
    karen, house = browser("karen"), web.state.house
    fields = {"token": karen.token("/list"), "key": key, "team": "Nord", "week": "2026-W48", "answer": "agree"}
    old = dict(re.findall(r'name="(revision)" value="(\d+)"', karen.get("/list").text))
    save_lists(house.store, [by_hand("Nordby", "Nord", 0, 1, dict.fromkeys(SECTIONS, 9))], house.now(), "tests")
    assert karen.post("/feedback", data=fields | old).status_code == 409
    assert feedback_of_case(house.store, CASE) == []
    new = dict(re.findall(r'name="(revision)" value="(\d+)"', karen.get("/list").text))
    assert (old, new) == ({"revision": "1"}, {"revision": "2"})
    assert karen.post("/feedback", data=fields | new).status_code == 303
    assert [f.revision for f in feedback_of_case(house.store, CASE)] == [2]


def test_a_disagreement_comes_with_its_reason_in_the_same_click(web: FastAPI, browser: Callable, key: str) -> None:
    karen = browser("karen")
    for reason in REASONS:
        assert f'value="disagree:{reason}"' in karen.get(f"/case/{key}").text
    assert give(karen, key, "disagree:facts_wrong").status_code == 303
    kept = feedback_of_case(web.state.house.store, CASE)
    assert [(f.by, f.kind, f.reason, f.week, f.revision, f.model_version) for f in kept] == [
        ("karen", "disagree", "facts_wrong", "2026-W48", 1, "9ba0be476961")
    ]
    assert "Uenig: oplysninger i systemet er forkerte eller forældede" in karen.get("/list").text


def test_a_changed_mind_is_a_new_answer_and_the_first_stays(web: FastAPI, browser: Callable, key: str) -> None:
    karen = browser("karen")
    give(karen, key, "agree")
    give(karen, key, "no_action", back=f"/case/{key}?team=Nord")
    assert [f.kind for f in feedback_of_case(web.state.house.store, CASE)] == ["agree", "no_action"]
    row = karen.get("/list").text.split(f'id="s{key}"')[1].split("</tr>")[0]
    assert "Ingen handling</span>" in row
    page = karen.get(f"/case/{key}").text
    assert page.index("<td>Ingen handling</td>") < page.index("<td>Enig</td>")
    assert "09:30" in page  # 08:30 UTC on an office's clock


@pytest.mark.parametrize("answer", ["", "disagree", "disagree:because", "agree:facts_wrong", "promote"])
def test_an_answer_nobody_offers_is_refused_and_not_kept(
    web: FastAPI, browser: Callable, key: str, answer: str
) -> None:
    assert give(browser("karen"), key, answer).status_code == 400
    assert feedback_of_case(web.state.house.store, CASE) == []


def test_an_answer_to_an_earlier_week_is_refused(web: FastAPI, browser: Callable, key: str) -> None:
    given = give(browser("karen"), key, "agree", week="2026-W47")
    assert given.status_code == 409
    assert "Svar gives på teamets nyeste liste" in given.text
    assert feedback_of_case(web.state.house.store, CASE) == []


def test_answers_are_filtered_and_found_again(browser: Callable, key: str) -> None:
    karen = browser("karen")
    give(karen, key, "contacted")
    assert "Viser 1 sag" in karen.get("/list?answer=contacted").text
    assert "Viser 1 sag" in karen.get("/list?answer=any").text
    assert "af 62 sager" in karen.get("/list?answer=none").text


def test_the_drawing_begins_now_and_ends_at_the_horizon() -> None:
    made = draw(10.0, ((13, 0.9), (26, 0.5), (52, 0.25)), 0.5, 52)
    assert made.points[0] == (LEFT_EDGE, TOP)
    assert made.points[-1] == (RIGHT_EDGE, BOTTOM - 0.25 * (BOTTOM - TOP))
    assert made.base_y == BOTTOM - 0.5 * (BOTTOM - TOP)
    assert [m.text for m in made.up] == ["0", "25", "50", "75", "100"]
    assert [m.text for m in made.across] == ["16", "24", "32", "40", "52"]


def test_the_line_follows_every_week_and_marks_only_the_horizons() -> None:
    made = draw(49.5, ((52, 0.7),), None, 52, (0.9, 0.75))
    assert made.points == (
        (LEFT_EDGE, TOP),
        (279.2, round(BOTTOM - 0.9 * (BOTTOM - TOP), 1)),
        (506.4, round(BOTTOM - 0.75 * (BOTTOM - TOP), 1)),
        (RIGHT_EDGE, round(BOTTOM - 0.7 * (BOTTOM - TOP), 1)),
    )
    assert made.marks == ((RIGHT_EDGE, round(BOTTOM - 0.7 * (BOTTOM - TOP), 1), 70),)


def test_a_case_kept_before_curves_were_weekly_is_drawn_with_straight_lines_and_says_so(
    web: FastAPI, browser: Callable
) -> None:
    karen, key_of = browser("karen"), web.state.house.case_key
    weekly, straight = (karen.get(f"/case/{key_of(f'SYN{i:06d}')}").text for i in (8, 11))
    assert "Linjen er beregnet uge for uge" in weekly
    assert "linjen mellem dem er trukket lige" in straight
    assert weekly.split('points="')[1].split('"')[0].count(",") > 10
    assert straight.split('points="')[1].split('"')[0].count(",") <= 5


def test_the_table_says_the_day_a_week_ends(browser: Callable, key: str) -> None:
    text = browser("karen").get(f"/case/{key}").text
    found = re.search(r"Første fraværsdag (\d\d)-(\d\d)-(\d{4})", text)
    assert found is not None
    opened = date(int(found[3]), int(found[2]), int(found[1]))
    assert f"<td>{opened + timedelta(weeks=52):%d-%m-%Y}</td>" in text
