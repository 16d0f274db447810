"""The ledger: every score, written before it is answered. Rows are added at the end and never changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    CursorResult,
    Dialect,
    Executable,
    RowMapping,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from risk.errors import StoreError
from serving.store.blockrows import kept_block, read_block
from serving.store.blocks import BLOCK_DIGITS, SALT, Block, BlockPayload, packed, place_of
from serving.store.blocktext import inputs, outputs
from serving.store.chain import GENESIS, Link, is_sealed, link_hash, payload_hashes, seal
from serving.store.engine import Store, alone
from serving.store.tables import idempotency, ledger, ledger_block, ledger_head, ledger_payload

# A caller may repeat a request under the same key for this long.
REPEAT_HOURS = 24
SCORE, BLOCK, ERASURE = "score", "block", "erasure"


@dataclass(frozen=True)
class Payload:
    """What is personal of one score."""

    case_id: str
    salt: str
    input: str
    output: str


@dataclass(frozen=True)
class Entry:
    """One row to be written: its link and, for a score or a block of many, its payload."""

    link: Link
    payload: Payload | BlockPayload | None


@dataclass(frozen=True)
class Repeatable:
    """A request its caller may send again without a second score: the key, and the answer that will be repeated."""

    caller: str
    key: str
    request_hash: str
    body: str


@dataclass(frozen=True)
class Submission:
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


def score_entry(
    *, score_id: str, at: str, caller: str, office: str, request_id: str, model_version: str, as_of: str, status: str,
    case_id: str, given: str, told: str,
) -> Entry:  # fmt: skip
    """One score: what was asked (``given``) and what is answered (``told``), both JSON."""
    salt = secrets.token_hex(16)
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


_INSERT_LEDGER, _INSERT_PAYLOAD, _INSERT_REPEAT = insert(ledger), insert(ledger_payload), insert(idempotency)
_INSERT_BLOCK = insert(ledger_block)
_HEAD = select(ledger_head.c.n, ledger_head.c.hash, ledger_head.c.seal).with_for_update()
_MOVE_HEAD = (
    update(ledger_head)
    .where(ledger_head.c.id == literal_column("1"))
    .values(n=bindparam("to_n"), hash=bindparam("to_hash"), seal=bindparam("to_seal"))
)


def append(connection: Connection, submissions: Sequence[Submission], seals: Seals) -> list[Written]:
    """Write submissions one after the other, in the transaction of ``connection``, which must be one that writes.

    Raises
    ------
    StoreError
        The end of the chain does not carry our seal: rows were cut off, or the key was changed without the older one.
    """
    n, last = _head(connection, seals)
    links, repeats, told = [], [], []
    payloads, blocks = list[dict[str, Any]](), list[dict[str, Any]]()
    used = _used_keys(connection, [s.repeatable for s in submissions if s.repeatable])
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
        for entry in submission.entries:
            n, prev = n + 1, last
            last = link_hash(n, prev, entry.link)
            links.append({"seq": n, "prev_hash": prev, "hash": last, **vars(entry.link)})
            if entry.payload is not None:
                kept = blocks if entry.link.kind == BLOCK else payloads
                kept.append({"seq": n, **vars(entry.payload)})
        if repeatable is not None:
            at = submission.entries[0].link.at if submission.entries else instant(datetime.now(UTC))
            repeats.append({**vars(repeatable), "at": at, "first_seq": first, "last_seq": n})
        told.append(Written())
    written = ((_INSERT_LEDGER, links), (_INSERT_PAYLOAD, payloads), (_INSERT_BLOCK, blocks), (_INSERT_REPEAT, repeats))
    for statement, rows in written:
        if rows:
            _execute(connection, statement, rows)
    if links:
        _execute(connection, _MOVE_HEAD, [{"to_n": n, "to_hash": last, "to_seal": seal(seals.key, n, last)}])
    return told


def _execute(connection: Connection, statement: Executable, rows: Sequence[dict[str, Any]] = ()) -> CursorResult[Any]:
    """Run a statement whose text is made once per database: at every score, making it would cost more than running it."""
    text, order = _as_text(statement, connection.dialect)
    if not rows:
        return connection.exec_driver_sql(text)
    given: Any = [tuple(row[name] for name in order) for row in rows] if order is not None else list(rows)
    return connection.exec_driver_sql(text, given)


@lru_cache(maxsize=16)
def _as_text(statement: Executable, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # Executable does not declare it
    return str(compiled), tuple(compiled.positiontup) if compiled.positional else None


def _head(connection: Connection, seals: Seals) -> tuple[int, str]:
    row = _execute(connection, _HEAD).one_or_none()
    if row is None:
        raise StoreError("the ledger has no end row; run 'risk ledger verify'")
    if not is_sealed(seals.known, row.n, row.hash, row.seal):
        raise StoreError(
            "the end of the ledger is not sealed with RISK_LEDGER_KEY; if the key was changed, set "
            "RISK_LEDGER_KEY_OLDER to the former one, else run 'risk ledger verify'"
        )
    return row.n, row.hash


def _used_keys(connection: Connection, asked: Iterable[Repeatable]) -> dict[tuple[str, str], tuple[str, str]]:
    used = {}
    for repeatable in asked:
        row = connection.execute(
            select(idempotency.c.request_hash, idempotency.c.body).where(
                idempotency.c.caller == repeatable.caller, idempotency.c.key == repeatable.key
            )
        ).one_or_none()
        if row is not None:
            used[repeatable.caller, repeatable.key] = (row.request_hash, row.body)
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
        _head(connection, seals)


def check_end(store: Store, seals: Seals) -> None:
    """See that rows could be added: the store takes writes, and the end of the chain is ours.

    Raises
    ------
    StoreError
    """
    with store.writing() as connection:
        _head(connection, seals)


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
    return Link(**{name: row[name] for name in Link.__dataclass_fields__})


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
    return Entry(Link(ERASURE, secrets.token_hex(16), at, caller, "", "", "", "", "", "", "", detail), None)
