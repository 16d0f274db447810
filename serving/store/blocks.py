"""Many scores in one row of the ledger: what was asked and told of them, in columns that are kept packed.

A row of a block is numbers, and codes of texts that many rows share. Its hash covers its salt, its case, its numbers and
the digests of its texts, so it holds however the texts are numbered: a row can be taken out of the block, with the texts
that only it used, and every other row can still be proved. The hashes of all rows stay; the chain covers them together.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from risk.weeks import Floats

Ints = npt.NDArray[np.int64]
SALT, DIGEST, HASH = 16, 16, 32
PER_FACT = 3
# Hexadecimal digits of a score's id: the block's, drawn at random, and those that say which row.
BLOCK_DIGITS, ROW_DIGITS = 24, 8
_LENGTHS = struct.Struct("<7Q")
# A digest as one item of sixteen bytes, which numpy fetches at once; what number it would be does not matter.
_WHOLE_DIGEST = np.dtype(np.complex128)


@dataclass(frozen=True, eq=False)
class Block:
    """The rows that a block holds; those that were erased are not among them.

    Attributes
    ----------
    header : how the rows are to be read (:mod:`serving.store.blocktext`); nothing personal
    rows : (n,) their numbers in the block, rising
    case_ids : (n,)
    given : (n, g) what was asked, as numbers
    fact_ends : (n,) where the facts of each row end
    facts : (m, 3) which, when and what
    numbers : (n, k) what was told, as numbers
    codes : (n, c) what was told, as places in ``pieces``
    pieces : texts without a line break
    """

    header: str
    rows: Ints
    case_ids: list[str]
    given: Floats
    fact_ends: Ints
    facts: Floats
    numbers: Floats
    codes: Ints
    pieces: list[str]

    def __len__(self) -> int:
        return len(self.case_ids)

    def only(self, places: Sequence[int]) -> Block:
        """Some of the rows, by their places here, with the texts these need."""
        at = np.asarray(places, dtype=np.int64)
        starts = np.concatenate([[0], self.fact_ends[:-1]])[at] if len(self) else at
        sizes = self.fact_ends[at] - starts
        whose = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes) if len(at) else at
        used, codes = np.unique(self.codes[at], return_inverse=True)
        return Block(
            self.header,
            self.rows[at],
            [self.case_ids[i] for i in places],
            self.given[at],
            np.cumsum(sizes),
            self.facts[(whose + np.arange(len(whose))).astype(np.int64)],
            self.numbers[at],
            codes.reshape(len(at), self.codes.shape[1]),
            [self.pieces[i] for i in used.tolist()],
        )


@dataclass(frozen=True)
class BlockPayload:
    """A block as the store keeps it.

    Attributes
    ----------
    n_held : rows that are still there
    case_ids : a line per row and a line break before the first, empty where a row was erased: found by a search for text
    salts : 16 bytes for each row that is still there
    hashes : 32 bytes for each row, also for those erased
    body : the columns, compressed
    """

    n_held: int
    case_ids: str
    salts: bytes
    hashes: bytes
    body: bytes


def score_id_of(block_id: str, row: int) -> str:
    """The id of one score of a block: the block's random digits, then the row's number from 1.

    >>> score_id_of("ab" * 12, 9)
    'abababababababababababab0000000a'
    """
    return f"{block_id}{row + 1:0{ROW_DIGITS}x}"


def score_ids_of(block_id: str, rows: Ints) -> list[str]:
    """:func:`score_id_of` of many."""
    digits = row_digits(rows)
    return [block_id + digits[at : at + ROW_DIGITS] for at in range(0, len(digits), ROW_DIGITS)]


def row_digits(rows: Ints) -> str:
    """The digits that say which row, of one row after the other."""
    return (rows + 1).astype(">u4").tobytes().hex()


def place_of(score_id: str) -> tuple[str, int]:
    """The id a block is chained under, and the row a score's id names; -1 is no row.

    >>> place_of("abababababababababababab0000000a")
    ('abababababababababababab00000000', 9)
    """
    return score_id[:BLOCK_DIGITS] + "0" * ROW_DIGITS, int(score_id[BLOCK_DIGITS:], 16) - 1


def row_hashes(block: Block, salts: bytes) -> bytes:
    """SHA-256 of each row with its salt, 32 bytes each: without the salt it tells nothing of the person."""
    n = len(block)
    if not n:
        return b""
    digests = np.frombuffer(b"".join(map(_digest, block.pieces)), dtype=_WHOLE_DIGEST)
    texts = digests.take(block.codes) if block.pieces else np.zeros((n, 0), dtype=_WHOLE_DIGEST)
    # How many numbers of each kind: else one could pass for the other.
    kinds = struct.pack("<3I", block.given.shape[1], block.numbers.shape[1], block.codes.shape[1])
    parts = [
        np.broadcast_to(np.frombuffer(kinds, dtype=np.uint8), (n, len(kinds))),
        np.frombuffer(salts, dtype=np.uint8).reshape(n, SALT),
        *map(_bytes, (block.given, block.numbers, texts)),
    ]
    fixed = np.hstack(parts)
    content, facts = fixed.view(f"V{fixed.shape[1]}").ravel().tolist(), _bytes(block.facts).tobytes()
    begun = (np.concatenate([[0], block.fact_ends]) * 8 * PER_FACT).tolist()
    ids, sha256 = "\n".join(block.case_ids).encode().split(b"\n"), hashlib.sha256
    return b"".join(
        [
            sha256(b"%b%b\n%b" % (row, case_id, facts[first_fact:last_fact])).digest()
            for row, case_id, first_fact, last_fact in zip(content, ids, begun, begun[1:], strict=False)
        ]
    )


def block_hash(header: str, hashes: bytes) -> str:
    """SHA-256 of how a block is to be read and of the hashes of all its rows, hex; what the chain covers."""
    return hashlib.sha256(b"block\n" + header.encode() + b"\n" + hashes).hexdigest()


def packed(block: Block, salts: bytes) -> tuple[BlockPayload, str]:
    """A new block, whole, as it is kept; and its hash."""
    hashes = row_hashes(block, salts)
    lines = "\n".join(block.case_ids)
    return BlockPayload(len(block), f"\n{lines}\n", salts, hashes, _body(block)), block_hash(block.header, hashes)


def unpacked(kept: BlockPayload) -> Block:
    """The block back from :func:`packed`.

    Raises
    ------
    ValueError
        It is damaged.
    """
    lines = _lines(kept)
    held = [i for i, line in enumerate(lines) if line]
    if len(held) != kept.n_held or len(kept.salts) != SALT * len(held) or len(kept.hashes) != HASH * len(lines):
        raise ValueError("the parts of a block do not fit each other")
    import pyarrow as pa

    try:
        content = pa.decompress(kept.body[8:], int.from_bytes(kept.body[:8], "little"), codec="zstd", asbytes=True)
    except (OSError, pa.ArrowException, MemoryError, OverflowError):
        raise ValueError("a block cannot be unpacked") from None
    return _block(content, np.array(held, dtype=np.int64), [lines[i] for i in held])


def without(kept: BlockPayload, case_ids: Collection[str]) -> tuple[BlockPayload, list[int]]:
    """A block without the rows of some cases, and the numbers of the rows that went.

    Raises
    ------
    ValueError
        It is damaged.
    """
    block, gone = unpacked(kept), set(case_ids)
    stay = [i for i, case_id in enumerate(block.case_ids) if case_id not in gone]
    lines = _lines(kept)
    rows = [i for i, line in enumerate(lines) if line and line in gone]
    left = "\n".join("" if line in gone else line for line in lines)
    salts = b"".join(kept.salts[SALT * i : SALT * i + SALT] for i in stay)
    return BlockPayload(len(stay), f"\n{left}\n", salts, kept.hashes, _body(block.only(stay))), rows


def _lines(kept: BlockPayload) -> list[str]:
    if len(kept.case_ids) < 2 or kept.case_ids[0] + kept.case_ids[-1] != "\n\n":
        raise ValueError("the case ids of a block are cut off")
    return kept.case_ids[1:-1].split("\n")


def _body(block: Block) -> bytes:
    import pyarrow as pa

    texts = "\n".join(block.pieces)
    if texts.count("\n") >= max(len(block.pieces), 1):
        raise ValueError("a text of a block must not hold a line break")
    # Columns one after the other: what stands in one of them is alike and packs well.
    numbers = [np.ascontiguousarray(a.T, dtype="<f8") for a in (block.given, block.facts, block.numbers)]
    ends, codes = block.fact_ends.astype("<i8"), np.ascontiguousarray(block.codes.T, dtype="<i4")
    parts: list[bytes | npt.NDArray[Any]] = [block.header.encode(), *numbers, ends, codes, texts.encode()]
    lengths = [memoryview(part).nbytes for part in parts]
    content = b"".join([_LENGTHS.pack(*lengths), *parts])  # copied once, from where each stands
    return len(content).to_bytes(8, "little") + pa.compress(content, codec="zstd", asbytes=True)


def _block(content: bytes, rows: Ints, case_ids: list[str]) -> Block:
    if len(content) < _LENGTHS.size:
        raise ValueError("a block is cut off")
    lengths, n = _LENGTHS.unpack_from(content), len(rows)
    parts, at = [], _LENGTHS.size
    for length in lengths:
        parts.append(content[at : at + length])
        at += length
    header, given, facts, numbers, ends, codes, pieces = parts
    if at != len(content):
        raise ValueError("a block is cut off")
    texts = pieces.decode().split("\n")
    found = np.frombuffer(codes, "<i4").astype(np.int64)
    fact_ends = np.frombuffer(ends, "<i8").astype(np.int64)
    if found.size and not 0 <= found.min() <= found.max() < len(texts):
        raise ValueError("a block names a text it does not hold")
    told = np.frombuffer(facts, "<f8").astype(np.float64).reshape(PER_FACT, -1).T
    if len(fact_ends) != n or (np.diff(fact_ends, prepend=0) < 0).any() or (n and fact_ends[-1] != len(told)):
        raise ValueError("the facts of a block belong to no row")
    return Block(
        header.decode(), rows, case_ids, _columns(given, n).T, fact_ends, told, _columns(numbers, n).T,
        found.reshape(-1, n).T if n else np.zeros((0, 0), dtype=np.int64), texts,
    )  # fmt: skip


def _columns(data: bytes, n: int) -> Floats:
    """Columns of ``n`` numbers each, one after the other."""
    found = np.frombuffer(data, "<f8").astype(np.float64)
    return found.reshape(-1, n) if n else np.zeros((0, 0))


def _bytes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Each row's values as bytes, one beside the other; numbers as they are written down."""
    n, k = values.shape
    kind = values.dtype if values.dtype == _WHOLE_DIGEST else np.dtype("<f8")
    return np.ascontiguousarray(values, dtype=kind).view(np.uint8).reshape(n, kind.itemsize * k)


@lru_cache(maxsize=4096)  # most texts come again in the next request
def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:DIGEST]
