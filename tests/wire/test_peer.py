"""The scripted MLLP peer does what its steps say, and notices when the other side does not.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import threading

import pytest

from tests.wire.peer import (
    Close,
    Expect,
    ExpectClose,
    ExpectFrame,
    ExpectNothing,
    HalfClose,
    Send,
    Signal,
    Step,
    Wait,
    call,
    listening,
)


def is_ping(payload: bytes) -> None:
    assert payload == b"ping"


def test_two_peers_talk_by_script() -> None:
    ready = threading.Event()
    with listening(
        [ExpectFrame(is_ping), Wait(event=ready), Send(b"\x0bpong\x1c\r", size=1), ExpectClose()]
    ) as receiver:
        steps: list[Step] = [Send(b"\x0bping\x1c"), Wait(0.02), Send(b"\r"), ExpectNothing(0.05)]
        transcript = call(receiver.port, [*steps, Signal(ready), ExpectFrame(), HalfClose(), ExpectClose()])
    assert transcript.payloads == [b"pong"]
    assert receiver.transcripts[0].received == b"\x0bping\x1c\r"


def test_scripts_are_played_one_per_connection() -> None:
    # It resets once it is known that its bytes were read: before that a reset may overtake them.
    broken_off: list[Step] = [Send(b"two"), Expect(b"seen"), Close(reset=True)]
    with listening([Send(b"one"), Close()], broken_off) as receiver:
        assert call(receiver.port, [Expect(b"on?e"), ExpectClose()]).received == b"one"
        steps: list[Step] = [Expect(b"two"), Send(b"seen"), ExpectClose()]
        assert call(receiver.port, steps).received == b"two"


def test_what_does_not_match_fails_on_the_side_that_expected_it() -> None:
    with (
        pytest.raises(AssertionError, match="timed out"),
        listening([Expect(b"yes", timeout=0.1)]) as receiver,
    ):
        call(receiver.port, [Send(b"no"), ExpectClose()])


def test_silence_and_the_end_of_the_stream_are_told_apart() -> None:
    with listening([ExpectClose()]) as receiver, pytest.raises(AssertionError, match="did not end"):
        call(receiver.port, [ExpectClose(timeout=0.05)])
    with listening([Close()]) as receiver, pytest.raises(AssertionError, match="end of stream"):
        call(receiver.port, [Wait(0.05), ExpectNothing()])
