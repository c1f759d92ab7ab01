"""Finds the peers for which something is queued, and has one courier for each.

Of several workers one sends to a destination; when it dies the database lets another take over.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF and HL7 v2.5.1, section 2.9:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.mllp.courier import STOP_SECONDS, TICK_SECONDS, Courier
from gateway.mllp.tls import Client
from storage import destinations, outbox

if TYPE_CHECKING:
    from psycopg import Connection

    from storage.session import Store

_log = structlog.get_logger(__name__)


class Outbound:
    """Finds out to whom there is something to send; ``start`` and ``stop`` are of the application's life."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        tick: float = TICK_SECONDS,
        client: Client | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.tick = tick
        self.client = client
        self.couriers: dict[UUID, Courier] = {}
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look for what is to be sent."""
        self.thread = threading.Thread(target=self._run, name="outbound", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Finish what is on the wire, and send no more."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(STOP_SECONDS * 4)

    def _run(self) -> None:
        down = False
        while not self.stopping.is_set():
            try:
                with self.store.connection() as connection:
                    down = False
                    self._serve(connection)
            except (psycopg.Error, SQLAlchemyError) as error:
                if not down and not self.stopping.is_set():
                    _log.error("no database to send from", error=type(error).__name__)
                down = True
                self.stopping.wait(self.tick * 4)

    def _serve(self, connection: Connection[Any]) -> None:
        """Send by this connection, which holds what keeps other workers from the same destinations."""
        try:
            while not self.stopping.is_set():
                self._look(connection)
                self.stopping.wait(self.tick * 2)
        finally:
            for courier in self.couriers.values():
                courier.stopping.set()
            for courier in self.couriers.values():
                courier.stop()
            self.couriers.clear()
            if not connection.closed:
                outbox.leave_all(connection)

    def _look(self, connection: Connection[Any]) -> None:
        """Begin to send to destinations that nobody serves; stop where one was changed or taken away."""
        wanted = {target.peer_id: target for target in destinations.destinations(connection)}
        for key, courier in [*self.couriers.items()]:
            if wanted.get(key) != courier.target or not courier.is_alive():
                self._drop(connection, key, courier)
        for key, target in wanted.items():
            if key not in self.couriers and outbox.take(connection, key):
                self.couriers[key] = Courier(target, connection, self.clock, self.tick, self.client)
                self.couriers[key].start()

    def _drop(self, connection: Connection[Any], key: UUID, courier: Courier) -> None:
        courier.stop()
        del self.couriers[key]
        outbox.leave(connection, key)
