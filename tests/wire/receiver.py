"""A peer that receives messages over real sockets and answers each as a test says.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.mllp.framing import Frame, Framer, wrap
from mappings.er7 import Message, read

HOST = "127.0.0.1"
Answer = Callable[[Message, int], "bytes | None"]
"""What is answered to the n-th message (from 1): frames, nothing (None), or b"" to hang up."""


def ack(message: Message, code: str = "AA", control_id: str | None = None, extra: str = "") -> bytes:
    """An acknowledgement in its frame."""
    named = message.control_id if control_id is None else control_id
    text = (
        f"MSH|^~\\&|B|B|SUTURE|OR|20260101||ACK|A{time.monotonic_ns()}|P|2.5.1\rMSA|{code}|{named}\r{extra}"
    )
    return wrap(text.encode())


def accept(message: Message, count: int) -> bytes:
    """AA to everything."""
    del count
    return ack(message)


@dataclass
class Receiver:
    """What came in: messages in order, and how many connections were open at once at most."""

    answer: Answer
    port: int = 0
    messages: list[Message] = field(default_factory=list[Message])
    open: int = 0
    most_open: int = 0
    connections: int = 0
    listening: bool = True
    later: list[tuple[bytes, float]] = field(default_factory=list[tuple[bytes, float]])

    context: ssl.SSLContext | None = None
    certificates: list[Any] = field(default_factory=list[Any])
    """What clients said who they are, over TLS."""

    def send_later(self, told: bytes, seconds: float) -> None:
        """Send something more on the connection of the message in hand, after a while."""
        self.later.append((told, seconds))

    def control_ids(self) -> list[str]:
        """MSH-10 of the messages, in the order in which they came."""
        return [message.control_id for message in self.messages]

    def wait(self, count: int, seconds: float = 15.0) -> list[Message]:
        """Wait until so many messages came; return all that did."""
        until(lambda: len(self.messages) >= count, seconds)
        return self.messages

    def serve(self, server: socket.socket) -> None:
        """Take connections until the socket is closed."""
        with suppress(OSError):
            while self.listening:
                connection, _ = server.accept()
                threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.certificates.append(connection.getpeercert() or {})
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        self.open += 1
        self.connections += 1
        self.most_open = max(self.most_open, self.open)
        framer = Framer()
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                for event in framer.feed(data):
                    assert isinstance(event, Frame)
                    message = read(event.payload)
                    self.messages.append(message)
                    told = self.answer(message, len(self.messages))
                    if told == b"":
                        connection.shutdown(socket.SHUT_RDWR)
                    elif told is not None:
                        connection.sendall(told)
                    while self.later:
                        more, seconds = self.later.pop()
                        time.sleep(seconds)
                        connection.sendall(more)
        self.open -= 1


def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until something is true; fails where it does not become so in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "what was awaited did not happen"
        time.sleep(0.02)


@contextmanager
def receiving(
    answer: Answer = accept, port: int = 0, context: ssl.SSLContext | None = None
) -> Generator[Receiver]:
    """A peer that listens, on a port of its own or a given one."""
    server = socket.create_server((HOST, port))
    peer = Receiver(answer, server.getsockname()[1], context=context)
    threading.Thread(target=peer.serve, args=(server,), daemon=True).start()
    try:
        yield peer
    finally:
        peer.listening = False
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
