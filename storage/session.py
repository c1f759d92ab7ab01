"""Connections to PostgreSQL: the pool, plain reads, and the transaction that one unit of work runs in."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.types.json import set_json_dumps
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError

from storage.lexical import DECODER, ENCODER
from storage.trip import ask, forget

NO_WAIT = b"SELECT set_config('synchronous_commit', 'off', true)"
"""For one transaction: what it commits is on the disk with the next commit of anybody that waits for it."""
WAIT = b"SELECT pg_logical_emit_message(true, 'suture', '')"
"""A transaction that changes nothing and yet is written, behind all that was committed before."""

T = TypeVar("T")
Raw = psycopg.Connection[tuple[Any, ...]]

STATEMENT_TIMEOUT = "60s"
LOCK_TIMEOUT = "15s"
IDLE_TIMEOUT = "60s"
_DRIVER = "postgresql+psycopg"
# Serialization failure, deadlock, a prepared statement that the server has dropped: the same work may succeed
# if it is done again from its start.
_TRY_AGAIN = frozenset({"40001", "40P01", "26000"})
_PAUSE_SECONDS = 0.005


def normalise_url(url: str) -> str:
    """``url`` for SQLAlchemy with psycopg; takes postgres://, postgresql:// and postgresql+psycopg://.

    Raises ValueError for any other scheme.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in ("postgres", "postgresql", _DRIVER):
        raise ValueError("the database URL must begin with postgresql://")
    return f"{_DRIVER}://{rest}"


def driver_url(url: str) -> str:
    """``url`` as psycopg and PostgreSQL's own programs take it; raises ValueError as ``normalise_url``."""
    return normalise_url(url).replace(_DRIVER, "postgresql", 1)


class Session:
    """One transaction on one connection, ``raw``."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.hurried = False

    def hurry(self) -> None:
        """Let go of what is locked when the transaction is committed, and not when the disk has it; whoever
        asked for the transaction waits for the disk all the same.

        For locks that everybody needs: those who wait for them wait for no disk, and all reach it together.
        """
        if not self.hurried:
            self.hurried = True
            ask(self.raw, NO_WAIT)

    def allow_pauses(self) -> None:
        """Let the transaction go on however long nothing is asked of the database."""
        self.raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")

    def check(self) -> None:
        """Check now what is otherwise checked at the commit; raises psycopg's errors for what is refused."""
        self.raw.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Store:
    """A pool of connections to one database. Threads may share it; processes may not."""

    def __init__(self, url: str, pool_size: int = 10, *, wait_seconds: float = 30.0) -> None:
        """Open nothing yet; at most ``pool_size`` connections, and ``wait_seconds`` of waiting for one."""
        self.engine = sa.create_engine(
            normalise_url(url),
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=wait_seconds,
            pool_use_lifo=True,
            skip_autocommit_rollback=True,
            json_serializer=ENCODER.encode,
            json_deserializer=DECODER.decode,
            connect_args={"application_name": "suture"},
        )
        event.listen(self.engine, "connect", _configure)
        event.listen(self.engine, "checkout", _refuse_dead)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def connection(self) -> Generator[Raw]:
        """A psycopg connection in autocommit: for reads, and for what is committed statement by statement."""
        pooled = self.engine.raw_connection()
        raw: Any = pooled.driver_connection
        try:
            yield raw
        finally:
            if raw.closed:
                pooled.invalidate()
            else:
                pooled.close()

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """A transaction: committed at the end of the block, and on the disk; rolled back if it raises."""
        with self.connection() as raw:
            session = Session(raw)
            with _undone_whole(raw):
                yield session
            if session.hurried:
                raw.execute(WAIT, prepare=False)

    def run(self, work: Callable[[Session], T], attempts: int = 5) -> T:
        """The result of ``work`` in a transaction, done again from its start after a deadlock or conflict.

        ``work`` may run up to ``attempts`` times; any other error, and that of the last attempt, is raised.
        """
        for attempt in range(attempts - 1):
            try:
                with self.transaction() as session:
                    return work(session)
            except (psycopg.Error, DBAPIError) as error:
                if sqlstate(error) not in _TRY_AGAIN:
                    raise
            # Whoever won the conflict gets time to finish.
            time.sleep(_PAUSE_SECONDS * 2**attempt)
        with self.transaction() as session:
            return work(session)


def sqlstate(error: psycopg.Error | DBAPIError) -> str | None:
    """The five-character SQLSTATE of an error, whichever of the two ways the statement went."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def _configure(raw: Raw, _record: object) -> None:
    set_json_dumps(ENCODER.encode, raw)
    raw.execute(
        "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false), "
        "set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),"
        # Compiling a plan takes longer than any search that is planned well.
        " set_config('jit', 'off', false),"
        # Words wait in a list until somebody's write puts them in their places: little and often.
        " set_config('gin_pending_list_limit', '256kB', false)",
        [STATEMENT_TIMEOUT, LOCK_TIMEOUT, IDLE_TIMEOUT],
    )


def _refuse_dead(raw: Raw, _record: object, _pooled: object) -> None:
    # An idle connection has nothing to say. If there is something to read, the server has said goodbye.
    watch = select.poll()
    watch.register(raw.fileno(), select.POLLIN)
    if watch.poll(0):
        raise DisconnectionError


@contextmanager
def _undone_whole(raw: Raw) -> Generator[None]:
    """A transaction, or a part of the one that is open: what it did is undone if the block raises."""
    try:
        with raw.transaction():
            yield
    except BaseException:
        # The driver has the server drop all prepared statements after a rollback.
        forget(raw)
        raise


class Within(Store):
    """A store whose reads see what a transaction has written so far, and whose work is part of it."""

    def __init__(self, session: Session) -> None:
        """Open nothing: all goes over the connection of the session."""
        self._session = session

    def close(self) -> None:
        """Close nothing."""

    @contextmanager
    def connection(self) -> Generator[Raw]:
        """The connection of the transaction."""
        yield self._session.raw

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """The transaction itself."""
        yield self._session

    def run(self, work: Callable[[Session], T], attempts: int = 1) -> T:  # noqa: ARG002
        """The result of ``work``, once whatever ``attempts`` is: the transaction itself is done again.

        Where it raises, what it did is undone, and the transaction may go on.
        """
        with _undone_whole(self._session.raw):
            return work(self._session)
