"""`suture serve`: the database, the migrations, then Granian's worker processes; and all of it in reverse.

Each worker makes the app of `TARGET` from the environment and, in the app's lifespan, listens for MLLP on a
socket of its own, bound with SO_REUSEPORT where there are several. This process owns the embedded database
and stops it when the last worker has ended. If this process dies, the workers end by themselves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import psycopg
import structlog
from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server.mp import MPServer

from gateway import log
from gateway.mllp import tls
from gateway.settings import Settings
from storage import migrate
from storage.cluster import NotStarted
from storage.embedded import running_url, start_embedded
from storage.session import driver_url

TARGET = "gateway.app:create"
# What is in hand is finished within this time, or the worker is killed.
GRACE_SECONDS = 30
PAUSE_SECONDS = 0.5
STEADY_SECONDS = 30.0
"""A gateway that has served for so long is no longer ended by workers that die."""
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 30.0
_log = structlog.get_logger(__name__)


class CannotStart(Exception):
    """The gateway cannot start; the text says what to do, in one line."""


def serve(settings: Settings, target: str = TARGET) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotStart, or SystemExit if a worker could not go on."""
    # Until Granian takes the signals over, a stop must unwind this function and so stop the database.
    signal.signal(signal.SIGTERM, _unwind)
    check_ports(settings)
    check_certificates(settings)
    with database(settings) as url:
        prepare(url)
        os.environ.update(settings.model_copy(update={"database_url": url}).environment())
        # Loaded here, so that forked workers share it, and one that cannot be loaded ends the start.
        import_module(target.partition(":")[0])
        _log.info("listening", host=settings.host, http_port=settings.http_port, mllp_port=settings.mllp_port)
        _supervise(settings, target)
    _log.info("stopped")


def _supervise(settings: Settings, target: str) -> None:
    """Let the workers serve until a stop. Raises SystemExit if they die before they have ever served.

    Granian replaces a worker that dies, and gives up when the next does so within seconds: what killed it
    twice may be two messages. Then all workers begin anew, after a rest that doubles while they go on dying.
    """
    rest, steady = FIRST_REST_SECONDS, False
    while True:
        server, begun = _granian(settings, target), time.monotonic()
        try:
            server.serve(target_loader=partial(_load, target), wrap_loader=False)
        except SystemExit:
            if not _is_to_go_on(server, steady=steady or time.monotonic() - begun >= STEADY_SECONDS):
                raise
        else:
            return
        rest = FIRST_REST_SECONDS if time.monotonic() - begun >= STEADY_SECONDS else rest
        _log.error("workers die one after another", rest_seconds=rest)
        time.sleep(rest)
        rest, steady = min(rest * 2, LONGEST_REST_SECONDS), True


def _is_to_go_on(server: MPServer, *, steady: bool) -> bool:
    """Take the signals back, and tell whether workers that ended by themselves are to begin anew."""
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, _unwind)
    return steady and not server.interrupt_signal


def _unwind(*_: object) -> None:
    raise SystemExit(0)


def _granian(settings: Settings, target: str) -> MPServer:
    return MPServer(
        target,
        address=settings.host,
        port=settings.http_port,
        interface=Interfaces.ASGI,
        # Granian would take whichever loop it finds installed; the tests run on this one.
        loop=Loops.asyncio,
        workers=settings.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=log.standard_config(settings.log_format),
        factory=True,
    )


def _load(target: str) -> Callable[..., Any]:
    """Run in each worker: the app, and an end to the worker when its parent is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    _await_database(os.environ["SUTURE_DATABASE_URL"])
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)()


def _await_database(url: str) -> None:
    """Wait for a database that is away: workers that cannot start one after another end the gateway."""
    told = False
    while True:
        try:
            psycopg.connect(driver_url(url), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if not told:
                _log.warning("a worker waits for the database", error=_first_line(error))
            told = True
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _follow(parent: Any) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def database(settings: Settings, *, attach: bool = False) -> Generator[str]:
    """The URL of the database: the one given, or an embedded server that runs for the length of the block.

    With `attach` an embedded server that a gateway runs already is used as it is. Raises CannotStart.
    """
    url = settings.database_url or (running_url(settings.data_dir) if attach else None)
    if url is not None:
        yield driver_url(url)
        return
    try:
        server = start_embedded(settings.data_dir)
        with server as started:
            yield started.url
    except NotStarted as error:
        raise CannotStart(str(error)) from error


def prepare(url: str, revision: str = "head") -> None:
    """Reach the database and migrate it up to `revision`. Raises CannotStart."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
    except psycopg.OperationalError as error:
        raise CannotStart(
            f"cannot reach the database ({_first_line(error)}): check SUTURE_DATABASE_URL and that it runs"
        ) from error
    if version < 150000:
        raise CannotStart(f"the database is PostgreSQL {version // 10000}: Suture needs 15 or newer")
    try:
        migrate.upgrade(url, revision)
    except migrate.CommandError as error:
        raise CannotStart(
            f"cannot migrate the database ({_first_line(error)}): use the release that it was last used with"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def check_ports(settings: Settings) -> None:
    """See that the ports are free, before anything else is started. Raises CannotStart."""
    ports = [(settings.http_port, "SUTURE_HTTP_PORT")]
    if not settings.mllp_tls_only:
        ports.append((settings.mllp_port, "SUTURE_MLLP_PORT"))
    if settings.mllp_tls_cert is not None:
        ports.append((settings.mllp_tls_port, "SUTURE_MLLP_TLS_PORT"))
    for port, name in ports:
        try:
            _try_port(settings.host, port)
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {settings.host} port {port} ({error.strerror}): "
                f"stop what uses it, or set {name} or SUTURE_HOST to another"
            ) from error


def check_certificates(settings: Settings) -> None:
    """See that the files of TLS are what they should be. Raises CannotStart."""
    for check, names in (
        (tls.context_of, "SUTURE_MLLP_TLS_CERT, SUTURE_MLLP_TLS_KEY and SUTURE_MLLP_TLS_CA"),
        (tls.client_of, "SUTURE_MLLP_CLIENT_CERT and SUTURE_MLLP_CLIENT_KEY"),
    ):
        try:
            check(settings)
        except OSError as error:
            why = getattr(error, "reason", None) or error.strerror or _first_line(error)
            raise CannotStart(
                f"cannot use the certificates of TLS ({why}): check {names}; keys are without password"
            ) from error


def _try_port(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
