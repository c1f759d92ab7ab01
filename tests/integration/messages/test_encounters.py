"""PV1 and PV2: which visit a message tells of, and that it never moves one backwards.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pv1-to-encounter.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings.messages.coverage import MessageRefused
from tests.integration.messages.test_adt import adt
from tests.integration.messages.test_adt import pv1 as visit_of

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


def test_the_financial_class_of_a_visit_is_a_cover_of_the_patient(gateway: Any) -> None:
    pv1 = "PV1|1|I|" + "|" * 16 + "V9^^^WEST|C^20260101~S"
    gateway.send(order(pv1))
    applied = gateway.send(order(pv1))
    first, second = sorted(gateway.all("Coverage"), key=lambda item: item["type"]["coding"][0]["code"])
    assert [item["type"]["coding"][0]["code"] for item in (first, second)] == ["C", "S"]
    assert first["type"]["coding"][0]["system"].endswith("v2-0064")
    assert (first["period"], first["beneficiary"]) == (
        {"start": "2026-01-01"},
        {"reference": f"Patient/{gateway.only('Patient')['id']}"},
    )
    assert applied.coverage.mapped["PV1[1]-20"] == ["Coverage.type"]
    assert "Coverage" not in {
        item.record.resource["resource_type"] for item in applied.written if item.action != "matched"
    }


RESULT = f"OBR|1|P2^HIS|F2^LAB|718-7^Hemoglobin^LN|||20260301{'|' * 18}F"


@pytest.mark.parametrize("kind", ["ORM^O01", "ORU^R01"])
@pytest.mark.parametrize(
    ("pv1", "same"),
    [
        ("PV1|1|I|ICU", True),
        ("PV1|1||ICU", True),
        ("PV1|1|O|ICU", False),
        (f"PV1|1|I|ICU{'|' * 41}20260301060000+0000", True),
        (f"PV1|1|I|ICU{'|' * 41}20260401060000+0000", False),
    ],
)
def test_without_a_number_the_visit_that_is_under_way_is_taken(
    gateway: Any, kind: str, pv1: str, *, same: bool
) -> None:
    gateway.send(order(ADMITTED))
    head = order(pv1, "P2").replace("ORM^O01", kind)
    raw = head if kind == "ORM^O01" else f"{head.partition(chr(10) + 'ORC')[0]}\n{RESULT}"
    gateway.send(raw)
    assert len(gateway.all("Encounter")) == (1 if same else 2)
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


@pytest.mark.parametrize(
    "first", [DISCHARGED, ADMITTED.replace("|I|", "|P|").partition("||||||||||||||||||||||||2")[0]]
)
def test_a_visit_that_is_over_or_has_not_begun_is_not_taken_without_its_number(
    gateway: Any, first: str
) -> None:
    gateway.send(order(first))
    gateway.send(order("PV1|1|I|ICU", "P200"))
    assert len(gateway.all("Encounter")) == 2


def test_of_two_visits_under_way_neither_is_taken_without_a_number(gateway: Any) -> None:
    gateway.send(order(ADMITTED))
    gateway.send(order(ADMITTED.replace("V9", "V8"), "P200"))
    gateway.send(order("PV1|1|I|ICU", "P300"))
    assert len(gateway.all("Encounter")) == 3


@pytest.mark.parametrize(
    ("event", "patient_class", "status", "count"),
    [
        ("A02", "I", "in-progress", 1),
        ("A03", "I", "finished", 1),
        ("A06", "I", "in-progress", 1),
        ("A07", "O", "in-progress", 1),
        ("A08", "I", "in-progress", 1),
        ("A21", "I", "onleave", 1),
        ("A08", "O", "in-progress", 2),
        ("A01", "I", "in-progress", 2),
        ("A04", "I", "in-progress", 2),
        ("A05", "I", "in-progress", 2),
    ],
)
def test_an_event_without_a_visit_number_is_of_the_visit_that_is_under_way_unless_it_begins_one(
    gateway: Any, event: str, patient_class: str, status: str, count: int
) -> None:
    gateway.send(adt("A01", visit_of()))
    later = "20260302060000+0000"
    gateway.send(adt(event, visit_of(patient_class=patient_class, f19="", f44=""), at=later))
    found = gateway.all("Encounter")
    assert (len(found), found[0]["status"]) == (count, status)


@pytest.mark.parametrize("event", ["A11", "A13"])
def test_nothing_of_a_visit_with_a_number_is_taken_back_without_it(gateway: Any, event: str) -> None:
    gateway.send(adt("A01", visit_of()))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(adt(event, visit_of(f19="")))
    assert refused.value.warning.code == "204"
