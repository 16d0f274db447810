"""From answers to the ledger: what was asked, as it was understood, and what is answered, letter by letter.

The input is kept as it was read, not as it was sent: a code that is not known stands as ``other``, a fact the score does
not use is left out. It holds nothing the score did not look at, and sent again it gives the same score.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from risk import schema
from risk.schema import Attribute
from serving.access import Caller
from serving.answers import ScoresAnswer
from serving.messages import Row
from serving.store.ledger import Entry, instant, score_entry


def record(made: ScoresAnswer, rows: Sequence[Row], as_of: date, caller: Caller) -> tuple[str, list[Entry]]:
    """The body of the answer as JSON, and an entry per outcome; a row that was rejected has no score and no entry."""
    at, told, entries = instant(datetime.now(UTC)), [], []
    for row, outcome in zip(rows, made.results, strict=True):
        text = outcome.model_dump_json()
        told.append(text)
        if outcome.score_id is None or row.case_id is None:
            continue
        entries.append(
            score_entry(
                score_id=outcome.score_id,
                at=at,
                caller=caller.name,
                office=caller.office,
                request_id=made.request_id,
                model_version=outcome.model_version,
                as_of=as_of.isoformat(),
                status=outcome.status,
                case_id=row.case_id,
                given=asked(row, as_of),
                told=text,
            )
        )
    envelope = made.model_dump_json(exclude={"results"})
    return f'{envelope[:-1]},"results":[{",".join(told)}]}}', entries


def asked(row: Row, as_of: date) -> str:
    """One case as it was understood: a request of its own, in JSON."""
    declared = schema.attributes()
    case = {
        "case_id": row.case_id,
        "opened_on": row.case.opened_on.isoformat(),
        "registered_on": row.case.registered_on.isoformat(),
        "attributes": {name: _word(declared[name], value) for name, value in row.columns.items()},
        "facts": [
            {"known_on": known_on.isoformat(), "name": name, "value": _word(declared[name], value)}
            for name, known_on, value in row.facts
        ],
    }
    return json.dumps({"as_of": as_of.isoformat(), "cases": [case]}, separators=(",", ":"))


def _word(attribute: Attribute, value: float) -> Any:
    if attribute.kind == "category":
        return attribute.levels[int(value)]
    return bool(value) if attribute.kind == "flag" else value
