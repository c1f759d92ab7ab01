"""What a change of an order or a result makes leave, whoever makes it.

https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings.er7 import Message
from storage import outbox
from tests.wire.messages import rows
from tests.wire.receiver import receiving
from tests.wire.test_outbound import WRITER, House, house, quick

__all__ = ["house", "quick"]


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
