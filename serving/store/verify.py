"""Reading the whole chain again: every hash, every link, every payload, and the end with its seal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, or_, select

from serving.store.blockrows import kept_block
from serving.store.blocks import HASH, block_hash, row_hashes, unpacked
from serving.store.chain import GENESIS, Link, is_sealed, link_hash, payload_hashes
from serving.store.engine import Store
from serving.store.ledger import BLOCK, ERASURE, SCORE, Seals
from serving.store.tables import ledger, ledger_block, ledger_head, ledger_payload

PORTION = 2000
MOST_TOLD = 20


@dataclass
class Findings:
    """What a reading of the chain found; ``faults`` holds the first of them in words, ``n_faults`` counts all.

    ``n_rows`` counts rows of the chain, ``n_payloads`` and ``n_erased`` scores, of which a row may hold many.
    """

    n_rows: int = 0
    n_payloads: int = 0
    n_erased: int = 0
    head: str = GENESIS
    n_faults: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """A line to keep outside the store: the chain of a later day must pass through it."""
        return f"{self.n_rows}:{self.head}"

    def found(self, text: str) -> None:
        self.n_faults += 1
        if len(self.faults) < MOST_TOLD:
            self.faults.append(text)


def verify(store: Store, seals: Seals | None = None, anchor: str | None = None) -> Findings:
    """Read the ledger from its first row to its end.

    Parameters
    ----------
    seals : Seals, optional
        Without a key the seal of the end cannot be checked, which counts as a fault.
    anchor : str, optional
        ``count:hash`` of an earlier reading, kept elsewhere; finds rows that were cut off and sealed again by someone
        who had the key.
    """
    findings = Findings()
    with store.reading() as connection:
        gone = _Gone()
        wanted = _anchor(anchor)
        if wanted[0] == 0 and wanted[1] not in ("", GENESIS):
            findings.found("the anchor given is not one of an empty ledger")
        for row in _rows(connection):
            _check_row(connection, row, findings, gone)
            if wanted[0] == findings.n_rows and wanted[1] != row["hash"]:
                findings.found(f"row {row['seq']} is not the row the anchor was taken at")
        if wanted[0] > findings.n_rows:
            findings.found(f"the anchor was taken at {wanted[0]} rows, and there are {findings.n_rows}")
        gone.told_in(findings)
        _check_strays(connection, findings)
        _check_head(connection, findings, seals)
    return findings


def _anchor(text: str | None) -> tuple[int, str]:
    number, _, found = (text or "").partition(":")
    return (int(number), found) if number.isdigit() else (-1, "")


def _rows(connection: Connection) -> Iterator[Mapping[str, Any]]:
    joined = ledger.outerjoin(ledger_payload, ledger.c.seq == ledger_payload.c.seq)
    columns = [c for c in ledger_payload.c if c.name != "seq"]
    after = -(2**62)
    while True:
        wanted = select(ledger, *columns).select_from(joined).where(ledger.c.seq > after)
        rows = connection.execute(wanted.order_by(ledger.c.seq).limit(PORTION)).mappings().all()
        if not rows:
            return
        yield from map(dict, rows)
        after = rows[-1]["seq"]


@dataclass
class _Gone:
    """What is missing and what was recorded as erased: rows with how many scores they had, and single rows of blocks."""

    missing: dict[int, int] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)
    rows_missing: set[tuple[int, int]] = field(default_factory=set)
    rows_erased: set[tuple[int, int]] = field(default_factory=set)

    def record(self, seq: int, detail: str) -> None:
        """An erasure of earlier rows."""
        told = json.loads(detail)
        self.erased.update(s for s in told["seqs"] if s < seq)
        self.rows_erased.update(
            (int(s), row) for s, rows in told.get("emptied", {}).items() for row in rows if int(s) < seq
        )

    def told_in(self, findings: Findings) -> None:
        for seq in sorted(self.missing.keys() - self.erased):
            findings.found(f"row {seq}: the payload is gone, and no erasure is on record")
        for seq, row in sorted(self.rows_missing - self.rows_erased):
            findings.found(f"row {seq}: score {row + 1} of the block is gone, and no erasure is on record")
        findings.n_erased = sum(n for seq, n in self.missing.items() if seq in self.erased)
        findings.n_erased += len(self.rows_missing & self.rows_erased)


def _check_row(connection: Connection, row: Mapping[str, Any], findings: Findings, gone: _Gone) -> None:
    findings.n_rows += 1
    seq = row["seq"]
    if seq != findings.n_rows:
        findings.found(f"row {findings.n_rows} is missing, or rows were renumbered (found {seq} in its place)")
        findings.n_rows = seq
    if row["prev_hash"] != findings.head:
        findings.found(f"row {seq} does not follow the row before it")
    link = Link(**{name: row[name] for name in Link._fields})
    if link_hash(seq, row["prev_hash"], link) != row["hash"]:
        findings.found(f"row {seq} was changed after it was written")
    findings.head = row["hash"]
    if row["salt"] is not None:
        findings.n_payloads += 1
        told = payload_hashes(row["salt"], row["case_id"], row["input"], row["output"])
        if told != (link.input_hash, link.output_hash):
            findings.found(f"row {seq}: the payload was changed after it was written")
    elif link.kind == SCORE:
        gone.missing[seq] = 1
    if link.kind == BLOCK:
        _check_block(connection, seq, link, findings, gone)
    if link.kind == ERASURE:
        try:
            gone.record(seq, link.detail)
        except (ValueError, KeyError, TypeError, AttributeError):
            findings.found(f"row {seq}: the record of an erasure cannot be read")


def _check_block(connection: Connection, seq: int, link: Link, findings: Findings, gone: _Gone) -> None:
    kept = kept_block(connection, seq)
    try:
        n = int(json.loads(link.detail)["n"])
        if kept is None:
            gone.missing[seq] = n
            return
        block = unpacked(kept)
        here = row_hashes(block, kept.salts)
    except (ValueError, KeyError, TypeError):
        findings.found(f"row {seq}: the block cannot be read")
        return
    findings.n_payloads += len(block)
    if len(kept.hashes) != HASH * n or block_hash(block.header, kept.hashes) != link.output_hash:
        findings.found(f"row {seq}: the block was changed after it was written")
    for i, place in enumerate(block.rows.tolist()):
        if here[HASH * i : HASH * i + HASH] != kept.hashes[HASH * place : HASH * place + HASH]:
            findings.found(f"row {seq}: score {place + 1} of the block was changed after it was written")
    gone.rows_missing.update((seq, place) for place in set(range(n)) - set(block.rows.tolist()))


def _check_strays(connection: Connection, findings: Findings) -> None:
    for kept, kind in ((ledger_payload, SCORE), (ledger_block, BLOCK)):
        joined = kept.outerjoin(ledger, ledger.c.seq == kept.c.seq)
        stray = (
            select(kept.c.seq)
            .select_from(joined)
            .where(or_(ledger.c.seq.is_(None), ledger.c.kind != kind))
            .limit(MOST_TOLD)
        )
        for seq in connection.execute(stray).scalars():
            findings.found(f"payload {seq} belongs to no row")


def _check_head(connection: Connection, findings: Findings, seals: Seals | None) -> None:
    head = connection.execute(select(ledger_head)).mappings().one_or_none()
    if head is None:
        findings.found("the end row is missing")
        return
    if (head["n"], head["hash"]) != (findings.n_rows, findings.head):
        findings.found(f"the end row counts {head['n']} rows, and the chain has {findings.n_rows} or ends otherwise")
    if seals is None:
        findings.found("the seal cannot be checked without RISK_LEDGER_KEY")
    elif not is_sealed(seals.known, head["n"], head["hash"], head["seal"]):
        findings.found("the end is not sealed with RISK_LEDGER_KEY: rows were cut off or added, or it is another key")
