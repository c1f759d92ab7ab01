"""A client for MLLP: one connection, one message in flight, each reply checked against its message.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.mllp.acknowledge import is_acknowledgement
from gateway.mllp.framing import PADDING, VT, Event, Frame, Framer, State, TooMuchJunk, Truncated, wrap
from mappings.er7 import Message, NotHl7, read, split_batch

_PIECE = 64 * 1024
_MOST_UNASKED = 100
_PAUSE = 0.2  # seconds after 1C in which a 0D should have come
_COMMENT = re.compile(
    # Only at the start or after a blank line: a wrapped line of Base64 may well begin with two strokes.
    rb"(?:\A[\s\0]*|(?<=\n\n)|(?<=\r\r)|(?<=\n\r\n))(?:(?://[^\r\n]*|/\*.*?\*/[^\r\n]*)[\s\0]*)+",
    re.DOTALL,
)
_MSH = re.compile(rb"[\s\0]*(?:\xef\xbb\xbf)?[\s\0]*MSH")
_BLANK_END = re.compile(rb"(\r\n|\r|\n)[\s\0]*\Z")


class NotAcknowledged(ConnectionError):
    """No acknowledgement came for message `position` (from 1); whether it was taken is not known."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"message {position}: {reason}")
        self.position = position
        self.reason = reason


class Silent(NotAcknowledged):
    """The connection stands, but no acknowledgement came in time."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The reply to one message. `code` is empty where none is due (itself a reply, or MSH-15/16 NE)."""

    position: int
    control_id: str
    code: str = ""
    text: str = ""
    raw: bytes = b""

    @property
    def accepted(self) -> bool:
        return self.code in ("AA", "CA", "")


def send(
    host: str,
    port: int,
    payloads: Iterable[bytes],
    timeout: float,
    on_ack: Callable[[Ack], None] | None = None,
) -> list[Ack]:
    """Send messages one after another and give their replies; `on_ack` gets each as it comes.

    `timeout` is the time in seconds to connect, and for each reply. A reply whose MSA-2 is not the MSH-10
    sent belongs to another message and is passed over. Raises OSError if there is no connection, and its
    kind NotAcknowledged if a reply does not come.
    """
    acks: list[Ack] = []
    with socket.create_connection((host, port), timeout=timeout) as connection:
        line = Line(connection, timeout)
        for position, payload in enumerate(payloads, 1):
            ack = line.exchange(position, payload)
            acks.append(ack)
            if on_ack:
                on_ack(ack)
    return acks


class Line:
    """One connection and what was read from it; `timeout` is the time in seconds for each reply."""

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self._socket = connection
        self._timeout = timeout
        self._framer = Framer()
        self._events: deque[Event] = deque()
        self._unasked: deque[bytes] = deque(maxlen=_MOST_UNASKED)

    def exchange(self, position: int, payload: bytes) -> Ack:
        """Send a message and return the reply that names it; others are passed over.

        Raises NotAcknowledged.
        """
        message = _readable(payload)
        control_id = message.control_id if message else ""
        deadline = time.monotonic() + self._timeout
        # What came before can be no answer, even if it names a message that is sent once more.
        self._put_aside(self._events)
        self._events.clear()
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(wrap(payload))
        except OSError as failure:
            raise NotAcknowledged(position, "the connection broke while sending") from failure
        if message and not _wants_reply(message):
            return Ack(position, control_id)
        return self._reply(position, control_id, deadline)

    def reply(self, position: int, control_id: str, seconds: float) -> Ack:
        """Return the next reply that names a message which was sent: in enhanced mode there may be two.

        Raises NotAcknowledged, and its kind Silent where none came in time.
        """
        return self._reply(position, control_id, time.monotonic() + seconds)

    def _reply(self, position: int, control_id: str, deadline: float) -> Ack:
        while True:
            reply = self._frame(position, deadline)
            if (ack := _acknowledged(reply, position, control_id)) is not None:
                return ack
            self._unasked.append(reply)

    def unasked(self) -> list[bytes]:
        """Return, once, the frames that were no reply to a message in hand."""
        self._put_aside(self._events)
        self._events.clear()
        found = list(self._unasked)
        self._unasked.clear()
        return found

    def _put_aside(self, events: Iterable[Event]) -> None:
        self._unasked.extend(event.payload for event in events if isinstance(event, Frame))

    def is_open(self) -> bool:
        """Whether the peer has not ended the stream, as far as can be seen; what came is put aside."""
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(_PIECE):
                self._put_aside(self._framer.feed(data))
        except (BlockingIOError, ssl.SSLWantReadError):
            return self._framer.state is not State.STOPPED
        except OSError:
            return False
        return False

    def _frame(self, position: int, deadline: float) -> bytes:
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, Frame):
                    return event.payload
                if isinstance(event, Truncated):
                    raise NotAcknowledged(position, "the reply was cut off")
                if isinstance(event, TooMuchJunk):
                    raise NotAcknowledged(position, "the peer does not speak MLLP")
            if self._framer.state is State.STOPPED:
                raise NotAcknowledged(position, "the connection was closed or the reply too large")
            self._events.extend(self._receive(position, deadline))

    def _receive(self, position: int, deadline: float) -> list[Event]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silent(position, "no reply in time")
        self._socket.settimeout(min(left, _PAUSE) if self._framer.state is State.ENDING else left)
        try:
            data = self._socket.recv(_PIECE)
        except TimeoutError:
            return self._framer.idle()
        except OSError as failure:
            raise NotAcknowledged(position, "the connection broke") from failure
        return self._framer.feed(data) if data else self._framer.close()


def _readable(payload: bytes) -> Message | None:
    try:
        return read(payload)
    except NotHl7:
        return None


def _wants_reply(message: Message) -> bool:
    never = all(message.msh.field(n).text == "NE" for n in (15, 16))
    # Of an order response, itself an answer, it may be said that it was taken (2.9.3).
    return message.msh.field(15).text == "AL" or (not never and not is_acknowledgement(message))


def _acknowledged(reply: bytes, position: int, control_id: str) -> Ack | None:
    message = _readable(reply)
    msa = message.first("MSA") if message else None
    if msa is None or msa.field(2).raw != control_id:
        return None
    return Ack(position, control_id, msa.field(1).text, msa.field(3).text, reply)


def messages_of_file(data: bytes) -> list[bytes]:
    """The messages in a file: one, several with blank lines and C comments between, batches, or MLLP frames.

    A message keeps its bytes, less the blank lines after it. No MSH anywhere gives an empty list. Raises
    ValueError for a file of frames of which one is not complete.
    """
    if not data.strip(PADDING):
        return []
    if data.lstrip(PADDING).startswith(VT):
        return [message for payload in _payloads(data) for message in split_batch(payload)]
    parts = split_batch(_COMMENT.sub(b"", data))
    return [_BLANK_END.sub(rb"\1", part) for part in parts if _MSH.match(part)]


def _payloads(data: bytes) -> list[bytes]:
    framer = Framer(limit=len(data))
    events = framer.feed(data) + framer.close()
    if any(isinstance(event, Truncated) for event in events):
        raise ValueError("the file ends or starts anew inside a frame")
    return [event.payload for event in events if isinstance(event, Frame)]
