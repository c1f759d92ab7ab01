"""AL1 as AllergyIntolerance: found again among the patient's by what it is to.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-al1-to-allergyintolerance.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.order import same_code
from mappings.messages.workspace import refer
from mappings.resources.allergy_intolerance import REACTION
from mappings.v2types import cwe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

ACTIVE = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
    ]
}


def allergies(desk: Desk, segments: Iterable[Segment], patient: Record) -> None:
    """Make each AL1 an AllergyIntolerance of the patient; one that names nothing (AL1-3) is noted (101)."""
    present: list[Record] | None = None
    for segment in segments:
        code = None if segment.field(3).is_null else cwe(segment.field(3).first, desk.context)
        if code is None:
            desk.coverage.warn("101", segment, 3, text="AL1-3 names nothing; no allergy was made of it")
            continue
        if present is None:
            found = desk.workspace.referring("AllergyIntolerance", "patient", patient.resource["id"])
            present = [item for item in found if not _is_error(desk, item)]
        record = next((item for item in present if same_code(desk.get(item, "code"), code)), None)
        if record is None:
            record = desk.make("AllergyIntolerance", "AL1")
            present.append(record)
        _fill(desk, desk.meet(record, "AL1"), segment, patient)


def _is_error(desk: Desk, record: Record) -> bool:
    status: dict[str, Any] = desk.get(record, "verificationStatus") or {}
    return any(coding.get("code") == "entered-in-error" for coding in status.get("coding", ()))


def _fill(desk: Desk, record: Record, segment: Segment, patient: Record) -> None:
    desk.own(record, segment)
    desk.put(record, "patient", refer(patient))
    if not desk.get(record, "clinicalStatus"):
        desk.put(record, "clinicalStatus", ACTIVE)
    desk.fill(record, segment)
    if segment.field(5).is_empty or segment.field(5).is_null:
        return
    reaction = desk.value(REACTION, segment)
    if reaction.get("manifestation"):
        others = [item for item in desk.get(record, "reaction") or () if not _same(item, reaction)]
        if reaction not in (desk.get(record, "reaction") or ()):
            desk.put(record, "reaction", [*others, reaction])


def _same(item: dict[str, Any], reaction: dict[str, Any]) -> bool:
    """Tell whether a reaction shows as another one does: its severity may be told anew."""
    return item.get("manifestation") == reaction["manifestation"]
