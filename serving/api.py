"""The scoring service: thin routes between the messages and the one function that scores.

``create_app(settings)`` makes the application; nothing is read, opened or started at import.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from risk.errors import StoreError
from serving import about, description
from serving.access import Gate
from serving.answers import CaseAnswer, ScoresAnswer
from serving.arrow_in import MEDIA_TYPE as ARROW
from serving.champion import Champion
from serving.counting import MEDIA_TYPE, Counts
from serving.desk import Desk
from serving.door import DOCS, Door
from serving.opening import Limits
from serving.problems import add_handlers
from serving.reading import media_type
from serving.settings import Settings, read_settings
from serving.shortway import Service
from serving.sources import Source, source_of
from serving.start import Behind, open_behind, settle
from serving.store.ledger import forget_repeats

HOUR = 3600.0
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
        When a setting cannot be used, or outside development a secret or a key is missing.
    StoreError
        When the store cannot be opened.
    """
    settings = settings or read_settings()
    behind = open_behind(settings)
    champion = Champion(source or source_of(settings.model), settings.registry_seconds)
    counts = Counts()
    desk = Desk(champion, settings, behind, counts, today)
    counts.watch(champion, desk.n_here, desk.is_recording, today)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Threads of their own from the start: those that come when they are first needed make memory grow for a day. The
        # registry may keep one waiting, and a revoked key must not wait for that.
        on_registry, on_store = ThreadPoolExecutor(1, "registry"), ThreadPoolExecutor(1, "store")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(on_registry, champion.refresh)
        await loop.run_in_executor(on_store, desk.bands.refresh)
        desk.open()
        if threading.current_thread() is threading.main_thread():  # else this is a guest in somebody else's process
            settle()
        watches = (
            _every(settings.refresh_seconds, champion.refresh, on_registry),
            _every(settings.refresh_seconds, desk.bands.refresh, on_store),
            _every(settings.keys_seconds, behind.keys.refresh, on_store),
            _every(HOUR, lambda: forget_repeats(behind.store), on_store),
        )
        watching = [asyncio.create_task(watch) for watch in watches]
        yield
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await asyncio.to_thread(desk.close)
        for pool in (on_registry, on_store):
            await asyncio.to_thread(pool.shutdown)
        behind.close()

    app = Service(
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
    app.state.champion, app.state.behind = champion, behind
    gate, door = partial(Gate, keeper=behind.keeper, of=lambda: app), partial(Door, counts=counts)
    app.add_middleware(gate)
    app.add_middleware(door)
    app.open_short_way([gate, door])
    add_handlers(app)
    _add_scoring(app, desk)
    _add_health(app, champion, behind, counts)
    description.describe(app)
    return app


async def _every(seconds: float, what: Callable[[], object], pool: ThreadPoolExecutor) -> None:
    """Do something again and again, in a thread of ``pool``; a store that fails for a while is asked again."""
    while seconds:
        await asyncio.sleep(seconds)
        try:
            await asyncio.get_running_loop().run_in_executor(pool, what)
        except StoreError as why:
            log.error("%s", why)


class _Finished(Response):
    """JSON as it is: it was checked when it was made, and need not be again."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.status_code, self.background, self.body = status, None, body
        self.raw_headers = [
            (b"content-length", str(len(self.body)).encode()),
            (b"content-type", b"application/json"),
        ]


def _ready_made(message: BaseModel | bytes, status: int = 200) -> Response:
    return _Finished(message if isinstance(message, bytes) else message.model_dump_json().encode(), status)


def _unless_known(request: Request, message: BaseModel) -> Response:
    """The message with its ETag, or 304 when the caller has it already."""
    response = _ready_made(message)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    given = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if tag in given or "*" in given:
        response = Response(status_code=304)
    response.headers.update({"ETag": tag, "Cache-Control": "private, no-cache"})
    return response


def _add_scoring(app: FastAPI, desk: Desk) -> None:
    few = Limits(desk.settings.max_cases, needs_one=True)
    many = Limits(desk.settings.max_batch, needs_one=False)

    @app.post(
        "/v1/scores",
        operation_id="scoreCases",
        tags=["scores"],
        response_model=ScoresAnswer,
        responses=description.problems(*description.SCORING, "no-case-fits"),
        openapi_extra=description.REQUEST_BODY,
    )
    async def score_cases(request: Request) -> Response:
        """Score one open case or a few; each row has an outcome of its own."""
        return _ready_made(await desk.score(request, few))

    @app.post(
        "/v1/scores:batch",
        operation_id="scoreBatch",
        tags=["scores"],
        response_model=ScoresAnswer,
        responses=description.problems(*description.SCORING, "not-arrow"),
        openapi_extra=description.REQUEST_BODY,
    )
    async def score_batch(request: Request) -> Response:
        """Score many open cases. An outcome per row whatever the rows hold; what cannot be read is rejected one by one.

        An Arrow stream (`application/vnd.apache.arrow.stream`) is answered with one: a row per outcome, in columns named and
        typed as the fields of CaseAnswer. What it holds is the same, so only its JSON is described here.
        """
        if media_type(request) == ARROW:
            return Response(await desk.score_stream(request, many), media_type=ARROW)
        return _ready_made(await desk.score(request, many))

    @app.get(
        "/v1/scores/{score_id}",
        operation_id="getScore",
        tags=["scores"],
        response_model=CaseAnswer,
        responses=description.problems(*description.GUARDED, "not-found", "erased", "not-recorded"),
        openapi_extra=description.SCORE_ID,
    )
    async def get_score(request: Request) -> Response:
        """A past outcome, read from the ledger to the letter as it was answered."""
        told = await desk.replay(request.path_params["score_id"], request.state.caller)
        return _ready_made(told.encode())

    @app.get(
        "/v1/model",
        operation_id="getModel",
        tags=["scores"],
        response_model=about.ModelAnswer,
        responses=description.problems(*description.GUARDED, "not-ready"),
    )
    async def get_model(request: Request) -> Response:
        """The model in service: what it answers, what it learned from, what it is for and not for."""
        return _unless_known(request, about.about_model(desk.model(), desk.settings))

    @app.get(
        "/v1/dictionary",
        operation_id="getDictionary",
        tags=["scores"],
        response_model=about.Dictionary,
        responses=description.problems(*description.GUARDED),
    )
    async def get_dictionary(request: Request) -> Response:
        """Every attribute and fact that may be sent, with levels, bounds, labels and legal marks."""
        return _unless_known(request, about.dictionary())


def _add_health(app: FastAPI, champion: Champion, behind: Behind, counts: Counts) -> None:
    async def live() -> Response:
        """The process answers."""
        return _ready_made(about.Health())

    async def ready() -> Response:
        """The service can score: its model scores the golden cases as it did, and scores can be recorded."""
        found = await asyncio.to_thread(about.readiness, champion, behind)
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

    @app.get(
        "/version",
        operation_id="getVersion",
        tags=["health"],
        response_model=about.Version,
        responses=description.problems(*description.GUARDED),
    )
    async def get_version() -> Response:
        """Versions of the software and the schema."""
        return _ready_made(about.running_version())

    @app.get(
        "/metrics",
        operation_id="getMetrics",
        tags=["health"],
        response_class=PlainTextResponse,
        responses=description.problems(*description.GUARDED),
    )
    async def get_metrics() -> Response:
        """Counts for Prometheus; nothing of a case is among them."""
        return Response(counts.text(), media_type=MEDIA_TYPE)
