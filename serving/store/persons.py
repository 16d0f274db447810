"""Everything the store holds of a person: given out, and erased, by pseudonym; both are recorded, and both chains stay whole.

A pseudonym is the key of a person, or the id of a case whose person no list names. Erasing takes away the payloads with
their salts. What stays is that some score was given and some case stood on a list, and a record of what was emptied.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, or_, select

from risk.errors import CaseDataError
from serving.store.audit import forget_subjects, note
from serving.store.blockrows import blocks_with, is_in_a_block, read_block
from serving.store.blocks import BLOCK_DIGITS
from serving.store.blocktext import inputs, outputs
from serving.store.engine import Store
from serving.store.erasing import Secret, erase_rows, erase_scores, portions, scrub
from serving.store.packing import unpacked
from serving.store.tables import audit, feedback, ledger, ledger_payload, worklist, worklist_case

EXPORTED, DELETED = "person-exported", "person-deleted"


@dataclass(frozen=True)
class Erased:
    """How much of a person was erased."""

    n_cases: int = 0
    n_scores: int = 0
    n_list_rows: int = 0
    n_feedback: int = 0
    n_views: int = 0

    @property
    def is_anything(self) -> bool:
        return any(asdict(self).values())


def export_person(store: Store, pseudonym: str, by: str, now: datetime) -> dict[str, Any]:
    """Everything held under a pseudonym, as plain values: scores, list rows, feedback, and who looked or exported.

    Raises
    ------
    CaseDataError
        The pseudonym is empty.
    """
    with store.writing() as connection:
        cases = _cases_of(connection, pseudonym)
        told = {
            "pseudonym": pseudonym,
            "cases": cases,
            "scores": _scores(connection, cases),
            "lists": _list_rows(connection, cases),
            "feedback": _feedback(connection, cases),
            "record": _record(connection, [pseudonym, *cases]),
        }
        note(connection, now, by, EXPORTED, pseudonym)
    return told


def erase_person(store: Store, pseudonym: str, reason: str, by: str, now: datetime, seals: Secret) -> Erased:
    """Erase everything held under a pseudonym, all of it or nothing.

    The record says that a person was deleted, by whom, why and how much it was; it does not say who.

    Raises
    ------
    CaseDataError
        The pseudonym is empty.
    StoreError
        Nothing was erased.
    """
    with store.writing() as connection:
        cases = _cases_of(connection, pseudonym)
        n_feedback = 0
        for portion in portions(cases):
            n_feedback += connection.execute(delete(feedback).where(feedback.c.case_id.in_(portion))).rowcount
        erased = Erased(
            n_cases=len(cases),
            n_scores=erase_scores(connection, seals, cases, reason, by, now),
            n_list_rows=erase_rows(connection, cases, by, now),
            n_feedback=n_feedback,
            n_views=forget_subjects(connection, [pseudonym, *cases]),
        )
        if erased.is_anything:
            note(connection, now, by, DELETED, detail={"reason": reason, **asdict(erased)})
    scrub(store)
    return erased


def _cases_of(connection: Connection, pseudonym: str) -> list[str]:
    """Ids of the cases of a person, or the case itself when the pseudonym is that of a case."""
    if not pseudonym:
        raise CaseDataError("name a person's key or a case")
    found: set[str] = set()
    for table in (worklist_case, feedback):
        here = or_(table.c.person_key == pseudonym, table.c.case_id == pseudonym)
        found.update(connection.execute(select(table.c.case_id).where(here).distinct()).scalars())
    scored = select(ledger_payload.c.case_id).where(ledger_payload.c.case_id == pseudonym).limit(1)
    found.update(connection.execute(scored).scalars())
    if is_in_a_block(connection, pseudonym):
        found.add(pseudonym)
    return sorted(found)


def _scores(connection: Connection, case_ids: Collection[str]) -> list[dict[str, Any]]:
    """When, by whom, by which model, what was asked and told; the oldest first."""
    wanted = (
        select(ledger, ledger_payload.c.case_id, ledger_payload.c.input, ledger_payload.c.output)
        .join(ledger_payload, ledger.c.seq == ledger_payload.c.seq)
        .order_by(ledger.c.seq)
    )
    hidden = {"prev_hash", "hash", "input_hash", "output_hash", "detail", "kind"}
    told = []
    for row in _of_cases(connection, wanted, ledger_payload.c.case_id, case_ids):
        kept = {k: v for k, v in row.items() if k not in hidden}
        told.append(kept | {name: json.loads(row[name]) for name in ("input", "output")})
    return sorted([*told, *_scores_in_blocks(connection, case_ids, hidden)], key=lambda row: int(row["seq"]))


def _scores_in_blocks(
    connection: Connection, case_ids: Collection[str], hidden: Collection[str]
) -> list[dict[str, Any]]:
    """The same of scores that were recorded many together."""
    told, wanted = [], set(case_ids)
    for seq, kept in blocks_with(connection, case_ids):
        row = connection.execute(select(ledger).where(ledger.c.seq == seq)).mappings().one()
        block, block_id = read_block(kept, seq), row["score_id"][:BLOCK_DIGITS]
        mine = block.only([i for i, case_id in enumerate(block.case_ids) if case_id in wanted])
        for case_id, given, output in zip(mine.case_ids, inputs(mine), outputs(mine, block_id), strict=True):
            outcome = json.loads(output)
            of_row = {"score_id": outcome["score_id"], "status": outcome["status"], "case_id": case_id}
            own = {"input": json.loads(given), "output": outcome}
            told.append({k: v for k, v in row.items() if k not in hidden} | of_row | own)
    return told


def _list_rows(connection: Connection, case_ids: Collection[str]) -> list[dict[str, Any]]:
    place = [worklist.c[n] for n in ("week", "office", "team", "revision", "as_of", "made_at", "model_version")]
    wanted = select(*place, worklist_case.c.case_id, worklist_case.c.person_key, worklist_case.c.body)
    wanted = wanted.join(worklist, worklist_case.c.list_id == worklist.c.id).order_by(worklist.c.id)
    told = []
    for row in _of_cases(connection, wanted, worklist_case.c.case_id, case_ids):
        case = vars(unpacked(row["case_id"], row["person_key"], row["body"]))
        case["reasons"] = [reason.as_dict() for reason in case["reasons"]]
        told.append({k: v for k, v in row.items() if k != "body"} | case)
    return [_written_out(row) for row in told]


def _feedback(connection: Connection, case_ids: Collection[str]) -> list[dict[str, Any]]:
    rows = _of_cases(connection, select(feedback).order_by(feedback.c.id), feedback.c.case_id, case_ids)
    return [{k: v for k, v in row.items() if k not in ("id", "list_id")} for row in rows]


def _record(connection: Connection, subjects: Collection[str]) -> list[dict[str, Any]]:
    wanted = select(audit.c.at, audit.c.by, audit.c.act, audit.c.subject).order_by(audit.c.id)
    return _of_cases(connection, wanted, audit.c.subject, subjects)


def _of_cases(
    connection: Connection, wanted: Select[Any], column: Any, values: Collection[str]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for portion in portions(sorted(set(values))):
        rows += map(dict, connection.execute(wanted.where(column.in_(portion))).mappings())
    return rows


def _written_out(value: Any) -> Any:
    """Days as text, at any depth."""
    if isinstance(value, dict):
        return {k: _written_out(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_written_out(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value
