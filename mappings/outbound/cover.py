"""AL1 and IN1 of a patient from AllergyIntolerance and Coverage.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-in1-to-coverage.html and
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-al1-to-allergyintolerance.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.insurance import CLASSES, GROUP, NO_PAYOR
from mappings.outbound.fill import fill
from mappings.outbound.parts import Value, code_in, codings, items, part, text, texts
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.ways import authority, moment, system_name, type_code
from mappings.resources.allergy_intolerance import ALLERGY_INTOLERANCE, CATEGORY_OF_TYPE, REACTION
from mappings.resources.coverage import CLASS, COVERAGE

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces

MISCELLANEOUS = "MA"
ENDED = ("cancelled", "entered-in-error")
GONE = frozenset({"inactive", "resolved", "entered-in-error", "refuted"})


def allergy_segments(patient: Piece, pieces: Pieces) -> list[Sheet]:
    """Return an AL1 for each allergy that a patient has."""
    found: list[Sheet] = []
    for piece in _of(patient, "AllergyIntolerance", "patient", pieces):
        resource = piece.resource
        states = codings(part(resource, name) for name in ("clinicalStatus", "verificationStatus"))
        if any(state.get("code") in GONE for state in states):
            continue
        sheet = piece.sheet("AL1")
        sheet.put(1, str(len(found) + 1))
        fill([sheet], ALLERGY_INTOLERANCE, resource, pieces.context, skip=("type", "category"))
        sheet.put(2, _kind(resource))
        for reaction in items(resource, "reaction")[:1]:
            fill([sheet], REACTION, reaction, pieces.context)
        found.append(sheet)
    return found


def _kind(resource: Value) -> str:
    """Return AL1-2: the allergen type of table 0127 of a category."""
    category = next(iter(texts(resource, "category")), "")
    return next((code for code, meant in CATEGORY_OF_TYPE.items() if meant == category), MISCELLANEOUS)


def cover_segments(patient: Piece, pieces: Pieces) -> list[Sheet]:
    """Return IN1, and what is kept of IN2 and IN3, for each cover of a patient."""
    found: list[Sheet] = []
    covers = [
        piece
        for piece in _of(patient, "Coverage", "beneficiary", pieces)
        if piece.resource.get("status") not in ENDED and not _class_of(piece.resource)
    ]
    for count, piece in enumerate(covers, 1):
        sheet = _cover(piece, pieces)
        sheet.put(1, str(count))
        found += [sheet, *piece.others("IN2", "IN3")]
    return found


def financial_classes(subject: str, pieces: Pieces) -> list[str]:
    """Return PV1-20: the covers of a patient (``Patient/1``) that tell of a financial class alone."""
    found = [
        piece.resource
        for piece in pieces.by_name.values()
        if piece.resource["resourceType"] == "Coverage"
        and text(piece.resource, "beneficiary", "reference") == subject
        and piece.resource.get("status") not in ENDED
    ]
    return [
        components(code, moment(part(item, "period").get("start")))
        for item in found
        if (code := _class_of(item))
    ]


def _class_of(cover: Value) -> str:
    """Return the financial class of a cover that tells nothing else, empty where it does."""
    if cover.keys() - {"resourceType", "id", "meta", "status", "type", "beneficiary", "payor", "period"}:
        return ""
    return code_in([part(cover, "type")], CLASSES) if items(cover, "payor") == [NO_PAYOR] else ""


def _cover(piece: Piece, pieces: Pieces) -> Sheet:
    resource = piece.resource
    sheet = piece.sheet("IN1")
    fill([sheet], COVERAGE, resource, pieces.context, skip=("identifier", "class", "subscriber"))
    for item in items(resource, "class"):
        if item.get("type") == GROUP:
            fill([sheet], CLASS, item, pieces.context)
        elif any(coding.get("code") == "plan" for coding in codings([part(item, "type")])):
            sheet.put(2, components(text(item, "value"), text(item, "name"), _plan_system(resource, item)))
    policies = [text(item, "value") for item in items(resource, "identifier") if type_code(item) == "MB"]
    sheet.put(36, components(policies[0]) if policies else "")
    sheet.put(16, components(*text(resource, "subscriber", "display").split(", ", 1)))
    _payor(sheet, resource, pieces)
    return sheet


def _plan_system(resource: Value, plan: Value) -> str:
    same = [item for item in items(resource, "identifier") if item.get("value") == plan.get("value")]
    return system_name(same[0].get("system")) if same else ""


def _payor(sheet: Sheet, resource: Value, pieces: Pieces) -> None:
    """Set the company (IN1-3, IN1-4): of a Reference its identifier and name, of a resource its own."""
    for reference in items(resource, "payor")[:1]:
        if reference == NO_PAYOR:
            return
        piece = pieces.get(reference)
        found = piece.resource if piece else {}
        listed = items(found, "identifier") or [part(reference, "identifier")]
        number, system = text(listed[0], "value"), listed[0].get("system")
        sheet.put(3, components(number, "", "", authority(system, pieces.context)) if number else "")
        sheet.put(4, components(text(found, "name") or text(reference, "display")))


def _of(patient: Piece, resource_type: str, element: str, pieces: Pieces) -> list[Piece]:
    return [
        piece
        for piece in pieces.by_name.values()
        if piece.resource["resourceType"] == resource_type
        and text(piece.resource, element, "reference") == patient.name
    ]
