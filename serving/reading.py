"""The body of a request, read under a limit; from bytes to JSON, refused when it could mean two things."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

from starlette.requests import Request

from serving.problems import Refused

JSON = "application/json"


def media_type(request: Request) -> str:
    """What a request says its body is, in small letters and without parameters."""
    return _media_type(dict(request.scope["headers"]))


def _media_type(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")


async def read_body(request: Request, max_bytes: int, media: str = JSON) -> bytes:
    """The body of a request that says it is of a kind.

    Parameters
    ----------
    max_bytes : int
        Reading stops here, whatever length the request declares.

    Raises
    ------
    Refused
        400 when it breaks off, 413 when it is too large, 415 when it says it is something else.
    """
    headers = dict(request.scope["headers"])
    if _media_type(headers) != media or headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused("not-json-type")
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > max_bytes:
        raise Refused("too-large")
    parts, n = [], 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refused("not-json")
        parts.append(message.get("body", b""))
        n += len(parts[-1])
        if n > max_bytes:
            raise Refused("too-large")
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def parse_json(body: bytes) -> Any:
    """JSON in UTF-8 without doubtful parts: no name twice in one object, no NaN or Infinity, no endless nesting.

    Raises
    ------
    Refused
        400, without saying what stood there.
    """
    try:
        return _decoder().decode(body.decode("utf-8-sig" if body.startswith(BOM_UTF8) else "utf-8"))
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise Refused("not-json") from None


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")
