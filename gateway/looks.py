"""Reads and searches, for the audit trail: noted in memory and written together, within a second.

A write tells of itself in its own transaction; a read has none, and one for the trail alone would cost more
than the read. So the last second of reads is lost if the process is killed; a stop writes what is noted.
https://hl7.org/fhir/R4/auditevent.html
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from storage import trail
from storage.model.people import SYSTEM_USER_ID
from storage.session import Store
from storage.trail import Look

if TYPE_CHECKING:
    from gateway.records import Caller

PAUSE_SECONDS = 1.0
MOST = 10_000
"""So many looks are kept in memory; whoever comes then writes them first."""

_log = structlog.get_logger(__name__)


class Looks:
    """The looks that were noted and not yet written; nothing is noted before ``start`` and after ``stop``."""

    def __init__(self, store: Store, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._store, self._clock, self._new_id = store, clock, new_id
        self._noted: deque[Look] = deque()
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to note, and to write what was noted."""
        self._thread = threading.Thread(target=self._run, name="looks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is noted still, and end."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
            self.write()

    def note(
        self,
        caller: Caller,
        resource_type: str | None,
        resource_id: UUID | None = None,
        fhir_id: str | None = None,
        status: int | None = None,
    ) -> None:
        """Note that a caller read a resource, by one of its ids, or searched for those of a type (None: of
        several); or was turned away with an HTTP status.
        """
        if self._thread is None:
            return
        self._noted.append(
            Look(
                self._new_id(),
                self._clock(),
                caller.door,
                caller.user,
                caller.address,
                resource_type,
                resource_id,
                fhir_id,
                status,
            )
        )
        if len(self._noted) > MOST:
            self.write()

    def write(self) -> None:
        """Write what is noted; what cannot be written is noted still, unless there is too much of it."""
        with self._writing:
            # Others may note meanwhile: what is taken is taken one by one.
            looks = [self._noted.popleft() for _ in range(len(self._noted))]
            if not looks:
                return
            try:
                with self._store.connection() as connection:
                    trail.write(connection, looks, SYSTEM_USER_ID)
            except (psycopg.Error, SQLAlchemyError) as error:
                kept = looks[-MOST // 2 :]
                self._noted.extendleft(reversed(kept))
                lost = len(looks) - len(kept)
                _log.error("reads not audited yet", count=len(looks), lost=lost, exc_info=error)

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            self.write()
