"""The ports that are listened on: who knocks is shown to the listener before anything is agreed on with them.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HANDSHAKE_SECONDS = 10.0
"""How long a peer has to agree on a key."""
BACKLOG: Final = 128
CHUNK: Final = 64 * 1024
PAUSE_SECONDS: Final = 1.0
"""How long no connection is taken after the system refused one, such as for want of descriptors."""

_log = structlog.get_logger(__name__)


class TooSlow(TimeoutError):
    """A peer did not agree on a key in time."""


async def bound(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """Listen at each address of a host; ``shared`` with other processes that do. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    doors: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            door = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=shared)
            door.setblocking(False)
            doors.append(door)
    except OSError:
        for door in doors:
            door.close()
        raise
    return doors


async def keep(door: socket.socket, enter: Callable[[socket.socket, str], Awaitable[None]]) -> None:
    """Show each connection, with the address that it comes from, to ``enter``, until it is cancelled."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                connection, address = await loop.sock_accept(door)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                _log.error("no connection taken", error=error.strerror)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                try:
                    await enter(connection, str(address[0]) if address else "unknown")
                except Exception as exc:  # noqa: BLE001 - the port stays open whoever knocks
                    _log.error("no connection taken", exc_info=exc)
                    connection.close()
                # As long as somebody waits at the door nothing else would have its turn.
                await asyncio.sleep(0)
    finally:
        door.close()


async def opened(
    connection: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of a connection, over TLS if there is a ``context``.

    Raises TooSlow, or OSError, of which ssl.SSLError is a kind, where no key is agreed on.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=CHUNK)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS if context else None):
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
    except TimeoutError as error:
        raise TooSlow from error
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def cause(error: OSError) -> str:
    """Return in words of the protocol why no key was agreed on."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or type(error).__name__
    return type(error).__name__
