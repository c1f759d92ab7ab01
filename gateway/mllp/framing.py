r"""MLLP frames, `0B payload 1C 0D`, cut out of a stream of bytes by a state machine that does no I/O.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF

| state   | 0B (VT)            | 1C (FS)       | 0D (CR) | LF           | NUL           | other         |
| ------- | ------------------ | ------------- | ------- | ------------ | ------------- | ------------- |
| BETWEEN | Junk*; INSIDE      | junk          | skip    | skip         | skip          | junk          |
| INSIDE  | Truncated; INSIDE  | ENDING        | payload | payload      | payload       | payload       |
| ENDING  | Frame(!); INSIDE   | payload, stay | Frame   | Frame(!)     | back: payload | back: payload |
| STOPPED | ignored            | ignored       | ignored | ignored      | ignored       | ignored       |

| state   | idle               | end of stream      | limit                               |
| ------- | ------------------ | ------------------ | ----------------------------------- |
| BETWEEN | Junk*              | Junk*; STOPPED     | TooMuchJunk; STOPPED                |
| INSIDE  | nothing            | Truncated; STOPPED | Oversized; STOPPED                  |
| ENDING  | Frame(!); BETWEEN  | Frame(!); STOPPED  | Oversized; STOPPED (FS was payload) |
| STOPPED | nothing            | nothing            | nothing                             |

`(!)` carries a warning, `*` only if there was junk, `back` returns to INSIDE. After a Frame the state is
BETWEEN unless said otherwise. Limits are looked at after each byte, so that no way of cutting the stream
changes the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

VT: Final = b"\x0b"
FS: Final = b"\x1c"
CR: Final = b"\r"
LF: Final = b"\n"
PADDING: Final = b" \t\r\n\0"

LIMIT: Final = 16 * 1024 * 1024
JUNK_LIMIT: Final = 16 * 1024
HEAD: Final = 64 * 1024

_BARE_STARTS: Final = (b"MSH", b"FHS", b"BHS")
_NO_CR: Final = "0D missing after 1C"
_NO_VT: Final = "0B missing before the message"


class State(Enum):
    """Where the machine stands."""

    BETWEEN = "between frames"
    INSIDE = "inside a frame"
    ENDING = "after 1C"
    STOPPED = "reads no more"


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole payload, less the frame bytes."""

    payload: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes between frames that are neither a frame nor padding."""

    count: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """A payload whose end never came. It must never be acknowledged as accepted."""

    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Oversized:
    """A payload over the limit, of which the head is kept. Nothing is read after it."""

    head: bytes
    reason: str = ""
    """Why it is too long, where that is not the limit of one."""


@dataclass(frozen=True, slots=True)
class TooMuchJunk:
    """More junk than allowed since the last frame: the peer does not speak MLLP. Nothing is read after it."""


Event = Frame | Junk | Truncated | Oversized | TooMuchJunk


class _Chunk:
    """Bytes being worked through; the place of each frame byte is sought once, so the work stays linear."""

    __slots__ = ("_fs", "_vt", "data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self._vt = self._fs = -1

    def __bool__(self) -> bool:
        return self.position < len(self.data)

    def before_vt(self) -> bytes:
        """What stands before the next VT, or all that is left; it is taken."""
        self._vt = self._next(VT, self._vt)
        return self._take(self._vt)

    def before_mark(self) -> bytes:
        """What stands before the next VT or FS, or all that is left; it is taken."""
        self._vt, self._fs = self._next(VT, self._vt), self._next(FS, self._fs)
        return self._take(min(self._vt, self._fs))

    def byte(self) -> bytes:
        """The next byte; it is taken."""
        return self._take(self.position + 1)

    def peek(self) -> bytes:
        return self.data[self.position : self.position + 1]

    def _next(self, mark: bytes, known: int) -> int:
        if known >= self.position:
            return known
        found = self.data.find(mark, self.position)
        return found if found >= 0 else len(self.data)

    def _take(self, end: int) -> bytes:
        start, self.position = self.position, end
        return self.data[start:end]


class Framer:
    """Turns bytes, in whatever pieces they come, into events.

    `limit` is the largest payload in bytes, `junk_limit` the most junk between two frames. With
    `accept_bare` a message may begin without 0B, if it begins with MSH, FHS or BHS. `padding` counts the
    whitespace and NUL bytes skipped.
    """

    def __init__(
        self, limit: int = LIMIT, *, junk_limit: int = JUNK_LIMIT, accept_bare: bool = False
    ) -> None:
        self.state = State.BETWEEN
        self.padding = 0
        self._limit = limit
        self._junk_limit = junk_limit
        self._accept_bare = accept_bare
        self._payload = bytearray()
        self._warnings: tuple[str, ...] = ()
        self._junk = 0  # since the last frame
        self._unreported = 0
        self._held = b""  # with accept_bare: bytes that may yet become MSH
        self._events: list[Event] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came; give what they complete."""
        chunk = _Chunk(data)
        while chunk and self.state is not State.STOPPED:
            if self.state is State.BETWEEN:
                self._between(chunk)
            elif self.state is State.INSIDE:
                self._inside(chunk)
            else:
                self._ending(chunk)
        return self._given()

    @property
    def stopped(self) -> bool:
        """Whether it reads no more."""
        return self.state is State.STOPPED

    @property
    def unsettled(self) -> bool:
        """Whether `idle` has something to say: a frame lacks only its 0D, or junk is not yet reported."""
        return self.state is State.ENDING or (self.state is State.BETWEEN and self._unreported > 0)

    @property
    def held(self) -> int:
        """How many bytes have come of the frame in hand."""
        return len(self._payload)

    def idle(self) -> list[Event]:
        """Nothing came for a moment: a frame that lacks only its 0D is complete, and junk is reported."""
        if self.state is State.ENDING:
            self._complete(_NO_CR)
        elif self.state is State.BETWEEN:
            self._report_junk()
        return self._given()

    def close(self, reason: str = "the connection was closed inside a frame") -> list[Event]:
        """The stream has ended, or a time-out (say so in `reason`) ends it: nothing more is read."""
        if self.state is State.ENDING:
            self._complete(_NO_CR)
        elif self.state is State.INSIDE:
            self._truncate(reason)
        elif self.state is State.BETWEEN:
            self._skip(self._held)
            self._report_junk()
        self.state = State.STOPPED
        return self._given()

    def give_up(self, reason: str) -> None:
        """Keep no more than the head of the frame in hand; `close` tells of it. Nothing more is read."""
        self._stop(Oversized(self._head(), reason))

    def _given(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _between(self, chunk: _Chunk) -> None:
        skipped = chunk.before_vt()
        if self._accept_bare and self._junk == 0 and self._bare(skipped, chunk):
            return
        self._skip(self._held + skipped)
        self._held = b""
        if self._junk > self._junk_limit:
            self._stop(TooMuchJunk())
        elif chunk:
            chunk.byte()
            self._report_junk()
            self._start()

    def _bare(self, skipped: bytes, chunk: _Chunk) -> bool:
        """Whether a message without VT begins here, or may yet begin with the next chunk."""
        text = self._held + skipped
        begun = text.lstrip(PADDING)
        if begun.startswith(_BARE_STARTS):
            self.padding += len(text) - len(begun)
            chunk.position -= len(begun) - len(self._held)
            self._start(_NO_VT)
            self._payload += self._held
            self._held = b""
            return True
        if chunk or not any(start.startswith(begun) for start in _BARE_STARTS):
            return False
        self.padding += len(text) - len(begun)
        self._held = begun
        return True

    def _inside(self, chunk: _Chunk) -> None:
        self._payload += chunk.before_mark()
        if self._over_limit() or not chunk:
            return
        if chunk.byte() == FS:
            self.state = State.ENDING
        else:
            self._truncate("0B inside the payload")
            self._start()

    def _ending(self, chunk: _Chunk) -> None:
        following = chunk.peek()
        if following == CR:
            chunk.byte()
            self._complete()
        elif following == LF:
            chunk.byte()
            self._complete(_NO_CR)
        elif following == VT:
            self._complete(_NO_CR)
        else:
            self._payload += FS
            self.state = State.INSIDE
            self._over_limit()

    def _start(self, *warnings: str) -> None:
        self.state = State.INSIDE
        self._warnings = warnings

    def _complete(self, *warnings: str) -> None:
        self._events.append(Frame(self._taken(), self._warnings + warnings))
        self.state = State.BETWEEN
        self._junk = 0

    def _truncate(self, reason: str) -> None:
        self._events.append(Truncated(self._taken(), reason))

    def _taken(self) -> bytes:
        payload, self._payload = bytes(self._payload), bytearray()
        return payload

    def _over_limit(self) -> bool:
        if len(self._payload) <= self._limit:
            return False
        self._stop(Oversized(self._head()))
        return True

    def _head(self) -> bytes:
        return self._taken()[: min(HEAD, self._limit)]

    def _skip(self, skipped: bytes) -> None:
        junk = len(skipped.translate(None, PADDING))
        self.padding += len(skipped) - junk
        self._junk += junk
        self._unreported += junk

    def _report_junk(self) -> None:
        if self._unreported:
            self._events.append(Junk(self._unreported))
            self._unreported = 0

    def _stop(self, event: Event) -> None:
        self._events.append(event)
        self.state = State.STOPPED


def wrap(payload: bytes) -> bytes:
    """The payload in a frame."""
    return VT + payload + FS + CR
