"""NK1 of a patient: the contacts, and the RelatedPersons, who have numbers and a day of birth besides.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-nk1-to-relatedperson.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.outbound.fill import fill
from mappings.outbound.parts import EMPTY, Value, codings, items, part, text, texts
from mappings.outbound.spelling import spell
from mappings.outbound.ways import moment
from mappings.resources.patient import CONTACT, PATIENT

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces
    from mappings.outbound.sheet import Sheet


MOTHER = "MTH"


def kin_segments(patient: Piece, pieces: Pieces) -> list[Sheet]:
    """Return an NK1 for each contact of a patient, and for each related person who is none of them."""
    people = [person for person in _related(patient, pieces) if items(person, "name")]
    found: list[Sheet] = []
    for contact in items(patient.resource, "contact"):
        known = next((person for person in people if _is_same(person, contact)), EMPTY)
        people = [person for person in people if person is not known]
        found.append(_segment(patient, len(found) + 1, contact, known, pieces))
    for person in people:
        first = {name: told[0] for name in ("name", "address") if (told := items(person, name))}
        found.append(_segment(patient, len(found) + 1, person | first, person, pieces))
    return found


def _related(patient: Piece, pieces: Pieces) -> list[Value]:
    return [
        piece.resource
        for piece in pieces.by_name.values()
        if piece.resource["resourceType"] == "RelatedPerson"
        and text(piece.resource, "patient", "reference") == patient.name
        and piece.resource.get("active") is not False
    ]


def mothers_numbers(patient: Piece, pieces: Pieces) -> list[str]:
    """Return the numbers of a mother of whom nothing else is known (PID-21)."""
    return [
        _number(item, pieces)
        for person in _related(patient, pieces)
        if not items(person, "name")
        and any(coding.get("code") == MOTHER for coding in codings(items(person, "relationship")))
        for item in items(person, "identifier")
    ]


def _number(item: Value, pieces: Pieces) -> str:
    line = PATIENT.by_element["identifier"]
    field = next(each for each in line.v2 if each.field == "PID-3")
    return spell(line, field, item, pieces.context).text


def _is_same(person: Value, contact: Value) -> bool:
    """Tell whether a related person is a contact: by name, and by relationship where both tell of one."""
    names = [_name(item) for item in items(person, "name")]
    kinds = [
        {text(code, "code") for code in codings(items(one, "relationship"))} for one in (person, contact)
    ]
    return _name(part(contact, "name")) in names and (bool(kinds[0] & kinds[1]) or not all(kinds))


def _name(name: Value) -> str:
    return " ".join([text(name, "family"), *texts(name, "given"), text(name, "text")]).strip().casefold()


def _segment(patient: Piece, number: int, contact: Value, person: Value, pieces: Pieces) -> Sheet:
    sheet = patient.sheet("NK1", number)
    sheet.put(1, str(number))
    fill([sheet], CONTACT, contact, pieces.context)
    sheet.put(16, moment(person.get("birthDate")))
    for item in items(person, "identifier"):
        sheet.add(33, _number(item, pieces))
    return sheet
