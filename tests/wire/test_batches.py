"""Batches over a socket: each message is answered by itself, in a batch where the peer wants one.

HL7 v2.5.1, section 2.10.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.app import new_id
from gateway.mllp.framing import wrap
from mappings.er7 import split_batch
from storage import peers
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.messages import conditions, message, msa, order, states
from tests.wire.peer import ExpectClose, ExpectFrame, HalfClose, Send, call
from tests.wire.test_modes import asked

START = Callable[..., Running]
FILE, BATCH = "FHS|^~\\&|EHR^1|CITY|SUTURE|OR|2026||||F7", "BHS|^~\\&|EHR^1|CITY|SUTURE|OR|2026||||B7"


def batch(*inner: bytes, trailer: str = "", head: tuple[str, ...] = (FILE, BATCH)) -> bytes:
    """Messages as a file of one batch."""
    count = trailer or f"BTS|{len(inner)}"
    return message(*head) + b"".join(inner) + message(count, *["FTS|1"] * (len(head) == 2))


def answered(listener: Running, payload: bytes, frames: int) -> list[bytes]:
    """What comes in answer to one frame, and nothing more."""
    steps = [Send(wrap(payload)), *(ExpectFrame(),) * frames, HalfClose(), ExpectClose()]
    return call(listener.port, steps).payloads


def wants_batches(store: Store) -> None:
    with store.connection() as connection:
        peers.add(connection, Peer(new_id(), "ehr", "EHR", "CITY", batch_replies=True))


def test_a_peer_that_wants_batches_gets_one_that_refers_to_its_own(clean: Store, start: START) -> None:
    wants_batches(clean)
    inner = [order("m1", "A1"), order("m2", "A2", version="9.9"), asked("AL", "AL", "m3", "A3")]
    (whole,) = answered(start(), batch(*inner), 1)
    lines = whole.decode().rstrip("\r").split("\r")
    time = r"\d{14}[+-]\d{4}"
    for line, name, control_id in ((lines[0], "FHS", "F7"), (lines[1], "BHS", "B7")):
        expected = rf"{name}\|\^~\\&\|SUTURE\|OR\|EHR\^1\|CITY\|{time}\|\|\|\|[0-9a-f]{{20}}\|{control_id}"
        assert re.fullmatch(expected, line)
    assert lines[-2:] == ["BTS|4", "FTS|1"]
    answers = [msa(answer) for answer in split_batch(whole)]
    # The trailer's line belongs to no message.
    assert answers == [("AA", "m1"), ("AR", "m2"), ("CA", "m3"), ("AA", "m3")]


def test_a_batch_without_file_and_with_other_delimiters_is_answered_alike(clean: Store, start: START) -> None:
    wants_batches(clean)
    (whole,) = answered(start(), batch(order("m1", "A1"), trailer="BTS$1", head=("BHS$*%/@$EHR$CITY",)), 1)
    assert whole.startswith(b"BHS$*%/@$$$EHR$CITY$")
    assert whole.endswith(b"\rBTS$1\r")
    assert b"FHS" not in whole


def test_a_batch_in_which_nothing_is_to_be_answered_is_not(clean: Store, start: START) -> None:
    wants_batches(clean)
    assert answered(start(), batch(asked("NE", "NE")), 0) == []
    assert states(clean) == ["applied"]


def test_one_message_of_that_peer_is_answered_as_one(clean: Store, start: START) -> None:
    wants_batches(clean)
    assert [msa(answer) for answer in answered(start(), order("m1", "A1"), 1)] == [("AA", "m1")]


def test_a_batch_may_end_without_its_trailers(listener: Running) -> None:
    payload = message(FILE, BATCH) + order("m1", "A1") + order("m2", "A2")
    assert [msa(answer) for answer in answered(listener, payload, 2)] == [("AA", "m1"), ("AA", "m2")]


def test_two_messages_in_one_frame_are_a_batch(listener: Running) -> None:
    payload = order("m1", "A1") + order("m2", "A2")
    assert [msa(answer) for answer in answered(listener, payload, 2)] == [("AA", "m1"), ("AA", "m2")]


def test_a_trailer_that_counts_otherwise_is_warned_about_in_the_last_answer(listener: Running) -> None:
    payload = batch(order("m1", "A1"), order("m2", "A2"), trailer="BTS|3")
    first, last = answered(listener, payload, 2)
    assert (conditions(first), conditions(last)) == ([], [("0", "W")])
    assert b"BTS-1" in last


def test_a_trailer_that_counts_otherwise_is_warned_about_in_a_refusal_too(listener: Running) -> None:
    payload = batch(order("m1", "A1"), order("m2", "A2", version="9.9"), trailer="BTS|3")
    _, last = answered(listener, payload, 2)
    assert (msa(last), conditions(last)) == (("AR", "m2"), [("203", "E"), ("0", "W")])


def test_each_batch_of_a_file_is_answered_by_a_batch_of_its_own(clean: Store, start: START) -> None:
    wants_batches(clean)
    second = BATCH.replace("B7", "B8")
    quiet = asked("NE", "NE", "m4", "A4")
    payload = batch(order("m1", "A1"), order("m2", "A2"))[: -len(b"FTS|1\r")]
    payload += message(second) + order("m3", "A3") + message("BTS|1", BATCH.replace("B7", "B9")) + quiet
    (whole,) = answered(start(), payload + message("BTS|1", "FTS|3"), 1)
    lines = [line.split(b"|") for line in whole.rstrip(b"\r").split(b"\r")]
    told = [(line[0], line[-1]) for line in lines if line[0] in (b"BHS", b"BTS", b"FTS")]
    assert told == [
        (b"BHS", b"B7"),
        (b"BTS", b"2"),
        (b"BHS", b"B8"),
        (b"BTS", b"1"),
        (b"FTS", b"2"),
    ]
    assert [line[2] for line in lines if line[0] == b"MSA"] == [b"m1", b"m2", b"m3"]
    assert len({line[10] for line in lines if line[0] in (b"FHS", b"BHS")}) == 3


def test_messages_before_the_first_batch_are_answered_before_it(clean: Store, start: START) -> None:
    wants_batches(clean)
    (whole,) = answered(start(), order("m0", "A0") + batch(order("m1", "A1"), head=(BATCH,)), 1)
    lines = whole.rstrip(b"\r").split(b"\r")
    assert [line[:3] for line in lines] == [b"BHS", b"MSH", b"MSA", b"BTS", b"BHS", b"MSH", b"MSA", b"BTS"]


def test_an_empty_batch_of_that_peer_is_rejected_as_one(clean: Store, start: START) -> None:
    with clean.connection() as connection:
        peers.add(connection, Peer(new_id(), "here", addresses=["127.0.0.1"], batch_replies=True))
    (whole,) = answered(start(), batch(), 1)
    assert [line[:6] for line in whole.split(b"\r")[2:4]] == [b"MSH|^~", b"MSA|AR"]


def test_a_batch_without_messages_is_rejected(listener: Running) -> None:
    (answer,) = answered(listener, batch(), 1)
    assert (msa(answer), conditions(answer)) == (("AR", ""), [("100", "E")])
