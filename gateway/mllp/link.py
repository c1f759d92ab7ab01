"""The connection to a peer that is sent to: opened when it is needed, over TLS where the peer has that.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway.mllp.send import Line
from gateway.mllp.tls import Client, context_towards

if TYPE_CHECKING:
    from storage.destinations import Destination

_log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 10.0


@dataclass
class Link:
    """The connection to a peer as it stands, and what the log was last told of it."""

    target: Destination
    client: Client | None = None
    socket: socket.socket | None = None
    line: Line | None = None
    told: str = ""
    failures: int = 0
    idle: float = 0.0

    def open(self) -> Line:
        """Return the line to the peer, a new one where there is none that is still open.

        Raises OSError, of which ssl.SSLError is a kind; UnicodeError for a host that no name can be.
        """
        if self.line is not None and self.line.is_open():
            return self.line
        self.close()
        place = (self.target.host, self.target.port)
        self.socket = socket.create_connection(place, timeout=CONNECT_SECONDS)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.target.tls:
            name = self.target.tls_name or self.target.host
            context = context_towards(self.target.tls_ca, self.client)
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.line = Line(self.socket, self.target.ack_seconds)
        return self.line

    def unasked(self) -> list[bytes]:
        """Return what the peer has sent besides the answers that were waited for; none without a line."""
        if self.line is None:
            return []
        if not self.line.is_open():
            found = self.line.unasked()
            self.close()
            return found
        return self.line.unasked()

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

    def reason(self, error: Exception) -> str:
        """Return in words why there is no connection."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"is not who it should be: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"no TLS: {error.reason or type(error).__name__}"
        return "cannot be reached"

    def pause(self) -> float:
        """Return how long to wait after another failure to get through: longer each time."""
        self.failures += 1
        return min(FIRST_PAUSE_SECONDS * 2 ** min(self.failures - 1, 20), self.target.most_retry_seconds)
