"""Answers that are made while they are sent: an export of any size, in the memory of one piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from litestar.response import Stream

from gateway import errors
from gateway.native.words import Ask

T = TypeVar("T")
Pieces = Generator[bytes]


async def streamed(pieces: Pieces, media_type: str, filename: str) -> Stream:
    """Return an answer of pieces that a thread makes, one after the other.

    The first is made before the answer begins, so that what is refused is refused in our own words. When the
    caller goes away, the generator is closed.
    """
    first = await asyncio.to_thread(next, pieces, b"")
    headers = {"content-disposition": f'attachment; filename="{filename}"'}
    return Stream(partial(_sent, first, pieces), media_type=media_type, headers=headers)


async def _sent(first: bytes, pieces: Pieces) -> AsyncGenerator[bytes]:
    loop = asyncio.get_running_loop()
    making: asyncio.Future[bytes | None] | None = None
    try:
        yield first
        while True:
            making = loop.run_in_executor(None, next, pieces, None)
            # Shielded: a thread cannot be stopped, and the generator must not be closed while it runs.
            piece = await asyncio.shield(making)
            if piece is None:
                return
            yield piece
    finally:
        if making is None or making.done():
            loop.run_in_executor(None, pieces.close)
        else:
            making.add_done_callback(lambda _: loop.run_in_executor(None, pieces.close))


def in_batches(rows: Iterator[T], write: Callable[[Iterator[T]], bytes], size: int = 500) -> Pieces:
    """Yield what is written of rows, so many at a time."""
    for first in rows:
        yield write(chain((first,), islice(rows, size - 1)))


def headed(head: bytes, pieces: Pieces) -> Pieces:
    """Yield a head and pieces; the first is made before the head is sent, so that what fails is told."""
    yield head + next(pieces, b"")
    yield from pieces


def accepting(*media_types: str) -> Any:
    """Return what refuses callers that take none of the media types that are given (``before_request``).

    It raises NotAcceptable.
    """
    ranges = {"*/*", *media_types, *(f"{kind.partition('/')[0]}/*" for kind in media_types)}

    async def see(request: Ask) -> None:
        asked = request.headers.get("accept", "").strip()
        if asked and not any(_wanted(part) in ranges for part in asked.lower().split(",")):
            raise errors.NotAcceptable(f"Only {', '.join(media_types)} can be given.")

    return see


def _wanted(part: str) -> str:
    """Return a media range, nothing for one that is refused by its weight."""
    name, *told = (piece.strip() for piece in part.split(";"))
    weights = (piece.removeprefix("q=") for piece in told if piece.startswith("q="))
    return "" if any(weight.strip("0.") == "" for weight in weights) else name
