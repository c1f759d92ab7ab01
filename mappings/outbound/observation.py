"""OBX and its notes from an Observation.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mappings.messages.observation import ANALYSED, NO_CODE, SUB_ID, SUB_ID_PARTS
from mappings.outbound import values
from mappings.outbound.fill import fill
from mappings.outbound.parts import Value, code_in, codings, items, of_url, part, text
from mappings.outbound.patient import notes
from mappings.outbound.people import organization, people, producer
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.spelling import spell
from mappings.outbound.ways import authority, moment
from mappings.resources.observation import OBSERVATION
from mappings.v2types import V2_TABLE

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces

SET_HERE = ("identifier", "category", "note", "dataAbsentReason", "issued")


def observation_segments(
    piece: Piece, number: int, pieces: Pieces, *, text_type: str = "ST", houses: Sequence[Value] = ()
) -> list[Sheet]:
    """Return the OBX of an observation, those of its components, and its notes.

    ``number`` is that of the first OBX, ``text_type`` what texts are told as (ST, TX), ``houses``
    references that are known to name organizations.
    """
    resource = piece.resource
    parts = values.values(resource, text_type, pieces)
    first = parts[0] if parts else values.NOTHING
    obx = _head(piece, number, pieces, first)
    _people(obx, resource, pieces, houses)
    device = part(resource, "device", "identifier")
    if device:
        obx.put(18, components(text(device, "value"), *authority(device.get("system"), pieces.context)))
    made = [obx, *notes(piece, items(resource, "note"), pieces)]
    for count, told in enumerate(parts[1:], 1):
        made.append(_component(obx, told, number + count, count + 1))
    return made


def _head(piece: Piece, number: int, pieces: Pieces, first: values.Written) -> Sheet:
    resource, context = piece.resource, pieces.context
    obx = piece.sheet("OBX")
    obx.put(1, str(number))
    fill([obx], OBSERVATION, resource, context, skip=SET_HERE)
    if resource.get("code") == NO_CODE:
        obx.fields.pop(3, None)
    # As it came: since 2.8.2 it has components, and before some wrote them all the same.
    told = items(of_url(resource, SUB_ID), "extension")
    known = {text(item, "url"): item.get("valueString") or item.get("valueDecimal") for item in told}
    own = components(*(str(known.get(name) or "") for name in SUB_ID_PARTS))
    obx.put(4, own or components(piece.sub_id or "").replace("\\S\\", "^"))
    _set_value(obx, first)
    absent = [text(coding, "code") for coding in codings([part(resource, "dataAbsentReason")])]
    if resource.get("status") == "cancelled" and "not-asked" in absent:
        obx.put(11, "N")
    line = OBSERVATION.by_element["identifier"]
    for item in items(resource, "identifier")[:1]:
        obx.put(21, spell(line, line.v2[0], item | {"type": FILLER}, context).text)
    obx.put(19, moment(of_url(resource, ANALYSED).get("valueDateTime")))
    obx.put(29, kind_of(resource))
    if not obx.has(14):
        began = part(resource, "effectivePeriod").get("start")
        obx.put(14, moment(began or resource.get("effectiveInstant")))
    return obx


FILLER = {"coding": [{"system": f"{V2_TABLE}0203", "code": "FILL"}]}


def kind_of(resource: Value) -> str:
    """Return OBX-29: the category that is a code of table 0936 (AOE: an answer at order entry)."""
    return code_in(items(resource, "category"), f"{V2_TABLE}0936")


def _set_value(obx: Sheet, told: values.Written) -> None:
    obx.drop(2, 5, 6, 7)
    obx.put(2, told.kind)
    obx.put(5, *told.texts)
    obx.put(6, told.unit)
    obx.put(7, told.limits)


def _component(head: Sheet, told: values.Written, number: int, count: int) -> Sheet:
    """Return the OBX of a component that has a code of its own: told with its observation's facts."""
    sheet = Sheet("OBX", {}, dict(head.fields))
    sheet.put(1, str(number))
    sheet.put(3, told.code)
    sheet.fields[4] = [f"{(head.fields.get(4) or ['1'])[0]}.{count}"]
    for place in (2, 5, 6, 7, 8):
        sheet.fields.pop(place, None)
    _set_value(sheet, told)
    sheet.put(8, *told.flags)
    return sheet


def _people(obx: Sheet, resource: Value, pieces: Pieces, houses: Sequence[Value]) -> None:
    """Set who made it: people in OBX-16, the first organization in OBX-15 or 23 as it is known by."""
    listed = items(resource, "performer")
    made = [item for item in listed if item in houses or is_organization(item, pieces)]
    obx.put(16, *people(pieces, [item for item in listed if item not in made]))
    places = [23, 15] if pieces.context.version >= "2.5.1" else [15]
    for number, item in zip(places, made, strict=False):
        obx.put(number, organization(pieces, item) if number == 23 else producer(pieces, item))


def is_organization(reference: Value, pieces: Pieces) -> bool:
    """Tell whether a Reference names an organization: by its target, else because nobody is named as people
    are.
    """
    piece = pieces.get(reference)
    if piece is not None:
        return piece.resource["resourceType"] == "Organization"
    return text(reference, "reference").startswith("Organization/") or "identifier" in reference
