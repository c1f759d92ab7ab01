"""Results that belong to another result (OBR-26, OBR-29), and orders that are part of another.

HL7 v2.5.1, sections 7.4.1.26 and 7.4.1.29:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

ORGANISMS = """
    OBX|1|CE|600-7^Bacteria^LN|1|112283007^E coli^SCT||||||F
    OBX|2|CE|600-7^Bacteria^LN|2|3092008^S aureus^SCT||||||F
"""


def obr(number: int, filler: str, code: str, parent: str = "|||") -> str:
    times = f"20260301090000+0000{'|' * 15}20260301120000+0000"
    return f"OBR|{number}|P1^HIS|{filler}^LAB|{code}|||{times}|||F|{parent}"


def susceptibilities(*groups: str) -> str:
    return "\n".join(
        (
            "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1",
            "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F",
            "ORC|RE|P1^HIS|F1^LAB",
            obr(1, "F1", "630-4^Culture^LN"),
            ORGANISMS,
            *groups,
        )
    )


def ampicillin(number: int, sub_id: int, parent: str = "P1&HIS^F1&LAB") -> str:
    head = obr(
        number, f"F1-{number}", "29576-6^Susceptibility^LN", f"600-7&Bacteria&LN^{sub_id}^x|||{parent}"
    )
    return f"{head}\nOBX|1|ST|18864-9^Ampicillin^LN||{'<=' * sub_id}8|ug/mL||S|||F"


def test_each_susceptibility_is_derived_from_its_organism(gateway: Any) -> None:
    raw = susceptibilities(ampicillin(2, 1), ampicillin(3, 2))
    applied = gateway.send(raw)
    found = {item["id"]: item for item in gateway.all("Observation")}
    derived = {
        item["valueString"]: found[item["derivedFrom"][0]["reference"].partition("/")[2]]
        for item in found.values()
        if "derivedFrom" in item
    }
    codes = {text: item["valueCodeableConcept"]["coding"][0]["code"] for text, item in derived.items()}
    assert codes == {"<=8": "112283007", "<=<=8": "3092008"}
    assert applied.coverage.mapped["OBR[2]-26"] == ["Observation.derivedFrom"]
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_an_order_is_not_based_on_itself(gateway: Any) -> None:
    gateway.send(susceptibilities(ampicillin(2, 1)))
    assert "basedOn" not in gateway.only("ServiceRequest")


def test_a_parent_result_that_is_not_known_is_told(gateway: Any) -> None:
    applied = gateway.send(susceptibilities(ampicillin(2, 7)))
    assert ("OBR", 26) in {(item.segment, item.field) for item in applied.coverage.warned}
