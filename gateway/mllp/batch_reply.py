"""The acknowledgements of a batch as a batch: BHS ... BTS, in FHS ... FTS where the request was a file.

HL7 v2.5.1, sections 2.10.3 and 2.15.2 (BHS): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from mappings.er7_batch import Mark, marks

NewId = Callable[[], str]


def is_batch(payload: bytes) -> bool:
    """Tell whether a payload is a batch or a file of batches."""
    # Almost no message is a batch: the plain look comes first.
    return any(name in payload for name in (b"BHS", b"FHS")) and any(
        mark.name in (b"BHS", b"FHS") for mark in marks(payload)
    )


def answer_batch(payload: bytes, answers: Sequence[Sequence[bytes]], new_id: NewId, at: datetime) -> bytes:
    """Return the answers to each message of a batch, or of a file of batches, as the like (2.10.3).

    Each header has the delimiters of the request's, who sent and who receives exchanged, a control id of its
    own, and refers to the request's. BTS-1 is the number of answers, FTS-1 that of batches. A batch of which
    nothing is answered is left out.
    """
    file = next((mark for mark in marks(payload) if mark.name == b"FHS"), None)
    batches = [_batch(head, told, new_id(), at) for head, told in _by_batch(payload, answers) if told]
    if file is None:
        return b"".join(batches)
    return b"".join([_reply(file, new_id(), at), *batches, _trailer(b"FTS", file, len(batches))])


def _by_batch(payload: bytes, answers: Sequence[Sequence[bytes]]) -> list[tuple[Mark | None, list[bytes]]]:
    """Return the header of each batch with the answers to its messages; None where a batch has none."""
    found: list[tuple[Mark | None, list[bytes]]] = []
    left = iter(answers)
    for mark in marks(payload):
        if mark.name == b"BHS":
            found.append((mark, []))
        elif mark.name == b"MSH":
            found = found or [(None, [])]
            found[-1][1].extend(next(left, ()))
    # A batch without messages is answered by itself.
    found = found or [(None, [])]
    found[-1][1].extend(answer for rest in left for answer in rest)
    return found


def _batch(head: Mark | None, answers: Sequence[bytes], control_id: str, at: datetime) -> bytes:
    header = _reply(head, control_id, at) if head else b"BHS|^~\\&\r"
    return b"".join([header, *answers, _trailer(b"BTS", head, len(answers))])


def _trailer(name: bytes, head: Mark | None, number: int) -> bytes:
    return b"%b%b%d\r" % (name, head.line[3:4] if head else b"|", number)


def _reply(head: Mark, control_id: str, at: datetime) -> bytes:
    """Return the answering header: fields 3 to 6 exchanged, 7 time, 11 control id, 12 the request's."""
    separator = head.line[3:4]
    asked = [head.name, separator, *head.line[4:].split(separator), *[b""] * 12]
    sent_at = at.strftime("%Y%m%d%H%M%S%z").encode()
    told = [head.name, asked[2], asked[5], asked[6], asked[3], asked[4], sent_at]
    told += [b"", b"", b"", control_id.encode(), asked[11]]
    return separator.join(told).rstrip(separator) + b"\r"
