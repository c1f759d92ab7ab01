"""Batches: several messages in one transmission, inside FHS, BHS, BTS and FTS or simply one after another.

HL7 v2.5.1, section 2.10.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# A header is followed by its field separator; a trailer may stand alone on its line.
_BOUNDARY = re.compile(
    rb"(?:(?<=[\r\n])|\A[\s\0]*(?:\xef\xbb\xbf)?)[ \t\0]*"
    rb"(?:(MSH|FHS|BHS)(?=[!-/:-@\[-`{-~])|(BTS|FTS)(?=[!-/:-@\[-`{-~\s]|\Z))([^\r\n]*)"
)


class Mark(NamedTuple):
    """Where a message, a batch or a file begins or ends: the segment's name, and its line from there on."""

    name: bytes
    line: bytes


def marks(raw: bytes) -> Iterator[Mark]:
    """Yield MSH, FHS, BHS, BTS and FTS as they stand in the bytes."""
    for found in _BOUNDARY.finditer(raw):
        yield Mark(_name(found), _name(found) + found[3])


def split_batch(raw: bytes) -> list[bytes]:
    """The messages that the bytes hold, each as received from its MSH to its last segment end.

    One message, or something that is no message at all, comes back as it is. A batch without messages gives
    none. Headers and trailers of batches, and what stands before their first message, are left out.
    """
    found = list(_BOUNDARY.finditer(raw))
    names = [_name(mark) for mark in found]
    if names in ([], [b"MSH"]):
        return [raw]
    ends = [mark.start() for mark in found[1:]] + [len(raw)]
    return [
        raw[_start(mark) : end] for mark, name, end in zip(found, names, ends, strict=True) if name == b"MSH"
    ]


def batch_warnings(raw: bytes) -> list[str]:
    """Where BTS-1 (messages) or FTS-1 (batches) differs from what is there (sections 2.15.3 and 2.15.5)."""
    warnings: list[str] = []
    messages = batches = 0
    for mark in _BOUNDARY.finditer(raw):
        name = _name(mark)
        batches += name == b"BHS"
        messages = 0 if name == b"BHS" else messages + (name == b"MSH")
        if name == b"BTS" and _count(mark) not in (None, messages):
            warnings.append(f"BTS-1 does not agree with the {messages} messages of the batch")
        if name == b"FTS" and _count(mark) not in (None, batches):
            warnings.append(f"FTS-1 does not agree with the {batches} batches of the file")
    return warnings


def _name(mark: re.Match[bytes]) -> bytes:
    return mark[1] or mark[2]


def _start(mark: re.Match[bytes]) -> int:
    return mark.start(1)


def _count(mark: re.Match[bytes]) -> int | None:
    digits = re.match(rb"[!-/:-@\[-`{-~](\d{1,9})(?!\d)", mark[3])
    return int(digits[1]) if digits else None
