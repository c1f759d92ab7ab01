"""The acknowledgements of a batch as a batch: BHS ... BTS, in FHS ... FTS where the request was a file.

HL7 v2.5.1, sections 2.10.3 and 2.15.2 (BHS): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from datetime import datetime

_HEADER = re.compile(rb"(?:\A[\s\0]*(?:\xef\xbb\xbf)?|(?<=[\r\n]))(FHS|BHS)([!-/:-@\[-`{-~])([^\r\n]*)")


def is_batch(payload: bytes) -> bool:
    """Tell whether a payload begins a batch or a file of batches."""
    # Almost no message is a batch: the plain look comes first.
    return any(name in payload and _header(payload, name) is not None for name in (b"BHS", b"FHS"))


def answer_batch(payload: bytes, answers: list[bytes], control_id: str, at: datetime) -> bytes:
    """Return the answers to a batch's messages as one batch (2.10.3).

    Its headers have the request's delimiters, who sent and who receives exchanged, `control_id` as their
    own, and refer to the request's control id. The batch's number of messages stands in BTS-1.
    """
    lines = [_reply(payload, b"BHS", control_id, at) or b"BHS|^~\\&\r", *answers]
    lines.append(b"BTS%c%d\r" % (_separator(payload, b"BHS"), len(answers)))
    if _header(payload, b"FHS") is not None:
        lines.insert(0, _reply(payload, b"FHS", control_id, at))
        lines.append(b"FTS%c1\r" % _separator(payload, b"FHS"))
    return b"".join(lines)


def _header(payload: bytes, name: bytes) -> re.Match[bytes] | None:
    return next((found for found in _HEADER.finditer(payload) if found[1] == name), None)


def _separator(payload: bytes, name: bytes) -> bytes:
    found = _header(payload, name)
    return found[2] if found else b"|"


def _reply(payload: bytes, name: bytes, control_id: str, at: datetime) -> bytes:
    """Return the answering header: fields 3 to 6 exchanged, 7 time, 11 control id, 12 the request's."""
    found = _header(payload, name)
    if found is None:
        return b""
    asked = [name, found[2], *found[3].split(found[2]), *[b""] * 12]
    told = [name, asked[2], asked[5], asked[6], asked[3], asked[4], at.strftime("%Y%m%d%H%M%S%z").encode()]
    told += [b"", b"", b"", control_id.encode(), asked[11]]
    return found[2].join(told).rstrip(found[2]) + b"\r"
