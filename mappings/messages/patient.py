"""The patient of a message: found by any of the identifiers, or created; what is known already is not
overwritten.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.element import ext
from mappings.messages.coverage import MessageRefused
from mappings.messages.demographics import set_birth_time, set_language, set_people
from mappings.messages.people import people
from mappings.messages.systems import with_system
from mappings.resources.patient import CONTACT, PATIENT
from mappings.v2types import cx, typed, xad

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

NOTE = ext("patient-note")
SSN = "http://hl7.org/fhir/sid/us-ssn"


def patient(desk: Desk, part: PatientPart) -> Record:
    """Return the patient that a message is about, created where nobody has any of the identifiers.

    Of a known patient only empty elements are filled; differences are noted, naming the fields. Raises
    MessageRefused: 101 where PID has no identifier, 205 where the identifiers are of different patients.
    """
    pid = part.pid
    numbers = identifiers(desk, pid)
    if not numbers:
        raise MessageRefused("101", "PID", pid.number, 3, text="PID-3 has no identifier")
    record = find(desk, pid, numbers) or desk.make("Patient", "PID")
    desk.own(record, pid, part.pd1, *part.kin, *part.notes, *part.others)
    _add_numbers(desk, record, numbers)
    new = desk.is_new(record)
    desk.fill(record, pid, skip=("identifier", "address"), only_empty=not new)
    set_people(desk, record, pid)
    set_language(desk, record, pid)
    if new:
        set_birth_time(desk, record, pid)
    _one_of_pair(desk, record, "multipleBirthInteger", "multipleBirthBoolean")
    _one_of_pair(desk, record, "deceasedDateTime", "deceasedBoolean")
    _addresses(desk, record, pid)
    _practitioner(desk, record, part)
    _kin(desk, record, part.kin)
    _notes(desk, record, part.notes)
    return record


def identifiers(desk: Desk, pid: Segment) -> list[dict[str, Any]]:
    """Return the identifiers of PID-3, PID-2, PID-4 and PID-19, each with a system.

    PID-2 and PID-4 are kept for old senders, which often repeat there a number of PID-3 without its
    authority.
    """
    found: list[dict[str, Any]] = []
    for number in (3, 2, 4):
        for repetition in pid.field(number).repetitions if not pid.field(number).is_null else ():
            made = cx(repetition, desk.context)
            if not made:
                continue
            desk.coverage.map(pid, number, "Patient.identifier")
            repeats = "system" not in made and any(item["value"] == made["value"] for item in found)
            made = with_system(made, desk.message, desk.context.systems)
            known = any((item["system"], item["value"]) == (made["system"], made["value"]) for item in found)
            if not known and not (repeats and number != 3):
                found.append(made)
    return found + _social_security(desk, pid) if found else found


def _social_security(desk: Desk, pid: Segment) -> list[dict[str, Any]]:
    field = pid.field(19)
    made = None if field.is_null else typed(cx, "SS")(field.first, desk.context)
    if not made:
        return []
    desk.coverage.map(pid, 19, "Patient.identifier")
    digits = str(made["value"]).replace("-", "")
    plain = "system" not in made and digits.isdecimal() and len(digits) == 9
    return [{**made, "system": SSN, "value": digits} if plain else with_system(made, desk.message)]


def find(desk: Desk, pid: Segment, numbers: list[dict[str, Any]]) -> Record | None:
    """Return the patient who has any of the identifiers, None where nobody has; raises MessageRefused
    (205) for several.

    A social security number is kept but is nobody's key: it is mistyped and shared too often.
    """
    keys = [item for item in numbers if item["system"] != SSN]
    found = {
        record.resource["id"]: record
        for item in keys
        for record in desk.identified("Patient", item["system"], item["value"])
    }
    if len(found) > 1:
        raise MessageRefused("205", "PID", pid.number, 3, text="The identifiers are of different patients")
    return desk.meet(next(iter(found.values())), "PID") if found else None


def _add_numbers(desk: Desk, record: Record, numbers: list[dict[str, Any]]) -> None:
    known = {(item.get("system"), item.get("value")) for item in desk.get(record, "identifier") or ()}
    desk.add(
        record, "identifier", *(item for item in numbers if (item["system"], item["value"]) not in known)
    )


def _one_of_pair(desk: Desk, record: Record, wins: str, yields: str) -> None:
    """FHIR has one of the two: the one that tells more."""
    if desk.get(record, wins) is not None and desk.get(record, yields) is not None:
        desk.put(record, yields, None)


def _addresses(desk: Desk, record: Record, pid: Segment) -> None:
    """Set the addresses of PID-11, the county of PID-12 in the first, where the patient has none yet."""
    if pid.field(11).is_null:
        return
    found: list[dict[str, Any]] = [
        made for repetition in pid.field(11).repetitions if (made := xad(repetition, desk.context))
    ]
    county = "" if pid.field(12).is_null else pid.field(12).first.component(1).strip()
    if county and found:
        found[0] = {**found[0], "district": found[0].get("district", county)}
    present: list[dict[str, Any]] = desk.get(record, "address") or []
    if not present:
        desk.add(record, "address", *found)
    same = not present or all(item in present for item in found)
    for number, told in ((11, bool(found)), (12, county and found and found[0]["district"] == county)):
        if told and same:
            desk.coverage.map(pid, number, "Patient.address")
        elif told:
            desk.differs(pid, number)


def _practitioner(desk: Desk, record: Record, part: PatientPart) -> None:
    if not desk.get(record, "generalPractitioner"):
        found = people(desk, part.pd1, 4, "Patient.generalPractitioner")
        desk.add(record, "generalPractitioner", *found)


def _kin(desk: Desk, record: Record, segments: list[Segment]) -> None:
    """Make NK1 contacts of a patient who has none yet."""
    present: list[dict[str, Any]] = desk.get(record, "contact") or []
    for segment in segments:
        value = desk.value(CONTACT, segment)
        if not value.keys() & {"name", "telecom", "address", "organization"}:
            continue
        if not present:
            desk.add(record, "contact", value)
        elif value not in present:
            text = "NK1 differs from the contacts that are stored and was not applied"
            desk.coverage.warn("0", segment, text=text)


def _notes(desk: Desk, record: Record, segments: list[Segment]) -> None:
    """Keep NTE as notes of the patient, for which R4 has no element: an extension of ours."""
    at, line = desk.top(record), PATIENT.extensions[NOTE]
    for segment in segments:
        text = segment.field(3).text.strip()
        if not text or segment.field(3).is_null:
            continue
        item = {"url": NOTE, "valueAnnotation": {"text": text}}
        if item not in (convert.element(at, line) or ()):
            convert.put_extensions(at, PATIENT, [item])
        desk.coverage.map(segment, 3, "Patient.extension(note)")
