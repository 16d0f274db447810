"""The ``risk`` command as a user meets it: help that answers, mistakes that are told in one line and never exit 0."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from risk.__main__ import COMMANDS, main
from risk.errors import RiskError


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in args])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    assert "Usage: risk" in out
    assert len(out.split("Options:")[0]) > 100, "say what it does, not only how it is called"


def test_the_list_of_commands_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize(
    "args", [("nonsense",), ("list",), ("train", "reg"), ("synth", "--cases", "0"), ("--nonsense",)]
)
def test_a_wrong_call_exits_2_with_a_hint(capsys: pytest.CaptureFixture[str], args: tuple[str, ...]) -> None:
    status, out, err = run(capsys, *args)
    assert status == 2
    assert out == ""
    assert "Error" in err


@pytest.mark.parametrize("command", ["train", "list", "score"])
def test_a_register_that_is_not_there_is_one_line_and_its_own_exit_status(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    more = ["--out", str(tmp_path / "out.parquet")] if command == "score" else []
    status, _, err = run(capsys, command, tmp_path / "nowhere", "--as-of", "2026-11-16", *more)
    assert status == 4
    assert err.count("\n") == 1
    assert "is not a register" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(RiskError, match="is not a register"):
        main(["--debug", "train", str(tmp_path), "--as-of", "2026-11-16"])


@pytest.mark.parametrize("command", ["train", "list"])
def test_a_date_in_another_form_is_refused_with_the_right_form(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    status, _, err = run(capsys, command, tmp_path, "--as-of", "16.11.2026")
    assert status == 2
    assert "yyyy-mm-dd" in err


def test_a_command_that_is_told_to_end_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nimport risk.register\nfrom risk.__main__ import main\n"
        "def stopped(*_, **__):\n"
        "    assert [p.name[:5] for p in Path('.').iterdir()] == ['.reg.']\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "risk.register.pd.DataFrame.to_parquet = stopped\n"
        "main(['synth', '--cases', '20', '--seed', '1', '--out', 'reg'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")
    assert list(tmp_path.iterdir()) == []


def test_every_error_has_an_exit_status_of_its_own() -> None:
    kinds = RiskError.__subclasses__()
    assert len({k.exit_status for k in kinds}) == len(kinds) >= 10
    assert all(k.exit_status not in (0, 1, 2) for k in kinds), "0 is success, 1 a bug, 2 a wrong call"
    assert all(400 <= k.http_status < 600 for k in kinds)
    assert len({k.code for k in kinds}) == len(kinds)
    assert all(any(issubclass(k, b) for b in (ValueError, LookupError, OSError, PermissionError)) for k in kinds)
