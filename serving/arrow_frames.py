"""What an Arrow stream would take before any of it is unpacked: a compressed buffer says how long it will be.

A few bytes can claim to be terabytes. So the frames of the stream are walked first, each by its own small header (the
FlatBuffers of Arrow's columnar format, version 5), and what the buffers claim is added up. Nothing is allocated here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

DICTIONARY_BATCH, RECORD_BATCH = 2, 3
_CONTINUES = 0xFFFFFFFF


def claimed_bytes(stream: bytes) -> int:
    """Bytes that all buffers of the stream have once they are unpacked, as they claim themselves.

    Raises
    ------
    ValueError
        The frames cannot be followed.
    """
    total = 0
    try:
        for kind, header, body in _frames(stream):
            table = _table(stream, header, 1) if kind == DICTIONARY_BATCH else header
            if kind in (DICTIONARY_BATCH, RECORD_BATCH) and table is not None:
                total += _of_batch(stream, table, body)
    except struct.error:
        raise ValueError("the frames of the stream cannot be followed") from None
    return total


def _frames(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, place of the header table and place of the body of each frame."""
    at = 0
    while at + 8 <= len(stream):
        mark, size = struct.unpack_from("<II", stream, at)
        if mark != _CONTINUES:
            raise ValueError("a frame without its mark")
        if size == 0:
            return
        at += 8
        message = at + struct.unpack_from("<I", stream, at)[0]
        kind_at, header, length_at = (_field(stream, message, i) for i in (1, 2, 3))
        kind = stream[kind_at] if kind_at is not None and kind_at < len(stream) else 0
        length = struct.unpack_from("<q", stream, length_at)[0] if length_at is not None else 0
        body = at + size
        if not 0 <= length <= len(stream) - body:
            raise ValueError("a frame that is longer than the stream")
        if header is not None:
            yield kind, header + struct.unpack_from("<I", stream, header)[0], body
        at = body + length


def _of_batch(stream: bytes, table: int, body: int) -> int:
    """What the buffers of one batch claim."""
    buffers, is_compressed = _field(stream, table, 2), _field(stream, table, 3) is not None
    if buffers is None:
        return 0
    first = buffers + struct.unpack_from("<I", stream, buffers)[0]
    (n,) = struct.unpack_from("<I", stream, first)
    total = 0
    for i in range(min(n, len(stream) // 16)):
        offset, length = struct.unpack_from("<qq", stream, first + 4 + 16 * i)
        if not 0 <= offset <= len(stream) or not 0 <= length <= len(stream):
            raise ValueError("a buffer outside the stream")
        claimed = struct.unpack_from("<q", stream, body + offset)[0] if is_compressed and length >= 8 else length
        total += length if claimed == -1 else max(claimed, length)  # -1: left as it is
    return total


def _field(stream: bytes, table: int, i: int) -> int | None:
    """Where the ``i``-th field of a table stands; None when it has none."""
    vtable = table - struct.unpack_from("<i", stream, table)[0]
    if vtable < 0:
        raise ValueError("a header that points outside the stream")
    (size,) = struct.unpack_from("<H", stream, vtable)
    if 4 + 2 * i + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", stream, vtable + 4 + 2 * i)
    return table + offset if offset else None


def _table(stream: bytes, table: int, i: int) -> int | None:
    """Where the table in the ``i``-th field stands."""
    at = _field(stream, table, i)
    return None if at is None else at + struct.unpack_from("<I", stream, at)[0]
