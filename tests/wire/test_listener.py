"""Frames over a real socket: whatever way the bytes come, each message is answered once, and in order.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import hl7.client
import pytest

from gateway.mllp import server
from gateway.mllp.framing import wrap
from gateway.mllp.receive import NO_ROOM
from tests.wire.conftest import Running, Told
from tests.wire.messages import conditions, journal, message, msa, order, orders, result, states
from tests.wire.peer import (
    HOST,
    Close,
    ExpectClose,
    ExpectFrame,
    ExpectNothing,
    HalfClose,
    Send,
    Step,
    Wait,
    call,
)
from tests.wire.peer import (
    Peer as Script,
)


def test_messages_in_one_packet_are_answered_in_their_order(listener: Running) -> None:
    sent = [order("m1", "A1"), order("m2", "A2"), result("m3", "A1"), order("m4", "A4")]
    assert [msa(answer) for answer in listener.send(*sent)] == [("AA", f"m{n}") for n in (1, 2, 3, 4)]
    assert orders(listener.store) == {"A1": 1, "A2": 1, "A4": 1}


@pytest.mark.parametrize("size", [1, 7])
def test_a_message_may_come_byte_by_byte(listener: Running, size: int) -> None:
    assert [msa(answer) for answer in listener.send(order("m1", "A1"), size=size)] == [("AA", "m1")]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r\r"])
def test_segments_may_end_with_other_line_ends_and_the_bytes_are_kept(
    listener: Running, ending: bytes
) -> None:
    sent = order("m1", "A1").replace(b"\r", ending)
    assert [msa(answer) for answer in listener.send(sent)] == [("AA", "m1")]
    assert [row["raw"] for row in journal(listener.store)] == [sent]
    assert orders(listener.store) == {"A1": 1}


def test_the_client_of_another_library_is_answered(listener: Running) -> None:
    with hl7.client.MLLPClient(HOST, listener.port) as client:
        answers = [client.send_message(order(f"m{n}", f"A{n}")) for n in range(3)]
    assert [msa(answer.strip(b"\x0b\x1c\r") + b"\r") for answer in answers] == [
        ("AA", f"m{n}") for n in range(3)
    ]


def test_bytes_between_frames_are_skipped_and_told_once(listener: Running, told: Told) -> None:
    stream = b"\r\n\0hello" + wrap(order("m1", "A1")) + b"\nlog line" + wrap(order("m2", "A2")) + b" \0"
    heard = call(listener.port, [Send(stream), ExpectFrame(), ExpectFrame(), HalfClose(), ExpectClose()])
    assert [msa(answer)[1] for answer in heard.payloads] == ["m1", "m2"]
    assert [warning["count"] for warning in told.warnings()] == [5]


def test_a_message_cut_off_by_the_end_of_the_stream_is_kept_and_not_answered(listener: Running) -> None:
    half = order("m1", "A1")[:80]
    assert call(listener.port, [Send(b"\x0b" + half), HalfClose(), ExpectClose()]).received == b""
    (row,) = journal(listener.store)
    assert (row["status"], row["raw"], row["control_id"], row["ack_raw"]) == ("error", half, "m1", None)
    assert row["error_text"]


def test_a_whole_message_whose_end_bytes_are_lost_does_not_undo_the_one_before(listener: Running) -> None:
    sent = order("m1", "A1")
    listener.send(sent)
    call(listener.port, [Send(b"\x0b" + sent), HalfClose(), ExpectClose()])
    assert states(listener.store) == ["applied", "error"]


def test_a_message_that_starts_anew_is_answered_and_its_first_part_kept(listener: Running) -> None:
    stream = b"\x0b" + order("m1", "A1")[:80] + wrap(order("m1", "A1"))
    heard = call(listener.port, [Send(stream), ExpectFrame(), ExpectNothing(), HalfClose(), ExpectClose()])
    assert msa(heard.payloads[0]) == ("AA", "m1")
    assert states(listener.store) == ["error", "applied"]


def test_a_frame_without_its_last_byte_is_taken_when_the_line_stays_quiet(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SETTLE_SECONDS", 0.2)
    began = time.monotonic()
    steps: list[Step] = [Send(wrap(order("m1", "A1"))[:-1]), ExpectFrame()]
    heard = call(listener.port, [*steps, Send(b"\r" + wrap(order("m2", "A2"))), ExpectFrame(), Close()])
    assert [msa(answer)[1] for answer in heard.payloads] == ["m1", "m2"]
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("payload", [b"", b"hello", b"MSH", b"PID|1\r", b"\xff\xfeM\0S\0H\0"])
def test_what_is_no_message_is_rejected_and_the_listener_goes_on(listener: Running, payload: bytes) -> None:
    rejected, taken = listener.send(payload, order("m1", "A1"))
    assert msa(rejected) == ("AR", "")
    assert conditions(rejected) == [("100", "E")]
    assert msa(taken) == ("AA", "m1")
    assert next((row["status"], row["raw"]) for row in journal(listener.store)) == ("rejected", payload)


def test_a_message_over_the_limit_is_answered_its_head_kept_and_the_connection_closed(
    start: Callable[[int], Running],
) -> None:
    listener = start(2000)
    sent = result("m1", "A1", size=1_000_000)
    heard = call(listener.port, [Send(b"\x0b" + sent), ExpectFrame(), HalfClose(), ExpectClose()])
    assert msa(heard.payloads[0]) == ("AE", "m1")
    assert conditions(heard.payloads[0]) == [("207", "E")]
    (row,) = journal(listener.store)
    assert (row["status"], row["raw"]) == ("error", sent[:2000])
    assert [msa(answer)[0] for answer in listener.send(order("m2", "A2"))] == ["AA"]


def test_of_all_messages_that_come_at_once_the_newest_of_the_largest_is_refused_where_they_hold_too_much(
    start: Callable[..., Running], told: Told
) -> None:
    listener = start(200_000, mllp_max_held_bytes=450_000)
    large = [result(f"m{n}", f"A{n}", size=150_000) for n in range(4)]
    small = result("m9", "A9", size=40_000)
    with ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection((HOST, listener.port))) for _ in range(4)]
        for peer, sent in zip(peers[:3], (large[0], small, large[1]), strict=True):
            peer.sendall(b"\x0b" + sent[:-1])
            time.sleep(0.1)
        peers[3].sendall(b"\x0b" + large[2][:140_000])
        (refusal,) = Script(peers[2]).play([ExpectFrame()]).payloads
        assert (msa(refusal), conditions(refusal)) == (("AE", "m1"), [("207", "E")])
        for peer, rest in ((peers[0], large[0][-1:]), (peers[1], small[-1:]), (peers[3], large[2][140_000:])):
            peer.sendall(rest + b"\x1c\r")
            assert msa(Script(peer).play([ExpectFrame()]).payloads[0])[0] == "AA"
    assert [warning["reason"] for warning in told.warnings()] == [NO_ROOM]
    assert sorted(states(listener.store)) == ["applied"] * 3 + ["error"]
    assert [msa(answer) for answer in listener.send(large[1])] == [("AA", "m1")]


def test_a_flood_of_connections_is_no_flood_of_lines(start: Callable[..., Running], told: Told) -> None:
    listener = start(mllp_allowed_addresses="10.0.0.0/8")
    for _ in range(40):
        call(listener.port, [ExpectClose()])
    assert len(told.warnings()) == 10


@pytest.mark.parametrize("probe", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\0\x01"])
def test_a_peer_of_another_protocol_is_shown_out_with_a_warning(
    listener: Running, told: Told, probe: bytes
) -> None:
    assert call(listener.port, [Send(probe), ExpectClose()]).received == b""
    assert [warning["event"] for warning in told.warnings()] == ["connection closed"]
    assert journal(listener.store) == []


def test_a_peer_that_sends_nothing_but_rubbish_is_shown_out(listener: Running, told: Told) -> None:
    call(listener.port, [Send(b"x" * 20_000), ExpectClose()])
    assert [warning["event"] for warning in told.warnings()] == ["connection closed"]


def test_eight_megabytes_are_taken_and_kept_whole(listener: Running) -> None:
    sent = result("m1", "A1", size=8_000_000)
    assert [msa(answer) for answer in listener.send(sent)] == [("AA", "m1")]
    (row,) = journal(listener.store)
    assert row["raw"] == sent


def test_fifty_connections_at_once_are_all_answered(listener: Running) -> None:
    def one(n: int) -> tuple[str, str]:
        return msa(listener.send(order(f"m{n}", f"A{n}", patient=f"P{n % 5}"))[0])

    with ThreadPoolExecutor(50) as senders:
        assert list(senders.map(one, range(50))) == [("AA", f"m{n}") for n in range(50)]
    assert orders(listener.store) == {f"A{n}": 1 for n in range(50)}


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"mllp_max_connections": 1}, "too many connections"),
        ({"mllp_max_connections_per_address": 1}, "too many connections from one address"),
    ],
)
def test_a_connection_too_many_is_closed_with_a_warning(
    start: Callable[..., Running], told: Told, limit: dict[str, int], reason: str
) -> None:
    listener = start(**limit)
    with socket.create_connection((HOST, listener.port)) as first:
        first.sendall(wrap(order("m1", "A1")))
        assert first.recv(1)
        call(listener.port, [ExpectClose()])
    assert [warning["reason"] for warning in told.warnings()] == [reason]
    assert [msa(answer) for answer in listener.send(order("m2", "A2"))] == [("AA", "m2")]


def test_a_peer_that_never_reads_holds_up_nobody_and_not_the_end(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.3)
    # The answer quotes the control id, so that few answers fill what the system holds for a peer.
    flood = wrap(order("m" * 200_000, "A1", kind="DFT^P03"))
    with socket.create_connection((HOST, listener.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(2)
        with pytest.raises(TimeoutError):
            deaf.sendall(flood * 400)
        assert [msa(answer) for answer in listener.send(order("m1", "A1"))] == [("AA", "m1")]
        began = time.monotonic()
        listener.stop()
    assert time.monotonic() - began < 10


def test_a_batch_is_answered_message_by_message(listener: Running) -> None:
    inner = order("m1", "A1") + order("m2", "A2", version="9.9") + order("m3", "A3")
    batch = message("FHS|^~\\&|EHR", "BHS|^~\\&|EHR") + inner + message("BTS|3", "FTS|1")
    steps: list[Step] = [Send(wrap(batch)), ExpectFrame(), ExpectFrame(), ExpectFrame(), ExpectNothing()]
    heard = call(listener.port, [*steps, HalfClose(), ExpectClose()])
    assert [msa(answer) for answer in heard.payloads] == [("AA", "m1"), ("AR", "m2"), ("AA", "m3")]
    assert states(listener.store) == ["applied", "rejected", "applied"]


def test_a_slow_peer_may_wait_between_messages(listener: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SETTLE_SECONDS", 0.05)
    first, second = wrap(order("m1", "A1")), wrap(order("m2", "A2"))
    steps: list[Step] = [
        Send(first[:50]),
        Wait(0.2),
        Send(first[50:]),
        ExpectFrame(),
        Wait(0.2),
        Send(second),
    ]
    assert len(call(listener.port, [*steps, ExpectFrame(), HalfClose(), ExpectClose()]).payloads) == 2
