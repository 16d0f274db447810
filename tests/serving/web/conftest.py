"""Two weeks of lists in a store, made by hand: three teams in two offices, a case of every kind, and somebody in each role."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import make_url
from starlette.testclient import TestClient

from risk.priority import SECTIONS
from risk.reasons import Reason
from serving.language import LANGUAGES, Speaker
from serving.settings import Settings
from serving.store.accounts import Account, Role, add_account
from serving.store.engine import Store, open_store
from serving.store.listed import ListedCase, TeamList
from serving.store.sessions import open_session
from serving.store.worklists import save_lists
from serving.web.app import create_web

ON_BOTH_STORES = {"test_busy", "test_cases", "test_lists", "test_overviews"}
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
MONDAYS = (date(2026, 11, 16), date(2026, 11, 23))
WEEKS = ("2026-W47", "2026-W48")
TEAMS = (("Nordby", "Nord", 0), ("Nordby", "Syd & Sø", 300), ("Vestby", "Vest", 600))
PASSWORD = "en lang sætning til prøve"
WEB_KEY = "for tests only: 9876543210 zyxwvutsrq"
STAFF: tuple[tuple[str, Role, str, str | None], ...] = (
    ("karen", "caseworker", "Nordby", "Nord"),
    ("vibeke", "caseworker", "Vestby", "Vest"),
    ("lars", "leader", "Nordby", None),
    ("sofie", "scientist", "", None),
    ("anna", "admin", "", None),
)
_UP = (
    ("n_spells_24m", "Tidligere forløb de seneste to år: 3", "Earlier spells in the last two years: 3", None),
    ("expected_recovery", "Forventer selv at være rask efter mere end 26 uger", "Expects to be well after more than 26 weeks", 9),
    ("illness_group", "Sygdomsgruppe: bevægeapparat", "Group of illness: musculoskeletal", 9),
)  # fmt: skip
_DOWN = (
    ("is_job_adapted", "Arbejdsgiveren kan tilpasse arbejdet", "The employer can adapt the job", 12),
    ("employment_status", "Beskæftigelse: lønmodtager", "Employment: employee", None),
)
N_WITH_PLACE = {"duty": 8, "risk": 44, "audit": 2, "closing": 3, "past_horizon": 4, "no_score": 2}


def reasons_of(monday: date, n_up: int) -> tuple[Reason, ...]:
    told = [*((r, "up") for r in _UP[:n_up]), *((r, "down") for r in _DOWN)]
    return tuple(
        Reason(name, way, da, en, None if days is None else monday - timedelta(days=days))
        for (name, da, en, days), way in told
    )


def case(i: int, section: str, rank: int | None, monday: date) -> ListedCase:
    """The i-th made-up case; the chance falls with the number within its hundred."""
    age = {"past_horizon": 56.0, "no_score": 6.0}.get(section, 9.0 + (i * 7 % 30))
    common = {
        "case_id": f"SYN{i:06d}",
        "person_key": f"person-{i}",
        "section": section,
        "rank": rank,
        "opened_on": monday - timedelta(days=round(age * 7) + 1),
        "registered_on": monday - timedelta(days=round(age * 7) - 20),
        "age_weeks": age,
        "milestone": "broad_assessment",
        "milestone_on": monday + timedelta(days=20 - i % 40),
        "milestone_state": "missed" if i % 40 > 20 else "ahead",
        "change": "new" if i % 3 else "stayed",
    }
    if section == "duty":
        late = 6 if i % 2 else 0
        due = {"duty": "first_interview" if i % 3 else "follow_up", "overdue_days": late, "is_planned": i % 4 == 0}
        common |= due | {"due_on": monday + timedelta(days=-late if late else i % 7)}
    elif i % 5:
        common |= {"duty": "follow_up", "due_on": monday + timedelta(days=10 + i % 9)}
    if section == "past_horizon":
        return ListedCase(**common, status="past_horizon")
    if section == "no_score":
        return ListedCase(**common, status="abstained", abstain_reason="expected_recovery")
    if section == "excluded":
        return ListedCase(**common, status="not_shown", exclusion="protected_address")
    p = round(0.92 - 0.008 * (i % 100), 3)

    def still_open(week: float) -> float:
        return round(p + (1 - p) * ((52 - week) / (52 - age)) ** 1.5, 4)

    return ListedCase(
        **common,
        status="scored",
        p=p,
        base_rate=0.31,
        interval=(p - 0.05, p + 0.05) if i % 2 else None,
        band="high" if p > 0.8 else "middle" if p > 0.6 else "low",
        curve=tuple((w, still_open(w)) for w in (13, 22, 26, 52) if w > age),
        # Lists kept by earlier versions hold no weekly course.
        course=() if i % 4 == 3 else tuple(still_open(w) for w in range(int(age) + 1, 52)),
        reasons=reasons_of(monday, 1 + i % 3),
        unknown=("form_received", "gp_prognosis"),
        more={"cost_ahead": 61_234.0, "p_close_4w": 0.62, "is_closing": section == "closing"},
    )


def team_list(office: str, team: str, first: int, week: int, size: dict[str, int] | None = None) -> TeamList:
    """The list of a team in the first or the second of the two weeks."""
    monday, places = MONDAYS[week], size or (N_WITH_PLACE if team == "Nord" else dict.fromkeys(N_WITH_PLACE, 1))
    sections = [s for s in SECTIONS for _ in range(places[s])]
    cases = [case(first + i, s, i + 1, monday) for i, s in enumerate(sections)]
    n_places = len(cases)
    rest = ("remainder", "remainder", "cooling", "excluded")
    cases += [case(first + n_places + i, s, None, monday) for i, s in enumerate(rest)]
    if week:
        gone = ListedCase(case_id=f"SYN{first + 250:06d}", person_key="gone", section="left", why_left="not_open")
        cases.append(gone)
    n_open = n_places + len(rest)
    about = {
        "horizon_weeks": 52,
        "last_week": WEEKS[0] if week else None,
        "is_synthetic": True,
        "rules": ["reglerne fra 2025", "the rules of 2025"],
        "milestones": {"broad_assessment": ["Bred vurdering", "Broad assessment"]},
        "words": {lang: words(Speaker(lang), n_open, n_places) for lang in LANGUAGES},
        "figures": {
            "n_open": n_open, "n_listed": n_places, "n_past": places["past_horizon"], "n_past_expected": 6.2,
            "n_workers": 2.0, "n_fell_due": 40, "n_met": 34, "has_follow_ups": True, "timeliness_weeks": 13,
        },
    }  # fmt: skip
    return TeamList(WEEKS[week], office, team, monday, "9ba0be476961", "2026-2", about, cases)


def words(speaker: Speaker, n_open: int, n_listed: int) -> dict[str, object]:
    fill = {"horizon": 52, "weeks": 52, "closing": 50}
    account = {"n_open": n_open, "n_listed": n_listed, "n_cooling": 1, "n_remainder": 2, "n_excluded": 1}
    parts = ("section", "section_short", "section_why")
    return {
        "title": speaker.say("list.title_week", week=48, year=2026),
        "about": [speaker.say("list.human"), speaker.say("list.effect")],
        "currency": "kr.",
        "lines": [speaker.say("lines.duties", n_duty=8, n_overdue=4), speaker.say("lines.account", **account)],
        "daily": [speaker.say("lines.duties", n_duty=8, n_overdue=4)],
        "warning": "",
        "sections": {s: [speaker.say(f"{p}.{s}", **fill) for p in parts] for s in SECTIONS},
    }


def fill(store: Store) -> None:
    """The lists of both weeks, and the staff."""
    for week in (0, 1):
        save_lists(store, [team_list(*team, week) for team in TEAMS], NOW, "tests")
    for name, role, office, team in STAFF:
        add_account(store, Account(name, role, office, team, "da"), PASSWORD, NOW, by="tests")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled store, made once and copied: every password costs a tenth of a second."""
    place = tmp_path_factory.mktemp("web") / "store.db"
    store = open_store(f"sqlite:///{place}")
    fill(store)
    store.close()
    return place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What reads and writes most is tried on both kinds of store."""
    if metafunc.module.__name__.rsplit(".")[-1] in ON_BOTH_STORES and "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", ["sqlite", "postgresql"])


@pytest.fixture
def store_kind() -> str:
    return "sqlite"


@pytest.fixture(scope="session")
def filled_database(postgresql: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """The name of a filled PostgreSQL database, made once to be copied."""
    with postgresql() as address:
        store = open_store(address)
        fill(store)
        store.close()
        yield str(make_url(address).database)


@pytest.fixture
def filled_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A filled store of this test alone."""
    if store_kind == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('filled'), tmp_path / 'store.db')}"
        return
    with request.getfixturevalue("postgresql")(request.getfixturevalue("filled_database")) as address:
        yield address


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web(filled_url: str, tmp_path: Path, clock: Clock) -> Iterator[FastAPI]:
    """The page as in production, on a store of this test alone."""
    settings = Settings(store=filled_url, web_key=WEB_KEY, sign_in_rate="1000/minute", model=str(tmp_path / "no-model"))
    app = create_web(settings, clock)
    yield app
    app.state.house.store.close()


class Browser(TestClient):
    """A browser of one person: follows redirects by hand, and fills forms with the token of the page."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app, base_url="https://page.test", follow_redirects=False, raise_server_exceptions=False)

    def token(self, page: str = "/help") -> str:
        found = re.search(r'name="token" value="([0-9a-f]{64})"', self.get(page).text)
        assert found is not None
        return found[1]

    def submit(self, address: str, page: str = "/help", **fields: str):  # type: ignore[no-untyped-def]  # as TestClient.post
        return self.post(address, data={"token": self.token(page), **fields})

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str):  # type: ignore[no-untyped-def]  # as above
        return self.submit("/sign-in", "/sign-in", name=name, password=password, **fields)


@pytest.fixture
def browser(web: FastAPI) -> Callable[..., Browser]:
    """A browser, with somebody signed in when named: by a session, which is cheaper than a password."""

    def _browser(name: str = "") -> Browser:
        made, house = Browser(web), web.state.house
        for who in (Account(n, r, o, t, "da") for n, r, o, t in STAFF if n == name):
            made.cookies.set(house.session_cookie, open_session(house.store, who, house.now()), domain="page.test")
        return made

    return _browser


@pytest.fixture
def by_hand() -> Callable[..., TeamList]:
    """Make the list of a team by hand: office, team, first case number, week (0 or 1) and cases per section."""
    return team_list
