"""Sends what is queued for one peer: one connection, one message in flight.

A message is sent until its peer answers that it has it, under the same MSH-10 each time.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF and HL7 v2.5.1, section 2.9:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
import structlog
from prometheus_client import Counter

from gateway.mllp import late
from gateway.mllp.acknowledge import Code
from gateway.mllp.link import Link
from gateway.mllp.send import Ack, NotAcknowledged, Silent
from mappings.er7 import read
from storage import outbox
from storage.outbox import Reply, Waiting

if TYPE_CHECKING:
    from psycopg import Connection

    from gateway.mllp.send import Line
    from gateway.mllp.tls import Client
    from storage.destinations import Destination

_log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 0.5
"""How often a worker looks for what was queued."""
IDLE_SECONDS: Final = 60.0
"""How long a connection is kept open that nothing is sent on."""
LOOK_SECONDS: Final = 1.0
"""How often it is looked whether an application acknowledgement came by another connection."""
STOP_SECONDS: Final = 5.0
FAULT_SECONDS: Final = 5.0
"""How long nothing is sent after the database refused something."""
ACCEPTED: Final = frozenset({Code.AA, Code.CA})
REJECTED: Final = frozenset({Code.AR, Code.CR})
SENT: Final = Counter(
    "suture_hl7_sendings_total",
    "Messages sent to peers by this worker, by what came of it: acked, failed (again later), dead, silent.",
    ("destination", "outcome"),
)


@dataclass
class Courier:
    """Sends to one destination, in a thread of its own, until it is stopped."""

    target: Destination
    connection: Connection[Any]
    clock: Callable[[], datetime]
    tick: float = TICK_SECONDS
    client: Client | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.link = Link(self.target, self.client)

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
        try:
            while not self.stopping.is_set():
                self.stopping.wait(self._step())
        except psycopg.Error as error:
            # Whoever has the destination next sends what was on the wire again, under its number.
            _log.error("sending stopped", peer=self.target.name, error=type(error).__name__)
            # What cannot be noted must not be sent as fast as the peer can answer.
            self.stopping.wait(FAULT_SECONDS)
        finally:
            self.link.close()

    def _step(self) -> float:
        """Send the message whose turn it is; return for how long there is nothing to do."""
        link, found = self.link, outbox.head(self.connection, self.target.peer_id, self.clock())
        self._listen()
        if found is None:
            link.idle += self.tick
            if link.idle > IDLE_SECONDS:
                link.close()
            return self.tick
        link.idle = 0.0
        if found.accepted:
            return self._note(found, self._unsettled("not awaited any longer"))
        try:
            line = link.open()
        except (OSError, UnicodeError) as error:
            link.tell(link.reason(error))
            return link.pause()
        if self.stopping.is_set():
            # Another may send by now.
            return 0.0
        outbox.sending(self.connection, found.id)
        return self._exchange(line, found)

    def _listen(self) -> None:
        """Take in what the peer told since, of messages that it had taken before."""
        for raw in self.link.unasked():
            late.settle(self.connection, self.target.peer_id, raw, self.clock())

    def _exchange(self, line: Line, found: Waiting) -> float:
        try:
            ack = line.exchange(1, found.raw)
        except NotAcknowledged as silence:
            # Whether it has the message nobody knows: it gets it again, under the same number, before others.
            self.link.close()
            self.link.tell(f"does not answer: {silence.reason}")
            SENT.labels(self.target.name, "silent").inc()
            return self.link.pause()
        self.link.failures = 0
        self.link.tell("answers")
        if ack.code == Code.CA:
            outbox.accepted(self.connection, found.id, ack.raw)
            if _tells_more(found.raw):
                return self._await(line, found)
        return self._note(found, self._judge(found, ack))

    def _await(self, line: Line, found: Waiting) -> float:
        """Wait for the application acknowledgement of a message that was taken, on this connection or any."""
        deadline = time.monotonic() + self.target.application_seconds
        is_open = True
        while (left := deadline - time.monotonic()) > 0 and not self.stopping.is_set():
            pause = min(left, LOOK_SECONDS)
            try:
                if is_open:
                    return self._note(found, self._judge(found, line.reply(1, found.control_id, pause)))
                self.stopping.wait(pause)
            except Silent:
                pass
            except NotAcknowledged:
                is_open = False
                self.link.close()
            if not outbox.is_open(self.connection, found.id):
                return 0.0
        if self.stopping.is_set():
            return 0.0
        return self._note(found, self._unsettled(f"none in {self.target.application_seconds} s"))

    def _unsettled(self, why: str) -> Reply:
        """Return what is noted of a message that was taken and of which nothing more was heard."""
        return Reply("acked", self.clock(), Code.CA, error=f"application acknowledgement: {why}")

    def _note(self, found: Waiting, reply: Reply) -> float:
        outbox.answered(self.connection, found.id, reply)
        SENT.labels(self.target.name, reply.status).inc()
        return 0.0

    def _judge(self, found: Waiting, ack: Ack) -> Reply:
        """Return what an answer makes of a message: taken, refused for good, or to be sent again later."""
        now = self.clock()
        told = (ack.code if ack.code in Code.__members__ else None, ack.raw or None, late.number_of(ack.raw))
        if ack.code in ACCEPTED or not ack.raw:
            return Reply("acked", now, *told)
        error = late.reason(ack.code, ack.raw)
        last = found.attempts + 1 >= self.target.most_attempts
        if ack.code in REJECTED or last:
            _log.error("message refused", peer=self.target.name, message_id=str(found.id), code=told[0])
            return Reply("dead", now, *told, error)
        wait = min(self.target.retry_seconds * 2 ** min(found.attempts, 20), self.target.most_retry_seconds)
        return Reply("failed", now, *told, error, now + timedelta(seconds=wait))


def _tells_more(raw: bytes) -> bool:
    """Tell whether a message asks for an application acknowledgement in any case (MSH-16)."""
    return read(raw).msh.field(16).text == "AL"
