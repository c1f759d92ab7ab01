"""Observations outside reports: what supports an order (OBX of an order), and what is about the patient
alone.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-orm-o01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.allergy import allergies
from mappings.messages.insurance import covers
from mappings.messages.moments import moment_text
from mappings.messages.observation import About, observation
from mappings.messages.workspace import refer

if TYPE_CHECKING:
    from mappings.messages.groups import Noted, OrderPart, PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


def allergies_and_covers(desk: Desk, part: PatientPart, about: Record) -> None:
    """Make the allergies (AL1) and insurance covers (IN1, IN2) of the patient, which any message may tell."""
    allergies(desk, part.allergies, about)
    covers(desk, part.covers, about)


def supporting(
    desk: Desk, record: Record, order: OrderPart, about: Record, visit: Record | None, found: list[Record]
) -> None:
    """Make the OBX of an order observations that support it, those after a specimen about that specimen."""
    context = _about(desk, record, order, about, visit)
    for noted in order.observations:
        desk.add(record, "supportingInfo", refer(observation(desk, noted, context)))
    for item, specimen in zip(order.specimens, found, strict=False):
        context.specimen = specimen
        for noted in item.observations:
            desk.add(record, "supportingInfo", refer(observation(desk, noted, context)))


def answers(
    desk: Desk, record: Record, order: OrderPart, about: Record, visit: Record | None, noted: list[Noted]
) -> None:
    """Make answers to questions asked at order entry (OBX-29 AOE) observations that support the order."""
    context = _about(desk, record, order, about, visit)
    for item in noted:
        desk.add(record, "supportingInfo", refer(observation(desk, item, context)))


def _about(desk: Desk, record: Record, order: OrderPart, about: Record, visit: Record | None) -> About:
    present = desk.referred(record, "supportingInfo", "Observation")
    return About(about, f"{order.path}.OBX", visit, present=present)


def patient_observations(desk: Desk, part: PatientPart, about: Record, visit: Record | None) -> None:
    """Make the OBX before any order observations of the patient, of no order or report.

    One that the visit has already, at the same time and of no order, is the same.
    """
    if not part.observations:
        return
    listed = (
        desk.workspace.referring("Observation", "encounter", visit.resource["id"])
        if visit is not None
        else []
    )
    loose = [
        record
        for record in listed
        if not desk.get(record, "basedOn") and record.resource["origin"] in (None, "hl7v2")
    ]
    for noted in part.observations:
        at = moment_text(noted.segment, 14, desk.context)
        same = [record for record in loose if desk.get(record, "effectiveDateTime") == at]
        observation(desk, noted, About(about, "PATIENT.OBX", visit, present=same))
