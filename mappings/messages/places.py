"""Where a sender puts what the standard leaves to the site: accession number and study UID.

IHE Radiology, order and scheduling messages; HL7 v2.5.1, sections 4.5.3.18 to 4.5.3.21 (OBR-18 to 21):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mappings.er7 import Segment

if TYPE_CHECKING:
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk

STUDY: Final = frozenset({"110180", "113014"})
PLACE: Final = re.compile(r"([A-Z][A-Z0-9]{2})-([1-9]\d{0,2})")
"""How a field is named: `OBR-18`."""


def told_places(name: str | None, part: OrderPart) -> list[tuple[Segment, int]]:
    """Return the segments of an order that have the named field, with its number; none for no name."""
    found = PLACE.fullmatch(name) if name else None
    if found is None:
        return []
    number = int(found[2])
    return [(item, number) for item in part.segments if item.name == found[1] and item.field(number)]


def studies(desk: Desk, part: OrderPart) -> list[Segment]:
    """Return the segments that tell of an order's study: ZDS and IPC, and what stands elsewhere as a ZDS: in
    the field that the sender is known to use, in the OBX of a result that has its code.
    """
    told = told_places(desk.peer.study_field, part)[:1]
    told += [(noted.segment, 5) for noted in part.observations if _is_study(noted.segment)][:1]
    moved: list[Segment] = []
    for segment, number in told:
        if (segment.name, number) not in (("ZDS", 1), ("IPC", 3)):
            delimiters = desk.message.delimiters
            text = f"ZDS{delimiters.field}{segment.field(number).raw}"
            moved.append(Segment("ZDS", text, segment.number, segment.index, delimiters))
            desk.coverage.map(segment, number, "ServiceRequest.extension(studyInstanceUid)")
    return [*part.studies, *moved]


def _is_study(obx: Segment) -> bool:
    """Tell whether an OBX has the UID of the study (110180 or 113014 of DICOM's codes)."""
    code, system = (obx.field(3).first.component(place).strip() for place in (1, 3))
    return code in STUDY and system.upper() == "DCM" and bool(obx.field(5))
