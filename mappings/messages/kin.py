"""NK1 as RelatedPerson: everybody but employers, insurers and authorities, who are contacts alone.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-nk1-to-relatedperson.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.codecs import DATE
from mappings.messages.reading import read_number
from mappings.messages.systems import former_systems, numbered_by
from mappings.messages.whole import content, make_whole, put_whole
from mappings.messages.workspace import refer
from mappings.resources.patient import CONTACT
from mappings.v2types import compact, cx, typed, xad

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

ONLY_CONTACT = frozenset({"EMR", "E", "F", "I", "S"})
"""Codes of NK1-3 and NK1-7 (tables 0063, 0131): employer, federal agency, insurer, state agency."""
MOTHER = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}
    ]
}
NUMBERS = {12: cx, 33: cx, 37: typed(cx, "SS")}


def related_persons(desk: Desk, segments: Iterable[Segment], patient: Record, *, registers: bool) -> None:
    """Make each NK1 that names a person a RelatedPerson, found again by number, else by name and
    relationship.

    Unless the message ``registers``, who is known is only completed, and others are made for a patient who
    has none yet.
    """
    present: list[Record] | None = None
    alone = registers
    for segment in segments:
        value = _value(desk, segment, patient)
        if value is None:
            continue
        if present is None:
            present = desk.workspace.referring("RelatedPerson", "patient", patient.resource["id"])
            alone = registers or not present
        known = next((record for record in present if _is_same(desk, content(record), value)), None)
        if known is not None:
            told = content(known)
            put_whole(desk, desk.meet(known, "NK1"), told | value if registers else value | told)
        elif alone:
            present.append(make_whole(desk, "RelatedPerson", value, "NK1"))


def mother(desk: Desk, pid: Segment, patient: Record) -> None:
    """Make the mother's number (PID-21) a RelatedPerson: hers whom NK1 calls the mother, if there is one."""
    numbers = _numbers(desk, pid, 21, cx)
    if not numbers:
        return
    present = desk.workspace.referring("RelatedPerson", "patient", patient.resource["id"])
    made = (item.record for item in desk.written if item.record.resource["resource_type"] == "RelatedPerson")
    told: dict[str, Any] = {"identifier": numbers, "patient": refer(patient), "relationship": [MOTHER]}
    for record in (*made, *present):
        known = content(record)
        if known.get("patient") != told["patient"]:
            continue
        if _is_same(desk, known, told) or (not known.get("identifier") and "MTH" in _key(known)[1]):
            listed: list[dict[str, Any]] = known.get("identifier", [])
            added = [item for item in numbers if item not in listed]
            put_whole(desk, desk.meet(record, "PID"), known | {"identifier": [*listed, *added]})
            return
    make_whole(desk, "RelatedPerson", told, "PID")


def _value(desk: Desk, segment: Segment, patient: Record) -> dict[str, Any] | None:
    codes = {segment.field(number).first.component(1).strip().upper() for number in (3, 7)}
    told = desk.value(CONTACT, segment)
    if "name" not in told or codes & ONLY_CONTACT:
        return None
    return compact(
        identifier=_identifiers(desk, segment),
        patient=refer(patient),
        relationship=told.get("relationship"),
        name=[told["name"]],
        telecom=told.get("telecom"),
        gender=told.get("gender"),
        birthDate=_birth_date(desk, segment),
        address=_addresses(desk, segment) if "address" in told else None,
        period=told.get("period"),
    )


def _addresses(desk: Desk, segment: Segment) -> list[dict[str, Any]]:
    """Return the addresses of NK1-4: a contact has but one."""
    made = (xad(repetition, desk.context) for repetition in segment.field(4).repetitions)
    return [item for item in made if item]


def _identifiers(desk: Desk, segment: Segment) -> list[dict[str, Any]]:
    return [found for number, read in NUMBERS.items() for found in _numbers(desk, segment, number, read)]


def _numbers(desk: Desk, segment: Segment, number: int, read: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for repetition in segment.field(number).repetitions if not segment.field(number).is_null else ():
        made = read_number(read, repetition, segment, number, desk)
        if made:
            found.append(numbered_by(desk, made))
            desk.coverage.map(segment, number, "RelatedPerson.identifier")
    return found


def _birth_date(desk: Desk, segment: Segment) -> str | None:
    field = segment.field(16)
    if field.is_empty or field.is_null:
        return None
    try:
        made: str | None = DATE.from_v2(field.first, desk.context)
    except ValueError:
        desk.coverage.warn("102", segment, 16, text="NK1-16 is not of its type")
        return None
    desk.coverage.map(segment, 16, "RelatedPerson.birthDate")
    return made


def _is_same(desk: Desk, present: dict[str, Any], told: dict[str, Any]) -> bool:
    numbers = [
        {(item.get("system"), item.get("value")) for item in person.get("identifier", ())}
        for person in (present, told)
    ]
    numbers[1] |= {(former, value) for system, value in numbers[1] for former in former_systems(desk, system)}
    if all(numbers):
        return bool(numbers[0] & numbers[1])
    (name, codes), (other, others) = _key(present), _key(told)
    return name == other and (bool(codes & others) or not codes or not others)


def _key(person: dict[str, Any]) -> tuple[str, set[str]]:
    names: list[dict[str, Any]] = person.get("name") or [{}]
    name = names[0]
    parts = [name.get("family", ""), *name.get("given", ())]
    codes = {
        str(coding.get("code"))
        for concept in person.get("relationship", ())
        for coding in concept.get("coding", ())
    }
    return " ".join(parts).casefold(), codes
