"""Messages with something wrong in them, drawn at random: bytes, fields and segments changed, lost, repeated.

HL7 v2.5.1, section 2.5: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import random
from collections.abc import Callable

ODD = (
    *(b"", b'""', b"\0", b"^", b"&", b"~", b"\\", b"|", b"\\H\\", b"\\X0D\\", b"\\.br\\", b"\r", b"\n"),
    *(
        b"^^^^",
        b"~~",
        b"&&",
        b"1^2^3^4^5^6^7^8^9",
        b"-1",
        b"1e400",
        b"NaN",
        b"9" * 400,
        b"x" * 5000,
        b"20261399",
    ),
    *(
        b"00000000",
        b"99991231235960.9999+1400",
        b"0001",
        b"19000229",
        b"\xff\xfe",
        b"\xe9",
        b"\xc3",
        b"\xed\xa0\x80",
    ),
    *(
        "é".encode(),
        "\u202e".encode(),
        "\U0001f600".encode(),
        b"NW",
        b"CA",
        b"F",
        b"X",
        b"D",
        b"SN",
        b"ED",
        b"NA",
    ),
    *(
        b"^^Base64^!!!!",
        b">^5",
        b"A~B~C",
        b"PID|1",
        b"MSH|^~\\&|",
        b"ZZZ",
        b"\t",
        b"\x7f\x80",
        b"${x}",
        b"' OR 1=1 --",
    ),
)
"""What a field is set to."""


def mutant(message: bytes, chance: random.Random) -> bytes:
    """A message with up to four things changed; its first segment keeps the header's first fields."""
    for _ in range(chance.randrange(1, 5)):
        message = chance.choice(WAYS)(message, chance)
    return message


def _field(message: bytes, chance: random.Random) -> bytes:
    """One field is set to something odd."""
    segments = message.split(b"\r")
    number = chance.randrange(len(segments))
    fields = segments[number].split(b"|")
    first = 8 if segments[number].startswith(b"MSH") else 1
    if len(fields) <= first:
        return message
    fields[chance.randrange(first, len(fields))] = chance.choice(ODD)
    segments[number] = b"|".join(fields)
    return b"\r".join(segments)


def _component(message: bytes, chance: random.Random) -> bytes:
    """One component is set to something odd."""
    places = [place for place, byte in enumerate(message) if byte in b"^&~" and place > 20]
    if not places:
        return message
    place = chance.choice(places)
    return message[: place + 1] + chance.choice(ODD) + message[place + 1 :]


def _segment(message: bytes, chance: random.Random) -> bytes:
    """A segment is lost, comes twice, or comes elsewhere."""
    head, *segments = message.split(b"\r")
    if len(segments) < 2:
        return message
    taken = segments[chance.randrange(len(segments))]
    if chance.random() < 0.5:
        segments.remove(taken)
    if chance.random() < 0.7:
        segments.insert(chance.randrange(len(segments) + 1), taken)
    return b"\r".join([head, *segments])


def _bytes(message: bytes, chance: random.Random) -> bytes:
    """A few bytes are lost, or others come in their place."""
    place = chance.randrange(min(20, len(message)), len(message) + 1)
    lost = chance.choice((0, 1, 1, 2, 10))
    return message[:place] + chance.randbytes(chance.randrange(3)) + message[place + lost :]


def _end(message: bytes, chance: random.Random) -> bytes:
    """The end is lost."""
    return message[: chance.randrange(min(20, len(message)), len(message) + 1)]


WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _field,
    _field,
    _field,
    _component,
    _segment,
    _bytes,
    _end,
)
