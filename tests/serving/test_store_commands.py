"""``risk keys`` and ``risk ledger``, as a person uses them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from risk.__main__ import main
from risk.errors import ConfigError
from serving.settings import Settings
from serving.start import open_behind, store_url
from serving.store.engine import open_store
from serving.store.ledger import Submission, append, score_entry
from serving.store.tables import ledger

LEDGER_KEY = "for tests only: 0123456789 abcdefghij"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    monkeypatch.setenv("RISK_LEDGER_KEY", LEDGER_KEY)

    def _run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(args)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return _run


def write_scores(n: int) -> None:
    behind = open_behind(Settings())
    entries = [
        score_entry(
            score_id=f"{i:032x}", at=f"2025-01-{i + 1:02d}T00:00:00.000000Z", caller="key:a", office="N", request_id="r",
            model_version="m", as_of="2025-01-01", status="scored", case_id=f"SYN{i}", given="{}", told="{}",
        )
        for i in range(n)
    ]  # fmt: skip
    with behind.store.writing() as connection:
        append(connection, [Submission(entries)], behind.seals)
    behind.close()


def test_a_key_is_made_shown_once_listed_and_revoked(run: Run, tmp_path: Path) -> None:
    assert run("keys", "list")[1] == "no keys; make one with 'risk keys create'\n"
    code, key, note = run("keys", "create", "Momentum", "--office", "Nordby", "--scope", "score:write", "--days", "30")
    assert code == 0
    shaped = re.fullmatch(r"risk52_([0-9a-f]{12})_[\w-]{43}\n", key)
    assert shaped
    assert "not shown again" in note
    _, listed, _ = run("keys", "list")
    assert re.fullmatch(rf"{shaped[1]}  active   until [\d-]+  Momentum \(Nordby\): score:write\n", listed)
    assert run("keys", "revoke", shaped[1])[1] == "revoked\n"
    assert run("keys", "revoke", shaped[1])[1] == "it was revoked before\n"
    assert "revoked" in run("keys", "list")[1]
    assert run("keys", "revoke", "nonsense")[0] == 6
    assert run("keys", "create", "Momentum", "--office", "Nordby", "--scope", "root")[0] == 2
    assert (tmp_path / "store.db").exists()


def test_development_has_a_store_of_its_own(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "s", "--office", "*", "--scope", "admin", "--dev")
    assert (tmp_path / "store-dev.db").exists()
    assert not (tmp_path / "store.db").exists()
    with pytest.raises(ConfigError, match="risk keys create"):
        open_behind(Settings())


def test_the_ledger_is_verified_anchored_and_let_go(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keys", "create", "s", "--office", "*", "--scope", "admin")
    write_scores(5)
    code, out, _ = run("ledger", "verify")
    assert code == 0
    assert out.startswith("5 rows; scores: 5 kept, 0 erased\nanchor 5:")
    anchor = out.split()[-1]
    assert "ledger_payload: 0 gone\n" in run("store", "expire")[1]
    monkeypatch.setenv("RISK_KEEP_SCORES_DAYS", "30")
    assert "ledger_payload: 5 would go\n" in run("store", "expire", "--dry-run")[1]
    assert "scores: 5 kept" in run("ledger", "verify")[1]
    assert "ledger_payload: 5 gone\n" in run("store", "expire")[1]
    code, out, _ = run("ledger", "verify", "--anchor", anchor, "--json")
    found = json.loads(out)
    assert (code, found["n_faults"], found["n_rows"], found["n_erased"]) == (0, 0, 6, 5)
    store = open_store(store_url(Settings()))
    with store.writing() as connection:
        connection.execute(ledger.update().where(ledger.c.seq == 3).values(model_version="another"))
    store.close()
    code, out, err = run("ledger", "verify")
    assert code == 13
    assert "FAULT row 3 was changed after it was written" in out
    assert "keep a copy" in err


def test_the_ledger_is_not_verified_with_another_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keys", "create", "s", "--office", "*", "--scope", "admin")
    write_scores(1)
    monkeypatch.setenv("RISK_LEDGER_KEY", LEDGER_KEY[::-1])
    code, out, _ = run("ledger", "verify")
    assert code == 13
    assert "not sealed" in out
    monkeypatch.delenv("RISK_LEDGER_KEY")
    code, _, err = run("ledger", "verify")
    assert code == 6
    assert "openssl rand" in err


def test_serving_is_refused_in_one_line_until_it_is_safe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "risk keys create" in run("serve")[2]
    assert "development" in run("serve", "--dev", "--host", "0.0.0.0")[2]
    monkeypatch.delenv("RISK_LEDGER_KEY")
    code, _, err = run("serve")
    assert code == 6
    assert "RISK_LEDGER_KEY" in err
    assert err.count("\n") == 1
