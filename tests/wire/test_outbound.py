"""Messages leave over real sockets: one in flight, until the peer has them, in order, and none is lost.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import new_id
from mappings.er7 import Message
from storage import outbox
from tests.wire.conftest import Running, Told, free_port
from tests.wire.house import WRITER, House
from tests.wire.messages import FAMILY, order, result, rows
from tests.wire.receiver import accept, ack, receiving, until


def test_an_order_leaves_once_and_is_acknowledged(house: House) -> None:
    lab = house.tells(accept, "acked")
    (message,) = lab.messages
    assert (message.message_code, message.trigger_event) == ("ORM", "O01")
    assert message.msh.field(5).text == "LAB"
    (row,) = rows(house.store, "SELECT * FROM hl7_message WHERE direction = 'out'")
    assert row["ack_code"] == "AA"
    assert row["control_id"] == message.control_id
    assert row["raw"] == message.raw


def test_nothing_leaves_of_what_was_rolled_back(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port)
        patient = house.patient()
        house.start()

        def work(unit: Any) -> None:
            record = unit.new("ServiceRequest")
            house.records.new_id()
            unit.get("Patient", patient.partition("/")[2])
            from mappings import resource

            value = {"status": "active", "intent": "order", "subject": {"reference": patient}}
            resource.read(unit.drafts[record.resource["id"]].mapping, value, new_id, record)
            unit.flush()
            raise LookupError

        with pytest.raises(LookupError):
            house.records.unit(WRITER, work)
        house.order(patient)
        house.settled("acked")
    assert len(lab.messages) == 1


def test_an_application_error_is_sent_again_under_its_number(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return ack(message, "AE" if count < 3 else "AA")

    lab = house.tells(answer, "acked")
    assert len(lab.messages) == 3
    assert len(set(lab.control_ids())) == 1


def test_errors_beyond_the_limit_make_a_dead_letter(house: House) -> None:
    lab = house.tells(lambda message, _: ack(message, "AE"), "dead", most_attempts=3)
    assert len(lab.messages) == 3


def test_a_reject_is_a_dead_letter_at_once_and_the_next_goes_on(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return ack(message, "AR" if count == 1 else "AA", extra="ERR||PID^1^3|204^^HL70357|E\r")

    lab = house.tells(answer, "dead", "acked")
    assert len(lab.messages) == 2
    (row,) = rows(house.store, "SELECT error_text FROM hl7_message WHERE status = 'dead'")
    assert row["error_text"] == "AR: 204 PID-3"


def test_a_dead_letter_is_sent_again_when_asked(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return ack(message, "AR" if count == 1 else "AA")

    with receiving(answer) as lab:
        peer_id = house.peer(lab.port).peer_id
        house.start()
        house.order(house.patient())
        house.settled("dead")
        with house.store.connection() as connection:
            (listed,) = outbox.queue(connection, peer_id, dead=True)
            assert listed["peer"] == "LAB"
            assert outbox.send_again(connection, [listed["id"]]) == 1
        house.settled("acked")
    assert len(set(lab.control_ids())) == 1


def test_silence_is_not_an_answer_and_the_same_message_comes_again(house: House) -> None:
    def answer(message: Message, count: int) -> bytes | None:
        return None if count == 1 else ack(message)

    lab = house.tells(answer, "acked", "acked")
    first, again, second = lab.control_ids()
    assert first == again != second
    assert lab.most_open == 1


def test_an_answer_to_another_message_is_not_taken(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        foreign = ack(message, "AA", "SOMETHING ELSE")
        return foreign if count == 1 else foreign + ack(message)

    lab = house.tells(answer, "acked")
    assert len(lab.messages) == 2
    assert len(set(lab.control_ids())) == 1


def test_a_late_answer_is_not_taken_for_the_next_message(house: House) -> None:
    held: list[bytes] = []

    def answer(message: Message, count: int) -> bytes | None:
        # The first is answered twice, with AA: once more when the next has come, which is refused.
        if count == 1:
            held.append(ack(message, "AA"))
            return held[0]
        return held[0] + ack(message, "AR")

    lab = house.tells(answer, "acked", "dead")
    assert len(lab.messages) == 2


def test_a_peer_that_dies_between_gets_the_message_again(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return b"" if count == 1 else ack(message)

    lab = house.tells(answer, "acked")
    assert len(set(lab.control_ids())) == 1
    assert lab.connections == 2


def test_a_peer_that_is_away_costs_no_attempts_and_is_told_of_once(house: House, told: Told) -> None:
    port = free_port()
    house.peer(port, most_attempts=1)
    house.start()
    house.order(house.patient())
    until(lambda: len(told.warnings()) == 1)
    until(lambda: house.senders[0].couriers != {})
    with receiving(accept, port):
        house.settled("acked")
    (warning,) = told.warnings()
    assert warning["state"] == "cannot be reached"
    assert rows(house.store, "SELECT attempts FROM hl7_message WHERE direction = 'out'") == [{"attempts": 1}]


def test_messages_of_a_patient_keep_their_order_while_others_pass(house: House) -> None:
    refused: list[str] = []

    def answer(message: Message, count: int) -> bytes:
        del count
        pid = message.first("PID")
        assert pid is not None
        slow = pid.field(3).first.component(1) == "1"
        if slow and len(refused) < 2:
            refused.append(message.control_id)
            return ack(message, "AE")
        return ack(message)

    with receiving(answer) as lab:
        house.peer(lab.port, retry_seconds=1)
        one, other = house.patient("1"), house.patient("2")
        for patient in (one, one, other, one, other):
            house.order(patient)
        house.start()
        house.settled(*["acked"] * 5)
    numbers = [pid.field(3).first.component(1) for message in lab.messages if (pid := message.first("PID"))]
    assert numbers.index("2") < len(numbers) - numbers[::-1].index("1") - 1
    arrived = list(dict.fromkeys(lab.control_ids()))
    queued = [row["control_id"] for row in rows(house.store, QUEUED)]
    of_one = [queued[place] for place in (0, 1, 3)]
    assert [number for number in arrived if number in of_one] == of_one
    assert len(set(refused)) == 1


QUEUED = "SELECT control_id FROM hl7_message WHERE direction = 'out' ORDER BY id"


def test_what_waits_is_sent_after_a_restart(house: House) -> None:
    port = free_port()
    house.peer(port)
    first = house.start()
    for _ in range(3):
        house.order(house.patient())
    first.stop()
    assert set(house.states()) <= {"queued", "sent"}
    with receiving(accept, port) as lab:
        house.start()
        house.settled("acked", "acked", "acked")
    assert len(lab.messages) == 3


def test_of_several_workers_one_sends_and_another_takes_over(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port)
        first, second = house.start(), house.start()
        patient = house.patient()
        for _ in range(10):
            house.order(patient)
        house.settled(*["acked"] * 10)
        assert sorted((len(first.couriers), len(second.couriers))) == [0, 1]
        (first if first.couriers else second).stop()
        house.order(patient)
        house.settled(*["acked"] * 11)
    assert len(lab.messages) == 11
    assert lab.most_open == 1


def test_a_message_is_not_echoed_to_the_peer_that_sent_it(house: House, listener: Running) -> None:
    with receiving() as ehr, receiving() as lab:
        house.peer(ehr.port, "EHR")
        house.peer(lab.port, "LAB")
        with house.store.connection() as connection:
            connection.execute("UPDATE hl7_peer SET sending_facility = 'CITY'")
        house.start()
        listener.send(order("C1", "9001"))
        (message,) = lab.wait(1)
        house.settled("acked")
    assert ehr.messages == []
    orc = message.first("ORC")
    assert orc is not None
    assert orc.field(2).raw == "9001^EHR"


def test_a_result_goes_to_whoever_placed_its_order(house: House, listener: Running) -> None:
    with receiving() as ehr, receiving() as other:
        house.peer(ehr.port, "EHR", order_message=None, own_only=True)
        house.peer(other.port, "OTHER", order_message=None, own_only=True)
        with house.store.connection() as connection:
            connection.execute("UPDATE hl7_peer SET sending_facility = 'CITY'")
        house.start()
        listener.send(order("C1", "9001"))
        listener.send(result("C2", "9001").replace(b"|EHR|CITY|SUTURE|", b"|LAB|SITE|SUTURE|"))
        (message,) = ehr.wait(1)
        house.settled("acked")
    assert other.messages == []
    assert message.message_code == "ORU"
    obx = message.first("OBX")
    assert obx is not None
    assert obx.field(5).raw == "13.2"


def test_a_critical_report_is_flagged(house: House) -> None:
    with receiving() as ehr:
        house.peer(ehr.port, "EHR", order_message=None)
        house.start()
        patient = house.patient()
        critical = {
            "coding": [
                {"system": "http://suture.example.org/fhir/CodeSystem/result-status", "code": "critical"}
            ]
        }
        house.create(
            "DiagnosticReport",
            status="final",
            code={"text": "Chest X-ray"},
            subject={"reference": patient},
            conclusion="Tension pneumothorax",
            conclusionCode=[critical],
        )
        (message,) = ehr.wait(1)
        house.settled("acked")
    flags = [segment.field(8).raw for segment in message.all("OBX")]
    assert "AA" in flags


def test_the_log_holds_no_patient(house: House, told: Told) -> None:
    lab = house.tells(lambda message, _: ack(message, "AR"), "dead")
    assert lab.messages
    assert FAMILY not in told.stream.getvalue()
