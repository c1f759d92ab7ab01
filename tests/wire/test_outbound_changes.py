"""What a change of an order or a result makes leave, whoever makes it.

https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings.er7 import Message
from storage import outbox
from tests.wire.conftest import Running
from tests.wire.house import WRITER, House
from tests.wire.messages import FAMILY, header, message, order, rows
from tests.wire.receiver import ack, receiving


def field(message: Message, segment: str, number: int) -> str:
    found = message.first(segment)
    assert found is not None, segment
    return found.field(number).raw


def change(house: House, reference: str, **elements: Any) -> None:
    """Replace elements of a resource, over FHIR."""
    kind, _, name = reference.partition("/")
    content = outbox.decode(house.records.read(WRITER, kind, name).content or b"")
    house.records.update(WRITER, kind, name, content | elements)


def test_each_change_of_an_order_is_told_by_its_code(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port)
        house.start()
        made = house.order(house.patient())
        change(house, made, priority="stat")
        change(house, made, status="on-hold")
        change(house, made, status="active")
        change(house, made, status="revoked")
        lab.wait(5)
        house.settled(*["acked"] * 5)
    assert [field(message, "ORC", 1) for message in lab.messages] == ["NW", "XO", "HD", "RL", "CA"]
    assert [field(message, "ORC", 5) for message in lab.messages] == ["", "", "HD", "", "CA"]
    assert field(lab.messages[1], "OBR", 5) == "S"
    assert len({field(message, "ORC", 2) for message in lab.messages}) == 1


def test_a_change_that_changes_nothing_is_not_told(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port)
        made = house.order(house.patient())
        change(house, made)
        house.start()
        house.settled("acked")
    assert len(lab.messages) == 1


def test_an_order_that_is_deleted_is_cancelled_as_it_was(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port)
        made = house.order(house.patient(), "Ferritin")
        house.records.delete(WRITER, "ServiceRequest", made.partition("/")[2])
        house.start()
        house.settled("acked", "acked")
    assert field(lab.messages[1], "ORC", 1) == "CA"
    assert "Ferritin" in field(lab.messages[1], "OBR", 4)
    assert field(lab.messages[1], "PID", 3) == "4711^^^CITY"


def test_a_result_leaves_again_when_an_observation_of_it_changes(house: House) -> None:
    with receiving() as ehr:
        house.peer(ehr.port, "EHR", order_message=None)
        patient = {"reference": house.patient()}
        code = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}]}
        quantity = {"value": 13.2, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
        seen = house.create("Observation", status="final", code=code, subject=patient, valueQuantity=quantity)
        house.create(
            "DiagnosticReport", status="final", code=code, subject=patient, result=[{"reference": seen}]
        )
        change(house, seen, status="corrected", valueQuantity=quantity | {"value": 12})
        house.start()
        house.settled("acked", "acked")
    first, second = ehr.messages
    assert [field(first, "OBX", number) for number in (2, 5, 6, 11)] == ["NM", "13.2", "g/dL^^UCUM", "F"]
    assert [field(second, "OBX", number) for number in (5, 11)] == ["12", "C"]


@pytest.mark.parametrize(("types", "states"), [(["LAB"], ["queued"]), (["IMAGING"], []), (None, ["queued"])])
def test_only_orders_of_the_types_of_a_destination_leave(
    house: House, types: list[str] | None, states: list[str]
) -> None:
    house.peer(1, order_types=types)
    laboratory = {"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}
    subject = {"reference": house.patient()}
    house.create(
        "ServiceRequest",
        status="active",
        intent="order",
        category=[laboratory],
        code={"text": "Ferritin"},
        subject=subject,
    )
    assert house.states() == states


def test_a_message_that_cannot_be_written_is_a_dead_letter_and_the_change_stands(house: House) -> None:
    house.peer(1, order_message="OML_O21")
    with house.store.connection() as connection:
        connection.execute("UPDATE hl7_peer SET version = '2.3'")
    house.order(house.patient())
    assert house.states() == ["dead"]
    (row,) = rows(house.store, "SELECT error_text FROM hl7_message WHERE direction = 'out'")
    assert row["error_text"] == "HL7 2.3 has no structure OML_O21"
    assert len(rows(house.store, "SELECT id FROM service_order")) == 1


def test_what_a_message_was_made_of_is_linked(house: House) -> None:
    house.peer(1)
    made = house.order(house.patient())
    (row,) = rows(
        house.store,
        "SELECT r.fhir_id, l.version, l.action FROM hl7_message_link l"
        " JOIN resource r ON r.id = l.resource_id",
    )
    assert row == {"fhir_id": made.partition("/")[2], "version": 1, "action": "matched"}


def told_of(lab: Any, number: int) -> list[str]:
    """A field of ORC in all messages."""
    return [field(message, "ORC", number) for message in lab.messages]


def placed(house: House, listener: Running, number: str = "9001") -> str:
    """An order that the EHR has placed by a message; the reference to it."""
    listener.send(order("C1", number))
    query = (
        "SELECT fhir_id FROM resource WHERE resource_type = 'ServiceRequest' ORDER BY created_at DESC LIMIT 1"
    )
    (row,) = rows(house.store, query)
    return f"ServiceRequest/{row['fhir_id']}"


def known_as_ehr(house: House) -> None:
    with house.store.connection() as connection:
        connection.execute("UPDATE hl7_peer SET sending_facility = 'CITY' WHERE name = 'EHR'")


CHANGES: list[dict[str, Any]] = [
    {"priority": "stat"},
    {"status": "on-hold"},
    {"status": "active"},
    {"status": "revoked"},
]


def test_who_placed_an_order_is_told_what_became_of_it(house: House, listener: Running) -> None:
    with receiving() as ehr, receiving() as lab:
        house.peer(ehr.port, "EHR", order_message=None, status_message="ORM_O01")
        house.peer(lab.port, "LAB")
        known_as_ehr(house)
        made = placed(house, listener)
        for change_of in CHANGES:
            change(house, made, **change_of)
        house.order(house.patient("77"))
        house.start()
        house.settled(*["acked"] * 10)
    assert told_of(ehr, 1) == ["XX", "OH", "OE", "OC"]
    assert told_of(ehr, 2) == ["9001^EHR"] * 4
    assert told_of(lab, 1) == ["NW", "XO", "HD", "RL", "CA", "NW"]


def test_a_state_leaves_as_the_response_to_the_order_that_was_placed(house: House, listener: Running) -> None:
    with receiving(lambda sent, _: ack(sent, "CA")) as ehr:
        told: dict[str, Any] = {"accept_ack": "AL", "application_ack": "AL", "status_message": "ORR_O02"}
        house.peer(ehr.port, "EHR", order_message=None, **told)
        known_as_ehr(house)
        made = placed(house, listener)
        change(house, made, status="revoked")
        house.start()
        house.settled("acked")
    (sent,) = ehr.messages
    assert sent.msh.field(9).raw == "ORR^O02^ORR_O02"
    assert [sent.msh.field(number).raw for number in (15, 16)] == ["AL", "NE"]
    assert [segment.name for segment in sent.segments] == ["MSH", "MSA", "PID", "ORC", "OBR"]
    assert field(sent, "MSA", 2) == "C1"
    assert [field(sent, "ORC", number) for number in (1, 2, 5)] == ["OC", "9001^EHR", "CA"]


def test_a_peer_is_told_of_what_it_did_itself_where_it_asks_for_that(house: House, listener: Running) -> None:
    with receiving() as ehr:
        house.peer(ehr.port, "EHR", echo=True)
        known_as_ehr(house)
        house.start()
        placed(house, listener)
        house.settled("acked")
    assert told_of(ehr, 2) == ["9001^EHR"]


REPLACEMENT = message(
    header("C2"),
    f"PID|1||4711^^^CITY^MR||{FAMILY}^Ann||19700101|F",
    "ORC|RP|9001^EHR",
    "OBR|1|9001^EHR||71020^Chest X-ray^C4",
    "ORC|RO|9002^EHR",
    "OBR|2|9002^EHR||71260^CT of the chest^C4",
)


@pytest.mark.parametrize("name", ["ORM_O01", "OML_O21"])
def test_an_order_in_the_place_of_another_leaves_with_it(house: House, listener: Running, name: str) -> None:
    with receiving() as lab:
        house.peer(lab.port, order_message=name)
        house.start()
        listener.send(order("C1", "9001"), REPLACEMENT)
        house.settled("acked", "acked")
    told = lab.messages[1]
    assert [segment.name for segment in told.segments][-4:] == ["ORC", "OBR", "ORC", "OBR"]
    first, second = told.all("ORC")
    assert [first.field(number).raw for number in (1, 2, 5)] == ["RP", "9001^EHR", "CA"]
    assert [second.field(number).raw for number in (1, 2, 5)] == ["RO", "9002^EHR", ""]
    codes = [segment.field(4).first.component(1) for segment in told.all("OBR")]
    assert codes == ["71020", "71260"]


def test_an_order_that_replaces_one_which_ended_before_is_new(house: House) -> None:
    house.peer(1)
    patient = house.patient()
    old = house.order(patient)
    change(house, old, status="revoked")
    again = {"code": {"text": "Lactate"}, "replaces": [{"reference": old}]}
    house.create("ServiceRequest", status="active", intent="order", subject={"reference": patient}, **again)
    found = rows(house.store, "SELECT raw FROM hl7_message WHERE direction = 'out' ORDER BY id")
    assert [bytes(row["raw"]).split(b"\rORC|")[1][:2] for row in found] == [b"NW", b"CA", b"NW"]


def test_related_persons_leave_as_next_of_kin(house: House) -> None:
    with receiving() as lab:
        house.peer(lab.port, order_message="OML_O21")
        with house.store.connection() as connection:
            connection.execute("UPDATE hl7_peer SET version = '2.6'")
        patient = house.patient()
        mother = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0063", "code": "MTH"}]}
        house.create(
            "RelatedPerson",
            patient={"reference": patient},
            relationship=[mother],
            name=[{"family": "Larkspur", "given": ["Eve"]}],
            birthDate="1950-02-03",
            identifier=[{"system": "urn:hl7:hd:CITY", "value": "R1"}],
        )
        house.order(patient)
        house.start()
        house.settled("acked")
    (kin,) = lab.messages[0].all("NK1")
    assert [kin.field(number).raw for number in (2, 16, 33)] == ["Larkspur^Eve", "19500203", "R1^^^CITY"]
    assert kin.field(3).first.component(1) == "MTH"
