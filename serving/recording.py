"""From answers to the ledger: what was asked, as it was understood, and what is answered, letter by letter.

The input is kept as it was read, not as it was sent: a code that is not known stands as ``other``, a fact the score does
not use is left out. It holds nothing the score did not look at, and sent again it gives the same score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache

from pydantic_core import to_json

from risk import schema
from serving.access import Caller
from serving.answers import Outcome
from serving.messages import Row
from serving.store.ledger import Entry, instant, score_entry


def now() -> str:
    """When what is scored now is said to have been recorded."""
    return instant(datetime.now(UTC))


def record(
    outcomes: Sequence[Outcome], model_version: str, caller: Caller, request_id: str, at: str | None = None
) -> list[Entry]:
    """An entry per outcome; a row that was rejected has no score and no entry.

    Parameters
    ----------
    at : :func:`now`, for requests that are recorded together
    """
    at = now() if at is None else at
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
    """One case as it was understood: a request of its own, in JSON.

    A case id and the codes of levels hold nothing that JSON would have to escape.
    """
    word, as_of = _words(), row.as_of.isoformat()
    attributes = ",".join([f'"{name}":{word[name](value)}' for name, value in row.columns.items()])
    facts = ",".join(
        [
            f'{{"known_on":"{day.isoformat()}","name":"{name}","value":{word[name](value)}}}'
            for name, day, value in row.facts
        ]
    )
    return (
        f'{{"as_of":"{as_of}","cases":[{{"case_id":"{row.case_id}","opened_on":"{row.opened_on.isoformat()}",'
        f'"registered_on":"{row.registered_on.isoformat()}","attributes":{{{attributes}}},"facts":[{facts}]}}]}}'
    )


@cache
def _words() -> dict[str, Callable[[float], str]]:
    """How the value of each attribute is written: a number as it is, a level or a flag as it was sent."""
    made: dict[str, Callable[[float], str]] = {}
    for name, attribute in schema.attributes().items():
        if attribute.kind == "number":
            made[name] = float.__repr__
        else:
            told = (
                ("false", "true")
                if attribute.kind == "flag"
                else [to_json(level).decode() for level in attribute.levels]
            )
            made[name] = {float(i): text for i, text in enumerate(told)}.__getitem__
    return made
