"""At the border: a CPR number becomes a keyed hash here and exists nowhere after it.

HMAC-SHA256 under a key of at least 32 bytes from the environment. Without the key the hashes cannot be made again from the
ten million or so numbers there are; with it they can, so the key is kept apart from every register. The same key gives the
same pseudonym in every extract; changing the key breaks that tie on purpose.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping

from risk.errors import ConfigError

KEY_VARIABLE = "RISK_CPR_KEY"
MIN_KEY_BYTES = 32
# Nine or ten digits (CPR_DIGITS are the fewest) with or without a hyphen: a CPR number, also one that lost its leading zero in a spreadsheet.
CPR_DIGITS = 9
_CPR_LIKE = re.compile(r"(?<!\d)\d{5,6}[-–\s]{0,3}\d{4}(?!\d)")


def key_from(environ: Mapping[str, str] | None = None) -> bytes:
    """The key that CPR numbers are hashed with, from ``RISK_CPR_KEY``.

    Raises
    ------
    ConfigError
        When it is not set, or is shorter than 32 bytes.
    """
    text = (os.environ if environ is None else environ).get(KEY_VARIABLE, "")
    if not text:
        raise ConfigError(
            f"{KEY_VARIABLE} is not set, and CPR numbers are not read without it; "
            "set it to a secret of at least 32 bytes, the same one every time"
        )
    return checked_key(text.encode("utf-8"))


def checked_key(key: bytes) -> bytes:
    """The same key, if it is long enough.

    Raises
    ------
    ConfigError
        When it is shorter than 32 bytes.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(f"the key for CPR numbers has {len(key)} bytes; it needs at least {MIN_KEY_BYTES}")
    return key


def pseudonym(identity: str, key: bytes) -> str:
    """The keyed hash of a CPR number (ten digits) or a synthetic id, 64 hexadecimal digits.

    >>> pseudonym("SYN000123", b"k" * 32)[:16]
    '68e312f18d92fa40'
    """
    return hmac.digest(key, identity.encode("ascii"), "sha256").hex()


def masked(text: str) -> str:
    """The same text with everything that looks like a CPR number starred out.

    >>> masked("sag 010180-1234.csv")
    'sag ***.csv'
    """
    return _CPR_LIKE.sub("***", text)


def looks_like_cpr(text: str) -> bool:
    """True when some part of the text could be a CPR number."""
    return _CPR_LIKE.search(text) is not None
