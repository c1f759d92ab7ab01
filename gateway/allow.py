"""Which methods a path has, for who asks by OPTIONS (RFC 9110, 9.3.7 and 10.2.1)."""

from __future__ import annotations

from functools import cache

from litestar import Litestar
from litestar.types import Message, Scope


@cache
def methods(app: Litestar, template: str) -> bytes:
    """Return the methods of the routes of a path, as a header tells them."""
    found = {str(name) for route in app.routes if route.path_format == template for name in route.methods}
    return ", ".join(sorted(found)).encode("latin-1")


async def tell(message: Message, scope: Scope) -> None:
    """Say in an answer to OPTIONS what the path allows.

    The framework's own tells only what was registered first, where routes of one path are registered apart.
    """
    if message["type"] != "http.response.start" or "method" not in scope or scope["method"] != "OPTIONS":
        return
    headers = list(message["headers"])
    if "path_template" in scope and any(name.lower() == b"allow" for name, _ in headers):
        told = methods(scope["litestar_app"], scope["path_template"])
        message["headers"] = [pair for pair in headers if pair[0].lower() != b"allow"] + [(b"allow", told)]
