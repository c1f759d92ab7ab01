"""What PID tells in extensions and nested elements: race, ethnicity, language, time of birth.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mappings import convert, times
from mappings.remainder import keep
from mappings.resources.patient import PATIENT, US_CORE
from mappings.v2types import codings, cwe

if TYPE_CHECKING:
    from mappings.er7 import Field, Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

CDC_RACE = "urn:oid:2.16.840.1.113883.6.238"
OMB = {
    "race": frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3"}),
    "ethnicity": frozenset({"2135-2", "2186-5"}),
}
"""The categories of the American OMB; other codes of the same system are details of them."""
ETHNICITY = {"H": ("2135-2", "Hispanic or Latino"), "N": ("2186-5", "Not Hispanic or Latino")}
"""Table 0189 -> CDC code and display."""
BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_CDC_CODE = re.compile(r"\d{4}-\d\Z")


def set_people(desk: Desk, patient: Record, pid: Segment) -> None:
    """Fill race (PID-10) and ethnicity (PID-22), where the patient has none yet."""
    at = desk.top(patient)
    for number, kind in ((10, "race"), (22, "ethnicity")):
        found = pid.field(number)
        line = PATIENT.extensions[f"{US_CORE}us-core-{kind}"]
        if found.is_empty or found.is_null:
            continue
        made = _extension(line.url, kind, found)
        present = convert.element(at, line)
        if not present and made:
            convert.put_extensions(at, PATIENT, [made])
        if made and (not present or made in present):
            desk.coverage.map(pid, number, f"Patient.extension({kind})")
        elif made:
            desk.differs(pid, number)


def _extension(url: str, kind: str, field: Field) -> dict[str, Any] | None:
    parts: dict[str, list[dict[str, Any]]] = {"ombCategory": [], "detailed": []}
    texts: list[str] = []
    for repetition in field.repetitions:
        found = [_cdc(kind, coding) for coding in codings(repetition)]
        told = next((coding for coding in found if coding.get("system") == CDC_RACE), None)
        if told is not None:
            place = "ombCategory" if told["code"] in OMB[kind] else "detailed"
            if told not in parts[place]:
                parts[place].append(told)
        text = next((str(coding["display"]) for coding in found if coding.get("display")), "")
        texts.append(text or repetition.component(2).strip() or repetition.component(1).strip())
    told_texts = [text for text in dict.fromkeys(texts) if text]
    inner = [{"url": name, "valueCoding": coding} for name, listed in parts.items() for coding in listed]
    return (
        {"url": url, "extension": [*inner, {"url": "text", "valueString": ", ".join(told_texts)}]}
        if told_texts
        else None
    )


def _cdc(kind: str, coding: dict[str, Any]) -> dict[str, Any]:
    code = str(coding["code"]).strip()
    if _CDC_CODE.match(code):
        return {**coding, "system": CDC_RACE, "code": code}
    if kind == "ethnicity" and code.upper() in ETHNICITY:
        known, display = ETHNICITY[code.upper()]
        return {"system": CDC_RACE, "code": known, "display": display}
    return coding


def set_language(desk: Desk, patient: Record, pid: Segment) -> None:
    """Fill communication from the primary language (PID-15), where the patient has none yet."""
    found = pid.field(15)
    made = None if found.is_null else cwe(found.first, desk.context)
    if made is None:
        return
    item = {"language": made, "preferred": True}
    present = desk.get(patient, "communication")
    if not present:
        desk.add(patient, "communication", item)
    if not present or item in present:
        desk.coverage.map(pid, 15, "Patient.communication")


def set_birth_time(desk: Desk, patient: Record, pid: Segment) -> None:
    """Add the time of birth where PID-7 tells one: ``birthDate`` has the day alone."""
    text = pid.field(7).first.component(1)
    if len(text) <= 8 or pid.field(7).is_null:
        return
    try:
        told = times.from_v2(text, desk.context.zone)
    except ValueError:
        return
    if "T" in told:
        keep(patient.resource, "x", "_birthDate", {"extension": [{"url": BIRTH_TIME, "valueDateTime": told}]})
