"""The MLLP listener: connections in, frames cut, one message after the other applied and answered in order.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from functools import partial
from logging import ERROR, INFO, WARNING
from typing import TYPE_CHECKING, Final

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.mllp import doors, tls
from gateway.mllp.admission import BROKEN, MANY, MANY_OF_ONE, REFUSED, Admission
from gateway.mllp.doors import CHUNK
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
from gateway.mllp.held import Held
from gateway.mllp.quiet import Quiet
from gateway.mllp.receive import NO_ROOM, TOO_LONG, Receiver
from gateway.mllp.taken import take_up

if TYPE_CHECKING:
    from gateway.records import Records
    from gateway.settings import Settings

_log = structlog.get_logger(__name__)

SLOWEST = 1024
"""A frame has `mllp_frame_seconds`, and a second more for each so many bytes that have come of it."""
SETTLE_SECONDS = 1.0
"""How long a frame that ended with 1C waits for its 0D before it is taken as complete."""
LINGER_SECONDS = 2.0
"""How long a peer has to take its last answers before its connection is broken off."""
GRACE_SECONDS = 20.0
TURNS: Final = 20
"""How many turns the loop takes to see that a peer who comes again has ended its last connection."""
LATER_SECONDS = 2.0
"""How long to wait before what was left behind is looked for again."""
OTHER_PROTOCOL: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|PRI) [^\r\n]* HTTP/|\x16\x03[\x00-\x04]"
)
"""How a connection begins that is HTTP or TLS: its peer would wait for an answer that never comes."""


class Listener:
    """Listens on the MLLP port; ``start`` and ``stop`` belong to the application's life."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.receiver = Receiver(records, only_known=settings.mllp_only_known_peers)
        self._made_at = records.clock()
        self.settings = settings
        self.admission = Admission(settings)
        self.held = Held(max(settings.mllp_max_held_bytes, settings.mllp_max_frame_bytes))
        self.quiet = Quiet()
        self.conversations: dict[asyncio.Task[None], Conversation | None] = {}
        """Those who are connected; None while they agree on a key."""
        self._doors: list[asyncio.Task[None]] = []
        self._fresh: dict[asyncio.Task[None], socket.socket] = {}
        """Connections that nothing has been done with yet."""
        self.stopping = False
        self._later: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Apply what was left behind; bind the ports: the plain one, that of TLS where it is asked for."""
        settings = self.settings
        if not await self._take_up():
            self._later = asyncio.create_task(self._take_up_later())
        if not settings.mllp_tls_only:
            await self._listen(settings.mllp_port)
        if settings.mllp_tls_cert is not None:
            await self._listen(settings.mllp_tls_port, tls.context_of(settings))

    async def _take_up(self) -> bool:
        """Apply what was left behind; return whether the database could be reached."""
        try:
            await asyncio.to_thread(take_up, self.receiver, self._made_at)
        except (psycopg.Error, SQLAlchemyError) as error:
            _log.warning("no database to take messages up from", error=type(error).__name__)
            return False
        return True

    async def _take_up_later(self) -> None:
        """Apply what was left behind once the database is back: the gateway serves as soon as it is."""
        while not self.stopping:
            await asyncio.sleep(LATER_SECONDS)
            if await self._take_up():
                return

    async def _listen(self, port: int, context: ssl.SSLContext | None = None) -> None:
        """Bind a port; of several workers each binds it (SO_REUSEPORT), the kernel spreads connections."""
        for door in await doors.bound(self.settings.host, port, shared=self.settings.share_ports):
            self._doors.append(asyncio.create_task(doors.keep(door, partial(self._enter, context))))

    async def stop(self) -> None:
        """Take no more connections; let each finish and answer the message in hand; then close them."""
        self.stopping = self.admission.closed = True
        if self._later is not None:
            self._later.cancel()
        for task in self._doors:
            task.cancel()
        for task, conversation in self.conversations.items():
            if conversation is None or conversation.reading:
                task.cancel()
        await asyncio.gather(*self._doors, return_exceptions=True)
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
            if conversation is not None and (conversation.answering or not answering):
                conversation.writer.transport.abort()

    async def _enter(self, context: ssl.SSLContext | None, connection: socket.socket, remote: str) -> None:
        """Let a connection in, or show it out before anything is read of it."""
        refusal = self.admission.enter(remote)
        for _ in range(TURNS):
            if refusal not in (MANY, MANY_OF_ONE):
                break
            await asyncio.sleep(0)
            refusal = self.admission.enter(remote)
        if refusal is not None:
            self._show_out(remote, refusal)
            connection.close()
            return
        task = asyncio.create_task(self._serve(connection, remote, context))
        self.conversations[task] = None
        self._fresh[task] = connection
        task.add_done_callback(partial(self._left, remote))

    def _show_out(self, remote: str, reason: str, **told: str) -> None:
        REFUSED.labels(reason).inc()
        self.quiet.tell(WARNING, "connection refused", remote, reason=reason, **told)

    def _left(self, remote: str, task: asyncio.Task[None]) -> None:
        """Note that a connection has ended."""
        self.admission.leave(remote)
        conversation = self.conversations.pop(task)
        if conversation is not None:
            self.held.note(conversation, 0)
        if task in self._fresh:
            self._fresh.pop(task).close()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell_end(error, remote)

    def _tell_end(self, error: BaseException, remote: str) -> None:
        """Log why a connection ends; before it does, so that whoever sees the end finds the reason."""
        if isinstance(error, (psycopg.Error, SQLAlchemyError)):
            # Nothing was acknowledged: the sender sends again, and again until the database is back.
            told = type(error).__name__
            self.quiet.tell(ERROR, "connection closed", remote, reason="no database", error=told)
        elif isinstance(error, (ConnectionError, ssl.SSLError)):
            self.quiet.tell(INFO, "connection lost", remote)
        else:
            self.quiet.tell(ERROR, "connection closed", remote, exc_info=error)

    async def _serve(self, connection: socket.socket, remote: str, context: ssl.SSLContext | None) -> None:
        """Agree with a peer on a key, where there is TLS, and then on messages."""
        task = asyncio.current_task()
        if task is None or self._fresh.pop(task, None) is None:
            return
        keep_alive(connection)
        try:
            reader, writer = await doors.opened(connection, context)
        except OSError as error:
            reason = "too slow for TLS" if isinstance(error, doors.TooSlow) else "no TLS"
            self._show_out(remote, reason, told=doors.cause(error))
            return
        self.conversations[task] = conversation = Conversation(self, task, reader, writer, remote)
        try:
            await conversation.run()
        except Exception as error:  # noqa: BLE001 - one connection's end must not be the listener's
            self._tell_end(error, remote)
        finally:
            await _close(writer)


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
        self,
        listener: Listener,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        remote: str,
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
        self._task = task
        self._begun: float | None = None
        """When the frame in hand began, by the loop's clock."""

    @property
    def unfinished(self) -> int:
        """How many bytes it has of a message that is not whole."""
        return self.framer.held

    def give_way(self) -> None:
        """Let go of these, and refuse that message."""
        self.framer.give_up(NO_ROOM)
        if self.reading:
            self._task.cancel()

    async def run(self) -> None:
        """Serve until the peer ends, what it sends is no MLLP, or the listener stops."""
        data = await self._read()
        if data and OTHER_PROTOCOL.match(data):
            self._warn("connection closed", reason="what it sends is not MLLP")
            return
        while data and not self.framer.stopped:
            events = self.framer.feed(data)
            self.listener.held.note(self, self.framer.held + sum(map(size_of, events)))
            await self._react(events)
            self.listener.held.note(self, self.framer.held)
            data = await self._read()
        await self._react(self.framer.close(self.ended))

    async def _read(self) -> bytes:
        """Return the next bytes; none at the end of the stream, after too long a silence, or when the
        listener stops.
        """
        while not self.listener.stopping and not self.framer.stopped:
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
                if not self.listener.stopping and not self.framer.stopped:
                    raise
                self._task.uncancel()
            finally:
                self.reading = False
        return b""

    def _patience(self) -> float:
        """Return for how many seconds the peer may send nothing."""
        if self.framer.unsettled:
            return SETTLE_SECONDS
        if self.framer.state is not State.INSIDE:
            self._begun = None
            return self.settings.mllp_idle_seconds
        now, most = asyncio.get_running_loop().time(), self.settings.mllp_frame_seconds
        self._begun = self._begun or now
        # A byte now and then would keep a place for ever.
        return min(most, max(self._begun + most + self.framer.held / SLOWEST - now, 0))

    def _fall_silent(self) -> None:
        self.ended = "the rest of the message did not come in time"
        self.listener.quiet.tell(
            INFO, "connection closed", self.remote, reason="the peer was silent too long"
        )

    async def _react(self, events: list[Event]) -> None:
        if events:
            self._begun = None
        for event in events:
            if isinstance(event, Frame):
                if self.listener.stopping:
                    return
                await self._receive(event)
            elif isinstance(event, Oversized):
                await self._refuse(event)
            elif isinstance(event, Truncated):
                BROKEN.labels("cut off").inc()
                keep = self.listener.receiver.keep
                await asyncio.to_thread(keep, event.payload, self.remote, event.reason, self.certificate)
            elif isinstance(event, Junk):
                self._warn("bytes outside a frame were skipped", count=event.count)
            else:
                self._warn("connection closed", reason="what it sends is not MLLP")

    async def _refuse(self, event: Oversized) -> None:
        """Answer a message that is too long, or for which there is no room."""
        reason = event.reason or TOO_LONG
        BROKEN.labels("no room" if event.reason else "too long").inc()
        self.listener.quiet.tell(WARNING, "message refused", self.remote, reason=reason)
        refuse = self.listener.receiver.refuse
        await self._answer(await asyncio.to_thread(refuse, event.head, self.remote, self.certificate, reason))
        await self._linger()

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
            await asyncio.to_thread(
                receive, frame.payload, self.remote, self.certificate, at_once, self._is_gone
            )
        )

    def _is_gone(self) -> bool:
        """Whether the peer has ended the connection, as far as can be seen."""
        return self.writer.transport.is_closing() or self.reader.at_eof()

    def _write(self, answers: list[bytes]) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(b"".join(map(wrap, answers)))

    async def _answer(self, answers: list[bytes]) -> None:
        if answers and self.writer.transport.is_closing():
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
            self.listener.quiet.tell(INFO, "the peer went on sending", self.remote)

    def _warn(self, event: str, **told: object) -> None:
        """Warn once for a connection: a peer that sends rubbish sends much of it."""
        if not self._warned:
            self.listener.quiet.tell(WARNING, event, self.remote, **told)
        self._warned = True


def size_of(event: Event) -> int:
    """Return how many bytes an event holds."""
    return len(event.payload) if isinstance(event, (Frame, Truncated)) else 0


def keep_alive(connection: socket.socket) -> None:
    """Let the system notice peers that are gone without a word, within three minutes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
