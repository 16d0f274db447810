"""A port that is taken is told in one line, before anything is said to be there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from risk.__main__ import main
from risk.errors import ConfigError
from serving.listening import check_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_free_port_is_left_free_and_a_taken_one_refused(taken: int) -> None:
    check_port("127.0.0.1", 0)
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        free = own.getsockname()[1]
    for _ in range(2):
        check_port("localhost", free)
    with pytest.raises(ConfigError, match=rf"^cannot listen on 127\.0\.0\.1:{taken} \(Address already in use\)"):
        check_port("127.0.0.1", taken)
    with pytest.raises(ConfigError, match="choose another --port"):
        check_port("no.such.place.invalid", 8052)


def test_the_commands_say_so_and_end_with_an_error(
    taken: int,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RISK_HOME", str(tmp_path))
    for words in (["web"], ["serve", "--model", str(bundle_folder)]):
        with pytest.raises(SystemExit) as end:
            main([*words, "--dev", "--port", str(taken)])
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (ConfigError.exit_status, "")
        assert "Address already in use" in err
        assert "Traceback" not in err
