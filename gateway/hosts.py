"""The Host header of a request: what is none is refused before anything is made of it.

https://www.rfc-editor.org/rfc/rfc9110#section-7.2
"""

from __future__ import annotations

import re

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway.errors import BadRequest

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]*)(?::([0-9]{0,5}))?")


class Hosts(ASGIMiddleware):
    """Refuses a Host that is no name or address with a port: the links of answers are made of it."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass a request on. Raises BadRequest."""
        for name, value in scope["headers"]:
            if name == b"host" and not is_host(value):
                raise BadRequest("Host is not the name of a host.", expression="http.Host")
        await next_app(scope, receive, send)


def is_host(value: bytes) -> bool:
    """Tell whether a header's value is a host, with or without a port."""
    found = _HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) < 2**16
