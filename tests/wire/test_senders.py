"""What each peer is taken at: by whom it is known, what it may send, how strictly it is read.

HL7 v2.5.1, sections 2.9.2 and 2.15.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from gateway.app import new_id, now
from gateway.mllp import peers as known
from gateway.mllp.framing import wrap
from gateway.mllp.receive import Receiver
from gateway.records import Records
from storage import peers
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.messages import acknowledgement, conditions, journal, msa, order, orders, result, rows, states
from tests.wire.peer import ExpectClose, ExpectFrame, HalfClose, Send, call

START = Callable[..., Running]


def peer(store: Store, **told: Any) -> Peer:
    """A peer in the table, EHR of CITY unless told otherwise."""
    known: dict[str, Any] = {"name": "ehr", "sending_app": "EHR", "sending_facility": "CITY"}
    made = Peer(new_id(), **(known | told))
    with store.connection() as connection:
        peers.add(connection, made)
    return made


def place(answer: bytes) -> str:
    """ERR-2 of the first error of an acknowledgement."""
    segment = acknowledgement(answer).first("ERR")
    assert segment is not None
    return segment.field(2).raw


def test_a_message_is_noted_as_its_peers(clean: Store, start: START) -> None:
    made = peer(clean)
    listener = start()
    listener.send(order("m1", "A1"), order("m2", "A2").replace(b"|EHR|CITY|", b"|LAB|CITY|"))
    assert [row["peer_id"] for row in journal(clean)] == [made.id, None]
    assert states(clean) == ["applied", "applied"]


def test_a_change_of_peers_is_known_without_a_new_start(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FRESH_SECONDS", 0)
    assert msa(listener.send(order("m1", "A1"))[0])[0] == "AA"
    made = peer(listener.store, is_active=False)
    assert msa(listener.send(order("m2", "A2"))[0])[0] == "AR"
    with listener.store.connection() as connection:
        peers.change(connection, Peer(made.id, "ehr", "EHR", "CITY"))
    assert msa(listener.send(order("m2", "A2"))[0])[0] == "AA"


def test_a_change_of_peers_is_known_on_a_connection_that_is_open(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FRESH_SECONDS", 0)
    before, after = wrap(order("m1", "A1")), wrap(order("m2", "A2"))

    def add(_: bytes) -> None:
        peer(listener.store, message_types=["ORU"])

    heard = call(listener.port, [Send(before), ExpectFrame(add), Send(after), ExpectFrame()])
    assert [msa(answer) for answer in heard.payloads] == [("AA", "m1"), ("AR", "m2")]
    assert conditions(heard.payloads[1]) == [("200", "E")]


def test_a_change_of_peers_is_known_after_a_second(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known.FRESH_SECONDS == 1
    monkeypatch.setattr(known, "FRESH_SECONDS", 0.1)
    listener.send(order("m1", "A1"))
    peer(listener.store, is_active=False)
    time.sleep(known.FRESH_SECONDS)
    assert msa(listener.send(order("m2", "A2"))[0])[0] == "AR"


def test_a_repeat_is_one_whoever_its_sender_has_become(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FRESH_SECONDS", 0)
    sent = order("m1", "A1")
    first = listener.send(sent)
    peer(listener.store)
    assert listener.send(sent) == first
    assert states(listener.store) == ["applied", "duplicate"]


def test_the_same_bytes_of_one_who_is_refused_and_one_who_is_not_are_judged_each_by_itself(
    clean: Store,
) -> None:
    peer(clean, addresses=["10.0.0.1"])
    receiver, together = Receiver(Records(clean, now, new_id)), Barrier(2)

    def one(sent: bytes, remote: str) -> str:
        together.wait()
        return msa(receiver.receive(sent, remote)[0])[0]

    with ThreadPoolExecutor(2) as senders:
        for number in range(25):
            sent = order(f"m{number}", f"A{number}")
            heard = [senders.submit(one, sent, remote) for remote in ("10.0.0.2", "10.0.0.1")]
            assert [each.result() for each in heard] == ["AR", "AA"]
    assert Counter(states(clean)) == {"rejected": 25, "applied": 25}


def test_only_known_peers_are_taken_where_a_setting_says_so(clean: Store, start: START) -> None:
    peer(clean, sending_facility=None)
    listener = start(mllp_only_known_peers=True)
    taken, refused = listener.send(order("m1", "A1"), order("m2", "A2").replace(b"|EHR|", b"|LAB|"))
    assert (msa(taken), msa(refused)) == (("AA", "m1"), ("AR", "m2"))
    assert (conditions(refused), place(refused)) == ([("204", "E")], "MSH^1^3")
    assert states(clean) == ["applied", "rejected"]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"addresses": ["127.0.0.1"]}, "AA"),
        ({"addresses": ["10.0.0.0/8", "127.0.0.0/24"]}, "AA"),
        ({"addresses": ["10.0.0.0/8"]}, "AR"),
        ({"certificate": "ehr.example.org"}, "AR"),
        ({"is_active": False}, "AR"),
        ({"direction": "out"}, "AA"),
    ],
)
def test_nobody_sends_in_the_name_of_a_peer_without_what_it_is_known_by(
    clean: Store, start: START, told: dict[str, Any], code: str
) -> None:
    peer(clean, **told)
    assert [msa(answer) for answer in start().send(order("m1", "A1"))] == [(code, "m1")]


def test_a_peer_may_be_known_by_its_address_alone(clean: Store, start: START) -> None:
    made = peer(clean, sending_app=None, sending_facility=None, addresses=["127.0.0.0/8"])
    peer(clean, name="other", sending_app="LAB", addresses=["10.0.0.0/8"])
    start().send(order("m1", "A1"))
    assert [row["peer_id"] for row in journal(clean)] == [made.id]


def test_of_several_peers_it_is_the_one_that_is_known_by_most(clean: Store, start: START) -> None:
    peer(clean, name="any", sending_facility=None)
    made = peer(clean, name="city")
    nearest = peer(clean, name="here", sending_facility=None, addresses=["127.0.0.1"], certificate="x")
    listener = start()
    listener.send(order("m1", "A1"), order("m2", "A2").replace(b"|CITY|", b"|TOWN|", 1))
    found = [row["peer_id"] for row in journal(clean)]
    assert found[0] == made.id
    assert nearest.id not in found
    assert found[1] is not None


def test_of_peers_known_by_as_much_it_is_the_first_by_name(
    clean: Store, start: START, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FRESH_SECONDS", 0)
    second = peer(clean, name="b", sending_facility=None, message_types=["ORU"])
    listener = start()
    assert msa(listener.send(order("m1", "A1"))[0])[0] == "AR"
    first = peer(clean, name="a", sending_app=None)
    assert msa(listener.send(order("m2", "A2"))[0])[0] == "AA"
    assert [row["peer_id"] for row in journal(clean)] == [second.id, first.id]


@pytest.mark.parametrize("told", [{"sending_app": "EHR^1.2^ISO"}, {"sending_app": "EHR"}])
def test_a_name_is_the_whole_field_or_its_first_component(
    clean: Store, start: START, told: dict[str, str]
) -> None:
    made = peer(clean, **told)
    near = (
        [b"|EHR^1.2|", b"|EHR^1.2^ISO^x|"]
        if "^" in told["sending_app"]
        else [b"|ehr|", b"|EHR2|", b"|1^EHR|"]
    )
    sent = [order(f"m{n}", f"A{n}").replace(b"|EHR|", name, 1) for n, name in enumerate(near)]
    start().send(order("m9", "A9").replace(b"|EHR|", b"|EHR^1.2^ISO|", 1), *sent)
    assert [row["peer_id"] for row in journal(clean)] == [made.id, *[None] * len(near)]


@pytest.mark.parametrize(
    ("told", "condition", "where"),
    [
        ({"message_types": ["ORU^R01"]}, "200", "MSH^1^9^1^1"),
        ({"message_types": ["ORM^O02", "ORU"]}, "200", "MSH^1^9^1^1"),
        ({"versions": ["2.3", "2.4"]}, "203", "MSH^1^12"),
        ({"processing_ids": ["T"]}, "202", "MSH^1^11"),
    ],
)
def test_what_a_peer_may_not_send_is_rejected_in_its_place(
    clean: Store, start: START, told: dict[str, Any], condition: str, where: str
) -> None:
    peer(clean, **told)
    (answer,) = start().send(order("m1", "A1"))
    assert (msa(answer), conditions(answer), place(answer)) == (("AR", "m1"), [(condition, "E")], where)


def test_what_a_peer_may_send_is_taken(clean: Store, start: START) -> None:
    peer(clean, message_types=["ORM^O01", "ORU"], versions=["2.5.1"], processing_ids=["P"])
    assert [msa(answer)[0] for answer in start().send(order("m1", "A1"), result("m2", "A1"))] == ["AA", "AA"]


def test_a_peer_that_is_always_answered_in_original_mode_is(clean: Store, start: START) -> None:
    peer(clean, ack_mode="original")
    header, rest = order("m1", "A1").split(b"\r", 1)
    (answer,) = start().send(header + b"|||AL|NE\r" + rest)
    assert msa(answer) == ("AA", "m1")


def test_a_control_id_used_again_is_refused_of_a_peer_with_strict_ids(clean: Store, start: START) -> None:
    peer(clean, strict_ids=True)
    first, second = start().send(order("m1", "A1"), order("m1", "A2"))
    assert (msa(first), msa(second)) == (("AA", "m1"), ("AR", "m1"))
    assert (conditions(second), place(second)) == ([("205", "E")], "MSH^1^10")
    assert orders(clean) == {"A1": 1}


def test_a_message_of_a_peer_with_strict_ids_is_taken_when_it_comes_again_whole_or_mended(
    clean: Store, start: START
) -> None:
    peer(clean, strict_ids=True)
    listener = start()
    call(listener.port, [Send(b"\x0b" + order("m1", "A1")[:90]), HalfClose(), ExpectClose()])
    bad = order("m2", "A2").replace(b"4711^^^CITY^MR", b"")
    answers = listener.send(order("m1", "A1"), bad, order("m2", "A2"))
    assert [msa(answer) for answer in answers] == [("AA", "m1"), ("AE", "m2"), ("AA", "m2")]


def test_unknown_patients_are_refused_of_a_peer_that_may_not_tell_of_them(clean: Store, start: START) -> None:
    peer(clean, auto_create_patients=False)
    listener = start()
    (refused,) = listener.send(order("m1", "A1"))
    assert (msa(refused), conditions(refused), place(refused)) == (
        ("AR", "m1"),
        [("204", "E")],
        "PID^1^3",
    )
    known_already = order("m2", "A2").replace(b"|EHR|CITY|", b"|ADT|CITY|")
    assert [msa(answer)[0] for answer in listener.send(known_already, order("m1", "A1"))] == ["AA", "AA"]
    assert states(clean) == ["rejected", "applied", "applied"]


def test_results_of_unknown_orders_are_refused_of_a_peer_that_may_not_tell_of_them(
    clean: Store, start: START
) -> None:
    peer(clean, auto_create_orders=False)
    listener = start()
    refused, made, taken = listener.send(result("m1", "A1"), order("m2", "A1"), result("m3", "A1"))
    assert (msa(refused), conditions(refused), place(refused)) == (
        ("AR", "m1"),
        [("204", "E")],
        "ORC^1^2",
    )
    assert (msa(made), msa(taken)) == (("AA", "m2"), ("AA", "m3"))


def test_a_cancellation_of_an_unknown_order_is_refused_likewise(clean: Store, start: START) -> None:
    peer(clean, auto_create_orders=False)
    (refused,) = start().send(order("m1", "A1").replace(b"ORC|NW|", b"ORC|CA|"))
    assert (msa(refused)[0], conditions(refused)) == ("AR", [("204", "E")])


@pytest.mark.parametrize(
    ("strictness", "code", "severity", "made"),
    [("lenient", "AA", None, 1), ("warn", "AA", "W", 1), ("strict", "AE", "E", 0)],
)
def test_a_peer_is_held_to_the_structure_as_strictly_as_it_is_told(
    clean: Store, start: START, strictness: str, code: str, severity: str | None, made: int
) -> None:
    peer(clean, strictness=strictness)
    # The patient class (PV1-2) is required.
    (answer,) = start().send(order("m1", "A1").replace(b"\rORC", b"\rPV1|1\rORC"))
    assert (msa(answer), conditions(answer)) == ((code, "m1"), [("101", severity)] if severity else [])
    assert not severity or place(answer) == "PV1^1^2"
    assert sum(orders(clean).values()) == made


@pytest.mark.parametrize(("strictness", "code", "severity"), [("lenient", "AA", "W"), ("strict", "AE", "E")])
def test_a_segment_out_of_its_place_is_told_once(
    clean: Store, start: START, strictness: str, code: str, severity: str
) -> None:
    peer(clean, strictness=strictness)
    (answer,) = start().send(order("m1", "A1") + b"PV1|1|O\r")
    assert (msa(answer)[0], conditions(answer)) == (code, [("100", severity)])
    assert place(answer) == "PV1^1"


def test_a_whole_message_of_a_strict_peer_is_taken(clean: Store, start: START) -> None:
    peer(clean, strictness="strict")
    (answer,) = start().send(order("m1", "A1"))
    assert (msa(answer), conditions(answer)) == (("AA", "m1"), [])


@pytest.mark.parametrize(("strictness", "code"), [("lenient", "AA"), ("strict", "AE")])
def test_a_value_that_cannot_be_read_is_an_error_of_a_strict_peer_only(
    clean: Store, start: START, strictness: str, code: str
) -> None:
    peer(clean, strictness=strictness)
    (answer,) = start().send(order("m1", "A1").replace(b"|19700101|", b"|Aug 15, 1942|"))
    assert msa(answer)[0] == code
    assert "102" in [condition for condition, _ in conditions(answer)]


def test_a_peers_authorities_are_its_systems(clean: Store, start: START) -> None:
    peer(clean, authorities={"CITY": "http://city.example.org/mrn"})
    listener = start()
    listener.send(order("m1", "A1"), order("m2", "A2").replace(b"|EHR|CITY|", b"|LAB|CITY|"))
    found = rows(clean, "SELECT system FROM identifier WHERE value = '4711' AND resource_type = 'Patient'")
    assert [row["system"] for row in found] == ["http://city.example.org/mrn", "urn:hl7:hd:CITY"]


def test_accession_number_and_study_are_read_where_the_peer_puts_them(clean: Store, start: START) -> None:
    peer(clean, accession_field="OBR-19", study_field="OBR-21")
    sent = order("m1", "A1").replace(
        b"|71020^Chest X-ray^C4|" + b"|" * 14, b"|71020^Chest X-ray^C4|" + b"|" * 14 + b"ACC-7||1.2.3.4"
    )
    assert sent.split(b"\rOBR")[1].split(b"|")[19:22] == [b"ACC-7", b"", b"1.2.3.4"]
    start().send(sent)
    assert rows(clean, "SELECT study_instance_uid AS uid FROM order_imaging") == [{"uid": "1.2.3.4"}]
    found = rows(clean, "SELECT system FROM identifier WHERE value = 'ACC-7'")
    assert [row["system"] for row in found] == ["urn:hl7:hd:CITY:accession"]


@pytest.mark.parametrize(("charset", "name"), [("8859/15", "€"), ("8859/1", "¤"), ("UNICODE UTF-8", "€")])
def test_text_without_a_character_set_is_read_in_that_of_the_peer(
    clean: Store, start: START, charset: str, name: str
) -> None:
    peer(clean, charset=charset)
    coded = name.encode("utf-8") if charset == "UNICODE UTF-8" else b"\xa4"
    start().send(order("m1", "A1").replace(b"^Ann|", b"^" + coded + b"|"))
    assert rows(clean, "SELECT given FROM person_name WHERE family = 'Quillfeather'") == [{"given": [name]}]
