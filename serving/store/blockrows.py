"""Blocks in the database: read by their row in the chain, found by the cases they hold, and emptied row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from risk.errors import StoreError
from serving.store.blocks import Block, BlockPayload, unpacked, without
from serving.store.tables import ledger_block

# Case ids looked for in one statement.
TOGETHER = 50
_PARTS = [ledger_block.c[name] for name in BlockPayload.__dataclass_fields__]


def kept_block(connection: Connection, seq: int, *, to_change: bool = False) -> BlockPayload | None:
    """The block of a row of the chain, as it is kept; None when it is gone.

    Parameters
    ----------
    to_change : nobody else changes it until the transaction ends
    """
    wanted = select(*_PARTS).where(ledger_block.c.seq == seq)
    row = connection.execute(wanted.with_for_update() if to_change else wanted).one_or_none()
    return None if row is None else BlockPayload(*row)


def read_block(kept: BlockPayload, seq: int) -> Block:
    """The block unpacked.

    Raises
    ------
    StoreError
        It is damaged.
    """
    with _told(seq):
        return unpacked(kept)


@contextmanager
def _told(seq: int) -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise StoreError(f"row {seq} of the ledger cannot be read; run 'risk ledger verify'") from None


def blocks_with(
    connection: Connection, case_ids: Collection[str], *, to_change: bool = False
) -> Iterator[tuple[int, BlockPayload]]:
    """The blocks that hold a score of one of these cases, by their rows in the chain, one at a time."""
    ids, seqs = sorted({case_id for case_id in case_ids if "\n" not in case_id}), set[int]()
    for start in range(0, len(ids), TOGETHER):
        named = or_(*[_names(connection, case_id) for case_id in ids[start : start + TOGETHER]])
        seqs.update(connection.execute(select(ledger_block.c.seq).where(named)).scalars())
    for seq in sorted(seqs):
        kept = kept_block(connection, seq, to_change=to_change)
        if kept is not None:
            yield seq, kept


def is_in_a_block(connection: Connection, case_id: str) -> bool:
    if "\n" in case_id:  # no case has such an id, and it could be two lines
        return False
    return (
        connection.execute(select(ledger_block.c.seq).where(_names(connection, case_id)).limit(1)).first() is not None
    )


def _names(connection: Connection, case_id: str) -> ColumnElement[bool]:
    """Whether a line of a block's case ids is this one; there is no index of them, the texts are searched."""
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    found: ColumnElement[bool] = find(ledger_block.c.case_ids, f"\n{case_id}\n") > 0
    return found


def empty_rows(connection: Connection, case_ids: Collection[str]) -> dict[int, list[int]]:
    """Take every score of these cases out of the blocks; the rows emptied, by row of the chain.

    Raises
    ------
    StoreError
        A block is damaged.
    """
    emptied: dict[int, list[int]] = {}
    for seq, kept in blocks_with(connection, case_ids, to_change=True):
        with _told(seq):
            left, rows = without(kept, case_ids)
        if rows:
            emptied[seq] = rows
            connection.execute(update(ledger_block).where(ledger_block.c.seq == seq).values(**vars(left)))
    return emptied


def held_in(connection: Connection, seqs: Collection[int]) -> int:
    """How many scores these blocks still hold."""
    held = select(func.sum(ledger_block.c.n_held)).where(ledger_block.c.seq.in_(seqs))
    return int(connection.execute(held).scalar() or 0)


def drop_blocks(connection: Connection, seqs: Collection[int]) -> None:
    connection.execute(delete(ledger_block).where(ledger_block.c.seq.in_(seqs)))
