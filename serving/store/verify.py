"""Reading the whole chain again: every hash, every link, every payload, and the end with its seal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from serving.store.chain import GENESIS, Link, is_sealed, link_hash, payload_hashes
from serving.store.engine import Store
from serving.store.ledger import ERASURE, SCORE, Seals
from serving.store.tables import ledger, ledger_head, ledger_payload

PORTION = 2000
MOST_TOLD = 20


@dataclass
class Findings:
    """What a reading of the chain found; ``faults`` holds the first of them in words, ``n_faults`` counts all."""

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
        erased: set[int] = set()
        missing: set[int] = set()
        wanted = _anchor(anchor)
        if wanted[0] == 0 and wanted[1] not in ("", GENESIS):
            findings.found("the anchor given is not one of an empty ledger")
        for row in _rows(connection):
            _check_row(row, findings, erased, missing)
            if wanted[0] == findings.n_rows and wanted[1] != row["hash"]:
                findings.found(f"row {row['seq']} is not the row the anchor was taken at")
        if wanted[0] > findings.n_rows:
            findings.found(f"the anchor was taken at {wanted[0]} rows, and there are {findings.n_rows}")
        for seq in sorted(missing - erased):
            findings.found(f"row {seq}: the payload is gone, and no erasure is on record")
        findings.n_erased = len(missing & erased)
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


def _check_row(row: Mapping[str, Any], findings: Findings, erased: set[int], missing: set[int]) -> None:
    findings.n_rows += 1
    seq = row["seq"]
    if seq != findings.n_rows:
        findings.found(f"row {findings.n_rows} is missing, or rows were renumbered (found {seq} in its place)")
        findings.n_rows = seq
    if row["prev_hash"] != findings.head:
        findings.found(f"row {seq} does not follow the row before it")
    link = Link(**{name: row[name] for name in Link.__dataclass_fields__})
    if link_hash(seq, row["prev_hash"], link) != row["hash"]:
        findings.found(f"row {seq} was changed after it was written")
    findings.head = row["hash"]
    if row["salt"] is not None:
        findings.n_payloads += 1
        told = payload_hashes(row["salt"], row["case_id"], row["input"], row["output"])
        if told != (link.input_hash, link.output_hash):
            findings.found(f"row {seq}: the payload was changed after it was written")
    elif link.kind == SCORE:
        missing.add(seq)
    if link.kind == ERASURE:
        try:
            erased.update(s for s in json.loads(link.detail)["seqs"] if s < seq)
        except (ValueError, KeyError, TypeError):
            findings.found(f"row {seq}: the record of an erasure cannot be read")


def _check_strays(connection: Connection, findings: Findings) -> None:
    joined = ledger_payload.outerjoin(ledger, ledger.c.seq == ledger_payload.c.seq)
    stray = select(ledger_payload.c.seq).select_from(joined).where(ledger.c.seq.is_(None)).limit(MOST_TOLD)
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
