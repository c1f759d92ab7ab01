"""The numbers of a peer that declares authorities: under their systems, and found as they were kept before.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-hd-to-uri.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from storage.peers import STRANGER

CITY = "http://city.example.org/numbers"
PEER = replace(STRANGER, authorities={"CITY": CITY}, accession_field="OBR-18")
WITHOUT = {"f3": "4711", "visit": "V1", "person": "77", "kin": "88", "order": "P1", "accession": "A1"}
WITH = {name: f"{value}^^^CITY" for name, value in WITHOUT.items()} | {
    "person": "77^Stone^Mia^^^^^^CITY",
    "order": "P1^CITY",
    "accession": "A1^CITY",
}
TYPES = ("Patient", "Encounter", "Practitioner", "RelatedPerson", "ServiceRequest", "Condition")


def message(told: dict[str, str]) -> str:
    person = told["person"] if "^" in told["person"] else f"{told['person']}^Stone^Mia"
    return "\n".join(
        (
            "MSH|^~\\&|EHR|CITY|SUTURE|OR|20260301080000||ORM^O01|1|P|2.5.1",
            f"PID|1||{told['f3']}||Ortega^Ana||19700214|F",
            f"NK1|1|Ortega^Luis|SPO{'|' * 30}{told['kin']}",
            f"PV1|1|I|3W^1|||{'|'}{person}{'|' * 12}{told['visit']}",
            f"ORC|NW|{told['order']}",
            f"OBR|1|{told['order']}||71046^Chest X-ray^C4{'|' * 14}{told['accession']}{'|' * 6}RAD",
            "DG1|1||M17.1^Gonarthrosis^I10|||F||||||||||||||D1",
        )
    )


def systems(gateway: Any, resource_type: str) -> dict[str, str]:
    return {item["value"]: item["system"] for item in gateway.only(resource_type)["identifier"]}


@pytest.mark.parametrize("told", [WITHOUT, WITH], ids=["without", "with"])
def test_each_number_of_a_declared_facility_has_its_system(gateway: Any, told: dict[str, str]) -> None:
    gateway.send(message(told), PEER)
    found = {
        value: system
        for kind in TYPES
        for value, system in systems(gateway, kind).items()
        if value in (*WITHOUT.values(), "D1")
    }
    assert found == dict.fromkeys((*WITHOUT.values(), "D1"), CITY)


@pytest.mark.parametrize("told", [WITHOUT, WITH], ids=["without", "with"])
@pytest.mark.parametrize("before", [WITHOUT, WITH], ids=["stored without", "stored with"])
def test_what_was_kept_before_the_declaration_is_found_after_it(
    gateway: Any, before: dict[str, str], told: dict[str, str]
) -> None:
    gateway.send(message(before))
    gateway.send(message(told), PEER)
    applied = gateway.send(message(told), PEER)
    assert {kind: len(gateway.all(kind)) for kind in TYPES} == dict.fromkeys(TYPES, 1)
    assert {item.action for item in applied.written} == {"matched"}


def test_a_merge_after_the_declaration_finds_both_patients(gateway: Any) -> None:
    head = "MSH|^~\\&|EHR|CITY|SUTURE|OR|20260301080000||ADT^A{}|1|P|2.5.1\nEVN|A{}"
    for number in ("1", "2"):
        gateway.send(f"{head.format(28, 28)}\nPID|1||{number}||Ortega^Ana")
    gateway.send(f"{head.format(40, 40)}\nPID|1||1||Ortega^Ana\nMRG|2", PEER)
    assert [item.get("active") for item in gateway.all("Patient")] == [None, False]


def test_a_document_of_before_the_declaration_is_found_after_it(gateway: Any) -> None:
    told = (
        "MSH|^~\\&|EHR|CITY|SUTURE|OR|20260301080000||MDM^T02|1|P|2.5.1",
        "EVN|T02",
        "PID|1||1||Ortega^Ana",
        f"TXA|1|OP|TX{'|' * 9}D1",
        "OBX|1|TX|1^Note^L||Text||||||F",
    )
    gateway.send("\n".join(told))
    gateway.send("\n".join(told), PEER)
    assert len(gateway.all("DocumentReference")) == len(gateway.all("Patient")) == 1
