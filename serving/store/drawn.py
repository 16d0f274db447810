"""Random digits from the operating system, drawn for many at once: asking for each costs more than what it is asked for."""

from __future__ import annotations

import secrets

DIGITS = 32
_AT_ONCE = 64
_left: list[str] = []


def random_digits() -> str:
    """32 random hexadecimal digits (128 bits), never the same twice; safe with threads."""
    try:
        return _left.pop()
    except IndexError:
        drawn = secrets.token_hex(DIGITS // 2 * _AT_ONCE)
        _left.extend(drawn[at : at + DIGITS] for at in range(DIGITS, len(drawn), DIGITS))
        return drawn[:DIGITS]
