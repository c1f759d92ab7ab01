"""The one place where the parts meet: settings, clock and ids come in, a running application comes out."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException, MethodNotAllowedException

from gateway import allow, errors, health, log
from gateway.encoding import COMPRESSION, vary
from gateway.fhir import answer, operations
from gateway.fhir.ask import BASE
from gateway.fhir.job_runner import Jobs
from gateway.fhir.routes import FHIR
from gateway.hosts import Hosts
from gateway.known import HEADER, known_users
from gateway.mllp.metrics import Counted
from gateway.mllp.outbound import Outbound
from gateway.mllp.server import Listener
from gateway.mllp.tls import client_of
from gateway.native.routes import NATIVE
from gateway.openapi import page
from gateway.origins import Origins
from gateway.pages.messages import PAGES
from gateway.records import Records
from gateway.settings import Settings, split_origins
from gateway.unread import Unread
from storage.session import Store

_log = structlog.get_logger(__name__)

THREADS = 10
"""Connections of one worker's pool: as many as threads can use at once (asyncio's default is fewer)."""


FROM_PAGES = (
    "Accept",
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Exist",
    "If-None-Match",
    "Origin",
    "Prefer",
    "X-Requested-With",
    "X-User",
    "X-Security-Context",
)
"""Headers that a web page of another origin may send."""

TO_PAGES = (
    "Content-Location",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "X-Progress",
    "X-Security-Context",
)
"""Headers of answers that it may see."""


_NOISE = random.Random()  # noqa: S311
"""Ids are no secrets, and each row has one. Workers, which are forked, begin with a seed of their own."""
os.register_at_fork(after_in_child=_NOISE.seed)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a UUID of version 7 (RFC 9562, 6.2, method 3): its first 60 bits are the time to a quarter of a
    microsecond, so that rows made together stay together, in the order in which they were made.
    """
    millis, nanos = divmod(time.time_ns(), 1_000_000)
    fraction = (nanos << 12) // 1_000_000
    noise = _NOISE.getrandbits(62)
    return UUID(int=millis << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | noise)


def create() -> Litestar:
    """Make the application of a worker, from the environment."""
    settings = Settings()
    log.configure(settings.log_format)
    app = create_app(settings)
    # What is loaded stays, and what a request makes is gone with it: whole collections, which stop every
    # caller for a tenth of a second, are rarely worth their time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return app


def create_app(
    settings: Settings, clock: Callable[[], datetime] = now, make_id: Callable[[], UUID] = new_id
) -> Litestar:
    """Make the application; ``settings.database_url`` names a migrated database."""
    if settings.database_url is None:
        raise ValueError("the application needs the URL of a database that is there")
    # Each job in hand keeps a connection to itself, and so does what sends messages.
    store = Store(settings.database_url, pool_size=THREADS + settings.async_jobs + 1)
    records = Records(store, clock, make_id, settings.site_timezone, settings.mrn_authority)
    listener = Listener(records, settings)
    jobs = Jobs(store, clock, make_id, settings)
    outbound = Outbound(store, clock, client=client_of(settings))

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        records.looks.start()
        await listener.start()
        await jobs.start(app)
        outbound.start()
        try:
            yield
        finally:
            await asyncio.gather(listener.stop(), jobs.stop(), asyncio.to_thread(outbound.stop))
            await asyncio.to_thread(records.looks.stop)
            store.close()

    pages = cors(settings)
    app = Litestar(
        route_handlers=[FHIR, NATIVE, PAGES, *health.ROUTES],
        guards=[known_users] if settings.require_user else [],
        lifespan=[lifespan],
        exception_handlers={Exception: answer_problem},
        request_max_body_size=settings.max_body_bytes,
        compression_config=COMPRESSION,
        cors_config=pages,
        before_send=[allow.tell, vary("Accept-Encoding", *(["Origin"] if pages else []), in_formats=BASE)],
        openapi_config=page.config(),
        middleware=[Hosts(), Origins(split_origins(settings.cors_origins)), health.Metered(), Unread()],
        logging_config=None,
        debug=False,
    )
    app.state.records = records
    app.state.counted = Counted(records)
    app.state.store = store
    app.state.jobs = jobs
    app.state.settings = settings
    app.state.started = clock()
    return app


def cors(settings: Settings) -> CORSConfig | None:
    """Return which web pages may call the gateway from a browser, None for none.

    https://hl7.org/fhir/R4/http.html#3.1.0.1.3 and https://hl7.org/fhir/R4/security.html#cors
    """
    origins = split_origins(settings.cors_origins)
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=list(FROM_PAGES),
        expose_headers=list(TO_PAGES),
    )


def answer_problem(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer whatever went wrong in the words of the door that was asked; only faults of ours are logged."""
    problem = (
        problem_of_http(exc) if isinstance(exc, HTTPException) else errors.problem_of(exc, str(new_id()))
    )
    if isinstance(problem, (errors.NotFound, errors.MethodNotAllowed)):
        problem = no_operation(request.scope["path"]) or problem
    if problem.status >= 500:
        # Not the URL, which may hold names and numbers; the id is what the caller was told to quote.
        quoted = getattr(problem, "correlation_id", None)
        _log.error("request failed", id=quoted, method=request.method, error=problem.title(), exc_info=exc)
    found = answer.problem(problem) if request.scope["path"].startswith(BASE) else native_problem(problem)
    if isinstance(problem, errors.Unauthenticated):
        found.headers["WWW-Authenticate"] = HEADER
    if problem.status == 405 and isinstance(exc, MethodNotAllowedException) and exc.headers:
        found.headers.update(exc.headers)
    return found


def no_operation(path: str) -> errors.Problem | None:
    """Return the problem of a path of the FHIR door that names an operation which is not there, or None."""
    *place, name = path.removeprefix(BASE).strip("/").split("/")
    if not (path.startswith(f"{BASE}/") and name.startswith("$")) or operations.called(place, name[1:]):
        return None
    return errors.UnsupportedOperation(
        f"{'/'.join(place)[:160] or 'The system'} has no operation {name[:60]}."
    )


def native_problem(problem: errors.Problem) -> Response[bytes]:
    """Return the problem details of a problem, with its status (RFC 9457)."""
    content = answer.wire.encode(errors.problem_details(problem))
    return Response(content, status_code=problem.status, media_type="application/problem+json")


def problem_of_http(exc: HTTPException) -> errors.Problem:
    """Return the problem that an exception of the framework stands for."""
    kinds: dict[int, type[errors.Problem]] = {
        400: errors.BadRequest,
        404: errors.NotFound,
        405: errors.MethodNotAllowed,
        413: errors.TooLarge,
        415: errors.UnsupportedMediaType,
    }
    return kinds.get(exc.status_code, errors.BadRequest)()


__all__ = ["create", "create_app", "new_id", "now"]
