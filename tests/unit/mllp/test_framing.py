"""MLLP framing: every state with every kind of input, and each row of what senders get wrong.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import pytest

from gateway.mllp.framing import (
    Event,
    Frame,
    Framer,
    Junk,
    Oversized,
    State,
    TooMuchJunk,
    Truncated,
    wrap,
)

NO_CR = ("0D missing after 1C",)
CLOSED = "the connection was closed inside a frame"
LIMIT, JUNK_LIMIT = 4, 3

# What brings a framer into each state. Nothing of it is reported until the input of the cell comes.
PREFIX = {
    State.BETWEEN: b"",
    State.INSIDE: b"\x0bAB",
    State.ENDING: b"\x0bAB\x1c",
    State.STOPPED: b"junk",  # over the junk limit
}

# Per cell: state, input, events of the input, state after it. `limit` stands for bytes that pass the limit.
TABLE: list[tuple[State, bytes | str, list[Event], State]] = [
    (State.BETWEEN, b"\x0b", [], State.INSIDE),
    (State.BETWEEN, b"\x1c", [], State.BETWEEN),
    (State.BETWEEN, b"\r", [], State.BETWEEN),
    (State.BETWEEN, b"\n", [], State.BETWEEN),
    (State.BETWEEN, b"\0", [], State.BETWEEN),
    (State.BETWEEN, b"x", [], State.BETWEEN),
    (State.BETWEEN, "limit", [TooMuchJunk()], State.STOPPED),
    (State.BETWEEN, "idle", [], State.BETWEEN),
    (State.BETWEEN, "close", [], State.STOPPED),
    (State.INSIDE, b"\x0b", [Truncated(b"AB", "0B inside the payload")], State.INSIDE),
    (State.INSIDE, b"\x1c", [], State.ENDING),
    (State.INSIDE, b"\r", [], State.INSIDE),
    (State.INSIDE, b"\n", [], State.INSIDE),
    (State.INSIDE, b"\0", [], State.INSIDE),
    (State.INSIDE, b"x", [], State.INSIDE),
    (State.INSIDE, "limit", [Oversized(b"ABxx")], State.STOPPED),
    (State.INSIDE, "idle", [], State.INSIDE),
    (State.INSIDE, "close", [Truncated(b"AB", CLOSED)], State.STOPPED),
    (State.ENDING, b"\x0b", [Frame(b"AB", NO_CR)], State.INSIDE),
    (State.ENDING, b"\x1c", [], State.ENDING),
    (State.ENDING, b"\r", [Frame(b"AB")], State.BETWEEN),
    (State.ENDING, b"\n", [Frame(b"AB", NO_CR)], State.BETWEEN),
    (State.ENDING, b"\0", [], State.INSIDE),
    (State.ENDING, b"x", [], State.INSIDE),
    (State.ENDING, "limit", [Oversized(b"AB\x1cx")], State.STOPPED),
    (State.ENDING, "idle", [Frame(b"AB", NO_CR)], State.BETWEEN),
    (State.ENDING, "close", [Frame(b"AB", NO_CR)], State.STOPPED),
    (State.STOPPED, b"\x0b", [], State.STOPPED),
    (State.STOPPED, b"\x1c", [], State.STOPPED),
    (State.STOPPED, b"\r", [], State.STOPPED),
    (State.STOPPED, b"\n", [], State.STOPPED),
    (State.STOPPED, b"\0", [], State.STOPPED),
    (State.STOPPED, b"x", [], State.STOPPED),
    (State.STOPPED, "limit", [], State.STOPPED),
    (State.STOPPED, "idle", [], State.STOPPED),
    (State.STOPPED, "close", [], State.STOPPED),
]


def framer_in(state: State) -> Framer:
    framer = Framer(LIMIT, junk_limit=JUNK_LIMIT)
    framer.feed(PREFIX[state])
    assert framer.state is state
    return framer


def give(framer: Framer, stimulus: bytes | str) -> list[Event]:
    if stimulus == "idle":
        return framer.idle()
    if stimulus == "close":
        return framer.close()
    return framer.feed(b"xxxxx" if isinstance(stimulus, str) else stimulus)


@pytest.mark.parametrize(("state", "stimulus", "events", "after"), TABLE)
def test_each_state_answers_each_input(
    state: State, stimulus: bytes | str, events: list[Event], after: State
) -> None:
    framer = framer_in(state)
    assert give(framer, stimulus) == events
    assert framer.state is after


def test_the_table_has_every_cell_once() -> None:
    cells = [(state, stimulus) for state, stimulus, _, _ in TABLE]
    assert len(cells) == len(set(cells)) == len(State) * 9


# What becomes of bytes that give no event by themselves: a stream up to its end, and its events.
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"\x0bA\r\n\0B\x1c\r", [Frame(b"A\r\n\0B")]),
        (b"\x0bA\x1cB\x1c\r", [Frame(b"A\x1cB")]),
        (b"\x0bA\x1c\0\x1c\r", [Frame(b"A\x1c\0")]),
        (b"\x0bA\x1c\x1c\r", [Frame(b"A\x1c")]),
        (b"\x0b\x1c\r", [Frame(b"")]),
        (b"\x0bA\x1c\r\x0bB\x1c\r", [Frame(b"A"), Frame(b"B")]),
        (b"\x0bA\x1c\x0bB\x1c\r", [Frame(b"A", NO_CR), Frame(b"B")]),
        (b"\x0bA\x1c\nlog\x0bB\x1c\r", [Frame(b"A", NO_CR), Junk(3), Frame(b"B")]),
        (b"a\x1c\rb \x0bA\x1c\r", [Junk(3), Frame(b"A")]),
        (b"\x0bA\x0bB\x1c\r", [Truncated(b"A", "0B inside the payload"), Frame(b"B")]),
        (b"MSH|^~\\&|\r\x1c\r", [Junk(10)]),
        (b"\r\n\0 \t", []),
    ],
)
def test_a_stream_gives_its_events(stream: bytes, events: list[Event]) -> None:
    framer = Framer()
    assert framer.feed(stream) + framer.close() == events


def test_padding_between_frames_is_counted_apart_from_junk() -> None:
    framer = Framer()
    framer.feed(b"\r\n\0" + wrap(b"A") + b"\n \t")
    assert framer.padding == 6
    assert framer.close() == []


def test_junk_is_reported_once_when_the_line_goes_quiet() -> None:
    framer = Framer()
    assert framer.feed(b"GET /") == []
    assert framer.idle() == [Junk(4)]
    assert framer.idle() == []


def test_the_junk_limit_starts_anew_after_a_frame() -> None:
    framer = Framer(junk_limit=3)
    for _ in range(5):
        assert framer.feed(b"abc" + wrap(b"A")) == [Junk(3), Frame(b"A")]
    assert framer.feed(b"abcd") == [TooMuchJunk()]


def test_a_payload_of_exactly_the_limit_is_whole() -> None:
    assert Framer(4).feed(wrap(b"ABCD")) == [Frame(b"ABCD")]
    assert Framer(4).feed(wrap(b"ABCDE")) == [Oversized(b"ABCD")]


def test_the_limit_comes_before_a_later_defect() -> None:
    assert Framer(4).feed(b"\x0bABCDE\x0bA\x1c\r") == [Oversized(b"ABCD")]


def test_a_time_out_gives_its_own_reason() -> None:
    framer = Framer()
    framer.feed(b"\x0bMSH|")
    assert framer.close("nothing came for 30 s") == [Truncated(b"MSH|", "nothing came for 30 s")]


def test_a_late_carriage_return_after_idle_is_padding() -> None:
    framer = Framer()
    framer.feed(b"\x0bA\x1c")
    assert framer.idle() == [Frame(b"A", NO_CR)]
    assert framer.feed(b"\r" + wrap(b"B")) == [Frame(b"B")]


NO_VT = "0B missing before the message"


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"MSH|A\x1c\r", [Frame(b"MSH|A", (NO_VT,))]),
        (b"\r\n BHS|A\x1c\rFHS|B\x1c\r", [Frame(b"BHS|A", (NO_VT,)), Frame(b"FHS|B", (NO_VT,))]),
        (b"MSH|A\x1c\x0bB\x1c\r", [Frame(b"MSH|A", (NO_VT, *NO_CR)), Frame(b"B")]),
        (b"MSG|A\x0bB\x1c\r", [Junk(5), Frame(b"B")]),
        (b"MS\x0bB\x1c\r", [Junk(2), Frame(b"B")]),
        (b"MS", [Junk(2)]),
        (b"x MSH|A\x1c\r", [Junk(7)]),
        (wrap(b"A") + b"MSH|B\x1c\r" + wrap(b"C"), [Frame(b"A"), Frame(b"MSH|B", (NO_VT,)), Frame(b"C")]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_bare_message_is_taken_where_that_is_allowed(stream: bytes, events: list[Event], size: int) -> None:
    framer = Framer(accept_bare=True)
    given = [event for i in range(0, len(stream), size) for event in framer.feed(stream[i : i + size])]
    assert given + framer.close() == events


def test_eight_megabytes_come_through_whole_in_packets_and_at_once() -> None:
    payload = b"MSH|^~\\&|" + bytes(range(32, 127)) * 90_000
    assert Framer().feed(wrap(payload)) == [Frame(payload)]
    framer = Framer()
    stream = wrap(payload)
    events = [event for i in range(0, len(stream), 1460) for event in framer.feed(stream[i : i + 1460])]
    assert events == [Frame(payload)]


def test_many_separators_in_one_payload_do_not_cost_a_search_each() -> None:
    payload = b"\x1cx" * 200_000
    assert Framer().feed(wrap(payload)) == [Frame(payload)]
