"""What docs/deployment.md and deploy/ say works: the drills are run as they stand, the units and the recipe are looked through."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.settings import Settings
from serving.start import seals_of
from serving.store.engine import open_store
from serving.store.keys import create_key
from serving.store.ledger import Submission, append, begin_chain, score_entry

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LEDGER_KEY = "for tests only: 0123456789 abcdefghij"
DRILLS = dict(
    re.findall(
        r"```sh\n# drill: (\w+)\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text("utf-8"), flags=re.DOTALL
    )
)


@pytest.fixture
def database(postgresql: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """A PostgreSQL database of this test alone."""
    if not shutil.which("pg_dump"):
        pytest.skip("the tools of PostgreSQL are not installed")
    with postgresql() as address:
        yield address


def filled(url: str) -> None:
    """Five scores and a key."""
    store, seals = open_store(url), seals_of(Settings(ledger_key=LEDGER_KEY))  # type: ignore[arg-type]  # pydantic turns the text into a secret
    begin_chain(store, seals)
    made = [
        score_entry(
            score_id=f"{i:032x}", at="2026-11-23T10:00:00.000000Z", caller="key:a", office="Nordby", request_id="r",
            model_version="m", as_of="2026-11-23", status="scored", case_id=f"SYN{i:06d}", given="{}", told="{}",
        )
        for i in range(5)
    ]  # fmt: skip
    with store.writing() as connection:
        append(connection, [Submission(made)], seals)
    create_key(store, "case system", "Nordby", ["score:write"], 30, datetime.now(UTC))
    store.close()


def drilled(kind: str, home: Path, url: str | None) -> str:
    """Run a drill as it stands on the page; what it printed."""
    backup = home / "backup"
    backup.mkdir()
    settings = {"RISK_HOME": str(home), "BACKUP": str(backup), "RISK_LEDGER_KEY": LEDGER_KEY}
    settings |= {"RISK_STORE": url} if url else {}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {name: value for name, value in os.environ.items() if name != "RISK_STORE"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", DRILLS[kind]],
        env=plain | settings | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_lost_sqlite_store_is_restored_with_its_chain_whole(tmp_path: Path) -> None:
    if not shutil.which("sqlite3"):
        pytest.skip("the command sqlite3 is not installed")
    filled(f"sqlite:///{tmp_path / 'store.db'}")
    told = drilled("sqlite", tmp_path, None)
    assert "5 rows; scores: 5 kept, 0 erased" in told
    assert "FAULT" not in told
    assert "case system (Nordby)" in told


def test_a_lost_postgresql_store_is_restored_with_its_chain_whole(database: str, tmp_path: Path) -> None:
    filled(database)
    told = drilled("postgresql", tmp_path, database)
    assert "5 rows; scores: 5 kept, 0 erased" in told
    assert "FAULT" not in told
    assert "case system (Nordby)" in told


@pytest.mark.parametrize(
    "name", ["risk52@.service", "risk52-web.service", "risk52-weekly.service", "risk52-weekly.timer"]
)
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path: Path, name: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    for unit in DEPLOY.glob("risk52*"):
        shutil.copy(unit, tmp_path / unit.name.replace("@.", "@8052."))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name.replace("@.", "@8052."))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "risk52" in done.stderr) == (0, False), done.stderr


def test_the_commands_of_the_units_and_the_recipe_are_there(tmp_path: Path) -> None:
    from risk.__main__ import COMMANDS

    for unit in DEPLOY.glob("*.service"):
        words = re.findall(r"/bin/risk (\w+)", unit.read_text("utf-8"))
        assert words, unit.name
        assert set(words) <= set(COMMANDS)
    recipe = (DEPLOY / "Containerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (.*)$", recipe, flags=re.MULTILINE) for name in line.split()[:-1]]
    assert {"risk", "models", "training", "serving", "pyproject.toml", "constraints.txt"} <= set(copied)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored, f"{name} would not reach the build"


def test_every_setting_on_the_page_is_one_the_code_reads() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    files = [f for room in ("risk", "models", "training", "serving") for f in (ROOT / room).rglob("*.py")]
    code = " ".join(f.read_text("utf-8") for f in files)
    fields = {f"RISK_{name.upper()}" for name in Settings.model_fields}
    for name in set(re.findall(r"RISK_[A-Z_]+[A-Z]", page)):
        assert name in fields or f'"{name}"' in code, name
