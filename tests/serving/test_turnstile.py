"""Who asks too often waits, and knowing many who ask takes no more memory than knowing some."""

from __future__ import annotations

from limits import parse

from serving import turnstile
from serving.turnstile import Turnstile


def test_a_window_lets_so_many_through_and_then_tells_the_seconds_that_are_left() -> None:
    now = [100.0]
    counted = Turnstile(parse("2/minute"), clock=lambda: now[0])
    assert [counted.seconds_to_wait("a") for _ in range(4)] == [0, 0, 60, 60]
    assert counted.seconds_to_wait("b") == 0
    now[0] += 59.5
    assert counted.seconds_to_wait("a") == 1
    now[0] += 0.5
    assert [counted.seconds_to_wait("a") for _ in range(3)] == [0, 0, 60]


def test_those_who_asked_first_are_forgotten_when_too_many_ask() -> None:
    now = [0.0]
    counted = Turnstile(parse("1/hour"), clock=lambda: now[0])
    for i in range(3 * turnstile.MOST_KNOWN):
        counted.seconds_to_wait(str(i))
        assert len(counted._windows) <= turnstile.MOST_KNOWN
    assert counted.seconds_to_wait(str(3 * turnstile.MOST_KNOWN - 1)) == 3600
    now[0] += 3601
    counted.seconds_to_wait("new")
    assert counted.seconds_to_wait("new") == 3600
