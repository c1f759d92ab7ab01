"""Web pages of elsewhere: what a browser lets them send without asking for leave (CORS) is refused here.

Forms and bodies without a media type need no leave: https://fetch.spec.whatwg.org/#simple-requests. So a body
without one can be taken for JSON (https://www.rfc-editor.org/rfc/rfc9110#section-8.3 leaves that to the
recipient) without any page that somebody looks at being able to write records.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Forbidden


class Origins(ASGIMiddleware):
    """Refuses a POST of a page that is neither of this gateway nor of an origin that may call it.

    Other methods that change something never come without leave.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass a request on. Raises Forbidden."""
        if scope["type"] == "http" and scope["method"] == "POST" and self._is_refused(scope):
            raise Forbidden("Pages of this origin may not call the gateway.", expression="http.Origin")
        await next_app(scope, receive, send)

    def _is_refused(self, scope: Scope) -> bool:
        return is_own(scope) is False and _told(scope).get(b"origin") not in self._allowed


_ASKED = frozenset({b"origin", b"host", b"sec-fetch-site"})


def is_own(scope: Scope) -> bool | None:
    """Tell whether a page of this gateway makes a request, or one of elsewhere; None where it is not said to
    be a page: browsers say so, and nobody else has to.
    """
    told = _told(scope)
    site, origin = told.get(b"sec-fetch-site"), told.get(b"origin")
    if site is not None:
        return None if site == "none" else site == "same-origin"
    if origin is None:
        return None
    place = _place(origin)
    return bool(place) and place == told.get(b"host", "").lower()


def _told(scope: Scope) -> dict[bytes, str]:
    return {name: value.decode("latin-1") for name, value in scope["headers"] if name in _ASKED}


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
