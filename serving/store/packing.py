"""How lists are written: a case as packed JSON with a salted hash, a list with a hash over its rows' hashes."""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from risk.reasons import Reason
from serving.store.listed import ListedCase, TeamList

_IDS = ("case_id", "person_key")
_DEFAULTS = {f.name: f.default for f in fields(ListedCase) if f.name not in (*_IDS, "section")}
_DAYS = ("opened_on", "registered_on", "due_on", "milestone_on", "contacted_on")


def packed(case: ListedCase) -> bytes:
    """Everything but the ids as packed JSON; the same content gives the same bytes."""
    kept: dict[str, Any] = {k: v for k, v in vars(case).items() if k not in _IDS and v and v != _DEFAULTS.get(k)}
    for name in _DAYS:
        if name in kept:
            kept[name] = kept[name].isoformat()
    if case.reasons:
        kept["reasons"] = [
            [r.feature, r.direction, r.text_da, r.text_en, r.known_on.isoformat() if r.known_on else None]
            for r in case.reasons
        ]
    for name in ("p", "base_rate", "age_weeks"):
        if getattr(case, name) is not None:
            kept[name] = getattr(case, name)  # 0.0 is a number, not nothing
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return zlib.compress(text.encode(), 6)


def unpacked(case_id: str, person_key: str, body: bytes) -> ListedCase:
    """The case back from :func:`packed`."""
    kept: dict[str, Any] = json.loads(zlib.decompress(body).decode())
    for name in _DAYS:
        if name in kept:
            kept[name] = date.fromisoformat(kept[name])
    if "reasons" in kept:
        kept["reasons"] = tuple(
            Reason(feature, direction, da, en, date.fromisoformat(on) if on else None)
            for feature, direction, da, en, on in kept["reasons"]
        )
    if "curve" in kept:
        kept["curve"] = tuple((int(w), float(p)) for w, p in kept["curve"])
    for name in ("interval", "unknown", "course"):
        if name in kept:
            kept[name] = tuple(kept[name])
    return ListedCase(case_id=case_id, person_key=person_key, **kept)


def row_hash(salt: str, case_id: str, person_key: str, body: bytes) -> bytes:
    """Salted SHA-256 of one row, 32 bytes: without the salt, which goes with the row, it tells nothing of the person."""
    head = json.dumps([salt, case_id, person_key], separators=(",", ":")).encode()
    return hashlib.sha256(head + b"\n" + body).digest()


def list_hash(values: Sequence[object], row_hashes: bytes) -> str:
    """SHA-256 of a list's own values with the hash of the list before it, and of its rows' hashes; hex."""
    head = json.dumps(list(values), ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(head + b"\n" + row_hashes).hexdigest()


def rows_of(one: TeamList) -> tuple[list[dict[str, Any]], bytes]:
    """The rows of a list as they are written, but for the number of the list, and their hashes one after the other."""
    rows: list[dict[str, Any]] = []
    for place, case in enumerate(one.cases):
        ids = {"case_id": case.case_id, "person_key": case.person_key}
        rows.append({"place": place, **ids, "salt": secrets.token_hex(16), "body": packed(case)})
    return rows, b"".join(row_hash(r["salt"], r["case_id"], r["person_key"], r["body"]) for r in rows)


def head_row(
    list_id: int, revision: int, one: TeamList, made_at: str, made_by: str, last: str, hashes: bytes
) -> dict[str, Any]:
    """The row of a list's head, hashed; ``last`` is the hash of the list before it."""
    head: dict[str, Any] = {
        "id": list_id,
        "week": one.week,
        "office": one.office,
        "team": one.team,
        "revision": revision,
        "as_of": one.as_of.isoformat(),
        "made_at": made_at,
        "made_by": made_by,
        "model_version": one.model_version,
        "policy_version": one.policy_version,
        "about": about_text(one.about),
        "prev_hash": last,
    }
    return head | {"row_hashes": hashes, "hash": list_hash(list(head.values()), hashes)}


def about_text(about: dict[str, Any]) -> str:
    """``about`` as it is written and hashed."""
    return json.dumps(about, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
