"""Messages as text: what a change is called, what a version has room for, what is left out.

https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings import er7
from mappings.element import V2Context
from mappings.outbound import structure
from mappings.outbound.control import control
from mappings.outbound.fill import Piece, Pieces
from mappings.outbound.message import Built, Envelope, order_message, result_message
from mappings.outbound.placer import is_placed_by
from mappings.outbound.structure import NoStructure

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
PATIENT = Piece(
    {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [
            {
                "type": {"coding": [{"system": TYPE, "code": "MR"}]},
                "system": "urn:hl7:hd:CITY",
                "value": "4711",
            }
        ],
        "name": [{"use": "official", "family": "Quillfeather", "given": ["Ann"]}],
        "gender": "female",
        "birthDate": "1970-01-01",
        "telecom": [
            {"system": "phone", "use": "home", "value": "555-1"},
            {"system": "phone", "use": "work", "value": "555-2"},
        ],
    },
    {"PID": {"26": "NO", "5": "Other^Name"}, "ZPI": {"1": "local"}, "GT1": {"1": "1", "3": "Guarantor^Guy"}},
)


def row(status: str = "ordered", **changed: Any) -> dict[str, Any]:
    """The columns of an order by which its changes are judged."""
    return {"status": status, "on_hold": False, "record_state": "normal", **changed}


@pytest.mark.parametrize(
    ("was", "now", "code"),
    [
        ({}, row(), "NW"),
        ({}, row("cancelled"), None),
        ({}, row("reported"), None),
        (row(), row(), "XO"),
        (row(), row("scheduled"), "SC"),
        (row("scheduled"), row("cancelled"), "CA"),
        (row(), row(record_state="entered-in-error"), "CA"),
        (row("cancelled"), row("cancelled"), None),
        (row(), row(on_hold=True), "HD"),
        (row(on_hold=True), row(), "RL"),
        (row("completed"), row("reported"), None),
        (row("reported"), row("reported"), None),
    ],
)
def test_a_change_has_its_order_control(was: dict[str, Any], now: dict[str, Any], code: str | None) -> None:
    assert control(was, now) == code


def test_an_order_that_is_deleted_is_cancelled() -> None:
    assert control(row(), row(), deleted=True) == "CA"
    assert control(row("cancelled"), row("cancelled"), deleted=True) is None


def order(
    name: str = "ORM_O01", version: str = "2.5.1", patient: Piece = PATIENT, house: str = "", **elements: Any
) -> Built:
    """A message of an order of the patient."""
    value = {
        "resourceType": "ServiceRequest",
        "id": "o",
        "status": "active",
        "intent": "order",
        "priority": "stat",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
        "occurrenceDateTime": "2026-03-02T09:00:00+01:00",
        **elements,
    }
    piece = Piece(value)
    pieces = Pieces({patient.name: patient, piece.name: piece}, V2Context(UTC, version=version, house=house))
    return order_message(envelope(version), name, piece, "NW", pieces)


def envelope(version: str) -> Envelope:
    return Envelope(("SUTURE", "OR"), ("LAB", "SITE"), "42", AT, version)


def message(built: Built) -> er7.Message:
    return er7.read(built.encoded("UNICODE UTF-8"))


def field(read: er7.Message, segment: str, number: int) -> str:
    found = read.first(segment)
    assert found is not None, segment
    return found.field(number).raw


def test_the_header_is_that_of_the_version() -> None:
    told = message(order())
    assert told.msh.text == "MSH|^~\\&|SUTURE|OR|LAB|SITE|20260301083000+0000||ORM^O01^ORM_O01|42|P|2.5.1"
    assert field(message(order(version="2.2")), "MSH", 9) == "ORM^O01"


def test_what_is_kept_goes_along_where_nothing_else_is_said() -> None:
    told = message(order())
    assert field(told, "PID", 26) == "NO"
    assert field(told, "PID", 5) == "Quillfeather^Ann^^^^^L"
    assert field(told, "GT1", 3) == "Guarantor^Guy"
    assert field(told, "ZPI", 1) == "local"


@pytest.mark.parametrize(("house", "authority"), [("OR7", "OR7"), ("", "SUTURE")])
def test_a_patient_without_a_number_has_ours_by_the_name_that_the_peer_has_for_us(
    house: str, authority: str
) -> None:
    told = Piece({"resourceType": "Patient", "id": "p", "gender": "female"})
    read = message(order(patient=told, house=house))
    assert field(read, "PID", 3) == f"p^^^{authority}^PI"


def test_a_telephone_stands_where_its_use_says() -> None:
    told = message(order())
    assert (field(told, "PID", 13), field(told, "PID", 14)) == ("555-1^PRN^PH", "555-2^WPN^PH")


def test_timing_stands_where_the_message_has_a_place_for_it() -> None:
    old, new = message(order()), message(order("OML_O21"))
    assert field(old, "OBR", 27) == "^^^20260302090000+0100^^S"
    assert field(old, "ORC", 7) == field(old, "OBR", 27)
    assert (field(new, "TQ1", 7), field(new, "TQ1", 9)) == ("20260302090000+0100", "S")
    latest = message(order("OML_O21", "2.7"))
    assert field(latest, "OBR", 27) == field(latest, "ORC", 7) == ""


def test_a_version_without_the_structure_has_no_message() -> None:
    with pytest.raises(NoStructure):
        order("OML_O21", "2.3")
    with pytest.raises(NoStructure):
        order("ORM_O01", "9.9")


def test_a_message_that_lacks_a_required_part_says_so() -> None:
    assert order().faults == ()
    assert order(code=None).faults == ("OBR-4 is missing",)


def test_a_segment_that_has_no_place_is_left_out() -> None:
    kept = Piece(PATIENT.resource | {"contact": [{"name": {"family": "Kin"}}]})
    report = Piece(
        {
            "resourceType": "DiagnosticReport",
            "id": "r",
            "status": "final",
            "code": {"text": "Report"},
            "subject": {"reference": "Patient/p"},
        }
    )
    built = {}
    for version in ("2.3", "2.5.1"):
        pieces = Pieces({kept.name: kept, report.name: report}, V2Context(UTC, version=version))
        built[version] = message(result_message(envelope(version), report, pieces))
    assert built["2.3"].first("NK1") is None
    assert field(built["2.5.1"], "NK1", 2) == "Kin"


@pytest.mark.parametrize(
    ("segments", "wrong", "missing"),
    [
        ("MSH PID PV1 ORC OBR OBX NTE", [], []),
        ("MSH PID ORC OBR DG1 OBX ORC OBR", [], []),
        ("MSH PID NK1 ORC OBR", [2], []),
        ("MSH PID ZPI ORC OBR ZDS", [], []),
        ("MSH PID", [], ["ORM_O01_ORDER"]),
        ("MSH ORC OBR PID", [3], []),
    ],
)
def test_segments_are_held_against_the_structure(segments: str, wrong: list[int], missing: list[str]) -> None:
    assert structure.faults("2.5.1", "ORM_O01", segments.split()) == (wrong, missing)


def test_an_order_is_that_of_the_application_that_sent_it() -> None:
    sent = Piece({"resourceType": "ServiceRequest", "id": "o"}, {"MSH": {"3": "EHR^1.2^ISO", "4": "CITY"}})
    assert is_placed_by(sent, "EHR", "CITY")
    assert is_placed_by(sent, "EHR", "")
    assert not is_placed_by(sent, "RIS", "CITY")
    assert not is_placed_by(sent, "", "")


def test_an_order_that_nobody_sent_is_that_of_whose_number_it_carries() -> None:
    number = {
        "type": {"coding": [{"system": TYPE, "code": "PLAC"}]},
        "system": "urn:hl7:hd:EHR",
        "value": "1",
    }
    made = Piece({"resourceType": "ServiceRequest", "id": "o", "identifier": [number]})
    assert is_placed_by(made, "EHR", "CITY")
    assert not is_placed_by(made, "RIS", "SITE")
