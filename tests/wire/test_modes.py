"""Original and enhanced mode: which acknowledgement comes, when, and that a repeat gets the same.

HL7 v2.5.1, sections 2.9.2 and 2.9.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gateway.app import new_id, now
from gateway.mllp.framing import wrap
from gateway.mllp.receive import Receiver
from gateway.records import Records
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage import peers
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.messages import conditions, journal, msa, order, orders, states
from tests.wire.peer import HOST, Close, ExpectClose, ExpectFrame, ExpectNothing, HalfClose, Send, Wait, call


def asked(accept: str, application: str, control_id: str = "m1", number: str = "A1", **changed: str) -> bytes:
    """A new order with MSH-15 and MSH-16."""
    sent = order(control_id, number, **changed)
    header, rest = sent.split(b"\r", 1)
    return header + f"|||{accept}|{application}\r".encode() + rest


GOOD, BAD_HEADER, BAD_CONTENT = "good", "bad header", "bad content"


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad_header", "bad_content"),
    [
        ("", "", ["AA"], ["AR"], ["AE"]),
        ("NE", "AL", ["AA"], ["AR"], ["AE"]),
        ("AL", "NE", ["CA"], ["CR"], ["CA"]),
        ("AL", "AL", ["CA", "AA"], ["CR"], ["CA", "AE"]),
        ("NE", "NE", [], [], []),
        ("ER", "NE", [], ["CR"], []),
        ("SU", "NE", ["CA"], [], ["CA"]),
        ("NE", "ER", [], ["AR"], ["AE"]),
        ("NE", "SU", ["AA"], [], []),
        ("ER", "ER", [], ["CR"], ["AE"]),
        ("SU", "SU", ["CA", "AA"], [], ["CA"]),
        ("SU", "AL", ["CA", "AA"], ["AR"], ["CA", "AE"]),
        ("AL", "", ["CA"], ["CR"], ["CA"]),
        ("", "NE", [], [], []),
        ("NE", "", ["AA"], ["AR"], ["AE"]),
        ("", "AL", ["AA"], ["AR"], ["AE"]),
    ],
)
def test_each_half_is_answered_on_its_condition(
    listener: Running,
    accept: str,
    application: str,
    good: list[str],
    bad_header: list[str],
    bad_content: list[str],
) -> None:
    nobody = asked(accept, application, "m3", "A3").replace(b"PID|1||4711^^^CITY^MR", b"PID|1||")
    sent = [
        asked(accept, application, "m1", "A1"),
        asked(accept, application, "m2", "A2", processing_id="X"),
        nobody,
    ]
    expected = [
        *((code, "m1") for code in good),
        *((code, "m2") for code in bad_header),
        *((code, "m3") for code in bad_content),
    ]
    steps = [Send(b"".join(map(wrap, sent))), *(ExpectFrame(),) * len(expected)]
    heard = call(listener.port, [*steps, HalfClose(), ExpectClose()])
    assert [msa(answer) for answer in heard.payloads] == expected
    assert states(listener.store) == ["applied", "rejected", "error"]
    assert orders(listener.store) == {"A1": 1}
    assert len({answer.split(b"|")[9] for answer in heard.payloads}) == len(expected)


def test_that_a_message_was_taken_is_told_before_it_is_applied(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, may_end = ("ORM", "O01"), threading.Event()
    right = HANDLERS[kind]

    def slowly(desk: Desk) -> None:
        assert may_end.wait(10)
        right(desk)

    monkeypatch.setitem(HANDLERS, kind, slowly)

    def first(answer: bytes) -> None:
        assert msa(answer) == ("CA", "m1")
        assert states(listener.store) == ["received"]
        may_end.set()

    heard = call(listener.port, [Send(wrap(asked("AL", "AL"))), ExpectFrame(first), ExpectFrame()])
    assert [msa(answer) for answer in heard.payloads] == [("CA", "m1"), ("AA", "m1")]


def test_a_repeat_gets_both_answers_again_byte_for_byte(listener: Running) -> None:
    sent = wrap(asked("AL", "AL"))
    heard = call(listener.port, [Send(sent + sent), *(ExpectFrame(),) * 4])
    assert heard.payloads[:2] == heard.payloads[2:]
    told = journal(listener.store)
    assert [(row["status"], row["accept_raw"], row["ack_raw"]) for row in told] == [
        ("applied", heard.payloads[0], heard.payloads[1]),
        ("duplicate", heard.payloads[0], heard.payloads[1]),
    ]


def test_a_message_whose_sender_is_gone_after_it_was_taken_is_applied(listener: Running) -> None:
    call(listener.port, [Send(wrap(asked("AL", "AL"))), ExpectFrame(), Close(reset=True)])
    heard = call(listener.port, [Wait(0.3), Send(wrap(asked("AL", "AL"))), ExpectFrame(), ExpectFrame()])
    assert [msa(answer)[0] for answer in heard.payloads] == ["CA", "AA"]
    assert orders(listener.store) == {"A1": 1}


def test_what_was_taken_and_not_applied_when_the_gateway_died_is_applied_at_its_start(
    clean: Store, start: Callable[..., Running]
) -> None:
    with clean.connection() as connection:
        peers.add(connection, Peer(new_id(), "ehr", "EHR", "CITY", strict_ids=True))
    told: list[bytes] = []

    def die(answer: bytes) -> None:
        told.append(answer)
        raise SystemExit

    for number in (1, 2):
        with pytest.raises(SystemExit):
            Receiver(Records(clean, now, new_id)).receive(asked("AL", "AL", f"m{number}"), HOST, at_once=die)
    in_original_mode = wrap(order("m3", "A3"))
    assert states(clean) == ["received", "received"]
    listener = start()
    assert states(clean) == ["applied", "applied"]
    assert orders(clean) == {"A1": 1}
    heard = call(listener.port, [Send(wrap(asked("AL", "AL")) + in_original_mode), *(ExpectFrame(),) * 3])
    assert heard.payloads[0] == told[0]
    assert [msa(answer) for answer in heard.payloads] == [("CA", "m1"), ("AA", "m1"), ("AA", "m3")]
    assert [row["peer_id"] is None for row in journal(clean)] == [False] * 4


def test_a_condition_of_no_table_is_taken_as_empty_with_a_warning(listener: Running) -> None:
    (answer,) = listener.send(asked("XX", ""))
    assert (msa(answer), conditions(answer)) == (("AA", "m1"), [("103", "W")])


def test_version_2_1_has_original_mode_only(listener: Running) -> None:
    assert [msa(answer) for answer in listener.send(asked("NE", "NE", version="2.1"))] == [("AA", "m1")]


def test_what_is_too_long_is_refused_in_the_mode_that_was_asked_for(start: Callable[..., Running]) -> None:
    listener = start(2000)
    for accept, application, code in (("AL", "NE", "CE"), ("NE", "AL", "AE")):
        steps = [Send(b"\x0b" + asked(accept, application) + b"x" * 3000), ExpectFrame(), HalfClose()]
        assert msa(call(listener.port, [*steps, ExpectClose()]).payloads[0]) == (code, "m1")
    silent = [Send(b"\x0b" + asked("NE", "NE") + b"x" * 3000), ExpectClose()]
    assert call(listener.port, silent).received == b""
    assert states(listener.store) == ["error"] * 3


def test_nothing_more_comes_than_was_asked_for(listener: Running) -> None:
    call(listener.port, [Send(wrap(asked("AL", "NE"))), ExpectFrame(), ExpectNothing(0.3)])
