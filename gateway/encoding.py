"""Compressed answers for who accepts them (RFC 9110, 12.5.3), and what an answer varies with (12.5.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from litestar.config.compression import CompressionConfig
from litestar.middleware.compression import CompressionMiddleware
from litestar.types import Message, Receive, Scope, Send

Hook = Callable[[Message, Scope], Awaitable[None]]

_GZIP = ("gzip", "x-gzip")


def accepts_gzip(header: str) -> bool:
    """Tell whether an Accept-Encoding header takes gzip: by name, or by ``*`` where it is not named."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, told = part.partition(";")
        weights[name.strip()] = _weight(told)
    named = [weights[name] for name in _GZIP if name in weights]
    return max(named, default=weights.get("*", 0.0)) > 0


def _weight(told: str) -> float:
    name, _, value = told.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


class Compression(CompressionMiddleware):
    """Compresses answers; the framework's own looks for the name alone, which ``gzip;q=0`` has too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, compressed where that is accepted."""
        asked = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        if asked and accepts_gzip(asked.decode("latin-1")):
            send = self.create_compression_send_wrapper(send=send, compression_encoding="gzip", scope=scope)
        await self.app(scope, receive, send)


COMPRESSION = CompressionConfig(
    backend="gzip", minimum_size=2048, gzip_compress_level=3, middleware_class=Compression
)
"""Answers of a page or more are compressed for who accepts that; a single resource is sent sooner whole."""


def vary(*always: str, in_formats: str) -> Hook:
    """Return a hook that adds to the headers that each answer says it varies with; below the path
    ``in_formats`` it varies with Accept, too.

    Last of all, because what lets pages of other origins in says anew what an answer varies with.
    """

    async def tell(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = list(message["headers"])
        told = b",".join(value for name, value in headers if name.lower() == b"vary").decode("latin-1")
        by_format = ("Accept",) if scope["path"].startswith(in_formats) else ()
        names = (*by_format, *always, *(name.strip() for name in told.split(",") if name.strip()))
        joined = ", ".join({name.lower(): name for name in names}.values())
        message["headers"] = [pair for pair in headers if pair[0].lower() != b"vary"] + [
            (b"vary", joined.encode("latin-1"))
        ]

    return tell
