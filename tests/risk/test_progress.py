"""A bar where somebody watches, nothing where nobody does."""

from __future__ import annotations

import time

import pytest

from risk import progress as module
from risk.progress import progress, telling, working


def test_without_a_terminal_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("patience", "is_shown"), [(0.0, True), (60.0, False)])
def test_on_a_terminal_the_bar_comes_after_the_patience(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, patience: float, is_shown: bool
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", patience)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("TERM", "xterm")
    for _ in progress(range(3), "counting"):
        time.sleep(0.05)
    assert ("counting" in capsys.readouterr().err) is is_shown


def test_a_mistake_in_the_work_is_passed_on() -> None:
    def steps():  # type: ignore[no-untyped-def]  # a generator of this test alone
        yield 1
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(progress(steps(), "counting"))


def test_work_within_work_shows_one_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with working("outer"):
        assert [time.sleep(0.05) or n for n in progress(range(2), "inner")] == [0, 1]
    printed = capsys.readouterr().err
    assert "outer" in printed
    assert "inner" not in printed
    assert list(progress(range(2), "inner")) == [0, 1]  # and the next work may have its own again


def test_work_told_in_words_shows_the_words_and_the_share(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with telling() as told:
        told("fitting", 0.5)
        time.sleep(0.3)
    printed = capsys.readouterr().err
    assert "fitting" in printed
    assert "50%" in printed
