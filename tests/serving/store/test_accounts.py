"""Accounts and sessions: who gets in, who does not, and that neither time nor wording tells a stranger anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from risk.errors import ConfigError
from serving.store import accounts as module
from serving.store.accounts import (
    FREE_FAILURES,
    LONGEST_LOCK,
    Account,
    accounts,
    add_account,
    check_password,
    disable_account,
    set_language,
    set_password,
)
from serving.store.audit import noted
from serving.store.engine import Store
from serving.store.sessions import close_session, close_sessions_of, find_session, open_session
from serving.store.tables import account, sign_in_failure, web_session

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ANE = Account("ane", "caseworker", "Nordby", "A", "da")
BO = Account("bo", "leader", "Nordby", None, "en")
RIGHT = "en hel sætning er bedst"


def minutes(n: float) -> datetime:
    return NOW + timedelta(minutes=n)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of a cost for tests; the real one is looked at below."""
    monkeypatch.setattr(module, "N", 16)
    monkeypatch.setattr(module, "_NOBODY", f"scrypt$16$8$3${'00' * 16}${'00' * 32}")


@pytest.fixture
def staff(store: Store) -> Store:
    for who in (ANE, BO):
        add_account(store, who, RIGHT, NOW, "test")
    return store


def test_the_right_password_gives_the_account_and_nothing_else_does(staff: Store) -> None:
    assert check_password(staff, "ane", RIGHT, NOW) == ANE
    assert check_password(staff, "bo", RIGHT, NOW) == BO
    for name, password in (
        ("ane", RIGHT + " "),
        ("ane", ""),
        ("Ane", RIGHT),
        ("nobody", RIGHT),
        ("", ""),
        ("ane", "x" * 5000),
    ):
        assert check_password(staff, name, password, NOW) is None


@pytest.mark.parametrize("odd", ["a\x00b", "\ud800", "x" * 5000, "ane'; DROP TABLE account; --", "ane\n"])
def test_odd_names_and_passwords_get_nobody_in_and_stop_nobody_else(staff: Store, odd: str) -> None:
    assert check_password(staff, odd, odd, NOW) is None
    assert check_password(staff, "ane", odd, NOW) is None
    assert check_password(staff, "ane", RIGHT, NOW) == ANE


@pytest.mark.parametrize("name", ["ane", "bo", "shut", "nobody", "a b"])
@pytest.mark.parametrize("is_locked", [False, True])
def test_whoever_asks_the_same_work_is_done(
    staff: Store, monkeypatch: pytest.MonkeyPatch, name: str, is_locked: bool
) -> None:
    add_account(staff, Account("shut", "admin", "", None, "da"), RIGHT, NOW, "test")
    disable_account(staff, "shut", NOW, "test")
    for _ in range(FREE_FAILURES + 1 if is_locked else 0):
        check_password(staff, name, "wrong", NOW)
    costs: list[tuple[int, int, int]] = []
    scrypt = module._scrypt

    def counted(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        costs.append((n, r, p))
        return scrypt(password, salt, n, r, p)

    monkeypatch.setattr(module, "_scrypt", counted)
    assert check_password(staff, name, "wrong", NOW) is None
    assert costs == [(16, 8, module.P)]


def test_a_password_is_kept_as_a_salted_hash_of_a_real_cost(staff: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with staff.reading() as connection:
        kept = connection.execute(select(account.c.password)).scalars().all()
    assert len(set(kept)) == 2  # the same password, another salt
    assert not any(RIGHT in text for text in kept)
    monkeypatch.undo()
    method, n, r, p, salt, key = module.hashed(RIGHT).split("$")
    assert (method, int(n), int(r), int(p)) == ("scrypt", 2**15, 8, 3)
    assert (len(salt), len(key)) == (32, 64)


@pytest.mark.parametrize("name", ["ane", "nobody"])
def test_who_fails_again_and_again_is_locked_longer_each_time_and_a_stranger_just_alike(
    staff: Store, name: str
) -> None:
    def locked_minutes() -> float:
        with staff.reading() as connection:
            row = connection.execute(select(sign_in_failure)).one()
        at, until = (datetime.fromisoformat(t) for t in (row.at, row.locked_until))
        return (until - at).total_seconds() / 60

    now = NOW
    for _ in range(FREE_FAILURES):
        check_password(staff, name, "wrong", now)
        assert locked_minutes() <= 0
    for wait in (1, 2, 4, 8, 16, 30, 30):
        check_password(staff, name, "wrong", now)
        assert locked_minutes() == wait
        assert check_password(staff, name, RIGHT, now + timedelta(seconds=59)) is None
        now += LONGEST_LOCK
    expected = ANE if name == "ane" else None
    assert check_password(staff, name, RIGHT, now) == expected


def test_failures_at_once_are_all_counted_until_the_lock(staff: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: check_password(staff, "ane", "wrong", NOW), range(FREE_FAILURES)))
    assert told == [None] * FREE_FAILURES
    with staff.reading() as connection:
        assert connection.execute(select(sign_in_failure.c.n)).scalars().all() == [FREE_FAILURES]


def test_getting_in_wipes_the_failures_and_so_does_a_new_password(staff: Store) -> None:
    for _ in range(FREE_FAILURES):
        check_password(staff, "ane", "wrong", NOW)
    assert check_password(staff, "ane", RIGHT, NOW) == ANE
    for _ in range(FREE_FAILURES + 1):
        check_password(staff, "ane", "wrong", NOW)
    assert check_password(staff, "ane", RIGHT, NOW) is None
    set_password(staff, "ane", "en helt ny sætning", NOW, "test")
    assert check_password(staff, "ane", RIGHT, NOW) is None
    assert check_password(staff, "ane", "en helt ny sætning", NOW) == ANE


def test_a_try_while_locked_does_not_lengthen_the_lock(staff: Store) -> None:
    for _ in range(FREE_FAILURES + 1):
        check_password(staff, "ane", "wrong", NOW)
    for second in range(10):
        check_password(staff, "ane", "wrong", NOW + timedelta(seconds=second))
    assert check_password(staff, "ane", RIGHT, minutes(1)) == ANE


def test_a_shut_account_is_shut_at_once_and_stays_on_the_list(staff: Store) -> None:
    token = open_session(staff, ANE, NOW)
    assert disable_account(staff, "ane", minutes(1), "test") is True
    assert disable_account(staff, "ane", minutes(2), "test") is False
    assert check_password(staff, "ane", RIGHT, minutes(3)) is None
    assert find_session(staff, token, minutes(3)) is None
    assert [(one.account.name, one.is_active) for one in accounts(staff)] == [("ane", False), ("bo", True)]


@pytest.mark.parametrize(
    "who",
    [
        Account("", "admin", "", None, "da"),
        Account("a b", "admin", "", None, "da"),
        Account("-x", "admin", "", None, "da"),
        Account("x" * 65, "admin", "", None, "da"),
        Account("x", "caseworker", "Nordby", None, "da"),
        Account("x", "caseworker", "", "A", "da"),
        Account("x", "leader", "Nordby", "A", "da"),
        Account("x", "leader", "", None, "da"),
        Account("x", "scientist", "Nordby", None, "da"),
        Account("x", "admin", "", "A", "da"),
        Account("x", "leader", " Nordby", None, "da"),
        Account("x", "root", "", None, "da"),  # type: ignore[arg-type]  # a role there is not
        Account("x", "admin", "", None, "sv"),  # type: ignore[arg-type]  # a language there is not
    ],
)
def test_an_account_that_makes_no_sense_is_refused(store: Store, who: Account) -> None:
    with pytest.raises(ConfigError):
        add_account(store, who, RIGHT, NOW, "test")
    assert accounts(store) == []


def test_a_name_twice_a_short_password_and_an_unknown_name_are_refused(staff: Store) -> None:
    with pytest.raises(ConfigError, match="there is an account of that name"):
        add_account(staff, ANE, RIGHT, NOW, "test")
    with pytest.raises(ConfigError, match="12 to 1024 characters") as raised:
        set_password(staff, "ane", "kort", NOW, "test")
    assert "kort" not in str(raised.value)
    for act in (
        lambda: set_password(staff, "nobody", RIGHT, NOW, "t"),
        lambda: disable_account(staff, "nobody", NOW, "t"),
    ):
        with pytest.raises(ConfigError, match="no account of that name"):
            act()
    assert check_password(staff, "ane", RIGHT, NOW) == ANE


@pytest.mark.parametrize(
    ("who", "office", "team", "may"),
    [
        (ANE, "Nordby", "A", True), (ANE, "Nordby", "B", False), (ANE, "Sydby", "A", False),
        (BO, "Nordby", "A", True), (BO, "Nordby", "B", True), (BO, "Sydby", "A", False),
        (Account("c", "scientist", "", None, "da"), "Nordby", "A", False),
        (Account("d", "admin", "", None, "da"), "", "", False),
    ],
)  # fmt: skip
def test_a_caseworker_reads_one_team_a_leader_an_office_and_nobody_else_a_case(
    who: Account, office: str, team: str, may: bool
) -> None:
    assert who.may_read(office, team) is may


def test_what_was_done_with_accounts_is_on_record_without_a_password(staff: Store) -> None:
    set_password(staff, "ane", RIGHT, NOW, "admin")
    disable_account(staff, "bo", NOW, "admin")
    check_password(staff, "ane", RIGHT, NOW)
    rows = noted(staff)
    assert [(r.act, r.by) for r in rows] == [
        ("signed-in", "ane"), ("account-disabled", "admin"), ("password-set", "admin"),
        ("account-added", "test"), ("account-added", "test"),
    ]  # fmt: skip
    assert RIGHT not in repr(rows)


def test_a_language_chosen_is_remembered(staff: Store) -> None:
    set_language(staff, "ane", "en")
    who = check_password(staff, "ane", RIGHT, NOW)
    assert who is not None
    assert who.language == "en"


# ---- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_lives_while_it_is_used_and_ends_when_it_is_not(staff: Store) -> None:
    token = open_session(staff, ANE, NOW)
    for at in (0, 29, 58, 87):
        assert find_session(staff, token, minutes(at)) == ANE
    assert find_session(staff, token, minutes(87 + 30)) is None
    assert find_session(staff, token, minutes(88)) is None  # ended for good


def test_no_session_outlives_its_longest_time_however_much_it_is_used(staff: Store) -> None:
    token = open_session(staff, ANE, NOW)
    for at in range(0, 600, 20):
        assert find_session(staff, token, minutes(at)) == ANE
    assert find_session(staff, token, minutes(600)) is None


def test_the_limits_are_settings(staff: Store) -> None:
    token = open_session(staff, ANE, NOW)
    assert find_session(staff, token, minutes(4), idle_minutes=5) == ANE
    assert find_session(staff, token, minutes(10), idle_minutes=5) is None
    token = open_session(staff, ANE, NOW)
    assert find_session(staff, token, minutes(61), idle_minutes=90, longest_hours=1) is None


def test_a_token_is_kept_as_a_hash_and_no_other_opens(staff: Store) -> None:
    token = open_session(staff, ANE, NOW)
    assert len(token) >= 43
    with staff.reading() as connection:
        kept: Any = connection.execute(select(web_session)).one()
    assert token not in tuple(kept)
    assert find_session(staff, kept.token_hash, NOW) is None
    assert find_session(staff, token[:-1], NOW) is None
    assert find_session(staff, "", NOW) is None


def test_sessions_end_one_by_one_or_all_of_an_account(staff: Store) -> None:
    tokens = [open_session(staff, ANE, NOW) for _ in range(3)]
    other = open_session(staff, BO, NOW)
    close_session(staff, tokens[0])
    assert [find_session(staff, t, NOW) is None for t in tokens] == [True, False, False]
    assert close_sessions_of(staff, "ane") == 2
    assert [find_session(staff, t, NOW) is None for t in tokens] == [True, True, True]
    assert find_session(staff, other, NOW) == BO
    set_password(staff, "bo", RIGHT, NOW, "test")
    assert find_session(staff, other, NOW) is None
    with staff.reading() as connection:
        assert connection.execute(select(func.count()).select_from(web_session)).scalar() == 0
