"""A short way in: routes whose handler wants the request and nothing else are called without the framework in between.

The framework reads parameters, resolves dependencies and checks answers; where a handler has no parameters and answers with
a finished response, that is work for nothing, and it costs as much as scoring a case. The route stays in the table: it is
described, listed and found as before, and what a handler raises goes to the same handlers of exceptions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


class Service(FastAPI):
    """The application with a short way past the framework and its layers."""

    _short: ASGIApp | None = None
    _routes: dict[tuple[str, str], APIRoute] | None = None

    def open_short_way(self, layers: Sequence[Callable[[ASGIApp], ASGIApp]]) -> None:
        """Let plain routes be called behind these layers only, the innermost first."""
        self._short = self._call_plainly
        for layer in layers:
            self._short = layer(self._short)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._short is not None and scope["type"] == "http":
            if self._routes is None:  # all routes are there by the first request
                self._routes = _plain_routes(self)
            route = self._routes.get((scope["method"], scope["path"]))
            if route is not None:
                scope["route"] = route
                await self._short(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _call_plainly(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await scope["route"].endpoint(request)
        except Exception as why:
            response = await _told(self, request, why)
        await response(scope, receive, send)


async def _told(app: FastAPI, request: Request, why: Exception) -> Any:
    """What the application's own handler makes of an exception; one without a handler goes on."""
    handlers: dict[Any, Any] = app.exception_handlers
    handler = next((handlers[kind] for kind in type(why).__mro__ if kind in handlers), None)
    if handler is None:
        raise why
    return await handler(request, why)


def _plain_routes(app: FastAPI) -> dict[tuple[str, str], APIRoute]:
    return {
        (method, route.path): route
        for route in app.routes
        if isinstance(route, APIRoute) and "{" not in route.path and _wants_the_request_only(route)
        for method in route.methods or ()
    }


def _wants_the_request_only(route: APIRoute) -> bool:
    wanted = inspect.signature(route.endpoint).parameters
    return list(wanted) == ["request"] and not route.dependencies and inspect.iscoroutinefunction(route.endpoint)
