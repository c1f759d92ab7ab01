"""The people that a message names (XCN, CNN, NDL) as Practitioners, and organizations as logical references.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-xcn-to-practitioner.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.systems import carriers_of, former_systems, numbered_by
from mappings.messages.workspace import refer
from mappings.v2persons import organization_named
from mappings.v2types import authority, compact, cwe, identifier_type, xcn

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition, Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

NPI = "http://hl7.org/fhir/sid/us-npi"


def people(desk: Desk, segment: Segment | None, number: int, to: str) -> list[dict[str, Any]]:
    """Return References to the people that a field of XCN names; repetitions with one name are one person.

    Somebody without a number cannot be recognised again, and is named in the reference alone.
    """
    if segment is None or segment.field(number).is_empty or segment.field(number).is_null:
        return []
    named: dict[str, list[dict[str, Any]]] = {}
    for repetition in segment.field(number).repetitions:
        person = xcn(repetition, desk.context)
        if person:
            _number(person, repetition)
            named.setdefault(_name_key(person), []).append(person)
    found = [made for persons in named.values() if (made := _reference(desk, persons, segment))]
    if found:
        desk.coverage.map(segment, number, to)
    return found


def interpreter(desk: Desk, segment: Segment, number: int, to: str) -> list[dict[str, Any]]:
    """Return References to the people that a field of NDL (OBR-32 to 35) names in its first component, a
    CNN.
    """
    if segment.field(number).is_null:
        return []
    persons = [
        person
        for repetition in segment.field(number).repetitions
        if (person := _cnn(repetition, desk.context))
    ]
    if persons:
        desk.coverage.map(segment, number, to)
    return [made for person in persons if (made := _reference(desk, [person], segment))]


def _cnn(repetition: Repetition, context: V2Context) -> dict[str, Any] | None:
    """CNN, or the XCN that older senders write there: identifier, family, given, ..."""
    if repetition.component(2) and not repetition.component(1, 2):
        person = xcn(repetition, context)
        if person:
            _number(person, repetition)
        return person

    def part(sub: int) -> str:
        return repetition.component(1, sub).strip()

    given = [name for name in (part(3), part(4)) if name]
    name = compact(family=part(2), given=given, prefix=[part(6)] if part(6) else None)
    found = authority(part(9), part(10), part(11), context)
    identifier = compact(system=found, value=part(1)) if part(1) else None
    return compact(identifier=[identifier] if identifier else None, name=[name] if name else None)


def _number(person: dict[str, Any], repetition: Repetition) -> None:
    """Give an American provider number its system, by which it is known everywhere."""
    for identifier in person.get("identifier", ()):
        if "NPI" in (repetition.component(13), repetition.component(9)):
            identifier.update(system=NPI, type=identifier_type("NPI"))


def _name_key(person: dict[str, Any]) -> str:
    names: list[dict[str, Any]] = person.get("name") or [{}]
    name = names[0]
    parts = [name.get("family", ""), *name.get("given", ())]
    numbers = [str(item["value"]) for item in person.get("identifier", ())]
    return " ".join(parts).casefold().strip() or "#" + "".join(numbers)


def _reference(desk: Desk, persons: list[dict[str, Any]], segment: Segment) -> dict[str, Any] | None:
    identifiers: list[dict[str, Any]] = []
    for person in persons:
        for identifier in person.get("identifier", ()):
            item = numbered_by(desk, identifier)
            if item not in identifiers:
                identifiers.append(item)
    told: list[list[dict[str, Any]]] = [person["name"] for person in persons if person.get("name")]
    names = told[0] if told else []
    if not identifiers:
        return compact(display=display(names))
    if len(identifiers) == 1:
        # Most people are known by the one number that they always come with: nothing of them changes.
        item = identifiers[0]
        for system in (item["system"], *former_systems(desk, item["system"])):
            known = desk.reference("Practitioner", system, item["value"], with_name=bool(names))
            if known is not None:
                return known
    return refer(practitioner(desk, identifiers, names, segment))


def practitioner(
    desk: Desk, identifiers: list[dict[str, Any]], names: list[dict[str, Any]], segment: Segment
) -> Record:
    """Return the Practitioner with any of the identifiers, created where there is none; numbers it lacks
    are added.
    """
    for identifier in identifiers:
        known = carriers_of(desk, "Practitioner", identifier)
        if known:
            record = desk.meet(known[0], segment.name)
            numbers = {
                (item.get("system"), item.get("value")) for item in desk.get(record, "identifier") or ()
            }
            desk.add(
                record,
                "identifier",
                *(item for item in identifiers if (item["system"], item["value"]) not in numbers),
            )
            break
    else:
        record = desk.make("Practitioner", segment.name)
        desk.add(record, "identifier", *identifiers)
    if names and not desk.get(record, "name"):
        desk.put(record, "name", names)
    return record


def display(names: list[dict[str, Any]]) -> str:
    """Return a name as people write it."""
    name = names[0] if names else {}
    parts = [*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""), *name.get("suffix", ())]
    return " ".join(part for part in parts if part)


def organization(desk: Desk, segment: Segment, number: int, to: str) -> list[dict[str, Any]]:
    """Return a Reference to the organization that a field of CWE or XON names: its identifier and its
    name.
    """
    found = segment.field(number)
    if found.is_empty or found.is_null:
        return []
    first = found.first
    reference = organization_named(first, desk.context) if number >= 23 else _coded(first, desk.context)
    if not reference:
        return []
    desk.coverage.map(segment, number, to)
    return [reference]


def _coded(repetition: Repetition, context: V2Context) -> dict[str, Any] | None:
    """CWE of OBX-15, the producer: its first coding as an identifier."""
    made: Value = cwe(repetition, context)
    listed: list[dict[str, Any]] = made.get("coding", []) if made else []
    first: dict[str, Any] = listed[0] if listed else {}
    shown = first.get("display") or (made.get("text") if made else None)
    value = first.get("code")
    identifier = compact(system=first.get("system"), value=value) if value else None
    return compact(identifier=identifier, display=shown)
