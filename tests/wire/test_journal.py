"""What the journal knows of each message, and that each is applied once however often it comes.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app import new_id, now
from gateway.mllp.acknowledge import acknowledge
from gateway.mllp.framing import wrap
from gateway.mllp.receive import Receiver
from gateway.records import Records
from mappings.er7 import read
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.messages import (
    acknowledgement,
    conditions,
    header,
    journal,
    message,
    msa,
    order,
    orders,
    result,
    rows,
    states,
)
from tests.wire.peer import ExpectClose, ExpectNothing, HalfClose, Send, call


@pytest.mark.parametrize(
    ("changed", "condition", "place"),
    [
        ({"kind": "ZZZ^O01"}, "200", "MSH^1^9^1^1"),
        ({"kind": "ORM^O99"}, "201", "MSH^1^9^1^2"),
        ({"processing_id": "X"}, "202", "MSH^1^11"),
        ({"version": "9.9"}, "203", "MSH^1^12"),
    ],
)
def test_a_header_that_is_not_served_is_rejected_in_its_place(
    listener: Running, changed: dict[str, str], condition: str, place: str
) -> None:
    (answer,) = listener.send(order("m1", "A1", **changed))
    error = acknowledgement(answer).first("ERR")
    assert error is not None
    assert (msa(answer), conditions(answer), error.field(2).raw) == (("AR", "m1"), [(condition, "E")], place)
    (row,) = journal(listener.store)
    assert (row["status"], row["ack_code"], row["error_code"]) == ("rejected", "AR", condition)
    assert row["ack_raw"] == answer
    assert orders(listener.store) == {}


def test_what_is_answered_stands_in_the_journal_with_what_was_written(listener: Running) -> None:
    sent = order("m1", "A1")
    (answer,) = listener.send(sent)
    (row,) = journal(listener.store)
    assert (row["status"], row["ack_code"], row["raw"], row["ack_raw"]) == ("applied", "AA", sent, answer)
    assert (row["message_type"], row["trigger_event"], row["control_id"]) == ("ORM", "O01", "m1")
    assert row["ack_control_id"] == acknowledgement(answer).control_id
    assert row["received_at"] <= row["acked_at"] == row["finished_at"]
    written = rows(
        listener.store,
        "SELECT r.resource_type, v.message_id, v.origin FROM hl7_message_link l JOIN resource r"
        " ON r.id = l.resource_id JOIN resource_version v ON (v.resource_id, v.version) = (r.id, l.version)",
    )
    assert {"Patient", "ServiceRequest"} <= {found["resource_type"] for found in written}
    assert {(found["message_id"], found["origin"]) for found in written} == {(row["id"], "hl7v2")}


def test_a_repeat_gets_the_same_acknowledgement_and_writes_nothing(listener: Running) -> None:
    sent = result("m1", "A1")
    (first,) = listener.send(sent)
    before = rows(listener.store, "SELECT resource_id, version FROM resource_version ORDER BY 1, 2")
    assert listener.send(sent, sent) == [first, first]
    assert rows(listener.store, "SELECT resource_id, version FROM resource_version ORDER BY 1, 2") == before
    told = journal(listener.store)
    assert [row["status"] for row in told] == ["applied", "duplicate", "duplicate"]
    assert {row["duplicate_of_id"] for row in told[1:]} == {told[0]["id"]}
    assert {row["ack_raw"] for row in told} == {first}


def test_a_control_id_used_again_for_other_content_is_taken_with_a_warning(listener: Running) -> None:
    first, second = listener.send(order("m1", "A1"), order("m1", "A2"))
    assert (msa(first), conditions(first)) == (("AA", "m1"), [])
    assert (msa(second), conditions(second)) == (("AA", "m1"), [("205", "W")])
    assert orders(listener.store) == {"A1": 1, "A2": 1}


def test_what_was_refused_is_tried_again_when_it_comes_again(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ("ORM", "O01")
    right = HANDLERS[kind]
    sent = order("m1", "A1")
    monkeypatch.delitem(HANDLERS, kind)
    assert msa(listener.send(sent)[0]) == ("AR", "m1")
    monkeypatch.setitem(HANDLERS, kind, fail)
    assert msa(listener.send(sent)[0]) == ("AE", "m1")
    monkeypatch.setitem(HANDLERS, kind, right)
    assert msa(listener.send(sent)[0]) == ("AA", "m1")
    assert states(listener.store) == ["rejected", "error", "applied"]
    assert orders(listener.store) == {"A1": 1}


def fail(desk: Desk) -> None:
    raise RuntimeError(desk.message.raw.decode())


def test_a_message_is_in_the_journal_before_it_is_applied(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def look(desk: Desk) -> None:
        seen.extend(states(listener.store))
        fail(desk)

    monkeypatch.setitem(HANDLERS, ("ORM", "O01"), look)
    (answer,) = listener.send(order("m1", "A1"))
    assert seen == ["received"]
    assert (msa(answer), conditions(answer)) == (("AE", "m1"), [("207", "F")])
    assert states(listener.store) == ["error"]


def test_a_message_left_behind_by_a_crash_is_applied_when_it_comes_again(listener: Running) -> None:
    sent = order("m1", "A1")
    (first,) = listener.send(sent)
    with listener.store.connection() as connection:
        # As a gateway leaves it that dies between the journal and the commit.
        connection.execute("UPDATE hl7_message SET status = 'received', ack_code = NULL, ack_raw = NULL")
    (second,) = listener.send(sent)
    assert msa(second) == ("AA", "m1") != first
    assert states(listener.store) == ["applied"]
    assert orders(listener.store) == {"A1": 1}


def test_an_acknowledgement_is_kept_and_not_answered(listener: Running) -> None:
    reply = acknowledge(read(order("m1", "A1")), "AA", [], "r1", now())  # type: ignore[arg-type]
    steps = [Send(wrap(reply) * 2), ExpectNothing(0.3), HalfClose(), ExpectClose()]
    assert call(listener.port, steps).received == b""
    told = journal(listener.store)
    assert [(row["status"], row["raw"], row["ack_raw"]) for row in told] == [
        ("applied", reply, None),
        ("duplicate", reply, None),
    ]


def test_a_message_that_comes_twice_at_once_is_applied_once_and_answered_alike(listener: Running) -> None:
    for round_ in range(10):
        sent = result(f"m{round_}", f"A{round_}")
        together = Barrier(4)

        def one(sent: bytes = sent, together: Barrier = together) -> bytes:
            together.wait()
            return listener.send(sent)[0]

        with ThreadPoolExecutor(4) as senders:
            answers = {future.result() for future in [senders.submit(one) for _ in range(4)]}
        assert [msa(answer) for answer in answers] == [("AA", f"m{round_}")]
    assert Counter(states(listener.store)) == {"applied": 10, "duplicate": 30}
    assert orders(listener.store) == {f"A{n}": 1 for n in range(10)}


def test_a_new_patient_in_many_messages_at_once_is_one_patient(listener: Running) -> None:
    together = Barrier(8)

    def one(n: int) -> tuple[str, str]:
        together.wait()
        return msa(listener.send(order(f"m{n}", f"A{n}", patient="new"))[0])

    with ThreadPoolExecutor(8) as senders:
        assert list(senders.map(one, range(8))) == [("AA", f"m{n}") for n in range(8)]
    assert rows(listener.store, "SELECT count(*) AS n FROM patient") == [{"n": 1}]


def test_everything_that_came_is_accounted_for(listener: Running) -> None:
    taken = [order("m1", "A1"), result("m2", "A1"), order("m1", "A1"), order("m3", "A3", kind="DFT^P03")]
    bad = [b"nothing", message(header("m4"), "PID|1||7^^^CITY^MR"), order("m3", "A3", kind="DFT^P03")]
    listener.send(*taken, *bad)
    call(listener.port, [Send(b"\x0b" + order("m5", "A5")[:60]), HalfClose(), ExpectClose()])
    counted = Counter(states(listener.store))
    assert counted.total() == len(taken) + len(bad) + 1
    assert counted["applied"] == 2
    assert counted["duplicate"] == 1
    assert counted.keys() <= {"applied", "duplicate", "rejected", "error"}


TEXT = st.text(st.characters(codec="latin-1"), max_size=40) | st.sampled_from(
    ["\0", "x" * 300, "^&~\\", '""']
)


@given(st.lists(TEXT, min_size=4, max_size=20), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_header_holds_is_kept_and_answered(clean: Store, fields: list[str], short: bool) -> None:
    receiver = Receiver(Records(clean, now, new_id))
    start = "MSH|^~\\&|" if short else "MSH|^~\\&|EHR|CITY|SUTURE|OR|20260110||ORM^O01|"
    sent = (start + "|".join(fields)).encode("latin-1") + b"\rPID|1\r"
    answers = receiver.receive(sent, "test")
    kept = rows(
        clean, "SELECT raw, status, ack_raw FROM hl7_message ORDER BY received_at DESC, id DESC LIMIT 1"
    )
    assert kept[0]["raw"] == sent or len(answers) != 1
    assert kept[0]["status"] in ("rejected", "error", "applied")
    assert not answers or answers[-1] == kept[0]["ack_raw"]


def test_a_control_id_of_what_was_cut_off_or_refused_is_free_for_the_same_sender(listener: Running) -> None:
    call(listener.port, [Send(b"\x0b" + order("m1", "A1")[:90]), HalfClose(), ExpectClose()])
    (whole,) = listener.send(order("m1", "A1"))
    bad = order("m2", "A2").replace(b"4711^^^CITY^MR", b"")
    refused, mended = listener.send(bad, order("m2", "A2"))
    assert (msa(whole), conditions(whole)) == (("AA", "m1"), [])
    assert msa(refused) == ("AE", "m2")
    assert (msa(mended), conditions(mended)) == (("AA", "m2"), [])


def test_two_senders_may_use_the_same_control_id(listener: Running) -> None:
    other = order("m1", "A2").replace(b"|EHR|CITY|", b"|EHR|TOWN|")
    answers = listener.send(order("m1", "A1"), other, other.replace(b"|TOWN|", b"||"))
    assert [(msa(answer), conditions(answer)) for answer in answers] == [(("AA", "m1"), [])] * 3
    assert states(listener.store) == ["applied"] * 3
