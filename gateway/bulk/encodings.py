"""In which encoding a file of text is: told by its first bytes, else UTF-8, else that of old spreadsheets.

https://www.rfc-editor.org/rfc/rfc3629, https://www.unicode.org/faq/utf_bom.html
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import BinaryIO

from gateway import errors

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""A mark at the beginning of a file -> its encoding; a longer mark before one that it begins with."""
WINDOWS = "windows-1252"
PIECE = 256 * 1024


@contextmanager
def as_text(file: BinaryIO, encoding: str) -> Generator[io.TextIOWrapper]:
    """Give a file from its beginning as text, line ends as they are; the file stays open."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield text
    finally:
        text.detach()


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding of a file, of which every byte has been seen to be in it.

    A file in UTF-8 up to some byte and not from there on is a broken one, and no other encoding: only where
    all before it is ASCII it is taken for Windows-1252. Raises NotParseable.
    """
    told = _by_first_bytes(file)
    wrong = _first_wrong(file, told or "utf-8")
    if wrong is None:
        return told or "utf-8"
    place, plain_before = wrong
    if told is None and plain_before:
        wrong_there = _first_wrong(file, WINDOWS)
        if wrong_there is None:
            return WINDOWS
        place = wrong_there[0]
    raise errors.NotParseable(
        f"The file is not text in UTF-8, UTF-16 or Windows-1252: byte {place + 1:,} does not fit.",
        expression="file",
    )


def _by_first_bytes(file: BinaryIO) -> str | None:
    file.seek(0)
    head = file.read(512)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    # Without a mark: each letter of a western text has a zero beside it.
    zeros = [head[start::2].count(0) for start in (0, 1)]
    if len(head) > 1 and max(zeros) > len(head) // 4 and min(zeros) == 0:
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return None


def _first_wrong(file: BinaryIO, encoding: str) -> tuple[int, bool] | None:
    """Return which byte is the first that does not fit, and whether all before it is ASCII; None where all
    fits.
    """
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    read, plain = 0, True
    while True:
        piece = file.read(PIECE)
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            held = error.object
            start = read + len(piece) - len(held) + error.start
            return start, plain and held[: error.start].isascii()
        if not piece:
            return None
        read, plain = read + len(piece), plain and piece.isascii()
