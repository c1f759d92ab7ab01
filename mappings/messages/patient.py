"""The patient of a message: found by any of the identifiers, or created; what is known already is not
overwritten.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.element import ext
from mappings.messages.coverage import MessageRefused
from mappings.messages.demographics import (
    addresses,
    contacts,
    practitioners,
    set_animal,
    set_birth_time,
    set_language,
    set_people,
)
from mappings.messages.kin import mother, related_persons
from mappings.messages.reading import read_number
from mappings.messages.registration import register
from mappings.messages.survivor import survivor
from mappings.messages.systems import carriers_of, numbered_by, with_system
from mappings.resources.patient import PATIENT
from mappings.v2types import cx, typed
from storage.model.flat import SSN

if TYPE_CHECKING:
    from collections.abc import Container

    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

NOTE = ext("patient-note")
NUMBERS = {"PID": 3, "MRG": 1}
"""Where a segment has the patient's numbers."""


def patient(
    desk: Desk, part: PatientPart, *, registers: bool = False, without: Container[tuple[str, str]] = ()
) -> Record:
    """Return the patient that a message is about, created where nobody has any of the identifiers.

    Of a known patient only empty elements are filled and differences noted, naming the fields, unless the
    message ``registers``: then it replaces what is stored. ``without`` are numbers that are not the
    patient's any more. Raises MessageRefused: 101 where PID has no identifier, 205 where the identifiers are
    of different patients.
    """
    pid = part.pid
    listed = identifiers(desk, pid)
    numbers = [item for item in listed if (item["system"], item["value"]) not in without] or listed
    if not numbers:
        raise MessageRefused("101", "PID", pid.number, 3, text="PID-3 has no identifier")
    record = find(desk, pid, numbers) or desk.make("Patient", "PID")
    desk.own(record, pid, part.pd1, *part.kin, *part.notes, *part.others)
    _add_numbers(desk, record, numbers)
    if registers and not desk.is_new(record):
        register(desk, record, part)
    else:
        _complete(desk, record, part)
    related_persons(desk, part.kin, record, registers=registers)
    mother(desk, pid, record)
    _notes(desk, record, part.notes)
    return record


def _complete(desk: Desk, record: Record, part: PatientPart) -> None:
    """Fill what is empty; a new patient whole."""
    pid, new = part.pid, desk.is_new(record)
    desk.fill(record, pid, skip=("identifier", "address"), only_empty=not new)
    set_people(desk, record, pid)
    set_language(desk, record, pid)
    if new:
        set_birth_time(desk, record, pid)
    set_animal(desk, record, pid, replaces=new)
    _one_of_pair(desk, record, "multipleBirthInteger", "multipleBirthBoolean")
    _one_of_pair(desk, record, "deceasedDateTime", "deceasedBoolean")
    _addresses(desk, record, pid)
    _practitioner(desk, record, part)
    _kin(desk, record, part.kin)


def identifiers(desk: Desk, pid: Segment) -> list[dict[str, Any]]:
    """Return the identifiers of PID-3, PID-2, PID-4 and PID-19, each with a system.

    PID-2 and PID-4 are kept for old senders, which often repeat there a number of PID-3 without its
    authority.
    """
    found: list[dict[str, Any]] = []
    for number in (3, 2, 4):
        for repetition in pid.field(number).repetitions if not pid.field(number).is_null else ():
            made = read_number(cx, repetition, pid, number, desk)
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
    made = None if field.is_null else read_number(typed(cx, "SS"), field.first, pid, 19, desk)
    if not made:
        return []
    desk.coverage.map(pid, 19, "Patient.identifier")
    digits = str(made["value"]).replace("-", "")
    plain = "system" not in made and digits.isdecimal() and len(digits) == 9
    return [{**made, "system": SSN, "value": digits} if plain else numbered_by(desk, made)]


def find(desk: Desk, segment: Segment, numbers: list[dict[str, Any]]) -> Record | None:
    """Return the patient who has any of the identifiers, None where nobody has; raises MessageRefused
    (205) for several.

    A patient who was merged into another one stands for that one. A social security number is kept but is
    nobody's key: it is mistyped and shared too often.
    """
    keys = [item for item in numbers if item["system"] != SSN] or numbers
    carriers = [record for item in keys for record in carriers_of(desk, "Patient", item)]
    found = {record.resource["id"]: record for record in (survivor(desk, item) for item in carriers)}
    if len(found) > 1:
        text = "The identifiers are of different patients"
        raise MessageRefused("205", segment.name, segment.number, NUMBERS[segment.name], text=text)
    return desk.meet(next(iter(found.values())), segment.name) if found else None


def _add_numbers(desk: Desk, record: Record, numbers: list[dict[str, Any]]) -> None:
    """Add the numbers that a patient has not yet; one of a record merged into theirs stays with that."""
    known = {(item.get("system"), item.get("value")) for item in desk.get(record, "identifier") or ()}
    for item in numbers:
        key = item["system"], item["value"]
        merged = item["system"] != SSN and any(
            other is not record for other in desk.identified("Patient", *key)
        )
        if key not in known and not merged:
            desk.add(record, "identifier", item)


def _one_of_pair(desk: Desk, record: Record, wins: str, yields: str) -> None:
    """FHIR has one of the two: the one that tells more."""
    if desk.get(record, wins) is not None and desk.get(record, yields) is not None:
        desk.put(record, yields, None)


def _addresses(desk: Desk, record: Record, pid: Segment) -> None:
    """Set the addresses of PID-11, the county of PID-12 in the first, where the patient has none yet."""
    if pid.field(11).is_null:
        return
    found = addresses(desk, pid)
    county = "" if pid.field(12).is_null else pid.field(12).first.component(1).strip()
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
    present: list[dict[str, Any]] = desk.get(record, "generalPractitioner") or []
    found = practitioners(desk, part.pd1)
    if not present:
        desk.add(record, "generalPractitioner", *found)
    elif part.pd1 is not None and any(item not in present for item in found):
        desk.differs(part.pd1, 4)


def _kin(desk: Desk, record: Record, segments: list[Segment]) -> None:
    """Make NK1 contacts of a patient who has none yet."""
    present: list[dict[str, Any]] = desk.get(record, "contact") or []
    for segment in segments:
        for value in contacts(desk, [segment]):
            if not present:
                desk.add(record, "contact", value)
            elif value not in present:
                text = "NK1 differs from the contacts that are stored and was not applied"
                desk.coverage.warn("0", segment, text=text)


def _notes(desk: Desk, record: Record, segments: list[Segment]) -> None:
    """Keep NTE as notes of the patient, for which R4 has no element: an extension of ours."""
    at, line = desk.top(record), PATIENT.extensions[NOTE]
    for segment in segments:
        text = segment.field(3).lines.strip()
        if not text or segment.field(3).is_null:
            continue
        item = {"url": NOTE, "valueAnnotation": {"text": text}}
        if item not in (convert.element(at, line) or ()):
            convert.put_extensions(at, PATIENT, [item])
        desk.coverage.map(segment, 3, "Patient.extension(note)")
