"""PID, PD1, NK1 and notes from a Patient.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.demographics import BIRTH_TIME, CDC_RACE, ETHNICITY
from mappings.messages.house import HOUSE
from mappings.messages.patient import NOTE
from mappings.outbound.fill import fill
from mappings.outbound.kin import kin_segments, mothers_numbers
from mappings.outbound.parts import Value, items, of_url, part, text
from mappings.outbound.people import people
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.spelling import spell
from mappings.outbound.values import concept
from mappings.outbound.ways import moment, system_name
from mappings.resources.patient import PATIENT, US_CORE
from storage.model.flat import SSN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.outbound.fill import Piece, Pieces

SET_HERE = ("identifier", "telecom", "birthDate")
NO_NAME = components("", "", "", "", "", "", "U")
"""Table 0200: the name is not told."""


def patient_segments(piece: Piece, pieces: Pieces) -> list[Sheet]:
    """Return PID, PD1, the notes on a patient and the next of kin, in this order."""
    resource, context = piece.resource, pieces.context
    pid, pd1 = piece.sheet("PID"), piece.sheet("PD1")
    pid.put(1, "1")
    fill([pid], PATIENT, resource, context, skip=SET_HERE)
    _numbers(pid, piece, pieces)
    _telecom(pid, piece, pieces)
    pid.put(7, moment(_birth(resource)))
    if not pid.has(5):
        pid.put(5, NO_NAME)
    for number, kind in ((10, "race"), (22, "ethnicity")):
        pid.put(number, *_category(resource, kind))
    _language(pid, resource)
    pid.put(21, *mothers_numbers(piece, pieces))
    pd1.put(4, *people(pieces, items(resource, "generalPractitioner")))
    return [pid, pd1, *notes_in(piece, NOTE, pieces), *kin_segments(piece, pieces)]


def _birth(resource: Value) -> object:
    """Return the time of birth, else the day."""
    return of_url(part(resource, "_birthDate"), BIRTH_TIME).get("valueDateTime") or resource.get("birthDate")


def _numbers(pid: Sheet, piece: Piece, pieces: Pieces) -> None:
    line = PATIENT.by_element["identifier"]
    field = next(item for item in line.v2 if item.field == "PID-3")
    pid.drop(2, 4)
    for item in items(piece.resource, "identifier"):
        if item.get("system") == SSN:
            _security_number(pid, text(item, "value"), pieces.context.version)
        else:
            pid.add(3, spell(line, field, item, pieces.context).text)
    if not pid.has(3) or not any(pid.fields[3]):
        pid.put(3, components(piece.resource["id"], "", "", pieces.context.house or HOUSE, "PI"))


def _security_number(pid: Sheet, number: str, version: str) -> None:
    """Put a social security number into PID-19, which 2.7 withdrew for PID-3."""
    if version < "2.7":
        pid.put(19, components(number))
    else:
        pid.add(3, components(number, "", "", "USSSA", "SS"))


def _telecom(pid: Sheet, piece: Piece, pieces: Pieces) -> None:
    """Put what is for work into PID-14, all else into PID-13."""
    line = PATIENT.by_element["telecom"]
    fields = {item.place[1]: item for item in line.v2}
    for item in items(piece.resource, "telecom"):
        number = 14 if item.get("use") == "work" else 13
        pid.add(number, spell(line, fields[number], item, pieces.context).text)


def _category(resource: Value, kind: str) -> list[str]:
    """Return race or ethnicity as their codes, else as their text."""
    parts = items(of_url(resource, f"{US_CORE}us-core-{kind}"), "extension")
    codes = [_code(kind, coding) for item in parts if (coding := part(item, "valueCoding"))]
    words = [text(item, "valueString") for item in parts]
    return codes or [components("", next((word for word in words if word), ""))]


def _code(kind: str, coding: Value) -> str:
    code, display = text(coding, "code"), text(coding, "display")
    if kind == "ethnicity":
        letter = next((key for key, (known, _) in ETHNICITY.items() if known == code), "")
        if letter:
            return components(letter, ETHNICITY[letter][1])
    system = coding.get("system")
    return components(code, display, "CDCREC" if system == CDC_RACE else system_name(system))


def _language(pid: Sheet, resource: Value) -> None:
    spoken = items(resource, "communication")
    chosen = next((item for item in spoken if item.get("preferred")), spoken[0] if spoken else {})
    if chosen.get("language"):
        pid.put(15, concept(part(chosen, "language")))


def notes_in(piece: Piece, url: str, pieces: Pieces) -> list[Sheet]:
    """Return an NTE for each note of a resource that has them in extensions with a URL."""
    listed = items(piece.resource, "extension")
    told = [part(item, "valueAnnotation") for item in listed if item.get("url") == url]
    return notes(piece, told, pieces)


def notes(piece: Piece, listed: Sequence[Value], pieces: Pieces) -> list[Sheet]:
    """Return an NTE for each Annotation, with what is kept of the one that stood there."""
    found: list[Sheet] = []
    for count, told in enumerate(listed, 1):
        sheet = piece.sheet("NTE", count)
        sheet.put(1, str(count))
        sheet.put(3, components(text(told, "text")))
        author = part(told, "authorReference")
        sheet.put(5, *(people(pieces, [author])[:1] if author else ()))
        sheet.put(6, moment(told.get("time")))
        found.append(sheet)
    return found
