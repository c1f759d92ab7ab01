"""What PID tells in extensions and nested elements: race, ethnicity, language, time of birth.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mappings import convert, times
from mappings.messages.people import people
from mappings.remainder import extension_of, forget, keep, put_extension
from mappings.resources.patient import CONTACT, PATIENT, US_CORE
from mappings.v2persons import organization_named
from mappings.v2types import codings, cwe, xad

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
ANIMAL = "http://hl7.org/fhir/StructureDefinition/patient-animal"
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


def replace_people(desk: Desk, patient: Record, pid: Segment) -> None:
    """Set race and ethnicity as PID-10 and PID-22 tell them; ``""`` takes them away."""
    at = desk.top(patient)
    for number, kind in ((10, "race"), (22, "ethnicity")):
        found = pid.field(number)
        line = PATIENT.extensions[f"{US_CORE}us-core-{kind}"]
        made = None if found.is_empty or found.is_null else _extension(line.url, kind, found)
        if made is None and not found.is_null:
            continue
        if made is None or made not in (convert.element(at, line) or ()):
            convert.clear(at, line)
            convert.put_extensions(at, PATIENT, [made] if made else [])
        desk.coverage.map(pid, number, f"Patient.extension({kind})")


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


def replace_language(desk: Desk, patient: Record, pid: Segment) -> None:
    """Set the preferred language as PID-15 tells it; ``""`` takes it away."""
    found = pid.field(15)
    made = None if found.is_null else cwe(found.first, desk.context)
    if made is None and not found.is_null:
        return
    desk.coverage.map(pid, 15, "Patient.communication")
    present: list[dict[str, Any]] = desk.get(patient, "communication") or []
    told = [{"language": made, "preferred": True}] if made else []
    others = [item for item in present if not item.get("preferred") and item.get("language") != made]
    if present != [*told, *others]:
        desk.put(patient, "communication", [*told, *others] or None)


def addresses(desk: Desk, pid: Segment) -> list[dict[str, Any]]:
    """Return the addresses of PID-11, the county of PID-12 in the first."""
    found: list[dict[str, Any]] = [
        made for repetition in pid.field(11).repetitions if (made := xad(repetition, desk.context))
    ]
    county = "" if pid.field(12).is_null else pid.field(12).first.component(1).strip()
    if county and found:
        found[0] = {**found[0], "district": found[0].get("district", county)}
    return found


def practitioners(desk: Desk, pd1: Segment | None) -> list[dict[str, Any]]:
    """Return References to the primary care providers of PD1-4 and their organization, PD1-3."""
    to = "Patient.generalPractitioner"
    found = people(desk, pd1, 4, to)
    if pd1 is not None and not pd1.field(3).is_null:
        made = [organization_named(repetition, desk.context) for repetition in pd1.field(3).repetitions]
        if any(made):
            desk.coverage.map(pd1, 3, to)
        found += [item for item in made if item]
    return found


def contacts(desk: Desk, segments: list[Segment]) -> list[dict[str, Any]]:
    """Return the contacts that NK1 tell of; one who has no name, address or number is none."""
    made = (desk.value(CONTACT, segment) for segment in segments)
    return [value for value in made if value.keys() & {"name", "telecom", "address", "organization"}]


def set_animal(desk: Desk, patient: Record, pid: Segment, *, replaces: bool) -> None:
    """Say of which species (PID-35) and breed (PID-36) a patient is who is an animal; what is known stays
    unless this ``replaces`` it.
    """
    species, breed = (
        None if pid.field(number).is_null else cwe(pid.field(number).first, desk.context)
        for number in (35, 36)
    )
    if species is None:
        return
    told = {"species": species, "breed": breed}
    inner = [{"url": url, "valueCodeableConcept": value} for url, value in told.items() if value]
    made = {"url": ANIMAL, "extension": inner}
    present = extension_of(patient.resource, ANIMAL)
    if present not in (None, made) and not replaces:
        desk.differs(pid, 35)
        return
    put_extension(patient.resource, made)
    for number in (35, 36) if breed else (35,):
        desk.coverage.map(pid, number, "Patient.extension(animal)")


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


def replace_birth_time(desk: Desk, patient: Record, pid: Segment, before: str | None) -> None:
    """Set the time of birth as PID-7 tells it; another day without a time takes the time of before away."""
    if desk.get(patient, "birthDate") != before:
        forget(patient.resource, "_birthDate")
    set_birth_time(desk, patient, pid)
