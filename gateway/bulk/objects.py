"""Patients in a file of JSON: an array, a member ``patients``, or one object after the other (NDJSON).

https://www.rfc-editor.org/rfc/rfc8259. Read piece by piece, so that no more than one object is held.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn, cast

from gateway import errors
from gateway.bulk.encodings import as_text, encoding_of
from gateway.bulk.rows import Given
from storage.lexical import ENCODER, decimal_of

PIECE = 64 * 1024
LONGEST = 4 * 1024 * 1024
"""Characters of one object at most."""
_BEGIN = re.compile(r'\s*(?:(?P<member>\{\s*"patients"\s*:\s*\[)|(?P<array>\[))?')
_GAP = re.compile(r"[\s,]*")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


_DECODER = json.JSONDecoder(parse_float=decimal_of, parse_constant=_no_number)


class _Text:
    """The text that was read and not yet used."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.held = ""
        self.ended = False

    def more(self) -> None:
        piece = self.file.read(PIECE)
        self.ended = not piece
        self.held += piece

    def skip(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Leave out what a pattern finds at the beginning, however far it goes."""
        while True:
            found = pattern.match(self.held)
            if found is None:
                raise ValueError(pattern.pattern)
            if self.ended or found.end() < len(self.held):
                self.held = self.held[found.end() :]
                return found
            self.more()


def objects(file: BinaryIO) -> Iterator[Given]:
    """Yield the objects of a file, counted from 1. Raises NotParseable where it is none of these forms."""
    with as_text(file, encoding_of(file)) as stream:
        text = _Text(stream)
        text.more()
        begun = text.skip(_BEGIN)
        number = 0
        while True:
            text.skip(_GAP)
            if not text.held or text.held[0] in "]}":
                break
            number += 1
            yield _given(number, _next(text, number))
        _see_end(text, "member" if begun["member"] else "array" if begun["array"] else None)


def _see_end(text: _Text, form: str | None) -> None:
    wanted = {"member": "]}", "array": "]", None: ""}[form]
    while not text.ended and wanted.startswith("".join(text.held.split())):
        text.more()
    if not text.ended or "".join(text.held.split()) != wanted:
        raise errors.NotParseable("The file breaks off, or goes on after its end.", expression="file")


def _next(text: _Text, number: int) -> Any:
    while True:
        try:
            value, end = _DECODER.raw_decode(text.held)
        except (ValueError, ArithmeticError, RecursionError) as error:
            if text.ended or len(text.held) > LONGEST:
                told = f"Patient {number} is no JSON that can be read."
                raise errors.NotParseable(told, expression="file") from error
        else:
            # A number might go on.
            if text.ended or end < len(text.held):
                text.held = text.held[end:]
                return value
        text.more()


def _given(number: int, value: Any) -> Given:
    if not isinstance(value, dict):
        return Given(number, {}, "a patient must be an object")
    try:
        ENCODER.encode(value)
    except UnicodeEncodeError:
        return Given(number, {}, "a text has half of a letter (a surrogate alone)")
    return Given(number, cast("dict[str, Any]", value))


def count(file: BinaryIO) -> int:
    """Read a file through and return how many objects it has. Raises as ``objects``."""
    return sum(1 for _ in objects(file))
