"""``risk users``, ``risk person`` and ``risk store``, as a person uses them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from risk.__main__ import main
from serving.settings import Settings
from serving.start import store_url
from serving.store import accounts as module
from serving.store.accounts import check_password
from serving.store.engine import open_store
from serving.store.listed import ListedCase, TeamList
from serving.store.tables import worklist_case
from serving.store.worklists import save_lists

Run = Callable[..., tuple[int, str, str]]
RIGHT = "en hel sætning er bedst"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a password on standard input."""
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    monkeypatch.delenv("RISK_LEDGER_KEY", raising=False)
    monkeypatch.setattr(module, "N", 16)

    def _run(*args: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            main(args)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return _run


def save_one_list() -> None:
    store = open_store(store_url(Settings()))
    cases = [ListedCase(case_id=f"SYN{i}", person_key=f"p{i % 2}", section="risk", rank=i + 1) for i in range(4)]
    save_lists(store, [TeamList("2026-W48", "N", "A", date(2026, 11, 23), "m", "p", {"figures": {}}, cases)], NOW, "t")
    store.close()


def test_an_account_is_added_shown_given_a_new_password_and_shut(run: Run) -> None:
    assert run("users", "list")[1] == "no accounts; make one with 'risk users add'\n"
    added = run("users", "add", "ane", "--role", "caseworker", "--office", "Nordby", "--team", "A", stdin=RIGHT + "\n")
    assert added[:2] == (0, "ane may sign in\n")
    assert (
        run("users", "add", "chef", "--role", "leader", "--office", "Nordby", "--language", "en", stdin=RIGHT)[0] == 0
    )
    listed = run("users", "list")[1]
    assert [line.split() for line in listed.splitlines()] == [
        ["ane", "caseworker", "active", "da", "Nordby", "/", "A"], ["chef", "leader", "active", "en", "Nordby"],
    ]  # fmt: skip
    assert run("users", "password", "ane", stdin="en helt anden sætning\n")[1] == "changed\n"
    store = open_store(store_url(Settings()))
    assert check_password(store, "ane", RIGHT, NOW) is None
    assert check_password(store, "ane", "en helt anden sætning", NOW) is not None
    store.close()
    assert run("users", "disable", "ane")[1] == "shut\n"
    assert run("users", "disable", "ane")[1] == "it was shut before\n"
    assert " shut 20" in run("users", "list")[1]


@pytest.mark.parametrize(
    ("args", "stdin", "code", "said"),
    [
        (("add", "x", "--role", "caseworker", "--office", "N"), RIGHT, 6, "a caseworker needs an office and a team"),
        (("add", "x", "--role", "admin"), "kort", 6, "12 to 1024 characters"),
        (("add", "x", "--role", "admin"), "", 6, "12 to 1024 characters"),
        (("add", "a b", "--role", "admin"), RIGHT, 6, "letters, digits"),
        (("add", "x", "--role", "king"), RIGHT, 2, "is not one of"),
        (("password", "x"), RIGHT, 6, "no account of that name"),
        (("disable", "x"), "", 6, "no account of that name"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_without_the_password(
    run: Run, args: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    ended, out, err = run("users", *args, stdin=stdin)
    assert (ended, out) == (code, "")
    assert said in err
    assert "kort" not in err


def test_a_person_is_exported_to_the_screen_or_a_file(run: Run, tmp_path: Path) -> None:
    save_one_list()
    told = json.loads(run("person", "export", "p1")[1])
    assert [row["case_id"] for row in told["lists"]] == ["SYN1", "SYN3"]
    out = tmp_path / "person.json"
    assert run("person", "export", "p1", "--out", str(out))[1] == f"{out}: 0 scores, 2 list rows, 0 feedback\n"
    assert json.loads(out.read_text("utf-8"))["cases"] == ["SYN1", "SYN3"]
    assert json.loads(run("person", "export", "nobody")[1])["cases"] == []
    code, _, err = run("person", "export", "p1", "--out", str(tmp_path / "no" / "where.json"))
    assert (code, err.count("\n")) == (12, 1)


def test_a_person_is_deleted_only_after_a_yes(run: Run) -> None:
    save_one_list()
    assert run("person", "delete", "p1", stdin="n\n")[0] != 0
    store = open_store(store_url(Settings()))
    with store.reading() as connection:
        assert len(connection.execute(worklist_case.select()).all()) == 4
    told = "deleted: 2 cases with 0 scores, 2 list rows and 0 feedback; taken out of 0 rows of the record\n"
    assert run("person", "delete", "p1", stdin="y\n")[1].endswith(told)
    with store.reading() as connection:
        assert {r.case_id for r in connection.execute(worklist_case.select())} == {"SYN0", "SYN2"}
    store.close()
    assert run("person", "delete", "p1", "--yes")[1] == "nothing is held under this pseudonym\n"
    code, out, _ = run("store", "verify")
    assert (code, out.splitlines()[0]) == (0, "1 lists, 2 rows, 2 erased")


def test_a_changed_list_is_found_by_the_command_and_ends_it_with_its_own_status(run: Run) -> None:
    save_one_list()
    anchor = run("store", "verify")[1].split()[-1]
    assert run("store", "verify", "--anchor", anchor)[0] == 0
    store = open_store(store_url(Settings()))
    with store.writing() as connection:
        connection.execute(worklist_case.update().where(worklist_case.c.place == 2).values(case_id="SYN9"))
    store.close()
    code, out, err = run("store", "verify")
    assert code == 13
    assert "FAULT list 1, place 2: changed after it was saved" in out
    assert "keep a copy" in err
