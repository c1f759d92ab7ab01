"""A file that a form brings, kept in a temporary file while it arrives, whatever its size.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from gateway import errors
from gateway.native.words import Ask

FILE = "file"
MULTIPART = "multipart/form-data"
LONGEST_FIELD = 1000
MOST_PARTS = 20


@dataclass
class Form:
    """A form that was sent: its file, and the fields beside it."""

    file: BinaryIO
    filename: str | None = None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    hash: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return self.hash.hexdigest()


@asynccontextmanager
async def received(request: Ask, most: int) -> AsyncGenerator[Form]:
    """Give the form of a request, whose file is gone after the block.

    Raises UnsupportedMediaType, NotParseable, TooLarge (over ``most`` bytes), Required (no file).
    """
    parser = _parser(request)
    with tempfile.TemporaryFile() as file:
        reader = _Reader(Form(file), parser)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise errors.TooLarge(f"A file of at most {most:,} bytes is taken.")
            await asyncio.to_thread(reader.take, chunk)
        await asyncio.to_thread(reader.end)
        yield reader.form


def _parser(request: Ask) -> PushMultipartParser:
    kind, told = request.content_type
    if kind != MULTIPART:
        raise errors.UnsupportedMediaType(f"The body must be {MULTIPART}.")
    try:
        return PushMultipartParser(told.get("boundary", ""), max_segment_count=MOST_PARTS)
    except MultipartError as error:
        raise errors.NotParseable(f"The form cannot be read: {error}.") from error


class _Reader:
    """Reads a form piece by piece."""

    def __init__(self, form: Form, parser: PushMultipartParser) -> None:
        self.form = form
        self._parser = parser
        self._part: MultipartSegment | None = None
        self._value = bytearray()

    def take(self, chunk: bytes) -> None:
        try:
            for event in self._parser.parse(chunk):
                self._event(event)
        except MultipartError as error:
            raise errors.NotParseable(f"The form cannot be read: {error}.") from error

    def end(self) -> None:
        if not self._parser.closed:
            self.take(b"")
        if self.form.filename is None:
            raise errors.Required(f"A {FILE} is needed.", expression=FILE)

    def _event(self, event: MultipartSegment | bytearray | bytes | None) -> None:
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end_part()
        elif self._part is not None and self._part.name == FILE:
            self.form.file.write(event)
            self.form.hash.update(event)
        else:
            self._value += event
            if len(self._value) > LONGEST_FIELD:
                raise errors.TooLarge("A field of the form is too long.")

    def _begin(self, part: MultipartSegment) -> None:
        if part.name == FILE:
            if self.form.filename is not None:
                raise errors.ValueInvalid(f"There is more than one {FILE}.", expression=FILE)
            self.form.filename = part.filename or ""
        self._part, self._value = part, bytearray()

    def _end_part(self) -> None:
        if self._part is not None and self._part.name != FILE:
            self.form.fields[self._part.name or ""] = self._value.decode(errors="replace")
        self._part = None
