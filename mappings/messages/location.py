"""The places that a message names (PL) as Locations, found by their key.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-pl-to-location.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.systems import sender_name
from mappings.messages.workspace import refer
from mappings.resources.location import PL
from mappings.v2types import pl

if TYPE_CHECKING:
    from mappings.er7 import Repetition, Segment
    from mappings.messages.workspace import Desk

LONGEST = 120
"""So many characters a key has at most."""


def place_of(desk: Desk, segment: Segment, number: int, to: str) -> dict[str, str] | None:
    """Return a Reference to the place that a field names, None where it names none; the place is created
    if need be.

    A place without a facility is one of the sender's: two hospitals may both have a ward 1.
    """
    field = segment.field(number)
    key = None if field.is_null else pl(field.first, desk.context)
    if key is None:
        return None
    key = key if key.partition("^")[0] else sender_name(desk.message) + key
    shown = place_name(field.first)
    desk.coverage.map(segment, number, to)
    if len(key) > LONGEST:
        desk.coverage.warn("102", segment, number, text="The place is too long to be found again")
        return {"display": shown[:255]}
    reference = desk.reference("Location", PL, key)
    if reference is not None:
        return reference
    known = desk.identified("Location", PL, key)
    if known:
        return refer(desk.meet(known[0], segment.name))
    record = desk.make("Location", segment.name)
    desk.put(record, "status", "active")
    desk.put(record, "name", shown)
    desk.put(record, "mode", "instance")
    desk.add(record, "identifier", {"system": PL, "value": key})
    return refer(record)


def place_name(repetition: Repetition) -> str:
    """Return what people call the place: its description, else point of care, room and bed, else the
    larger parts.
    """
    part = repetition.component
    small = " ".join(text for text in (part(1), part(2), part(3)) if text)
    large = " ".join(text for text in (part(4), part(7), part(8)) if text)
    return part(9) or small or large
