"""How rows of the ledger hang together: what is hashed, in which form, and how the end is sealed. No database here.

A row's hash covers its own fields and the hash of the row before it, so an edited, missing or moved row breaks the chain
behind it. What is personal enters only through salted hashes: when the payload goes, the salt goes with it, and the hash
that stays tells nothing of the person. The end is sealed with HMAC-SHA256 under a key that is not in the database: without
it, whoever cuts off the last rows could simply write a shorter end.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

GENESIS = "0" * 64


class Link(NamedTuple):
    """One row of the chain, without its hashes to its neighbours; all text, as it is stored."""

    kind: str
    score_id: str
    at: str
    caller: str
    office: str
    request_id: str
    model_version: str
    as_of: str
    status: str
    input_hash: str
    output_hash: str
    detail: str = ""


def link_hash(seq: int, prev_hash: str, link: Link) -> str:
    """SHA-256 of the row's fields as a JSON array without blanks, in ASCII, in this order."""
    return hashlib.sha256(f"[{seq},{','.join(map(quoted, (prev_hash, *link)))}]".encode()).hexdigest()


def payload_hashes(salt: str, case_id: str, given: str, told: str) -> tuple[str, str]:
    """Salted SHA-256 of the input with its case, and of the output."""
    head = f"{salt}\n{case_id}\n".encode()  # neither holds a line break
    return (
        hashlib.sha256(b"in\n" + head + given.encode()).hexdigest(),
        hashlib.sha256(b"out\n" + head + told.encode()).hexdigest(),
    )


def seal(key: bytes, n: int, last_hash: str) -> str:
    """What only the holder of the key can write about the end of the chain."""
    return hmac.digest(key, f"{n}:{last_hash}".encode(), "sha256").hex()


def is_sealed(keys: Sequence[bytes], n: int, last_hash: str, found: str) -> bool:
    return any(hmac.compare_digest(seal(key, n, last_hash), found) for key in keys)
