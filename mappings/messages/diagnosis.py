"""DG1 as Conditions: the reasons of an order, the diagnoses of an encounter.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-dg1-to-condition.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.order import same_code
from mappings.messages.people import people
from mappings.messages.systems import carriers_of, numbered_by
from mappings.messages.workspace import refer
from mappings.resources.encounter import DIAGNOSIS
from mappings.v2types import cwe, ei

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

CATEGORY = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/condition-category",
            "code": "encounter-diagnosis",
            "display": "Encounter Diagnosis",
        }
    ]
}


NOT_KNOWN = "What is deleted is not known, or no more; nothing was made of it"


def is_deleted(segment: Segment, number: int) -> bool:
    """Tell whether an action code (table 0206) says that what a segment tells of is deleted."""
    return segment.field(number).first.component(1).strip().upper() == "D"


def diagnoses(
    desk: Desk,
    segments: Iterable[Segment],
    patient: Record,
    encounter: Record | None,
    order: Record | None = None,
) -> None:
    """Make each DG1 a Condition, the order's reason and the encounter's diagnosis.

    A diagnosis is found by its identifier (DG1-20), else by its code among those of the order and the
    encounter, where there is neither among those of the patient alone.
    """
    for segment in segments:
        record = _condition(desk, segment, patient, encounter, order)
        if record is None:
            desk.coverage.set_aside(NOT_KNOWN, segment)
            continue
        if order is not None:
            desk.add(order, "reasonReference", refer(record))
        if encounter is not None:
            _of_encounter(desk, encounter, record, segment)


def _condition(
    desk: Desk, segment: Segment, patient: Record, encounter: Record | None, order: Record | None
) -> Record | None:
    """Return the Condition of a DG1; None for a deleted one that is not known."""
    number: dict[str, Any] | None = (
        None if segment.field(20).is_null else ei(segment.field(20).first, desk.context)
    )
    number = numbered_by(desk, number) if number else None
    record = _find(desk, segment, number, patient, encounter, order)
    if record is None and is_deleted(segment, 21):
        return None
    record = desk.meet(record, "DG1") if record else desk.make("Condition", "DG1")
    desk.own(record, segment)
    _ignore(desk, segment)
    if number:
        desk.coverage.map(segment, 20, "Condition.identifier")
        if not any(item.get("value") == number["value"] for item in desk.get(record, "identifier") or ()):
            desk.add(record, "identifier", number)
    desk.fill(record, segment, skip=("identifier",))
    desk.put(record, "subject", refer(patient))
    if encounter is not None and not desk.get(record, "encounter"):
        desk.put(record, "encounter", refer(encounter))
    if not desk.get(record, "category"):
        desk.add(record, "category", CATEGORY)
    asserters = people(desk, segment, 16, "Condition.asserter")
    if asserters:
        desk.put(record, "asserter", asserters[0])
    return record


def _ignore(desk: Desk, segment: Segment) -> None:
    """Say which fields tell nothing more than others do."""
    if segment.field(21).first.component(1).strip().upper() in ("A", "U", "S"):
        desk.coverage.ignore(segment, 21, "A diagnosis is added or changed by being told")
    if segment.field(15).text.strip() == "0":
        desk.coverage.ignore(segment, 15, "0 is no rank")
    if segment.field(3).first.component(3):
        desk.coverage.ignore(segment, 2, "DG1-3 tells the system of the code")


def _find(
    desk: Desk,
    segment: Segment,
    number: dict[str, Any] | None,
    patient: Record,
    encounter: Record | None,
    order: Record | None,
) -> Record | None:
    if number:
        known = carriers_of(desk, "Condition", number)
        return next((item for item in known if desk.get(item, "subject") == refer(patient)), None)
    code = cwe(segment.field(3).first, desk.context)
    listed = desk.referred(order, "reasonReference", "Condition") if order is not None else []
    if encounter is not None:
        listed += desk.referred(encounter, "diagnosis.condition", "Condition")
    elif order is None:
        found = desk.workspace.referring("Condition", "subject", patient.resource["id"])
        listed += [item for item in found if not desk.get(item, "encounter")]
    return next((item for item in listed if same_code(desk.get(item, "code"), code)), None)


def _of_encounter(desk: Desk, encounter: Record, record: Record, segment: Segment) -> None:
    value = desk.value(DIAGNOSIS, segment) | {"condition": refer(record)}
    present: list[dict[str, Any]] = desk.get(encounter, "diagnosis") or []
    others = [item for item in present if item.get("condition") != refer(record)]
    if is_deleted(segment, 21):
        if others != present:
            desk.put(encounter, "diagnosis", others or None)
    elif value not in present:
        desk.put(encounter, "diagnosis", [*others, value])
