"""PV1 and PV2: which visit a message tells of, and that it never moves one backwards.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pv1-to-encounter.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings.messages.coverage import MessageRefused

ADMITTED = (
    "PV1|1|I|3W^12^1||||77^Stone^Mia^^^^^^WEST|88^Brook^Lee^^^^^^WEST"
    + "|" * 11
    + "V9^^^WEST"
    + "|" * 25
    + "20260301060000+0000"
)
"""Class, place, attending (7), referring (8), visit number (19), admitted (44)."""
DISCHARGED = f"{ADMITTED}|20260305100000+0000"


def order(
    pv1: str, number: str = "P100", pid: str = "PID|1||4711^^^WEST^MR||Ortega^Ana", facility: str = "WEST"
) -> str:
    """An order within a visit."""
    header = f"MSH|^~\\&|HIS|{facility}|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    return "\n".join((header, pid, pv1, f"ORC|NW|{number}^HIS", f"OBR|1|{number}^HIS||20610^Aspiration^C4"))


def test_a_visit_is_found_by_its_number_and_shared_by_its_orders(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    gateway.send(order(ADMITTED, "P200"))
    found = gateway.only("Encounter")
    assert found["status"] == "in-progress"
    assert found["class"]["code"] == "IMP"
    assert found["period"] == {"start": "2026-03-01T06:00:00+00:00"}
    roles = [item["type"][0]["coding"][0]["code"] for item in found["participant"]]
    assert roles == ["ATND", "REF"]
    assert {item["encounter"]["reference"] for item in gateway.all("ServiceRequest")} == {
        f"Encounter/{found['id']}"
    }
    assert gateway.row("encounter", found["id"])["visit_number"] == "V9"


def test_a_discharge_ends_a_visit_and_no_later_message_reopens_it(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    gateway.send(order(DISCHARGED, "P200"))
    assert gateway.only("Encounter")["status"] == "finished"
    gateway.send(order(ADMITTED, "P300"))
    found = gateway.only("Encounter")
    assert found["status"] == "finished"
    assert found["period"]["end"] == "2026-03-05T10:00:00+00:00"


def test_a_visit_in_progress_is_not_planned_again(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    gateway.send(order(ADMITTED.replace("|I|", "|P|"), "P200"))
    assert gateway.only("Encounter")["status"] == "in-progress"


def test_without_a_number_the_visit_of_the_order_is_taken(gateway: Any) -> None:
    gateway.send(order("PV1|1|O"))
    gateway.send(order("PV1|1|O|OR^2"))
    found = gateway.only("Encounter")
    assert len(found["location"]) == 1


def test_without_pv1_there_is_no_visit(gateway: Any) -> None:
    gateway.send(order("PD1"))
    assert gateway.all("Encounter") == []


def test_a_move_completes_the_place_before(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    gateway.send(order(ADMITTED.replace("3W^12^1", "ICU^2^1"), "P200"))
    found = gateway.only("Encounter")
    assert [item["status"] for item in found["location"]] == ["completed", "active"]
    assert sorted(item["name"] for item in gateway.all("Location")) == ["3W 12 1", "ICU 2 1"]


def test_wards_of_two_hospitals_with_the_same_name_are_two_places(gateway: Any) -> None:
    gateway.send(order("PV1|1|I|3W^12^1"))
    gateway.send(order("PV1|1|I|3W^12^1", "P200", "PID|1||1^^^EAST^MR||B^C", facility="EAST"))
    assert len(gateway.all("Location")) == 2


def test_a_visit_of_another_patient_is_refused(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(order(ADMITTED, "P200", "PID|1||9^^^WEST^MR||B^C"))
    assert (refused.value.warning.code, refused.value.warning.segment) == ("205", "PV1")


def test_the_account_of_a_patient_is_the_accounts_number_of_the_visit(gateway: Any) -> None:
    gateway.send(order(ADMITTED, pid="PID|1||4711^^^WEST^MR||Ortega^Ana|||||||||||||A77^^^WEST^AN"))
    assert gateway.only("Encounter")["account"][0]["identifier"]["value"] == "A77"
