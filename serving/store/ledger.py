"""The ledger: every score, written before it is answered. Rows are added at the end and never changed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, delete, insert, select

from risk.errors import StoreError
from serving.store.blockrows import kept_block, read_block
from serving.store.blocks import BLOCK_DIGITS, SALT, Block, BlockPayload, packed, place_of
from serving.store.blocktext import inputs, outputs
from serving.store.chain import GENESIS, Link, is_sealed, link_hash, payload_hashes, seal
from serving.store.drawn import random_digits
from serving.store.engine import Store, alone
from serving.store.pen import Head, Pen
from serving.store.tables import idempotency, ledger, ledger_block, ledger_head, ledger_payload

# A caller may repeat a request under the same key for this long.
REPEAT_HOURS = 24
SCORE, BLOCK, ERASURE = "score", "block", "erasure"


class Payload(NamedTuple):
    """What is personal of one score."""

    case_id: str
    salt: str
    input: str
    output: str


class Entry(NamedTuple):
    """One row to be written: its link and, for a score or a block of many, its payload."""

    link: Link
    payload: Payload | BlockPayload | None


class Repeatable(NamedTuple):
    """A request its caller may send again without a second score: the key, and the answer that will be repeated."""

    caller: str
    key: str
    request_hash: str
    body: str


class Submission(NamedTuple):
    """The entries of one request; they are written together or not at all."""

    entries: Sequence[Entry]
    repeatable: Repeatable | None = None


@dataclass(frozen=True)
class Written:
    """What became of a submission.

    Attributes
    ----------
    earlier : the body answered before under the same key; None when this one was written
    is_clash : the key was used before for another request
    """

    earlier: str | None = None
    is_clash: bool = False


_WRITTEN = Written()


@dataclass(frozen=True)
class Past:
    """A score of the past, as it was answered; ``output`` and ``input`` are None when the payload was erased.

    ``link`` is the row of the chain that covers it, which may be that of a block of many scores.
    """

    seq: int
    link: Link
    input: str | None
    output: str | None


@dataclass(frozen=True)
class Seals:
    """The key that seals the end of the chain, and an older one that is still recognised while keys are changed."""

    key: bytes = field(repr=False)
    older: bytes | None = field(default=None, repr=False)

    @property
    def known(self) -> tuple[bytes, ...]:
        return (self.key,) if self.older is None else (self.key, self.older)


def instant(moment: datetime) -> str:
    """UTC with microseconds, always of one length, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def new_ids(n: int) -> list[str]:
    """Ids for scores made now, 32 hexadecimal digits each: the millisecond, then 80 random bits.

    What is made together stands together in the index, so a group of scores touches a page or two of it and not one each.
    """
    at = f"{time.time_ns() // 1_000_000:012x}"
    return [at + random_digits()[:20] for _ in range(n)]


def score_entry(
    *, score_id: str, at: str, caller: str, office: str, request_id: str, model_version: str, as_of: str, status: str,
    case_id: str, given: str, told: str,
) -> Entry:  # fmt: skip
    """One score: what was asked (``given``) and what is answered (``told``), both JSON."""
    salt = random_digits()
    hashes = payload_hashes(salt, case_id, given, told)
    link = Link(SCORE, score_id, at, caller, office, request_id, model_version, as_of, status, *hashes)
    return Entry(link, Payload(case_id, salt, given, told))


def block_entry(
    block: Block, *, block_id: str, at: str, caller: str, office: str, request_id: str, model_version: str, as_of: str
) -> Entry:
    """Many scores in one row; ``block_id`` begins their ids (:func:`serving.store.blocks.score_id_of`)."""
    payload, covers = packed(block, secrets.token_bytes(SALT * len(block)))
    detail, first = json.dumps({"n": len(block)}, separators=(",", ":")), block_id + "0" * (32 - BLOCK_DIGITS)
    return Entry(
        Link(BLOCK, first, at, caller, office, request_id, model_version, as_of, "", "", covers, detail), payload
    )


def append(to: Connection | Pen, submissions: Sequence[Submission], seals: Seals) -> list[Written]:
    """Write submissions one after the other.

    Parameters
    ----------
    to : a connection in a transaction that writes, or a pen on one

    Raises
    ------
    StoreError
        The end of the chain does not carry our seal: rows were cut off, or the key was changed without the older one.
    """
    pen = to if isinstance(to, Pen) else Pen.of(to)
    n, last = _end(pen, seals)
    links, repeats, told = list[tuple[Any, ...]](), list[tuple[Any, ...]](), list[Written]()
    payloads, blocks = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    used = _used_keys(pen, [s.repeatable for s in submissions if s.repeatable])
    for submission in submissions:
        repeatable = submission.repeatable
        if repeatable is not None:
            before = used.get((repeatable.caller, repeatable.key))
            if before is not None:
                is_same = before[0] == repeatable.request_hash
                told.append(Written(before[1]) if is_same else Written(is_clash=True))
                continue
            used[repeatable.caller, repeatable.key] = (repeatable.request_hash, repeatable.body)
        first = n + 1
        for link, payload in submission.entries:
            n, prev = n + 1, last
            last = link_hash(n, prev, link)
            links.append((n, *link, prev, last))
            if isinstance(payload, BlockPayload):
                blocks.append((n, *astuple(payload)))
            elif payload is not None:
                payloads.append((n, *payload))
        if repeatable is not None:
            caller, key, asked, body = repeatable
            at = submission.entries[0].link.at if submission.entries else instant(datetime.now(UTC))
            repeats.append((caller, key, at, asked, first, n, body))
        told.append(_WRITTEN)
    for table, rows in (
        (ledger, links),
        (ledger_payload, payloads),
        (ledger_block, blocks),
        (idempotency, repeats),
    ):
        pen.add(table, rows)
    if links:
        pen.move_head(Head(n, last, seal(seals.key, n, last)))
    return told


def _end(pen: Pen, seals: Seals) -> tuple[int, str]:
    head = pen.head()
    if head is None:
        raise StoreError("the ledger has no end row; run 'risk ledger verify'")
    if not is_sealed(seals.known, *head):
        raise StoreError(
            "the end of the ledger is not sealed with RISK_LEDGER_KEY; if the key was changed, set "
            "RISK_LEDGER_KEY_OLDER to the former one, else run 'risk ledger verify'"
        )
    return head.n, head.hash


def _used_keys(pen: Pen, asked: Iterable[Repeatable]) -> dict[tuple[str, str], tuple[str, str]]:
    used = {}
    for repeatable in asked:
        before = pen.answered(repeatable.caller, repeatable.key)
        if before is not None:
            used[repeatable.caller, repeatable.key] = before
    return used


def begin_chain(store: Store, seals: Seals) -> None:
    """Write the end row of an empty ledger; a ledger that has one must carry our seal.

    Raises
    ------
    StoreError
        The end is not sealed with our key, or is missing though there are rows.
    """
    with store.writing() as connection:
        alone(connection)
        if connection.execute(select(ledger_head.c.n)).one_or_none() is None:
            if connection.execute(select(ledger.c.seq).limit(1)).one_or_none() is not None:
                raise StoreError("the ledger has rows and no end row; run 'risk ledger verify'")
            connection.execute(insert(ledger_head).values(id=1, n=0, hash=GENESIS, seal=seal(seals.key, 0, GENESIS)))
        _end(Pen.of(connection), seals)


def check_end(store: Store, seals: Seals) -> None:
    """See that rows could be added: the store takes writes, and the end of the chain is ours.

    Raises
    ------
    StoreError
    """
    with store.writing() as connection:
        _end(Pen.of(connection), seals)


def find(store: Store, score_id: str) -> Past | None:
    """A past score by its id.

    Raises
    ------
    StoreError
        It is in a block that is damaged.
    """
    joined = ledger.outerjoin(ledger_payload, ledger.c.seq == ledger_payload.c.seq)
    wanted = select(ledger, ledger_payload.c.input, ledger_payload.c.output).select_from(joined)
    with store.reading() as connection:
        row = connection.execute(wanted.where(ledger.c.score_id == score_id, ledger.c.kind == SCORE)).one_or_none()
        if row is None:
            return _find_in_a_block(connection, score_id)
    return Past(row.seq, _link(row._mapping), row.input, row.output)


def _find_in_a_block(connection: Connection, score_id: str) -> Past | None:
    chained_as, place = place_of(score_id)
    wanted = select(ledger).where(ledger.c.score_id == chained_as, ledger.c.kind == BLOCK)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None or not 0 <= place < json.loads(row["detail"])["n"]:
        return None
    kept = kept_block(connection, row["seq"])
    block = None if kept is None else read_block(kept, row["seq"])
    if block is None or place not in block.rows:
        return Past(row["seq"], _link(row), None, None)
    one = block.only([int(block.rows.searchsorted(place))])
    return Past(row["seq"], _link(row), inputs(one)[0], outputs(one, score_id[:BLOCK_DIGITS])[0])


def _link(row: RowMapping) -> Link:
    return Link(**{name: row[name] for name in Link._fields})


def forget_repeats(store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Drop answers kept for repetition that are older than ``REPEAT_HOURS``; how many there were."""
    before = instant(now() - timedelta(hours=REPEAT_HOURS))
    with store.writing() as connection:
        return int(connection.execute(delete(idempotency).where(idempotency.c.at < before)).rowcount)


def erasure_entry(
    at: str, caller: str, reason: str, seqs: Sequence[int], emptied: Mapping[int, Sequence[int]] | None = None
) -> Entry:
    """A row saying which earlier rows lost their payload, and why; no case is named.

    Parameters
    ----------
    emptied : of blocks that lost some of their scores, which
    """
    what: dict[str, Any] = {"reason": reason, "seqs": sorted(seqs)}
    if emptied:
        what["emptied"] = {str(seq): sorted(rows) for seq, rows in sorted(emptied.items())}
    detail = json.dumps(what, separators=(",", ":"))
    return Entry(Link(ERASURE, random_digits(), at, caller, "", "", "", "", "", "", "", detail), None)
