"""A private PostgreSQL in the data directory, for gateways that are given no database of their own.

Data directory: ``postgres`` (the cluster), ``postgres.log``, ``gateway.lock`` (held while a gateway runs, so
that two cannot share a directory) and, as root, ``postgresql-...`` (copied programs).

If the gateway is killed its PostgreSQL lives on; the next start stops it cleanly and starts its own. If
PostgreSQL is killed the gateway starts it again.
Connections are by a Unix socket in a folder that only the owner may enter; there is no TCP port.
No permission outside the data directory is ever changed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import structlog

from storage import cluster
from storage.account import Account, service_account
from storage.cluster import ROLE, NotStarted

DATABASE = "suture"
PAUSE_SECONDS = 0.5
"""How soon it is seen that a server has died."""
_PORT = "5432"
_SOCKET_PATH_LIMIT = 100  # the kernel allows 107 on Linux and 103 on macOS
_LOG_LIMIT = 10 * 1024 * 1024

_ALWAYS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "timezone=UTC",
    "log_timezone=UTC",
    # What a statement says, and which value broke a constraint, is patient data: it stays out of the log.
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    # What is read again and again is in memory, and disks have no arms any more.
    "random_page_cost=1.1",
)
# A new database has no statistics, and plans badly without: it gets them within seconds, not a minute.
_DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on", "autovacuum_naptime=5s")
_FLEETING = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")


_log = structlog.get_logger(__name__)


class InUse(NotStarted):
    """Another gateway runs on the data directory."""


class EmbeddedServer:
    """One PostgreSQL server over one data directory, from ``start`` to ``stop``."""

    def __init__(self, data_dir: Path, *, durable: bool = True, lasting: bool = False) -> None:
        """``lasting`` starts the server again when it dies without having been stopped."""
        self.data_dir = data_dir.resolve()
        self.folder = self.data_dir / "postgres"
        self._durable = durable
        self._lasting = lasting
        self._ending = threading.Event()
        self._watch: threading.Thread | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None

    @property
    def url(self) -> str:
        """The connection URL of the gateway's database."""
        if self._socket_folder is None:
            raise NotStarted(f"the database in {self.data_dir} is not running")
        return _url(self._socket_folder, DATABASE)

    def start(self) -> None:
        """Create the cluster if need be, start it and wait until it answers.

        Raises NotStarted (InUse if another gateway runs here) with one line that says what to do.
        """
        account = service_account()
        _open_data_dir(self.data_dir, account)
        self._lock = _claim(self.data_dir)
        try:
            self._launch(account)
        except BaseException:
            self.stop()
            raise
        if self._lasting:
            self._ending.clear()
            self._watch = threading.Thread(target=self._last, args=(account,), name="postgres", daemon=True)
            self._watch.start()

    def _last(self, account: Account) -> None:
        """Start the server again whenever it dies: whoever uses it finds it under the same URL."""
        while self._process is not None and not self._ending.is_set():
            try:
                self._process.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            if not self._ending.is_set():
                _log.error("the database died and is started again", status=self._process.returncode)
                self._launch_again(account)

    def _launch_again(self, account: Account) -> None:
        try:
            self._launch(account)
        except (NotStarted, OSError, psycopg.Error) as error:
            _log.error("the database does not start", error=type(error).__name__)
            self._ending.wait(PAUSE_SECONDS * 4)

    def _launch(self, account: Account) -> None:
        bin_folder = cluster.programs(account, self.data_dir)
        cluster.clear_leftover(self.folder)
        cluster.create(self.folder, bin_folder, account, durable=self._durable)
        self._socket_folder = _socket_folder(self.folder, account, self._socket_folder)
        options = [*_ALWAYS, *(_DURABLE if self._durable else _FLEETING)]
        command = [str(bin_folder / "postgres"), "-D", str(self.folder), "-k", str(self._socket_folder)]
        command += ["-p", _PORT, *(part for option in options for part in ("-c", option))]
        with _log_file(self.data_dir) as log:
            # A session of its own: Ctrl-C reaches the gateway, which stops the database last.
            self._process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **account.process_options(),
            )
        self._wait_until_ready(self._process)
        _create_database(self._socket_folder)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], patience: float = 300.0) -> None:
        # Recovery after a crash may take minutes.
        deadline = time.monotonic() + patience
        while True:
            found = cluster.postmaster(self.folder)
            if found is not None and found.pid == process.pid and found.ready:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"PostgreSQL did not start: see {self.data_dir / 'postgres.log'}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Shut the server down (connections are ended, what is committed is kept) and free the directory."""
        self._ending.set()
        if self._watch is not None:
            self._watch.join()
            self._watch = None
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._socket_folder is not None and self._socket_folder != self.folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def start_embedded(data_dir: Path, *, durable: bool = True) -> Generator[EmbeddedServer]:
    """Run a server over ``data_dir`` for the length of a ``with`` block; raises as ``EmbeddedServer.start``.

    If it dies within the block it is started again. ``durable=False`` is for tests: commits are not forced to
    the disk.
    """
    server = EmbeddedServer(data_dir, durable=durable, lasting=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that a gateway runs over ``data_dir`` now, for other commands; else None."""
    folder = data_dir.resolve() / "postgres"
    found = cluster.postmaster(folder)
    if found is None or not found.ready or found.pid not in cluster.processes(folder):
        return None
    return _url(found.socket_folder or folder, DATABASE)


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://{ROLE}@/{database}?host={quote(str(socket_folder), safe='')}&port={_PORT}"


def _open_data_dir(data_dir: Path, account: Account) -> None:
    try:
        fresh = not data_dir.exists() or not any(data_dir.iterdir())
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if fresh:
            # Only a folder that was empty is taken over: one with other things in it keeps its permissions.
            data_dir.chmod(0o710 if account.switch else 0o700)
            if account.switch:
                os.chown(data_dir, 0, account.gid)
    except OSError as error:
        raise NotStarted(
            f"cannot use the data directory {data_dir} ({error.strerror}): "
            "set SUTURE_DATA_DIR to a folder that you may write"
        ) from error
    closed = account.first_closed(data_dir)
    if closed is not None:
        raise NotStarted(
            f"the database runs as user {account.name}, who may not enter {closed}: "
            f"set SUTURE_DATA_DIR to a folder that it can reach, such as /var/lib/suture"
        )


def _claim(data_dir: Path) -> int:
    path = data_dir / "gateway.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise NotStarted(
            f"cannot write {path} ({error.strerror}): set SUTURE_DATA_DIR to a folder that you may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise InUse(
            f"a gateway (process {holder}) already runs on {data_dir}: stop it, set another SUTURE_DATA_DIR, "
            "or let both use one server by SUTURE_DATABASE_URL"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _socket_folder(folder: Path, account: Account, known: Path | None) -> Path:
    if len(f"{folder}/.s.PGSQL.{_PORT}".encode()) < _SOCKET_PATH_LIMIT:
        return folder
    # The path must be short, and stay what it is: it is in the URL.
    short = known or Path(tempfile.mkdtemp(prefix="suture-"))
    short.mkdir(mode=0o700, exist_ok=True)
    account.own(short)
    return short


@contextmanager
def _log_file(data_dir: Path) -> Generator[int]:
    path = data_dir / "postgres.log"
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield log
    finally:
        os.close(log)


def _create_database(socket_folder: Path) -> None:
    with psycopg.connect(_url(socket_folder, "postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _end(process: subprocess.Popen[bytes]) -> None:
    # SIGINT ends connections and writes a checkpoint; SIGQUIT leaves recovery to the next start.
    for kind, patience in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        if process.poll() is None:
            process.send_signal(kind)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
