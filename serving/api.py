"""The scoring service: thin routes between the messages and the one function that scores.

``create_app(settings)`` makes the application; nothing is read, opened or started at import.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ValidationError

from serving import about, description
from serving.answers import ScoresAnswer, answer
from serving.champion import Champion, InService, Source, source_of
from serving.door import DOCS, Door
from serving.messages import Envelope, flaws_of
from serving.problems import Flaw, Refused, add_handlers, request_id
from serving.reading import read_json
from serving.rows import read_rows
from serving.settings import Settings, read_settings

# Two days: somewhere it is tomorrow already, and a case registered today is asked about with tomorrow's date.
DAYS_AHEAD = 2
log = logging.getLogger("risk.serving")


def today_utc() -> date:
    return datetime.now(UTC).date()


def create_app(
    settings: Settings | None = None, source: Source | None = None, today: Callable[[], date] = today_utc
) -> FastAPI:
    """The application.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment when not given.
    source : Source, optional
        Where the model comes from; the one named in the settings when not given.
    today : callable
        The clock; only the latest allowed as-of date depends on it.

    Raises
    ------
    ConfigError
        When a setting cannot be used.
    """
    settings = settings or read_settings()
    champion = Champion(source or source_of(settings.model))
    desk = Desk(champion, settings, today)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(champion.refresh)
        watching = asyncio.create_task(_watch(champion, settings.refresh_seconds))
        yield
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        desk.close()

    app = FastAPI(
        title="Risk52",
        version=about.running_version().risk52,
        summary="Which sickness-benefit cases are on their way past week 52, and why",
        description=description.TEXT,
        lifespan=lifespan,
        docs_url=DOCS if settings.environment == "development" else None,
        redoc_url=None,
        # Off altogether: its log signal would carry exception messages, and nothing may leave the machine.
        telemetry={"logs": False, "tracing": False, "metrics": False, "auto_configure": False},
        redirect_slashes=False,
    )
    app.state.champion = champion
    app.add_middleware(Door)
    add_handlers(app)
    _add_scoring(app, desk)
    _add_health(app, champion)
    description.describe(app)
    return app


async def _watch(champion: Champion, every_seconds: float) -> None:
    while every_seconds:
        await asyncio.sleep(every_seconds)
        await asyncio.to_thread(champion.refresh)


class Desk:
    """Takes requests in turn: so many are scored at a time, so many wait, and the rest are told to come back."""

    def __init__(self, champion: Champion, settings: Settings, today: Callable[[], date]) -> None:
        self.champion, self.settings, self.today = champion, settings, today
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="score")
        self._here = 0

    def close(self) -> None:
        self._threads.shutdown()

    def model(self) -> InService:
        """The model in service now.

        Raises
        ------
        Refused
            503 when there is none.
        """
        if self.champion.current is None:
            raise Refused("not-ready")
        return self.champion.current

    async def score(self, request: Request) -> ScoresAnswer:
        """Read a request, score it in a thread of its own, and answer.

        Raises
        ------
        Refused
            With the problem the caller is told.
        """
        model = self.model()
        # Before a place is taken: a caller who sends slowly must not keep others waiting.
        given = await read_json(request, self.settings.max_body_bytes)
        if self._here >= self.settings.threads + self.settings.queue:
            raise Refused("busy")
        self._here += 1
        try:
            loop = asyncio.get_running_loop()
            made = await loop.run_in_executor(self._threads, self._answer, given, model, request_id(request))
            request.state.n_cases = len(made.results)
            return made
        finally:
            self._here -= 1

    def _answer(self, given: Any, model: InService, called: str) -> ScoresAnswer:
        try:
            asked = Envelope.model_validate(given)
        except ValidationError as broken:
            raise Refused("invalid-request", flaws_of(broken)) from None
        if asked.as_of > self.today() + timedelta(days=DAYS_AHEAD):
            flaw = Flaw(pointer="/as_of", code="in-the-future", detail="a day no later than tomorrow")
            raise Refused("invalid-request", [flaw])
        if len(asked.cases) > self.settings.max_cases:
            flaw = Flaw(
                pointer="/cases", code="too-many", detail=f"at most {self.settings.max_cases} cases in a request"
            )
            raise Refused("too-large", [flaw])
        rows = read_rows(asked.cases, asked.as_of, self.settings.max_facts)
        if all(row.flaws for row in rows):
            raise Refused("no-case-fits", [flaw for row in rows for flaw in row.flaws])
        return answer(rows, asked.as_of, model, self.settings.n_reasons, called)


def _ready_made(message: BaseModel, status: int = 200) -> Response:
    """The message as it is: it was validated when it was made, and need not be again."""
    return Response(message.model_dump_json(), status, media_type="application/json")


def _add_scoring(app: FastAPI, desk: Desk) -> None:
    @app.post(
        "/v1/scores",
        operation_id="scoreCases",
        tags=["scores"],
        response_model=ScoresAnswer,
        responses=description.problems("not-json", "too-large", "not-json-type", "invalid-request", "busy"),
        openapi_extra=description.REQUEST_BODY,
    )
    async def score_cases(request: Request) -> Response:
        """Score one open case or many; each row has an outcome of its own."""
        return _ready_made(await desk.score(request))

    @app.get(
        "/v1/model",
        operation_id="getModel",
        tags=["scores"],
        response_model=about.ModelAnswer,
        responses=description.problems("not-ready"),
    )
    async def get_model() -> Response:
        """The model in service: what it answers, what it learned from, what it is for and not for."""
        return _ready_made(about.about_model(desk.model(), desk.settings))

    @app.get("/v1/dictionary", operation_id="getDictionary", tags=["scores"], response_model=about.Dictionary)
    async def get_dictionary() -> Response:
        """Every attribute and fact that may be sent, with levels, bounds, labels and legal marks."""
        return _ready_made(about.dictionary())


def _add_health(app: FastAPI, champion: Champion) -> None:
    async def live() -> Response:
        """The process answers."""
        return _ready_made(about.Health())

    async def ready() -> Response:
        """The service can score: a model is in service and its golden cases score as they did."""
        found = await asyncio.to_thread(about.readiness, champion)
        return _ready_made(found, 200 if found.status == "pass" else 503)

    fails: dict[int | str, dict[str, Any]] = {503: {"model": about.Readiness, "description": "It cannot"}}
    for path, is_shown in (("/health/live", True), ("/health", False)):
        app.get(
            path, operation_id="getLiveness", tags=["health"], response_model=about.Health, include_in_schema=is_shown
        )(live)
    for path, is_shown in (("/health/ready", True), ("/ready", False)):
        app.get(
            path,
            operation_id="getReadiness",
            tags=["health"],
            response_model=about.Readiness,
            responses=fails,
            include_in_schema=is_shown,
        )(ready)

    @app.get("/version", operation_id="getVersion", tags=["health"], response_model=about.Version)
    async def get_version() -> Response:
        """Versions of the software and the schema."""
        return _ready_made(about.running_version())
