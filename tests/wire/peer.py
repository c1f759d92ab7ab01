"""A scripted MLLP peer over a real socket: it sends, expects, waits and closes as a list of steps says.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Send:
    """Send bytes, at once or in pieces of `size` with `pause` seconds after each."""

    data: bytes
    size: int = 0
    pause: float = 0.0


@dataclass(frozen=True)
class Expect:
    """Read until the bytes not yet expected match `pattern` from their start, and take the match."""

    pattern: bytes
    timeout: float = 5.0


@dataclass(frozen=True)
class ExpectFrame:
    """Read one whole frame; `check` may look at its payload and raises AssertionError if it is wrong."""

    check: Callable[[bytes], None] | None = None
    timeout: float = 5.0


@dataclass(frozen=True)
class ExpectNothing:
    """Nothing comes for so many seconds."""

    seconds: float = 0.1


@dataclass(frozen=True)
class ExpectClose:
    """The other side ends the stream, with nothing before that."""

    timeout: float = 5.0


@dataclass(frozen=True)
class Wait:
    """Do nothing for so many seconds, or until an event is set."""

    seconds: float = 0.0
    event: threading.Event | None = None


@dataclass(frozen=True)
class Signal:
    """Set an event that a Wait of the other side looks out for."""

    event: threading.Event


@dataclass(frozen=True)
class HalfClose:
    """End the stream in this direction; go on reading."""


@dataclass(frozen=True)
class Close:
    """Close the connection; with `reset`, break it off."""

    reset: bool = False


Step = Send | Expect | ExpectFrame | ExpectNothing | ExpectClose | Wait | Signal | HalfClose | Close

FRAME = re.compile(rb"\x0b(.*?)\x1c\r", re.DOTALL)


@dataclass
class Transcript:
    """What one connection received: all bytes, and the payloads that ExpectFrame took."""

    received: bytes = b""
    payloads: list[bytes] = field(default_factory=list)


class Peer:
    """Plays steps on one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.transcript = Transcript()
        self._socket = connection
        self._waiting = b""

    def play(self, steps: Iterable[Step]) -> Transcript:
        """Raises AssertionError at the first step that does not go as written."""
        for step in steps:
            self._step(step)
        return self.transcript

    def _step(self, step: Step) -> None:
        match step:
            case Send():
                self._send(step)
            case Expect():
                self._match(re.compile(step.pattern, re.DOTALL), step.timeout)
            case ExpectFrame():
                self._frame(step)
            case ExpectNothing():
                assert self._silence(step.seconds) is None, f"unexpected: {self._waiting!r} or end of stream"
            case ExpectClose():
                assert self._silence(step.timeout) == b"", "the stream did not end"
            case Wait():
                self._wait(step)
            case Signal():
                step.event.set()
            case HalfClose():
                self._socket.shutdown(socket.SHUT_WR)
            case Close():
                self._close(step)

    def _send(self, step: Send) -> None:
        size = step.size or max(len(step.data), 1)
        for start in range(0, len(step.data), size):
            self._socket.sendall(step.data[start : start + size])
            time.sleep(step.pause)

    def _frame(self, step: ExpectFrame) -> None:
        payload = self._match(FRAME, step.timeout)[1]
        self.transcript.payloads.append(payload)
        if step.check:
            step.check(payload)

    def _silence(self, seconds: float) -> bytes | None:
        assert not self._waiting, f"unexpected: {self._waiting!r}"
        return self._read(seconds)

    def _match(self, pattern: re.Pattern[bytes], timeout: float) -> re.Match[bytes]:
        deadline = time.monotonic() + timeout
        while (found := pattern.match(self._waiting)) is None:
            data = self._read(deadline - time.monotonic())
            assert data is not None, f"timed out waiting for {pattern.pattern!r}; got {self._waiting!r}"
            assert data, f"stream ended before {pattern.pattern!r}; got {self._waiting!r}"
        self._waiting = self._waiting[found.end() :]
        return found

    def _read(self, timeout: float) -> bytes | None:
        """What came, b"" at the end of the stream (a reset too), None if nothing came in time."""
        self._socket.settimeout(max(timeout, 0.001))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""
        self.transcript.received += data
        self._waiting += data
        return data

    @staticmethod
    def _wait(step: Wait) -> None:
        if step.event:
            assert step.event.wait(step.seconds or 5.0), "the awaited event did not come"
        else:
            time.sleep(step.seconds)

    def _close(self, step: Close) -> None:
        if step.reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def call(port: int, steps: Iterable[Step], host: str = HOST) -> Transcript:
    """Connect as a sender and play the steps."""
    with socket.create_connection((host, port), timeout=5.0) as connection:
        return Peer(connection).play(steps)


class Listening:
    """A receiver on a port of its own; `transcripts` holds one entry for each connection, in order."""

    def __init__(self, scripts: list[list[Step]]) -> None:
        self.transcripts: list[Transcript] = []
        self._failures: list[BaseException] = []
        self._server = socket.create_server((HOST, 0))
        self._server.settimeout(5.0)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, args=(scripts,), daemon=True)
        self._thread.start()

    def _serve(self, scripts: list[list[Step]]) -> None:
        try:
            for script in scripts:
                connection, _ = self._server.accept()
                with connection:
                    peer = Peer(connection)
                    self.transcripts.append(peer.transcript)
                    peer.play(script)
        except BaseException as failure:  # noqa: BLE001 -- raised again by the test's own thread
            self._failures.append(failure)

    def close(self) -> None:
        """Wait for the scripts to end."""
        self._thread.join(15.0)
        self._server.close()

    def check(self) -> None:
        """Raises what went wrong in the scripts."""
        if self._failures:
            raise self._failures[0]
        assert not self._thread.is_alive(), "the peer's script did not end"


@contextmanager
def listening(*scripts: list[Step]) -> Generator[Listening]:
    """A receiver that plays one script per connection; failures of the scripts are raised at the end."""
    peer = Listening(list(scripts))
    try:
        yield peer
    finally:
        peer.close()
    peer.check()
