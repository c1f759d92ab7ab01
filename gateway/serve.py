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
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import psycopg
import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from gateway import log
from gateway.settings import Settings
from storage import migrate
from storage.cluster import NotStarted
from storage.embedded import running_url, start_embedded
from storage.session import driver_url

TARGET = "gateway.app:create"
# What is in hand is finished within this time, or the worker is killed.
GRACE_SECONDS = 30
_log = structlog.get_logger(__name__)


class CannotStart(Exception):
    """The gateway cannot start; the text says what to do, in one line."""


def serve(settings: Settings, target: str = TARGET) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotStart, or SystemExit if a worker could not go on."""
    # Until Granian takes the signals over, a stop must unwind this function and so stop the database.
    signal.signal(signal.SIGTERM, _unwind)
    check_ports(settings)
    with database(settings) as url:
        prepare(url)
        os.environ.update(settings.model_copy(update={"database_url": url}).environment())
        # Loaded here, so that forked workers share it, and one that cannot be loaded ends the start.
        import_module(target.partition(":")[0])
        _log.info("listening", host=settings.host, http_port=settings.http_port, mllp_port=settings.mllp_port)
        _granian(settings, target).serve(target_loader=partial(_load, target), wrap_loader=False)
    _log.info("stopped")


def _unwind(*_: object) -> None:
    raise SystemExit(0)


def _granian(settings: Settings, target: str) -> MPServer:
    return MPServer(
        target,
        address=settings.host,
        port=settings.http_port,
        interface=Interfaces.ASGI,
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
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)()


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


def _try_port(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
