"""``create_web``: the staff's page as an application of its own; nothing is read, opened or started at import."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from risk.errors import ConfigError, RiskError, StoreError
from serving.language import LANGUAGES
from serving.settings import Settings, read_settings
from serving.start import KNOWN_TO_ALL, LEAST_SECRET, LEAST_SIGNS, store_url
from serving.store.accounts import set_language
from serving.store.engine import open_store
from serving.web import accounts, cases, lists, models, overview, signin, words
from serving.web.guard import LANGUAGE_COOKIE, Guard
from serving.web.house import House, Refusal
from serving.web.recent import RecentLists
from serving.web.render import account_of, house_of, problem, stylesheet, visit_of
from serving.web.rules import HOME, way_back

log = logging.getLogger("risk.web")
YEAR_SECONDS = 365 * 24 * 3600
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" fill="#0b3d5c"/>'
    '<path d="M2 4 C7 5 9 11 14 12" stroke="#fff" stroke-width="2" fill="none"/></svg>'
)


def now_utc() -> datetime:
    return datetime.now(UTC)


def create_web(settings: Settings | None = None, now: Callable[[], datetime] = now_utc) -> FastAPI:
    """The application.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment when not given.
    now : callable
        The clock; sessions, lock-outs and the record of who looked depend on it.

    Raises
    ------
    ConfigError
        A setting cannot be used, or outside development the secret is missing or weak.
    StoreError
        The store cannot be opened.
    """
    settings = settings or read_settings()
    key = web_key(settings)
    tries = signin.Tries(settings.sign_in_rate)
    store = open_store(store_url(settings))
    house = House(store, key, settings, now, RecentLists(store))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        house.store.close()

    app = FastAPI(
        title="Risk52",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"logs": False, "tracing": False, "metrics": False, "auto_configure": False},
        redirect_slashes=False,
    )
    app.state.house, app.state.tries = house, tries
    app.add_middleware(Guard, house=house, of=lambda: app, show=problem)
    _add_handlers(app)
    _add_common(app)
    for part in (signin, lists, cases, overview, models, accounts, words):
        part.add_pages(app)
    return app


def web_key(settings: Settings) -> bytes:
    """The secret of the forms.

    Raises
    ------
    ConfigError
        It is missing, too short or one that everybody knows, outside development.
    """
    given = settings.web_key.get_secret_value() if settings.web_key else ""
    if settings.environment == "development":
        return (given or KNOWN_TO_ALL).encode()
    if not given:
        raise ConfigError(
            "RISK_WEB_KEY is not set; make one with: openssl rand -hex 32 (or try 'risk web --dev' on this machine)"
        )
    if given == KNOWN_TO_ALL or len(given) < LEAST_SECRET or len(set(given)) < LEAST_SIGNS:
        raise ConfigError("RISK_WEB_KEY is too short or too simple; make one with: openssl rand -hex 32")
    return given.encode()


def _add_handlers(app: FastAPI) -> None:
    """What is raised on purpose becomes a page; what breaks by accident is caught by the guard."""

    def refused(request: Request, why: Refusal) -> Response:
        return problem(request, why)

    def of_the_framework(request: Request, why: HTTPException) -> Response:
        kinds = {404: "not_found", 405: "method", 413: "too_large"}
        return problem(request, Refusal(why.status_code, kinds.get(why.status_code, "bad_form")))

    def of_the_domain(request: Request, why: RiskError) -> Response:
        # The text holds no personal value, but may name a path of this machine: it stays in the log.
        log.error("%s: %s (request %s)", why.code, why, request.state.request_id)
        is_store = isinstance(why, StoreError)
        return problem(request, Refusal(503 if is_store else 500, "store" if is_store else "broken"))

    app.add_exception_handler(Refusal, refused)  # type: ignore[arg-type]  # Starlette types every handler by Exception
    app.add_exception_handler(HTTPException, of_the_framework)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(RiskError, of_the_domain)  # type: ignore[arg-type]  # as above


def _add_common(app: FastAPI) -> None:
    @app.get("/")
    def home(request: Request) -> Response:
        """Each role's own front page."""
        return RedirectResponse(HOME[account_of(request).role], 303)

    @app.post("/language")
    def language(request: Request) -> Response:
        """Another language, remembered on this browser and with the account."""
        asked, house, visit = request.state.form.get("language", ""), house_of(request), visit_of(request)
        chosen = next((lang for lang in LANGUAGES if lang == asked), None)
        if chosen is None:
            raise Refusal(400, "bad_form")
        if visit.account is not None:
            set_language(house.store, visit.account.name, chosen)
        answer = RedirectResponse(way_back(request.state.form.get("back", "")), 303)
        house.set_cookie(answer, LANGUAGE_COOKIE, chosen, YEAR_SECONDS)
        return answer

    def public_file(text: str, kind: str) -> Response:
        return Response(text, media_type=kind, headers={"Cache-Control": "public, max-age=3600"})

    @app.get("/web.css")
    def css(request: Request) -> Response:
        asked = request.query_params.get("language")
        return public_file(stylesheet(next((lang for lang in LANGUAGES if lang == asked), LANGUAGES[0])), "text/css")

    @app.get("/icon.svg")
    def icon() -> Response:
        return public_file(ICON, "image/svg+xml")
