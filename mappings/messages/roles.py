"""ROL, who plays which role: for a patient, in a visit, in a procedure; by where it stands.

HL7 v2.5.1, section 15.4.7 (ROL), tables 0287 and 0443:
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-rol-to-practitionerrole.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.definitions.invariants import in_order
from mappings.messages.moments import moment_text
from mappings.messages.people import people
from mappings.v2types import compact, cwe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

PRIMARY_CARE = "PP"
"""Table 0443: who cares for a patient first."""
ENDS = "DE"
"""Table 0287: the role is played no more."""


def roles(desk: Desk, part: PatientPart, about: Record, visit: Record | None) -> None:
    """Make each ROL of a patient who cares for them first, of those after PV1 who takes part in the visit.

    Other roles for a patient have no element; they are kept with the patient.
    """
    begins = part.pv1.index if part.pv1 is not None else None
    for segment in part.others:
        if segment.name != "ROL":
            continue
        if begins is not None and segment.index > begins:
            if visit is not None:
                desk.own(visit, segment)
                _play(desk, segment, visit, "participant", "individual", _as_participant(desk, segment))
        elif segment.field(3).first.component(1).strip().upper() == PRIMARY_CARE:
            _care(desk, segment, about)


def performers(desk: Desk, segments: Iterable[Segment], procedure: Record) -> None:
    """Make each ROL after a PR1 a performer of the procedure, with their function."""
    for segment in segments:
        if segment.name == "ROL":
            role = _role(desk, segment, "Procedure.performer.function")
            _play(desk, segment, procedure, "performer", "actor", {"function": role} if role else {})


def _care(desk: Desk, segment: Segment, about: Record) -> None:
    to = "Patient.generalPractitioner"
    found = people(desk, segment, 4, to)
    present: list[dict[str, Any]] = desk.get(about, "generalPractitioner") or []
    kept = [item for item in present if item not in found or not _ends(desk, segment)]
    wanted = kept if _ends(desk, segment) else [*kept, *(item for item in found if item not in kept)]
    desk.coverage.map(segment, 3, to)
    if wanted != present:
        desk.put(about, "generalPractitioner", wanted or None)


def _play(desk: Desk, segment: Segment, record: Record, element: str, who: str, told: dict[str, Any]) -> None:
    """Let those whom ROL-4 names be in an array of a record, as the segment tells of them; or no more."""
    for reference in people(desk, segment, 4, f"{record.resource['resource_type']}.{element}"):
        present: list[dict[str, Any]] = desk.get(record, element) or []
        made = told | {who: reference}
        kept = [item for item in present if not _is_same(item, made, who)]
        known = [item for item in present if item.get(who) == reference and element == "performer"]
        wanted = kept if _ends(desk, segment) else present if made in present or known else [*kept, made]
        if wanted != present:
            desk.put(record, element, wanted or None)


def _is_same(item: dict[str, Any], made: dict[str, Any], who: str) -> bool:
    """Tell whether an item says that the same person plays the same role."""
    return all(item.get(name) == made.get(name) for name in (who, "type", "function"))


def _ends(desk: Desk, segment: Segment) -> bool:
    ends = segment.field(2).first.component(1).strip().upper() == ENDS
    if ends:
        desk.coverage.map(segment, 2, "the role is taken away")
    return ends


def _role(desk: Desk, segment: Segment, to: str) -> dict[str, Any] | None:
    made: dict[str, Any] | None = (
        None if segment.field(3).is_null else cwe(segment.field(3).first, desk.context)
    )
    if made:
        desk.coverage.map(segment, 3, to)
    return made


def _as_participant(desk: Desk, segment: Segment) -> dict[str, Any]:
    """Return the type and the period (ROL-5, ROL-6) of a participant of a visit."""
    role = _role(desk, segment, "Encounter.participant.type")
    start, end = (moment_text(segment, number, desk.context) for number in (5, 6))
    if start and end and not in_order(start, end):
        desk.coverage.warn("102", segment, 6, text="ROL-6: the end is before the start, and was not taken")
        end = None
    for number, text in ((5, start), (6, end)):
        if text:
            desk.coverage.map(segment, number, "Encounter.participant.period")
    period = compact(start=start, end=end)
    return ({"type": [role]} if role else {}) | ({"period": period} if period else {})
