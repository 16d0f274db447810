"""Reading all lists again: every row's hash, every list's hash, and the link of each list to the one before it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping, select

from serving.store.engine import Store
from serving.store.erasing import LISTS_ERASED
from serving.store.packing import list_hash, row_hash
from serving.store.tables import audit, worklist, worklist_case
from serving.store.verify import Findings

HASH_BYTES = 32
_PORTION = 50
_HASHED = ("id", "week", "office", "team", "revision", "as_of", "made_at", "made_by", "model_version", "policy_version",
           "about", "prev_hash")  # fmt: skip


def verify_lists(store: Store, anchor: str | None = None) -> Findings:
    """Read the lists from the first to the last.

    ``n_rows`` counts lists, ``n_payloads`` the cases on them and ``n_erased`` the places that were emptied on record.

    Parameters
    ----------
    anchor : str, optional
        ``count:hash`` of an earlier reading, kept elsewhere; finds lists that were cut off or written anew.
    """
    findings = Findings()
    count, _, wanted = (anchor or "").partition(":")
    with store.reading() as connection:
        lists, places = _erased(connection)
        for head in _heads(connection):
            _check_head(head, findings)
            if count == str(findings.n_rows) and wanted != head["hash"]:
                findings.found(f"list {head['id']} is not the list the anchor was taken at")
            _check_rows(connection, head, findings, None if head["id"] in lists else places[head["id"]])
    if count.isdigit() and int(count) > findings.n_rows:
        findings.found(f"the anchor was taken at {count} lists, and there are {findings.n_rows}")
    return findings


def _erased(connection: Connection) -> tuple[set[int], dict[int, set[int]]]:
    """Lists emptied altogether, and single places emptied, by list."""
    lists: set[int] = set()
    places: dict[int, set[int]] = defaultdict(set)
    for detail in connection.execute(select(audit.c.detail).where(audit.c.act == LISTS_ERASED)).scalars():
        told = json.loads(detail)
        lists.update(told.get("lists", ()))
        for list_id, emptied in told.get("rows", {}).items():
            places[int(list_id)].update(emptied)
    return lists, places


def _heads(connection: Connection) -> Iterator[RowMapping]:
    after = -1
    while True:
        wanted = select(worklist).where(worklist.c.id > after).order_by(worklist.c.id).limit(_PORTION)
        rows = connection.execute(wanted).mappings().all()
        if not rows:
            return
        yield from rows
        after = rows[-1]["id"]


def _check_head(head: RowMapping, findings: Findings) -> None:
    findings.n_rows += 1
    if head["id"] != findings.n_rows:
        findings.found(f"list {findings.n_rows} is missing, or lists were renumbered (found {head['id']} in its place)")
        findings.n_rows = head["id"]
    if head["prev_hash"] != findings.head:
        findings.found(f"list {head['id']} does not follow the list before it")
    if list_hash([head[name] for name in _HASHED], head["row_hashes"]) != head["hash"]:
        findings.found(f"list {head['id']} was changed after it was saved")
    findings.head = head["hash"]


def _check_rows(connection: Connection, head: RowMapping, findings: Findings, emptied: set[int] | None) -> None:
    """``emptied`` are the places that may be empty; None when all may."""
    list_id, kept = head["id"], head["row_hashes"]
    hashes = [kept[i : i + HASH_BYTES] for i in range(0, len(kept), HASH_BYTES)]
    seen = set()
    for row in connection.execute(select(worklist_case).where(worklist_case.c.list_id == list_id)):
        seen.add(row.place)
        findings.n_payloads += 1
        made = row_hash(row.salt, row.case_id, row.person_key, row.body)
        if row.place >= len(hashes) or made != hashes[row.place]:
            findings.found(f"list {list_id}, place {row.place}: changed after it was saved")
    missing = set(range(len(hashes))) - seen
    unexplained = sorted(missing - emptied) if emptied is not None else []
    for place in unexplained:
        findings.found(f"list {list_id}, place {place}: gone, and no erasure is on record")
    findings.n_erased += len(missing) - len(unexplained)
