"""The API description (OpenAPI 3.1): what the framework cannot see by itself, because rows are read one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from risk.files import whole_file
from serving.access import PUBLIC, ROLES
from serving.messages import request_message
from serving.problems import KINDS, MEDIA_TYPE, Problem

REF = "#/components/schemas/{model}"
TEXT = """Scores order follow-up of open sickness-benefit cases. Nothing here is a decision, and a score is not for
entitlement, sanction, control or stopping payment. Levels are open enumerations: expect new ones. Every error is
`application/problem+json` (RFC 9457) and never repeats what was sent. `case_id` is a pseudonym; a CPR number is refused."""

BEARER = "An API key of the calling system ('risk keys create'), or a token of the office's sign-in service."

EXAMPLE: dict[str, Any] = {
    "as_of": "2026-11-23",
    "cases": [
        {
            "case_id": "SYN000123",
            "opened_on": "2026-09-07",
            "registered_on": "2026-10-07",
            "attributes": {
                "benefit_basis": "employee",
                "employment_status": "employee",
                "industry": "health_care",
                "occupation": "professional",
                "weekly_hours": 37,
                "is_paid_when_ill": True,
                "has_section_56": False,
                "was_hospitalised": False,
                "has_prior_clarification": False,
                "benefit_weeks_12m": 6,
                "benefit_weeks_5y": 8,
                "n_spells_24m": 1,
                "unemployment_weeks_3y": 0,
                "other_benefit_weeks_5y": 0,
                "employment_rate_3y": 0.9,
            },
            "facts": [
                {"known_on": "2026-10-14", "name": "form_received", "value": True},
                {"known_on": "2026-10-14", "name": "expected_recovery", "value": "13_26w"},
                {"known_on": "2026-11-02", "name": "partial_return_hours", "value": 12},
            ],
        }
    ],
}

REQUEST_BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "A name of your own for this request: sent again under it, it gives the same answer once more",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model="ScoreRequest")},
                "examples": {"one_case": {"summary": "One case with three facts", "value": EXAMPLE}},
            }
        },
    },
}

SCORE_ID: dict[str, Any] = {
    "parameters": [
        {
            "name": "score_id",
            "in": "path",
            "required": True,
            "description": "As it stood in the answer",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        }
    ]
}

# What every address but the public ones can be answered with.
GUARDED = ("unauthorized", "forbidden", "rate-limited")
# What a request to score can be answered with, beside an answer.
SCORING = (
    "not-json", "bad-header", "unauthorized", "forbidden", "key-reused", "too-large", "not-json-type", "invalid-request",
    "rate-limited", "busy",
)  # fmt: skip


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The problems a route can answer with, by status, for the description.

    A fault of our own is always possible, and so is what a connection is closed with (:mod:`serving.connection`).
    """
    described: dict[int | str, dict[str, Any]] = {}
    for kind in (KINDS[code] for code in ("not-http", *codes, "too-slow", "head-too-large", "internal")):
        schema = {"$ref": REF.format(model="Problem")}
        described[kind.status] = {"description": kind.title, "content": {MEDIA_TYPE: {"schema": schema}}}
    return described


def describe(app: FastAPI) -> None:
    """Give the application a description that also holds the messages of the request and of problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            _, extra = models_json_schema(
                [(request_message(), "validation"), (Problem, "serialization")], ref_template=REF
            )
            parts = made.setdefault("components", {})
            parts.setdefault("schemas", {}).update(extra["$defs"])
            parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": BEARER}}
            for path, methods in made["paths"].items():
                for method, operation in methods.items():
                    wanted = ROLES[method.upper(), path]
                    operation["security"] = [] if wanted == PUBLIC else [{"bearer": [wanted]}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's own way to replace it


def text_of(app: FastAPI) -> str:
    """The description as it is committed in docs/openapi.json."""
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the description as it is today, without a model and with a store that is thrown away."""
    from tempfile import TemporaryDirectory

    from serving.api import create_app
    from serving.settings import read_settings
    from serving.sources import FolderSource

    with TemporaryDirectory() as folder:
        settings = read_settings(environment="development", store=f"sqlite:///{folder}/store.db")
        app = create_app(settings, FolderSource(Path(folder)))
        with whole_file(path) as made:
            made.write_text(text_of(app), "utf-8")
        app.state.behind.close()


if __name__ == "__main__":
    import sys

    write(Path(sys.argv[1]))
