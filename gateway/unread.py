"""What a caller is still sending when its request is already refused as too large.

https://www.rfc-editor.org/rfc/rfc9112#section-9.6
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = 413
_MOST_BYTES = 16 * 1024 * 1024
_MOST_SECONDS = 3.0
_BODIED = frozenset({"POST", "PUT", "PATCH"})


class Unread(ASGIMiddleware):
    """Reads on, within bounds, before a 413 is sent: a connection that ends with bytes unread is reset, and
    a reset takes the answer away from a caller that has not read it yet.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass a request on."""
        bodied = scope["type"] == ScopeType.HTTP and scope["method"] in _BODIED
        await next_app(scope, receive, _after_reading(receive, send) if bodied else send)


def _after_reading(receive: Receive, send: Send) -> Callable[[Message], Awaitable[None]]:
    async def answered(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == TOO_LARGE:
            # Who is slow as well may miss the answer.
            with suppress(TimeoutError):
                await asyncio.wait_for(_read_on(receive), _MOST_SECONDS)
        await send(message)

    return answered


async def _read_on(receive: Receive) -> None:
    read = 0
    while read <= _MOST_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message["more_body"]:
            return
        read += len(message["body"])
