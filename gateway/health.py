"""Is it alive, is it ready, what has it done: for whoever runs the gateway."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from importlib.metadata import version
from time import perf_counter
from typing import Any

from litestar import Request, Response, get
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, Histogram, generate_latest

from gateway.openapi.call import call
from storage import site
from storage.session import Store

RELEASE = version("suture")


class State(Struct, omit_defaults=True):
    """How the gateway is."""

    status: str
    version: str = ""


UNAVAILABLE = 503


@get("/metrics", opt=call(answer=str, media_type="text/plain"))
async def shown_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give Prometheus the metrics of this worker, and the messages of the whole database."""
    messages = await asyncio.to_thread(request.app.state.counted.text)
    return Response(generate_latest() + messages, headers={"Content-Type": CONTENT_TYPE_LATEST})


_LABELS = ("method", "path", "status_code")
_DURATION = Histogram("suture_request_duration_seconds", "How long requests took, in seconds", _LABELS)
_IN_PROGRESS = Gauge("suture_requests_in_progress", "Requests that are being answered")


@lru_cache(maxsize=4096)
def _series(method: str, path: str, status: int) -> Any:
    return _DURATION.labels(method, path, status)


class Metered(ASGIMiddleware):
    """Counts and times requests by route, never by what a URL holds.

    The framework's own makes its labels anew for each request, at a fifth of what a read costs.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Answer a request, and note how long it took and how it ended."""
        begun, status = perf_counter(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        _IN_PROGRESS.inc()
        try:
            await next_app(scope, receive, seen)
        finally:
            _IN_PROGRESS.dec()
            asked: Any = scope
            _series(asked["method"], asked["path_template"], status).observe(perf_counter() - begun)


def reachable(store: Store) -> bool:
    """Tell whether the database answers."""
    with store.connection() as connection:
        return site.reachable(connection)


@get("/health/live", sync_to_thread=False, opt=call(answer=State))
def live() -> State:
    """Answer 200 as long as the process serves."""
    return State("alive")


@get("/health/ready", opt=call(answer=State, otherwise={UNAVAILABLE: State}))
async def ready(request: Request[Any, Any, Any]) -> Response[State]:
    """Answer 200 when the database answers too, else 503."""
    return await _state(request, State("ready"))


@get("/api/v1/health", opt=call(answer=State, otherwise={UNAVAILABLE: State}))
async def native_health(request: Request[Any, Any, Any]) -> Response[State]:
    """Answer what callers of the native API look for."""
    return await _state(request, State("healthy", RELEASE))


async def _state(request: Request[Any, Any, Any], good: State) -> Response[State]:
    try:
        well = await asyncio.to_thread(reachable, request.app.state.store)
    except Exception:  # noqa: BLE001 - whatever keeps the database from answering, the answer is the same
        well = False
    if well:
        return Response(good)
    return Response(State("unavailable"), status_code=UNAVAILABLE)


ROUTES = (live, ready, native_health, shown_metrics)
