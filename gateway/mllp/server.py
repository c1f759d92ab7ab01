"""The MLLP listener: connections in, frames cut, one message after the other applied and answered in order.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import structlog

from gateway.mllp.framing import Event, Frame, Framer, Junk, Oversized, TooMuchJunk, Truncated, wrap
from gateway.mllp.receive import Receiver

if TYPE_CHECKING:
    from gateway.records import Records
    from gateway.settings import Settings

_log = structlog.get_logger(__name__)

CHUNK = 64 * 1024
SETTLE_SECONDS = 1.0
"""How long a frame that ended with 1C waits for its 0D before it is taken as complete."""
MAX_CONNECTIONS = 200
GRACE_SECONDS = 20


class Listener:
    """Listens on the MLLP port; ``start`` and ``stop`` belong to the application's life."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.receiver = Receiver(records)
        self.settings = settings
        self.connections: set[asyncio.Task[None]] = set()
        self.server: asyncio.Server | None = None
        self.stopping = asyncio.Event()

    async def start(self) -> None:
        """Bind the port; with several workers each binds it (SO_REUSEPORT) and the kernel spreads connections."""
        self.server = await asyncio.start_server(
            self._accept,
            self.settings.host,
            self.settings.mllp_port,
            reuse_address=True,
            reuse_port=self.settings.share_ports or None,
            limit=CHUNK,
        )

    async def stop(self) -> None:
        """Take no more connections; let each finish and answer the message in hand; then close them."""
        self.stopping.set()
        if self.server is not None:
            self.server.close()
        if self.connections:
            await asyncio.wait(self.connections, timeout=GRACE_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self.connections) >= MAX_CONNECTIONS:
            _log.warning("connection refused", reason="too many connections", limit=MAX_CONNECTIONS)
            writer.close()
            return
        self.connections.add(task)
        try:
            await Conversation(self, reader, writer).run()
        except ConnectionError:
            _log.info("connection lost")
        except Exception as exc:
            # The database is gone, or a fault of ours: nothing was acknowledged, the sender will send again.
            _log.error("connection closed", exc_info=exc)
        finally:
            self.connections.discard(task)
            writer.close()


class Conversation:
    """One connection: bytes to frames to acknowledgements, in the order in which the frames came."""

    def __init__(self, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.listener = listener
        self.reader = reader
        self.writer = writer
        self.framer = Framer(listener.settings.mllp_max_frame_bytes)
        peer = writer.get_extra_info("peername") or ("unknown",)
        self.remote = str(peer[0])
        keep_alive(writer.get_extra_info("socket"))

    async def run(self) -> None:
        """Serve until the peer ends, what it sends is no MLLP, or the listener stops."""
        while not self.listener.stopping.is_set():
            events = await self._next()
            if events is None:
                return
            for event in events:
                if not await self._react(event):
                    return

    async def _next(self) -> list[Event] | None:
        """Return what the next bytes complete; None when the listener stops. The end of the stream ends the framer."""
        reading = asyncio.ensure_future(self.reader.read(CHUNK))
        stopping = asyncio.ensure_future(self.listener.stopping.wait())
        try:
            done, _ = await asyncio.wait({reading, stopping}, timeout=SETTLE_SECONDS, return_when="FIRST_COMPLETED")
            while not done:
                events = self.framer.idle()
                if events:
                    return await self._with_rest(events, reading)
                done, _ = await asyncio.wait({reading, stopping}, return_when="FIRST_COMPLETED")
            if reading not in done:
                return None
            data = reading.result()
            return self.framer.feed(data) if data else [*self.framer.close(), End()]
        finally:
            stopping.cancel()
            if not reading.done():
                reading.cancel()

    async def _with_rest(self, events: list[Event], reading: asyncio.Future[bytes]) -> list[Event]:
        reading.cancel()
        return events

    async def _react(self, event: Event | End) -> bool:
        """Do what an event asks for; tell whether to go on."""
        if isinstance(event, Frame):
            await self._answer(await asyncio.to_thread(self.listener.receiver.receive, event.payload, self.remote))
            return True
        if isinstance(event, Junk):
            _log.warning("bytes outside a frame were skipped", remote=self.remote, count=event.count)
            return True
        if isinstance(event, (Truncated, Oversized)):
            oversized = isinstance(event, Oversized)
            head = event.head if isinstance(event, Oversized) else event.payload
            reason = "the message is longer than this listener takes" if oversized else event.reason  # type: ignore[union-attr]
            answers = await asyncio.to_thread(self.listener.receiver.refuse, head, self.remote, reason)
            await self._answer(answers if oversized else [])
            return not oversized
        if isinstance(event, TooMuchJunk):
            _log.warning("connection closed", remote=self.remote, reason="what it sends is not MLLP")
        return False

    async def _answer(self, answers: list[bytes]) -> None:
        for answer in answers:
            self.writer.write(wrap(answer))
        await self.writer.drain()


class End:
    """The peer has ended the stream."""


def keep_alive(connection: socket.socket | None) -> None:
    """Let the system notice peers that are gone without a word, within three minutes."""
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
