"""Whatever a peer answers, a message is acknowledged by an answer that names it, or it is not, in time.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import socket
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mllp.framing import wrap
from gateway.mllp.late import conditions, number_of, reason
from gateway.mllp.send import Ack, Line, NotAcknowledged

MESSAGE = b"MSH|^~\\&|S|O|L|B|20260101||ORM^O01|N1|P|2.5.1\r"
PARTS = [
    b"\x0b",
    b"\x1c",
    b"\r",
    b"MSH|^~\\&|L|B",
    b"MSA|AA|N1",
    b"MSA|AA|N2",
    b"ERR|",
    b"|",
    b"^",
    b"\0",
    b"\xff",
]
pieces = st.lists(st.sampled_from(PARTS) | st.binary(max_size=6), max_size=20).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(pieces, pieces, st.booleans())
def test_only_an_answer_that_names_a_message_acknowledges_it(
    before: bytes, after: bytes, named: bool
) -> None:
    here, there = socket.socketpair()
    with here, there:
        line = Line(here, 0.05)
        answer = wrap(b"MSH|^~\\&|L|B|S|O|20260101||ACK|A1|P|2.5.1\rMSA|AA|N1\r") if named else b""
        there.sendall(before + answer + after)
        there.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        try:
            ack: Ack | None = line.exchange(1, MESSAGE)
        except NotAcknowledged:
            ack = None
        assert time.monotonic() - began < 2
        assert ack is None or b"N1" in ack.raw
        assert ack is not None or not named or before


@given(pieces)
def test_nothing_in_an_answer_keeps_it_from_being_noted(raw: bytes) -> None:
    for text in (conditions(raw), number_of(raw) or "", reason("AR", raw)):
        assert len(text.encode()) <= 1000
    assert "\0" not in reason("A\0", raw) + (number_of(raw) or "")
