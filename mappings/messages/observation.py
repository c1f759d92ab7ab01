"""OBX and its notes as Observations: found again by code and sub-id, so that a correction changes the same
one.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mappings import v2values
from mappings.element import Refused
from mappings.messages.coverage import MessageRefused
from mappings.messages.late import set_late_observation_aside
from mappings.messages.order import add_notes, same_code
from mappings.messages.people import organization, people
from mappings.messages.workspace import refer
from mappings.remainder import forget, keep
from mappings.research import adopt
from mappings.v2types import compact, cwe, ei

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import Noted
    from mappings.messages.workspace import Desk
    from storage.record import Record

SET_HERE = ("identifier", "code", "note", "value")
NO_CODE = {"text": "Observation without a code"}
"""Observation.code is required; OBX-3 of lines of text is often empty."""
SUB_ID_LENGTH = 20
ANSWER = "AOE"
"""OBX-29, observation type: the answer to a question asked at order entry, which belongs to the order."""


@dataclass
class About:
    """What the observations of one group have in common: the patient and the rest, and the records that
    are there.
    """

    patient: Record
    path: str
    encounter: Record | None = None
    obr: Segment | None = None
    specimen: Record | None = None
    present: list[Record] = field(default_factory=list["Record"])
    taken: list[Record] = field(default_factory=list["Record"])


def observation(desk: Desk, noted: Noted, about: About) -> Record:
    """Return the Observation of an OBX: the one among those present with its code and sub-id, else a new
    one. Raises MessageRefused (102) for a value that the typed row of its code cannot hold.
    """
    obx = noted.segment
    code = None if obx.field(3).is_null else cwe(obx.field(3).first, desk.context)
    record = _find(desk, obx, code, about)
    record = desk.meet(record, about.path) if record else desk.make("Observation", about.path)
    about.taken.append(record)
    if set_late_observation_aside(desk, record, noted, about.obr):
        return record
    desk.own(record, obx)
    _identity(desk, record, obx, code, about)
    desk.fill(record, obx, about.obr, skip=SET_HERE)
    _value(desk, record, obx)
    _status(desk, record, obx)
    _performers(desk, record, obx)
    add_notes(desk, record, noted.notes)
    try:
        # The code may ask for a typed row (an outcome's), and one that is there follows what was said now.
        adopt(record)
    except Refused as refusal:
        text = "The value is not one that its code can have"
        raise MessageRefused("102", obx.name, obx.number, 5, text=text) from refusal
    return record


def _find(desk: Desk, obx: Segment, code: dict[str, Any] | None, about: About) -> Record | None:
    """Return the first observation with that code and sub-id that no OBX of this group took, the same set
    id before others.
    """
    sub_id = _sub_id(obx)
    found = [
        record
        for record in about.present
        if not any(record is taken for taken in about.taken)
        and record.main["sub_id"] == sub_id
        and same_code(desk.get(record, "code"), code or NO_CODE)
    ]
    numbered = [record for record in found if record.main["set_id"] == _set_id(obx)]
    return next(iter(numbered or found), None)


def _sub_id(obx: Segment) -> str | None:
    return obx.field(4).text.strip()[:SUB_ID_LENGTH] or None


def _set_id(obx: Segment) -> int | None:
    text = obx.field(1).text.strip()
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _identity(desk: Desk, record: Record, obx: Segment, code: dict[str, Any] | None, about: About) -> None:
    record.main["set_id"] = _set_id(obx)
    record.main["sub_id"] = _sub_id(obx)
    for number, name in ((1, "set_id"), (4, "sub_id")):
        if record.main[name] is not None and len(obx.field(number).text.strip()) <= SUB_ID_LENGTH:
            desk.coverage.map(obx, number, f"observation.{name}")
    desk.put(record, "code", code or NO_CODE)
    if code:
        desk.coverage.map(obx, 3, "Observation.code")
    desk.put(record, "subject", refer(about.patient))
    if about.encounter is not None:
        desk.put(record, "encounter", refer(about.encounter))
    if about.specimen is not None:
        desk.put(record, "specimen", refer(about.specimen))
    if not obx.field(21).is_null:
        made = ei(obx.field(21).first, desk.context)
        if made:
            desk.coverage.map(obx, 21, "Observation.identifier")
            desk.put(record, "identifier", [made])


def _value(desk: Desk, record: Record, obx: Segment) -> None:
    """Set the value of OBX-5 with its units and range; several values become components, as the guide
    says.
    """
    field_found, unit = obx.field(5), obx.field(6)
    if field_found.is_null:
        clear_value(desk, record)
    elif not field_found.is_empty:
        clear_value(desk, record)
        found = v2values.repetitions(field_found, obx.field(2).text, unit, desk.context)
        if any(not item.fits for item in found):
            desk.coverage.warn("102", obx, 5, text="OBX-5 is not of the type of OBX-2 and is kept as text")
        if len(found) == 1:
            _set_value(desk, record, found[0])
        elif found:
            code = desk.get(record, "code")
            parts = [{"code": code} | _part(item) for item in found]
            desk.put(record, "component", parts)
        if found:
            for number in (2, 5, 6):
                if not obx.field(number).is_empty:
                    desk.coverage.map(obx, number, "Observation.value")
    limits = v2values.reference_range(obx.field(7), unit)
    if limits or obx.field(7).is_null:
        desk.put(record, "referenceRange", [limits] if limits else None)
        desk.coverage.map(obx, 7, "Observation.referenceRange")


def clear_value(desk: Desk, record: Record) -> None:
    """Take away the value, of whatever kind, and what an attachment left."""
    desk.put(record, "valueString", None)
    desk.put(record, "component", None)
    forget(record.resource, "extension")


def _set_value(desk: Desk, record: Record, found: v2values.Found) -> None:
    if found.element == "extension":
        keep(record.resource, "x", "extension", [found.value])
    else:
        desk.put(record, found.element, found.value)


def _part(found: v2values.Found) -> dict[str, Any]:
    value = [found.value] if found.element == "extension" else found.value
    return {found.element: value}


def _status(desk: Desk, record: Record, obx: Segment) -> None:
    """See to it that there is a status: an OBX without one (OBX-11) is not known."""
    if desk.get(record, "status") is None:
        if not obx.field(11).is_empty:
            desk.coverage.warn("103", obx, 11, text="OBX-11 has a code of no HL7 table")
        desk.put(record, "status", "unknown")
    if record.main["value_kind"] and desk.get(record, "dataAbsentReason"):
        desk.put(record, "dataAbsentReason", None)


def _performers(desk: Desk, record: Record, obx: Segment) -> None:
    """Set who made it: the people of OBX-16 and 25, the organizations of OBX-15 and 23; the device of
    OBX-18.
    """
    found: list[dict[str, Any]] = []
    for number in (16, 25):
        found += people(desk, obx, number, "Observation.performer")
    for number in (15, 23):
        found += organization(desk, obx, number, "Observation.performer")
    unique = [item for place, item in enumerate(found) if item not in found[:place]]
    if unique:
        desk.put(record, "performer", unique)
    device = None if obx.field(18).is_null else ei(obx.field(18).first, desk.context)
    if device:
        desk.put(record, "device", compact(identifier=device))
        desk.coverage.map(obx, 18, "Observation.device")


def is_answer(obx: Segment) -> bool:
    """Tell whether an OBX is the answer to a question asked at order entry (OBX-29 AOE)."""
    return obx.field(29).first.component(1).strip().upper() == ANSWER
