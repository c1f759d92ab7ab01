"""PV1, PV2 and PID-18 from an Encounter; DG1 from Conditions.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pv1-to-encounter.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.encounter import ROLES
from mappings.outbound.cover import financial_classes
from mappings.outbound.fill import fill
from mappings.outbound.parts import EMPTY, Value, codings, items, part, text
from mappings.outbound.people import people, place
from mappings.outbound.sheet import Sheet
from mappings.outbound.spelling import spell
from mappings.outbound.ways import type_code
from mappings.resources.condition import CONDITION
from mappings.resources.encounter import DIAGNOSIS, ENCOUNTER

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces

UNKNOWN = "U"
"""Table 0004: the class is not known."""
WORKING = "W"
"""Table 0052: DG1-6 is required, and the reason of an order is what one works with."""
PLACES = {"active": 3, "planned": 3, "completed": 6, "reserved": 42}


def visit_segments(piece: Piece, pieces: Pieces, pid: Sheet) -> list[Sheet]:
    """Return PV1 and PV2 of an encounter, and set its account in PID-18."""
    resource = piece.resource
    pv1, pv2 = piece.sheet("PV1"), piece.sheet("PV2")
    pv1.put(1, "1")
    fill([pid, pv1, pv2], ENCOUNTER, resource, pieces.context, skip=("identifier", "status"))
    if not pv1.has(2):
        pv1.put(2, "P" if resource.get("status") == "planned" else UNKNOWN)
    _numbers(pv1, resource, pieces)
    pv1.put(20, *financial_classes(text(resource, "subject", "reference"), pieces))
    for number, (code, _) in ROLES.items():
        pv1.put(number, *people(pieces, _playing(resource, code)))
    for item in items(resource, "location"):
        reference = part(item, "location")
        number = PLACES.get(text(item, "status") or "active")
        if number:
            pv1.put(number, place(pieces.get(reference), reference))
    return [pv1, pv2]


def _numbers(pv1: Sheet, resource: Value, pieces: Pieces) -> None:
    line = ENCOUNTER.by_element["identifier"]
    visit, other = line.v2
    for item in items(resource, "identifier"):
        field = visit if type_code(item) in ("VN", "") else other
        found = spell(line, field, item, pieces.context).text
        number = 50 if pv1.has(19) else field.place[1]
        if found and not pv1.has(number):
            pv1.put(number, found)


def _playing(resource: Value, code: str) -> list[Value]:
    return [
        part(item, "individual")
        for item in items(resource, "participant")
        if item.get("individual")
        and any(coding.get("code") == code for coding in codings(items(item, "type")))
    ]


def diagnosis_segments(conditions: list[Piece], visit: Piece | None, pieces: Pieces) -> list[Sheet]:
    """Return a DG1 for each condition, with its part in the visit."""
    found: list[Sheet] = []
    for count, piece in enumerate(conditions, 1):
        sheet = piece.sheet("DG1")
        sheet.put(1, str(count))
        fill([sheet], CONDITION, piece.resource, pieces.context, skip=("identifier",))
        fill([sheet], DIAGNOSIS, _part(piece, visit), pieces.context)
        if not sheet.has(6) and 6 not in sheet.kept:
            sheet.put(6, WORKING)
        asserter = part(piece.resource, "asserter")
        sheet.put(16, *people(pieces, [asserter] if asserter else []))
        sheet.put(20, _number(piece, pieces))
        found.append(sheet)
    return found


def _part(piece: Piece, visit: Piece | None) -> Value:
    listed = items(visit.resource, "diagnosis") if visit else []
    return next((item for item in listed if text(item, "condition", "reference") == piece.name), EMPTY)


def _number(piece: Piece, pieces: Pieces) -> str:
    line = CONDITION.by_element["identifier"]
    first = next(iter(items(piece.resource, "identifier")), None)
    return spell(line, line.v2[0], first, pieces.context).text if first else ""
