"""OBX and its notes as Observations: found again by code and sub-id, so that a correction changes the same
one.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mappings import v2values
from mappings.element import Refused
from mappings.messages.coverage import MessageRefused
from mappings.messages.late import set_late_observation_aside
from mappings.messages.moments import moment_text
from mappings.messages.notes import add_notes
from mappings.messages.order import same_code
from mappings.messages.people import organization, people
from mappings.messages.workspace import refer
from mappings.remainder import drop_extensions, put_extension
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
SUB_ID = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"
SUB_ID_PARTS = ("original-sub-identifier", "group", "sequence", "identifier")
ANALYSED = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time"
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
    parent: Record | None = None
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
    _analysed(desk, record, obx)
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
    """Return the first observation with that code and sub-id that no OBX of this group took: one of the same
    time (OBX-14) before others, as in a series, then one with the same set id.
    """
    sub_id, at = _sub_id(obx), moment_text(obx, 14, desk.context)
    found = [
        record
        for record in about.present
        if not any(record is taken for taken in about.taken)
        and record.main["sub_id"] == sub_id
        and same_code(desk.get(record, "code"), code or NO_CODE)
    ]
    found = [record for record in found if at and desk.get(record, "effectiveDateTime") == at] or found
    numbered = [record for record in found if record.main["set_id"] == _set_id(obx)]
    return next(iter(numbered or found), None)


def _sub_id(obx: Segment) -> str | None:
    """Return OBX-4; of a long one the head and a digest, by which those that begin alike stay apart."""
    text = obx.field(4).text.strip()
    if len(text) <= SUB_ID_LENGTH:
        return text or None
    return f"{text[: SUB_ID_LENGTH - 9]}~{sha256(text.encode()).hexdigest()[:8]}"


def _grouper(obx: Segment) -> dict[str, Any] | None:
    """Return OBX-4 as the v2-to-FHIR guide has it: an extension with the parts of an OG (HL7 2.8.2)."""
    part = obx.field(4).first.component
    told: list[dict[str, Any]] = []
    for place, name in enumerate(SUB_ID_PARTS, 1):
        text = part(place, 0).strip()
        if name in ("group", "sequence") and text.isascii() and text.isdigit():
            told.append({"url": name, "valueDecimal": int(text)})
        elif text:
            told.append({"url": name, "valueString": text})
    return {"url": SUB_ID, "extension": told} if told else None


def _set_id(obx: Segment) -> int | None:
    text = obx.field(1).text.strip()
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _identity(desk: Desk, record: Record, obx: Segment, code: dict[str, Any] | None, about: About) -> None:
    record.main["set_id"] = _set_id(obx)
    record.main["sub_id"] = _sub_id(obx)
    if record.main["set_id"] is not None:
        desk.coverage.map(obx, 1, "observation.set_id")
    grouper = _grouper(obx)
    if grouper:
        put_extension(record.resource, grouper)
        desk.coverage.map(obx, 4, "Observation.extension(subId)")
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
    if not field_found.is_empty:
        clear_value(desk, record)
    if field_found.is_null:
        for number in (5, 6):
            if obx.field(number).is_null:
                desk.coverage.map(obx, number, "Observation.value")
    elif field_found:
        told = v2values.repetitions(field_found, obx.field(2).text, unit, desk.context)
        _set_values(desk, record, obx, told)
    limits = v2values.reference_range(obx.field(7), unit)
    if limits or obx.field(7).is_null:
        desk.put(record, "referenceRange", [limits] if limits else None)
        desk.coverage.map(obx, 7, "Observation.referenceRange")


def _set_values(desk: Desk, record: Record, obx: Segment, found: list[v2values.Found]) -> None:
    if any(not item.fits for item in found):
        desk.coverage.warn("102", obx, 5, text="OBX-5 is not of the type of OBX-2 and is kept as text")
    if len(found) == 1:
        _set_value(desk, record, found[0])
    elif found:
        code = desk.get(record, "code")
        desk.put(record, "component", [{"code": code} | _part(item) for item in found])
    if found:
        for number in (2, 5):
            if not obx.field(number).is_empty:
                desk.coverage.map(obx, number, "Observation.value")
        _unit(desk, record, obx, found)


def _unit(desk: Desk, record: Record, obx: Segment, found: list[v2values.Found]) -> None:
    """Keep the units (OBX-6) of a value that has no place for them, as a text has not (``<=8``)."""
    if obx.field(6).is_empty or obx.field(6).is_null:
        return
    if any(item.element in v2values.MEASURED for item in found):
        desk.coverage.map(obx, 6, "Observation.value")
        return
    told = cwe(obx.field(6).first, desk.context)
    if told:
        put_extension(record.resource, {"url": v2values.UNIT_EXTENSION, "valueCodeableConcept": told})
        desk.coverage.map(obx, 6, "Observation.extension(unit)")


def _analysed(desk: Desk, record: Record, obx: Segment) -> None:
    """Set when the analysis was made (OBX-19), by the extension that the v2-to-FHIR guide has for it."""
    if obx.field(19).is_null:
        drop_extensions(record.resource, ANALYSED)
    at = moment_text(obx, 19, desk.context)
    if at:
        put_extension(record.resource, {"url": ANALYSED, "valueDateTime": at})
    if at or obx.field(19).is_null:
        desk.coverage.map(obx, 19, "Observation.extension(analysisDateTime)")


def clear_value(desk: Desk, record: Record) -> None:
    """Take away the value, of whatever kind, with its attachment and its units."""
    desk.put(record, "valueString", None)
    desk.put(record, "component", None)
    drop_extensions(record.resource, v2values.VALUE_EXTENSION, v2values.UNIT_EXTENSION)


def _set_value(desk: Desk, record: Record, found: v2values.Found) -> None:
    if found.element == "extension":
        put_extension(record.resource, found.value)
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
