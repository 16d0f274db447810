"""From answers to the ledger: what was asked, as it was understood, and what is answered, letter by letter.

The input is kept as it was read, not as it was sent: a code that is not known stands as ``other``, a fact the score does
not use is left out. It holds nothing the score did not look at, and sent again it gives the same score.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from risk import schema
from risk.schema import Attribute
from serving.access import Caller
from serving.answers import Outcome
from serving.messages import Row
from serving.store.ledger import Entry, instant, score_entry


def record(outcomes: Sequence[Outcome], model_version: str, caller: Caller, request_id: str) -> list[Entry]:
    """An entry per outcome; a row that was rejected has no score and no entry."""
    at = instant(datetime.now(UTC))
    return [
        score_entry(
            score_id=outcome.score_id,
            at=at,
            caller=caller.name,
            office=caller.office,
            request_id=request_id,
            model_version=model_version,
            as_of=outcome.row.as_of.isoformat(),
            status=outcome.status,
            case_id=outcome.row.case_id,
            given=asked(outcome.row),
            told=outcome.text,
        )
        for outcome in outcomes
        if outcome.score_id is not None and outcome.row.case_id is not None
    ]


def asked(row: Row) -> str:
    """One case as it was understood: a request of its own, in JSON."""
    declared = schema.attributes()
    case = {
        "case_id": row.case_id,
        "opened_on": row.case.opened_on,
        "registered_on": row.case.registered_on,
        "attributes": {name: _word(declared[name], value) for name, value in row.columns.items()},
        "facts": [
            {"known_on": known_on, "name": name, "value": _word(declared[name], value)}
            for name, known_on, value in row.facts
        ],
    }
    return to_json({"as_of": row.as_of, "cases": [case]}).decode()


def _word(attribute: Attribute, value: float) -> Any:
    if attribute.kind == "category":
        return attribute.levels[int(value)]
    return bool(value) if attribute.kind == "flag" else value
