"""However a stream is cut, MLLP framing gives the same events.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.mllp.framing import Event, Frame, Framer, wrap

# Small alphabets meet the odd sequences far more often than all 256 bytes would.
PIECES = st.sampled_from(
    [b"\x0b", b"\x1c", b"\r", b"\n", b"\0", b" ", b"A", b"MSH|", b"M", b"S", b"\x1c\r", b"long payload"]
)
STREAMS = st.lists(PIECES, max_size=40).map(b"".join)
PAYLOADS = st.binary(max_size=60).map(lambda data: data.translate(None, b"\x0b\x1c"))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def events_of(framer: Framer, pieces: list[bytes]) -> list[Event]:
    return [event for piece in pieces for event in framer.feed(piece)] + framer.close()


@given(STREAMS, st.lists(st.integers(0, 200), max_size=30), st.booleans(), st.integers(1, 30))
def test_any_chunking_gives_the_same_events(
    stream: bytes, places: list[int], accept_bare: bool, limit: int
) -> None:
    def framer() -> Framer:
        return Framer(limit, junk_limit=limit, accept_bare=accept_bare)

    whole = framer()
    expected = events_of(whole, [stream])
    cut_up, bytewise = framer(), framer()
    assert events_of(cut_up, cut(stream, places)) == expected
    assert events_of(bytewise, [stream[i : i + 1] for i in range(len(stream))]) == expected


@given(
    st.lists(PAYLOADS, max_size=6), st.lists(st.sampled_from([b"", b"\r\n", b"\0"]), min_size=6, max_size=6)
)
def test_what_was_wrapped_comes_out_in_order(payloads: list[bytes], padding: list[bytes]) -> None:
    stream = b"".join(wrap(payload) + gap for payload, gap in zip(payloads, padding, strict=False))
    assert events_of(Framer(), [stream]) == [Frame(payload) for payload in payloads]
