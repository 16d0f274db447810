"""The message of many cases as fixed fields, which are read at once and ten times as fast as objects of any names.

Only what is plain fits: names that are declared, each with a value of its kind. What does not fit is read as it stands by
whoever can say what is wrong with it (:func:`serving.rows.read_row`).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from serving.messages import accepted_attributes

# A text that is no text (UnicodeError is a ValueError), and numbers and depths beyond all measure.
_UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
_KINDS: dict[str, Any] = {
    "category": str | None | UnsetType,
    "flag": bool | None | UnsetType,
    "number": float | None | UnsetType,
}


class Fact(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    known_on: str
    name: str
    value: bool | float | str


class _Readers(NamedTuple):
    whole: msgspec.json.Decoder[Any]
    attributes: type[msgspec.Struct]
    case: type[msgspec.Struct]


@cache
def _readers() -> _Readers:
    fields = [(name, _KINDS[a.kind], UNSET) for name, a in accepted_attributes().items()]
    strict: dict[str, Any] = {"forbid_unknown_fields": True, "gc": False}  # nothing in them can refer back to them
    attributes = msgspec.defstruct("Attributes", fields, **strict)
    case = msgspec.defstruct(
        "Case",
        [
            ("case_id", str), ("opened_on", str), ("registered_on", str),
            ("attributes", attributes | UnsetType, UNSET), ("facts", list[Fact] | UnsetType, UNSET),
        ],
        **strict,
    )  # fmt: skip
    request = msgspec.defstruct("Request", [("as_of", str), ("cases", list[case])], **strict)  # type: ignore[valid-type]  # made a moment ago
    return _Readers(msgspec.json.Decoder(request), attributes, case)


def whole_request(body: bytes) -> Any | None:
    """A request whose names and kinds are all as declared: ``as_of`` and ``cases``; None when anything is not.

    A name that stands twice is not seen here: the last one counts. :func:`could_hide_a_name` and the number of names tell.
    """
    try:
        return _readers().whole.decode(body)
    except _UNREADABLE:
        return None


def could_hide_a_name(body: bytes) -> bool:
    """Whether the colons of a body may be other than those after names and those in texts as they read."""
    return b"\\" in body


def one_case(given: Any) -> Any | None:
    """A case that was read already, in the same fields; None when it does not fit them."""
    try:
        return msgspec.convert(given, _readers().case)
    except _UNREADABLE:
        return None


def nothing_known() -> Any:
    """The attributes of a case that has none."""
    return _readers().attributes()


def nobody() -> Any:
    """Stands for a case that does not fit."""
    return _readers().case("", "", "")


def as_given(case: Any) -> Any:
    """A case as objects of names again."""
    return msgspec.to_builtins(case)
