"""What the staff's list page takes: asked of the whole application in this process, on a store that holds every team's list."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.testclient import TestClient

from models.bundle import Bundle
from serving.insight import look_into
from serving.keeping import keep_lists
from serving.settings import Settings
from serving.store.accounts import Account, add_account
from serving.store.engine import open_store
from serving.store.sessions import open_session
from serving.web.app import create_web
from serving.worklist import Lists

NOW = datetime(2026, 11, 16, 8, 30, tzinfo=UTC)
VISITS = 40
ASKED = (("the list", {}), ("one section, oldest due date first", {"section": "duty", "sort": "due_on"}))


@dataclass(frozen=True)
class PageTime:
    """Median milliseconds of one kind of visit, elapsed and of the processor, and the bytes of its answer."""

    what: str
    n: int
    ms: float
    cpu_ms: float
    kilobytes: float


def keep(lists: Lists, model: Bundle, place: Path) -> None:
    """Put the lists into a store of their own, and a leader of the first office beside them."""
    store = open_store(f"sqlite:///{place}")
    keep_lists(store, lists, look_into(lists, model), NOW, "benchmark")
    office = str(lists.worklist.teams["office"].iloc[0])
    add_account(
        store, Account("leader", "leader", office, None, "da"), "a sentence for this benchmark", NOW, by="benchmark"
    )
    store.close()


def visit(lists: Lists, place: Path) -> list[PageTime]:
    """Ask for the page of every team of one office for the first time, then of one team again and again.

    Raises
    ------
    RuntimeError
        When a page is not answered.
    """
    settings = Settings(store=f"sqlite:///{place}", web_key="for benchmarks only: 9876543210 zyxwvutsrq")
    app = create_web(settings, lambda: NOW)
    house = app.state.house
    teams = lists.worklist.teams
    mine = teams.loc[teams["office"] == teams["office"].iloc[0], "team"].tolist()
    who = Account("leader", "leader", str(teams["office"].iloc[0]), None, "da")
    with TestClient(app, base_url="https://page.test", follow_redirects=False) as browser:
        browser.cookies.set(house.session_cookie, open_session(house.store, who, NOW), domain="page.test")
        _ask(browser, {"team": "nobody's"}, is_answer=False)  # templates and texts, read once
        first = [_ask(browser, {"team": t}) for t in mine]
        found = [_told("a team's list for the first time since the start", first)]
        for what, query in ASKED:
            found.append(_told(f"{what}, again", [_ask(browser, {"team": mine[0], **query}) for _ in range(VISITS)]))
    return found


def _ask(browser: TestClient, query: dict[str, str], *, is_answer: bool = True) -> tuple[float, float, int]:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = browser.get("/list", params=query)
    took = time.perf_counter() - wall, time.process_time() - cpu
    if is_answer and (answer.status_code != 200 or "SYN" not in answer.text):
        raise RuntimeError(f"the list page answered {answer.status_code} and shows no case")
    return *took, len(answer.content)


def _told(what: str, visits: list[tuple[float, float, int]]) -> PageTime:
    wall, cpu, size = (statistics.median(v) for v in zip(*visits, strict=True))
    return PageTime(what, len(visits), 1e3 * wall, 1e3 * cpu, size / 1e3)
