"""The MLLP listener: connections in, frames cut, one message after the other applied and answered in order.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from gateway.mllp.framing import Event, Frame, Framer, Junk, Oversized, State, TooMuchJunk, wrap
from gateway.mllp.receive import Receiver

if TYPE_CHECKING:
    from gateway.records import Records
    from gateway.settings import Settings

_log = structlog.get_logger(__name__)

CHUNK: Final = 64 * 1024
SETTLE_SECONDS = 1.0
"""How long a frame that ended with 1C waits for its 0D before it is taken as complete."""
LINGER_SECONDS = 2.0
"""How long a peer has to take its last answers before its connection is broken off."""
MAX_CONNECTIONS = 200
GRACE_SECONDS = 20.0
OTHER_PROTOCOL: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|PRI) [^\r\n]* HTTP/|\x16\x03[\x00-\x04]"
)
"""How a connection begins that is HTTP or TLS: its peer would wait for an answer that never comes."""


class Listener:
    """Listens on the MLLP port; ``start`` and ``stop`` belong to the application's life."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.receiver = Receiver(records)
        self.settings = settings
        self.conversations: dict[asyncio.Task[None], Conversation] = {}
        self.server: asyncio.Server | None = None
        self.stopping = False

    async def start(self) -> None:
        """Bind the port; of several workers each binds it (SO_REUSEPORT), the kernel spreads connections."""
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
        self.stopping = True
        if self.server is not None:
            self.server.close()
        for task, conversation in self.conversations.items():
            if conversation.reading:
                task.cancel()
        await self._ended(LINGER_SECONDS)
        self._break_off(answering=True)
        await self._ended(GRACE_SECONDS)
        self._break_off(answering=False)

    async def _ended(self, seconds: float) -> None:
        if self.conversations:
            await asyncio.wait(self.conversations, timeout=seconds)

    def _break_off(self, *, answering: bool) -> None:
        """Break off the conversations that are left, or those whose peer does not read its answers."""
        for conversation in self.conversations.values():
            if conversation.answering or not answering:
                conversation.writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self.stopping or len(self.conversations) >= MAX_CONNECTIONS:
            _log.warning("connection refused", reason="too many connections", limit=MAX_CONNECTIONS)
            writer.close()
            return
        self.conversations[task] = Conversation(self, reader, writer)
        try:
            await self.conversations[task].run()
        except ConnectionError:
            _log.info("connection lost")
        except Exception as exc:  # noqa: BLE001 - one connection's end must not be the listener's
            # The database is gone, or a fault of ours: nothing was acknowledged, the sender sends again.
            _log.error("connection closed", exc_info=exc)
        finally:
            del self.conversations[task]
            writer.close()


class Conversation:
    """One connection: bytes to frames to acknowledgements, in the order in which the frames came."""

    def __init__(
        self, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.listener = listener
        self.reader = reader
        self.writer = writer
        self.framer = Framer(listener.settings.mllp_max_frame_bytes)
        self.reading = False
        """Whether it waits for bytes: only then a stop may end it at once."""
        self.answering = False
        """Whether it waits for the peer to read."""
        self._warned = False
        peer = writer.get_extra_info("peername") or ("unknown",)
        self.remote = str(peer[0])
        keep_alive(writer.get_extra_info("socket"))

    async def run(self) -> None:
        """Serve until the peer ends, what it sends is no MLLP, or the listener stops."""
        data = await self._read()
        if data and OTHER_PROTOCOL.match(data):
            self._warn("connection closed", reason="what it sends is not MLLP")
            return
        while data:
            await self._react(self.framer.feed(data))
            if self.framer.state is State.STOPPED:
                return
            data = await self._read()
        await self._react(self.framer.close())

    async def _read(self) -> bytes:
        """Return the next bytes; none at the end of the stream, or when the listener stops."""
        while not self.listener.stopping:
            self.reading = True
            try:
                async with asyncio.timeout(SETTLE_SECONDS if self.framer.unsettled else None):
                    return await self.reader.read(CHUNK)
            except TimeoutError:
                self.reading = False
                await self._react(self.framer.idle())
            except asyncio.CancelledError:
                if not self.listener.stopping:
                    raise
            finally:
                self.reading = False
        return b""

    async def _react(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                if self.listener.stopping:
                    return
                await self._answer(await self._in_thread(self.listener.receiver.receive, event.payload))
            elif isinstance(event, Oversized):
                await self._answer(await self._in_thread(self.listener.receiver.refuse, event.head))
                await self._linger()
            elif isinstance(event, Junk):
                self._warn("bytes outside a frame were skipped", count=event.count)
            elif isinstance(event, TooMuchJunk):
                self._warn("connection closed", reason="what it sends is not MLLP")
            else:
                await asyncio.to_thread(self.listener.receiver.keep, event.payload, self.remote, event.reason)

    async def _in_thread(self, receive: Callable[[bytes, str], list[bytes]], payload: bytes) -> list[bytes]:
        return await asyncio.to_thread(receive, payload, self.remote)

    async def _answer(self, answers: list[bytes]) -> None:
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(b"".join(map(wrap, answers)))
        if self.writer.transport.get_write_buffer_size():
            self.answering = True
            await self.writer.drain()
            self.answering = False

    async def _linger(self) -> None:
        """Let the peer read its answer: a connection closed with bytes unread is reset, the answer lost."""
        self.writer.write_eof()
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while await self.reader.read(CHUNK):
                    pass
        except TimeoutError:
            _log.info("the peer went on sending", remote=self.remote)

    def _warn(self, event: str, **told: object) -> None:
        """Warn once for a connection: a peer that sends rubbish sends much of it."""
        if not self._warned:
            _log.warning(event, remote=self.remote, **told)
        self._warned = True


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
