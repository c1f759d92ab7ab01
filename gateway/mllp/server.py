"""The MLLP listener: connections in, frames cut, one message after the other applied and answered in order.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.mllp import tls
from gateway.mllp.admission import BROKEN, Admission
from gateway.mllp.framing import (
    PADDING,
    Event,
    Frame,
    Framer,
    Junk,
    Oversized,
    State,
    Truncated,
    wrap,
)
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
GRACE_SECONDS = 20.0
OTHER_PROTOCOL: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|PRI) [^\r\n]* HTTP/|\x16\x03[\x00-\x04]"
)
"""How a connection begins that is HTTP or TLS: its peer would wait for an answer that never comes."""


class Listener:
    """Listens on the MLLP port; ``start`` and ``stop`` belong to the application's life."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.receiver = Receiver(records, only_known=settings.mllp_only_known_peers)
        self.settings = settings
        self.admission = Admission(settings)
        self.conversations: dict[asyncio.Task[None], Conversation] = {}
        self.servers: list[asyncio.Server] = []
        self.stopping = False

    async def start(self) -> None:
        """Bind the ports, the plain one and that of TLS where they are asked for."""
        settings = self.settings
        if not settings.mllp_tls_only:
            await self._listen(settings.mllp_port)
        if settings.mllp_tls_cert is not None:
            secure = {"ssl": tls.context_of(settings), "ssl_handshake_timeout": tls.HANDSHAKE_SECONDS}
            await self._listen(settings.mllp_tls_port, **secure)

    async def _listen(self, port: int, **secure: Any) -> None:
        """Bind a port; of several workers each binds it (SO_REUSEPORT), the kernel spreads connections."""
        server = await asyncio.start_server(
            self._accept,
            self.settings.host,
            port,
            reuse_address=True,
            reuse_port=self.settings.share_ports or None,
            limit=CHUNK,
            **secure,
        )
        self.servers.append(server)

    async def stop(self) -> None:
        """Take no more connections; let each finish and answer the message in hand; then close them."""
        self.stopping = True
        for server in self.servers:
            server.close()
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
        remote = str((writer.get_extra_info("peername") or ("unknown",))[0])
        refusal = "stopping" if task is None or self.stopping else self.admission.enter(remote)
        if task is None or refusal is not None:
            _log.warning("connection refused", reason=refusal, remote=remote)
            writer.close()
            return
        self.conversations[task] = Conversation(self, reader, writer, remote)
        try:
            await self.conversations[task].run()
        except (ConnectionError, ssl.SSLError):
            _log.info("connection lost")
        except Exception as exc:  # noqa: BLE001 - one connection's end must not be the listener's
            # The database is gone, or a fault of ours: nothing was acknowledged, the sender sends again.
            _log.error("connection closed", exc_info=exc)
        finally:
            await _close(writer)
            self.admission.leave(remote)
            del self.conversations[task]


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection: over TLS both sides have to say so, and a peer may not."""
    writer.close()
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


class Conversation:
    """One connection: bytes to frames to acknowledgements, in the order in which the frames came."""

    def __init__(
        self, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, remote: str
    ) -> None:
        self.listener = listener
        self.reader = reader
        self.writer = writer
        self.remote = remote
        self.certificate = tls.names(writer.get_extra_info("ssl_object"))
        self.settings = listener.settings
        self.framer = Framer(
            self.settings.mllp_max_frame_bytes,
            junk_limit=self.settings.mllp_max_junk_bytes,
            accept_bare=self.settings.mllp_accept_bare,
        )
        self.ended = "the connection was closed inside a frame"
        """Why a frame that is in hand at the end was not whole."""
        self.reading = False
        """Whether it waits for bytes: only then a stop may end it at once."""
        self.answering = False
        """Whether it waits for the peer to read."""
        self._warned = False
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
        await self._react(self.framer.close(self.ended))

    async def _read(self) -> bytes:
        """Return the next bytes; none at the end of the stream, after too long a silence, or when the
        listener stops.
        """
        while not self.listener.stopping:
            self.reading = True
            try:
                async with asyncio.timeout(self._patience()):
                    return await self.reader.read(CHUNK)
            except TimeoutError:
                self.reading = False
                if not self.framer.unsettled:
                    self._fall_silent()
                    break
                await self._react(self.framer.idle())
            except asyncio.CancelledError:
                if not self.listener.stopping:
                    raise
            finally:
                self.reading = False
        return b""

    def _patience(self) -> float:
        """Return for how many seconds the peer may send nothing."""
        if self.framer.unsettled:
            return SETTLE_SECONDS
        inside = self.framer.state is State.INSIDE
        return self.settings.mllp_frame_seconds if inside else self.settings.mllp_idle_seconds

    def _fall_silent(self) -> None:
        self.ended = "the rest of the message did not come in time"
        _log.info("connection closed", reason="the peer was silent too long", remote=self.remote)

    async def _react(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                if self.listener.stopping:
                    return
                await self._receive(event)
            elif isinstance(event, Oversized):
                BROKEN.labels("too long").inc()
                refuse = self.listener.receiver.refuse
                await self._answer(await asyncio.to_thread(refuse, event.head, self.remote, self.certificate))
                await self._linger()
            elif isinstance(event, Truncated):
                BROKEN.labels("cut off").inc()
                await asyncio.to_thread(self.listener.receiver.keep, event.payload, self.remote, event.reason)
            elif isinstance(event, Junk):
                self._warn("bytes outside a frame were skipped", count=event.count)
            else:
                self._warn("connection closed", reason="what it sends is not MLLP")

    async def _receive(self, frame: Frame) -> None:
        """Answer a frame; what is due before its messages are applied is answered at once."""
        if frame.warnings:
            self._warn("a frame was not quite one", odd="; ".join(frame.warnings))
        if self.settings.mllp_ignore_empty and not frame.payload.strip(PADDING):
            return
        loop = asyncio.get_running_loop()

        def at_once(answer: bytes) -> None:
            loop.call_soon_threadsafe(self._write, [answer])

        receive = self.listener.receiver.receive
        await self._answer(
            await asyncio.to_thread(receive, frame.payload, self.remote, self.certificate, at_once)
        )

    def _write(self, answers: list[bytes]) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(b"".join(map(wrap, answers)))

    async def _answer(self, answers: list[bytes]) -> None:
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self._write(answers)
        if self.writer.transport.get_write_buffer_size():
            self.answering = True
            await self.writer.drain()
            self.answering = False

    async def _linger(self) -> None:
        """Let the peer read its answer: a connection closed with bytes unread is reset, the answer lost."""
        if self.writer.can_write_eof():
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
