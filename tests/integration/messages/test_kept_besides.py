"""What a mapped field says beyond its element, and what HL7v2 writes in an extension of the guide.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.records import Caller
from storage.peers import STRANGER

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
PEER = replace(STRANGER, authorities={"CENTRAL": "http://central.example.org/numbers"})
HL7 = "http://hl7.org/fhir/StructureDefinition"


def order(orc: str, obr: str, *segments: str, version: str = "2.5.1") -> str:
    head = f"MSH|^~\\&|HIS|CENTRAL|SUTURE|OR|20260301080000+0000||OML^O21|1|P|{version}"
    return "\n".join((head, PATIENT, f"ORC|{orc}", f"OBR|1|{obr}", *segments))


def result(*segments: str, orc: str = "RE|P1^HIS|F1^LAB", code: str = "24323-8^Panel^LN") -> str:
    head = "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1"
    obr = f"OBR|1|{orc.partition('|')[2]}|{code}|||20260301090000+0000{'|' * 18}F"
    return "\n".join((head, PATIENT, f"ORC|{orc}", obr, *segments))


def kept(gateway: Any, resource_type: str) -> dict[str, Any]:
    return gateway.row("resource", gateway.only(resource_type)["id"])["v2_remainder"]


@pytest.mark.parametrize(
    ("field", "timing"),
    [
        ("ORC", "2&mg^Q6H^D3^20260304080000^^S"),
        ("ORC", "^^^20260304^^R~^^^20260305^^S"),
        ("OBR", "^BID^^20260304"),
    ],
)
def test_what_a_timing_says_beyond_time_and_priority_is_kept(gateway: Any, field: str, timing: str) -> None:
    orc, obr = "NW|P1^HIS", "P1^HIS||1^One^99L"
    if field == "ORC":
        gateway.send(order(f"{orc}{'|' * 5}{timing}", obr))
    else:
        gateway.send(order(orc, f"{obr}{'|' * 23}{timing}"))
    number = "7" if field == "ORC" else "27"
    assert kept(gateway, "ServiceRequest")[field][number] == timing
    assert gateway.only("ServiceRequest")["occurrenceDateTime"].startswith("2026-03-04")


def test_a_timing_of_time_and_priority_alone_is_not_kept_besides(gateway: Any) -> None:
    gateway.send(order(f"NW|P1^HIS{'|' * 5}^^^20260304080000^^S", "P1^HIS||1^One^99L"))
    assert "7" not in kept(gateway, "ServiceRequest")["ORC"]


def test_methods_and_devices_after_the_first_are_kept(gateway: Any) -> None:
    more = "M1^One^99L~M2^Two^99L|D1^DEV~D2^DEV"
    gateway.send(result(f"OBX|1|NM|1^One^99L||5||||||F||||||{more}"))
    assert kept(gateway, "Observation")["OBX"] == {"17": "M1^One^99L~M2^Two^99L", "18": "D1^DEV~D2^DEV"}


def test_an_end_that_comes_alone_leaves_the_start_as_it_was(gateway: Any) -> None:
    gateway.send(order("NW|P1^HIS", "P1^HIS||1^One^99L", "TQ1|1||||||20260304080000+0000"))
    gateway.send(order("XO|P1^HIS", "P1^HIS||1^One^99L", "TQ1|1|||||||20260306"))
    told = {"start": "2026-03-04T08:00:00+00:00", "end": "2026-03-06"}
    assert gateway.only("ServiceRequest")["occurrencePeriod"] == told


def test_an_order_made_of_a_result_is_wanted_until_the_end_that_is_told(gateway: Any) -> None:
    gateway.send(result("TQ1|1||||||20260301|20260302", "OBX|1|NM|1^One^99L||5||||||F"))
    assert gateway.only("ServiceRequest")["occurrencePeriod"] == {"start": "2026-03-01", "end": "2026-03-02"}


@pytest.mark.parametrize(
    ("group", "version", "system"),
    [
        ("G1^HIS", "2.5.1", "urn:hl7:hd:HIS"),
        ("G1&HIS^G9&LAB", "2.5.1", "urn:hl7:hd:HIS"),
        ("G1&HIS^G9&LAB", "2.8.2", "urn:hl7:hd:HIS"),
        ("G1^G9", "2.8.2", None),
    ],
)
def test_the_group_of_a_placer_is_a_number_or_half_of_a_pair(
    gateway: Any, group: str, version: str, system: str | None
) -> None:
    gateway.send(order(f"NW|P1^HIS||{group}", "P1^HIS||1^One^99L", version=version))
    requisition = gateway.only("ServiceRequest")["requisition"]
    assert (requisition["value"], requisition.get("system")) == ("G1", system)


def test_a_container_has_its_type_and_what_was_added(gateway: Any) -> None:
    specimen = f"SPM|1|S1&HIS||119297000^Blood^SCT||HEP^Heparin^99L{'|' * 21}T^Tube^99L"
    for _ in range(2):
        gateway.send(order("NW|P1^HIS", "P1^HIS||1^One^99L", specimen))
    (container,) = gateway.only("Specimen")["container"]
    assert container["type"]["coding"][0]["code"] == "T"
    assert container["additiveCodeableConcept"]["coding"][0]["code"] == "HEP"


@pytest.mark.parametrize(
    ("sub_id", "told"),
    [
        ("1a", {"original-sub-identifier": "1a"}),
        ("^2^3^x", {"group": 2, "sequence": 3, "identifier": "x"}),
        ("1.2.840.113619.2.55.3", {"original-sub-identifier": "1.2.840.113619.2.55.3"}),
    ],
)
def test_a_sub_id_is_the_extension_of_the_guide(gateway: Any, sub_id: str, told: dict[str, Any]) -> None:
    gateway.send(result(f"OBX|1|NM|1^One^99L|{sub_id}|5||||||F"))
    (grouper,) = gateway.only("Observation")["extension"]
    assert grouper["url"] == f"{HL7}/observation-v2-subid"
    parts = {item["url"]: item.get("valueString", item.get("valueDecimal")) for item in grouper["extension"]}
    assert parts == told


def test_long_sub_ids_that_begin_alike_are_told_apart(gateway: Any) -> None:
    line = "OBX|{0}|NM|1^One^99L|1.2.840.113619.2.55.3.{0}|{1}||||||{2}"
    gateway.send(result(line.format(1, 10, "F"), line.format(2, 20, "F")))
    gateway.send(result(line.format(2, 21, "C").replace("OBX|2", "OBX|1")))
    assert sorted(item["valueQuantity"]["value"] for item in gateway.all("Observation")) == [10, 21]


def test_the_time_of_the_analysis_is_an_extension(gateway: Any) -> None:
    gateway.send(result(f"OBX|1|NM|1^One^99L||5||||||F{'|' * 8}20260301100000+0000"))
    told = {"url": f"{HL7}/observation-analysis-date-time", "valueDateTime": "2026-03-01T10:00:00+00:00"}
    assert gateway.only("Observation")["extension"] == [told]


@pytest.mark.parametrize("code", ["110180^Study Instance UID^DCM", "113014^DICOM Study^DCM"])
def test_the_study_that_a_result_names_is_that_of_its_order(gateway: Any, code: str) -> None:
    gateway.send(result(f"OBX|1|HD|{code}||1.2.840.1||||||F"))
    row = gateway.row("order_imaging", gateway.only("ServiceRequest")["id"])
    assert row["study_instance_uid"] == "1.2.840.1"


def test_a_number_without_authority_is_of_the_system_that_the_peers_facility_stands_for(gateway: Any) -> None:
    gateway.send(order("NW|P1", "P1||1^One^99L"), PEER)
    gateway.send(order("SC|P1^CENTRAL|||IP", "P1^CENTRAL||1^One^99L"), PEER)
    numbers = gateway.only("ServiceRequest")["identifier"]
    assert [item["system"] for item in numbers if item["value"] == "P1"] == [
        "http://central.example.org/numbers"
    ]


def test_an_order_of_before_its_facility_was_declared_is_found(gateway: Any) -> None:
    gateway.send(order("NW|P1", "P1||1^One^99L"))
    for number in ("P1", "P1^CENTRAL"):
        gateway.send(order(f"SC|{number}|||IP", f"{number}||1^One^99L"), PEER)
    assert gateway.only("ServiceRequest")["status"] == "active"


def test_when_an_order_was_cancelled_is_told_by_its_transaction(gateway: Any) -> None:
    gateway.send(order("NW|P1^HIS", "P1^HIS||1^One^99L"))
    applied = gateway.send(order("CA|P1^HIS|||||||20260301093000+0000", "P1^HIS||1^One^99L"))
    assert applied.coverage.mapped["ORC[1]-9"] == ["service_order.cancelled_at"]


def test_an_extension_that_others_wrote_stays_when_a_value_is_corrected(gateway: Any) -> None:
    line = "OBX|1|NM|1^One^99L||{}||||||{}"
    gateway.send(result(line.format(5, "F")))
    found = gateway.only("Observation")
    other = {"url": "http://example.org/fhir/other", "valueString": "kept"}
    gateway.records.update(Caller("fhir"), "Observation", found["id"], found | {"extension": [other]})
    gateway.send(result(line.format(6, "C")))
    found = gateway.only("Observation")
    assert (found["valueQuantity"]["value"], found["extension"]) == (6, [other])
