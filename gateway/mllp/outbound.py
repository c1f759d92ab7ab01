"""Sends what is queued for peers: one connection and one message in flight for each destination.

A message is sent until its peer answers that it has it, under the same MSH-10 each time. Of several workers
one sends to a destination; when it dies the database lets another take over.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF and HL7 v2.5.1, section 2.9:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.mllp.acknowledge import Code
from gateway.mllp.send import Ack, Line, NotAcknowledged
from mappings.er7 import NotHl7, read
from storage import outbox
from storage.outbox import Destination, Reply, Waiting

if TYPE_CHECKING:
    from psycopg import Connection

    from storage.session import Store

_log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 0.5
"""How often a worker looks for what was queued."""
IDLE_SECONDS: Final = 60.0
"""How long a connection is kept open that nothing is sent on."""
FIRST_PAUSE_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
ACCEPTED: Final = frozenset({Code.AA, Code.CA})
REJECTED: Final = frozenset({Code.AR, Code.CR})


@dataclass
class Link:
    """The connection to a peer as it stands, and what the log was last told of it."""

    target: Destination
    socket: socket.socket | None = None
    line: Line | None = None
    told: str = ""
    failures: int = 0
    idle: float = 0.0

    def open(self) -> Line:
        """Return the line to the peer, a new one where there is none that is still open. Raises OSError."""
        if self.line is not None and self.line.is_open():
            return self.line
        self.close()
        place = (self.target.host, self.target.port)
        self.socket = socket.create_connection(place, timeout=CONNECT_SECONDS)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.line = Line(self.socket, self.target.ack_seconds)
        return self.line

    def close(self) -> None:
        """Let go of the connection."""
        if self.socket is not None:
            self.socket.close()
        self.socket = self.line = None

    def hang_up(self) -> None:
        """Break the connection off, so that nobody waits for it."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def tell(self, state: str) -> None:
        """Log how the peer is to be reached, once for each change."""
        if state != self.told:
            log = _log.info if state == "answers" else _log.warning
            log("peer", peer=self.target.name, state=state)
        self.told = state

    def pause(self) -> float:
        """Return how long to wait after another failure to get through: longer each time."""
        self.failures += 1
        return min(FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1), self.target.most_retry_seconds)


@dataclass
class Courier:
    """Sends to one destination, in a thread of its own, until it is stopped."""

    target: Destination
    connection: Connection[Any]
    clock: Callable[[], datetime]
    tick: float = TICK_SECONDS
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.link = Link(self.target)

    def start(self) -> None:
        """Begin to send."""
        self.thread = threading.Thread(target=self._run, name=f"outbound-{self.target.name}", daemon=True)
        self.thread.start()

    def is_alive(self) -> bool:
        """Whether it still sends."""
        return self.thread is not None and self.thread.is_alive()

    def stop(self) -> None:
        """Let it finish what is on the wire, and end it: what is not answered by then is sent again later."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(STOP_SECONDS)
            self.link.hang_up()
            self.thread.join(STOP_SECONDS)

    def _run(self) -> None:
        link = self.link
        try:
            while not self.stopping.is_set():
                self.stopping.wait(self._step(link))
        except psycopg.Error as error:
            # Whoever has the destination next sends what was on the wire again, under its number.
            _log.error("sending stopped", peer=self.target.name, error=type(error).__name__)
        finally:
            link.close()

    def _step(self, link: Link) -> float:
        """Send the message whose turn it is; return for how long there is nothing to do."""
        found = outbox.head(self.connection, self.target.peer_id, self.clock())
        if found is None:
            link.idle += self.tick
            if link.idle > IDLE_SECONDS:
                link.close()
            return self.tick
        link.idle = 0.0
        try:
            line = link.open()
        except OSError:
            link.tell("cannot be reached")
            return link.pause()
        outbox.sending(self.connection, found.id)
        try:
            ack = line.exchange(1, found.raw)
        except NotAcknowledged as silence:
            # Whether it has the message nobody knows: it gets it again, under the same number, before others.
            link.close()
            link.tell(f"does not answer: {silence.reason}")
            return link.pause()
        link.failures = 0
        link.tell("answers")
        outbox.answered(self.connection, found.id, self._judge(found, ack))
        return 0.0

    def _judge(self, found: Waiting, ack: Ack) -> Reply:
        """Return what an answer makes of a message: taken, refused for good, or to be sent again later."""
        now = self.clock()
        told = (ack.code if ack.code in Code.__members__ else None, ack.raw or None, _number(ack.raw))
        if ack.code in ACCEPTED:
            return Reply("acked", now, *told)
        error = f"{ack.code or 'no code'}: {conditions(ack.raw)}".rstrip(": ")
        last = found.attempts + 1 >= self.target.most_attempts
        if ack.code in REJECTED or last:
            _log.error("message refused", peer=self.target.name, message_id=str(found.id), code=ack.code)
            return Reply("dead", now, *told, error)
        wait = min(self.target.retry_seconds * 2**found.attempts, self.target.most_retry_seconds)
        return Reply("failed", now, *told, error, now + timedelta(seconds=wait))


def _number(raw: bytes) -> str | None:
    """Return MSH-10 of an answer."""
    try:
        return read(raw).control_id[:199] or None
    except NotHl7:
        return None


def conditions(raw: bytes) -> str:
    """Return the conditions and places that an answer names (ERR-3, ERR-2, or ERR-1 of old): codes alone."""
    try:
        segments = read(raw).all("ERR")
    except NotHl7:
        return ""
    told: list[str] = []
    for segment in segments:
        code = segment.field(3).first.component(1) or segment.field(1).first.component(4)
        place = "-".join(part for part in (segment.field(2).first.component(n) for n in (1, 3)) if part)
        told.append(" ".join(part for part in (code, place) if part))
    return ", ".join(told)[:200]


class Outbound:
    """Finds out to whom there is something to send; ``start`` and ``stop`` are of the application's life."""

    def __init__(self, store: Store, clock: Callable[[], datetime], tick: float = TICK_SECONDS) -> None:
        self.store = store
        self.clock = clock
        self.tick = tick
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
        wanted = {target.peer_id: target for target in outbox.destinations(connection)}
        for key, courier in [*self.couriers.items()]:
            if wanted.get(key) != courier.target or not courier.is_alive():
                self._drop(connection, key, courier)
        for key, target in wanted.items():
            if key not in self.couriers and outbox.take(connection, key):
                self.couriers[key] = Courier(target, connection, self.clock, self.tick)
                self.couriers[key].start()

    def _drop(self, connection: Connection[Any], key: UUID, courier: Courier) -> None:
        courier.stop()
        del self.couriers[key]
        outbox.leave(connection, key)
