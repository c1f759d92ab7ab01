"""What HL7v2 writes over several repetitions, lines and fields comes out whole: texts, notes, units.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mappings.v2values import UNIT_EXTENSION

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"


def result(*segments: str, hour: int = 11) -> str:
    return "\n".join(
        (
            "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.6",
            PATIENT,
            "ORC|RE|P1^HIS|L900^LAB",
            f"OBR|1|P1^HIS|L900^LAB|24323-8^Panel^LN|||20260301{'|' * 15}20260301{hour}00+0000|||F",
            *segments,
        )
    )


@pytest.mark.parametrize(
    ("kind", "code", "element"),
    [
        ("TX", "18748-4^Report^LN", "presentedForm"),
        ("FT", "19005-8^Impression^LN", "conclusion"),
        ("TX", "59776-5^Findings^LN", "findings"),
    ],
)
def test_every_repetition_of_a_text_is_in_the_report(
    gateway: Any, kind: str, code: str, element: str
) -> None:
    gateway.send(result(f"OBX|1|{kind}|{code}||First line~~Third line||||||F"))
    report = gateway.only("DiagnosticReport")
    told = {
        "presentedForm": lambda: base64.b64decode(report["presentedForm"][0]["data"]).decode(),
        "conclusion": lambda: report["conclusion"],
        "findings": lambda: report["extension"][0]["valueString"],
    }
    assert told[element]() == "First line\n\nThird line"


@pytest.mark.parametrize(
    ("kind", "value", "unit"),
    [("ST", "<=8", "ug/mL"), ("SN", "^2^+", "mg/dL^milligram per decilitre^UCUM"), ("NM", ">5", "mg^^UCUM")],
)
def test_a_value_that_is_a_text_keeps_its_units(gateway: Any, kind: str, value: str, unit: str) -> None:
    gateway.send(result(f"OBX|1|{kind}|1^One^99L||{value}|{unit}|||||F"))
    (told,) = gateway.only("Observation")["extension"]
    assert told["url"] == UNIT_EXTENSION
    assert told["valueCodeableConcept"]["coding"][0]["code"] == unit.partition("^")[0]


def test_a_number_after_a_text_has_its_units_in_its_value_alone(gateway: Any) -> None:
    gateway.send(result("OBX|1|ST|1^One^99L||<=8|ug/mL|||||F"))
    gateway.send(result("OBX|1|NM|1^One^99L||8|ug/mL|||||F", hour=12))
    made = gateway.only("Observation")
    assert made["valueQuantity"] == {"value": 8, "unit": "ug/mL"}
    assert "extension" not in made


def test_a_note_has_all_its_lines_its_author_and_its_time(gateway: Any) -> None:
    note = "NTE|1|L|First~second||12^Doe^Jo^^^^^^LAB|202603011030+0000"
    raw = result(note, "OBX|1|NM|1^One^99L||1||||||F", note)
    gateway.send(raw)
    author = {"reference": f"Practitioner/{gateway.only('Practitioner')['id']}"}
    told = {"authorReference": author, "time": "2026-03-01T10:30:00+00:00", "text": "First\nsecond"}
    assert gateway.only("Observation")["note"] == [told]
    report = gateway.only("DiagnosticReport")
    assert report["extension"] == [{"url": NOTE, "valueAnnotation": told}]
    again = gateway.send(raw)
    assert {item.action for item in again.written} == {"matched"}
    assert {"NTE[1]-5", "NTE[1]-6", "NTE[2]-5", "NTE[2]-6"} <= again.coverage.mapped.keys()
