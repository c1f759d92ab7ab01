"""NK1 as RelatedPerson: everybody but employers, insurers and authorities, who are contacts alone.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-nk1-to-relatedperson.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.codecs import DATE
from mappings.messages.systems import with_system
from mappings.messages.whole import content, make_whole, put_whole
from mappings.messages.workspace import refer
from mappings.resources.patient import CONTACT
from mappings.v2types import compact, cx, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

ONLY_CONTACT = frozenset({"EMR", "E", "F", "I", "S"})
"""Codes of NK1-3 and NK1-7 (tables 0063, 0131): employer, federal agency, insurer, state agency."""
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
        known = next((record for record in present if _is_same(content(record), value)), None)
        if known is not None:
            told = content(known)
            put_whole(desk, desk.meet(known, "NK1"), told | value if registers else value | told)
        elif alone:
            present.append(make_whole(desk, "RelatedPerson", value, "NK1"))


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
        address=[told["address"]] if "address" in told else None,
        period=told.get("period"),
    )


def _identifiers(desk: Desk, segment: Segment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, read in NUMBERS.items():
        for repetition in segment.field(number).repetitions if not segment.field(number).is_null else ():
            made = read(repetition, desk.context)
            if made:
                found.append(with_system(made, desk.message))
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


def _is_same(present: dict[str, Any], told: dict[str, Any]) -> bool:
    numbers = [
        {(item.get("system"), item.get("value")) for item in person.get("identifier", ())}
        for person in (present, told)
    ]
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
