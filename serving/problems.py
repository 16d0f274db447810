"""Problems: every answer that is not a success, as ``application/problem+json`` (RFC 9457), never echoing a value.

A problem has a stable type and code, a title in two languages and, for a request that does not fit, a JSON pointer (RFC
6901) to each place. Pointers hold only names the service declares itself and row numbers, so nothing a caller sent comes
back: the framework's own 422 would hand a CPR number to whoever reads the response or the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from risk.errors import RiskError, StoreError

MEDIA_TYPE = "application/problem+json"
MOST_FLAWS = 100
log = logging.getLogger("risk.serving")


@dataclass(frozen=True)
class Kind:
    """One kind of problem; ``code`` and ``status`` never change once published."""

    code: str
    status: int
    title: str
    title_da: str
    detail: str
    retry_after: int | None = None


KINDS = {
    kind.code: kind
    for kind in (
        Kind("not-http", 400, "The request is not HTTP", "Forespørgslen er ikke HTTP",
             "Send HTTP/1.1 with one Content-Length, or in chunks."),
        Kind("not-json", 400, "The body is not JSON", "Indholdet er ikke JSON",
             "Send one JSON object in UTF-8, with no name twice in an object and no NaN or Infinity."),
        Kind("not-arrow", 400, "The body is not an Arrow stream", "Indholdet er ikke en Arrow-strøm",
             "Send one whole stream in Arrow's IPC format, version 5; docs/integration.md shows how."),
        Kind("bad-header", 400, "A header does not fit", "Et felt i hovedet passer ikke",
             "Idempotency-Key is 8 to 64 letters, digits and . _ - and names nothing of a person."),
        Kind("unauthorized", 401, "Who is asking?", "Hvem spørger?",
             "Send a valid key or token: Authorization: Bearer ..."),
        Kind("forbidden", 403, "Not with this key", "Nøglen giver ikke adgang",
             "The key or token does not have the scope this address asks for."),
        Kind("not-found", 404, "No such address", "Adressen findes ikke", "See /openapi.json for the addresses."),
        Kind("method-not-allowed", 405, "Not with this method", "Metoden er ikke tilladt",
             "The header Allow names the methods of this address."),
        Kind("too-slow", 408, "The request took too long to arrive", "Forespørgslen var for længe undervejs",
             "Send it whole within a minute, on a new connection."),
        Kind("key-reused", 409, "The Idempotency-Key was used for another request",
             "Idempotency-Key er brugt til en anden forespørgsel", "Take a new key for a new request."),
        Kind("erased", 410, "The score has been erased", "Scoren er slettet",
             "What was recorded of this score was erased, on request or because its time was up."),
        Kind("too-large", 413, "The request is too large", "Forespørgslen er for stor",
             "Send fewer cases at a time; the limits stand in /v1/model."),
        Kind("not-json-type", 415, "The content type is not JSON", "Indholdstypen er ikke JSON",
             "Send Content-Type: application/json, not compressed."),
        Kind("invalid-request", 422, "The request does not fit", "Forespørgslen passer ikke",
             "Each entry under 'errors' points to a place and says what is expected there."),
        Kind("no-case-fits", 422, "None of the cases could be read", "Ingen af sagerne kunne læses",
             "Each entry under 'errors' points to a place and says what is expected there."),
        Kind("rate-limited", 429, "Too many requests", "For mange forespørgsler",
             "Wait the seconds that Retry-After names."),
        Kind("head-too-large", 431, "The head of the request is too large", "Hovedet af forespørgslen er for stort",
             "Send no more than 64 KiB of headers."),
        Kind("internal", 500, "Something broke in the service", "Der skete en fejl i tjenesten",
             "The fault is logged under the request id; tell those who run the service."),
        Kind("not-ready", 503, "The service has no model to score with", "Tjenesten har ingen model at score med",
             "Try again later; /health/ready says what is missing.", retry_after=30),
        Kind("not-recorded", 503, "The score could not be recorded, so it is not given",
             "Scoren kunne ikke registreres og gives derfor ikke", "Try again later.", retry_after=5),
        Kind("busy", 503, "The service is busy", "Tjenesten er optaget", "Try again in a moment.", retry_after=1),
    )
}  # fmt: skip


class Flaw(BaseModel):
    """One place in a request that does not fit."""

    pointer: str = Field(description="JSON pointer into the request", examples=["/cases/0/attributes/weekly_hours"])
    code: str = Field(description="Stable code, e.g. 'missing' or 'out-of-range'", examples=["out-of-range"])
    detail: str = Field(description="What is expected there", examples=["a number from 0 to 80"])


class Problem(BaseModel):
    """A problem, as RFC 9457 has it."""

    type: str = Field(examples=["urn:problem-type:risk52:invalid-request"])
    title: str
    title_da: str
    status: int = Field(ge=400, le=599)
    code: Literal[tuple(KINDS)]  # type: ignore[valid-type]  # the codes stand in one table
    detail: str
    request_id: str
    errors: list[Flaw] = Field(default=[], description=f"At most {MOST_FLAWS} places")


class Refused(Exception):
    """Ends a request with a problem of the named kind."""

    def __init__(self, code: str, flaws: Sequence[Flaw] = (), detail: str | None = None) -> None:
        super().__init__(code)
        self.kind, self.flaws, self.detail = KINDS[code], flaws, detail


def problem_response(
    kind: Kind, request_id: str, flaws: Sequence[Flaw] = (), detail: str | None = None, headers: Mapping[str, str] = {}
) -> JSONResponse:
    problem = Problem(
        type=f"urn:problem-type:risk52:{kind.code}",
        title=kind.title,
        title_da=kind.title_da,
        status=kind.status,
        code=kind.code,
        detail=detail or kind.detail,
        request_id=request_id,
        errors=list(flaws[:MOST_FLAWS]),
    )
    retry = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
    return JSONResponse(problem.model_dump(), kind.status, {**headers, **retry}, MEDIA_TYPE)


def request_id(request: Request) -> str:
    """The id the door gave this request (:mod:`serving.door`)."""
    return str(request.state.request_id)


def add_handlers(app: FastAPI) -> None:
    """Answer everything that is raised on purpose with a problem; what breaks by accident is caught at the door."""

    async def refused(request: Request, why: Refused) -> JSONResponse:
        return problem_response(why.kind, request_id(request), why.flaws, why.detail)

    async def of_the_framework(request: Request, why: HTTPException) -> JSONResponse:
        by_status = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
        code = by_status.get(why.status_code, "not-json" if why.status_code < 500 else "internal")
        allow = {k: v for k, v in (why.headers or {}).items() if k.lower() == "allow"}
        return problem_response(KINDS[code], request_id(request), headers=allow)

    async def does_not_fit(request: Request, why: RequestValidationError) -> JSONResponse:
        return problem_response(KINDS["invalid-request"], request_id(request))

    async def of_the_domain(request: Request, why: RiskError) -> JSONResponse:
        # The text of a RiskError holds no personal value, but may name a path of this machine: it stays in the log.
        log.error("%s: %s (request %s)", why.code, why, request_id(request))
        code = "not-recorded" if isinstance(why, StoreError) else "not-ready" if why.http_status == 503 else "internal"
        return problem_response(KINDS[code], request_id(request))

    app.add_exception_handler(Refused, refused)  # type: ignore[arg-type]  # Starlette types every handler by Exception
    app.add_exception_handler(HTTPException, of_the_framework)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(RequestValidationError, does_not_fit)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(RiskError, of_the_domain)  # type: ignore[arg-type]  # as above
