"""Observations outside reports: what supports an order (OBX of an order), and what is about the patient
alone.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-orm-o01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.allergy import allergies
from mappings.messages.insurance import covers, financial_classes
from mappings.messages.moments import moment_text
from mappings.messages.observation import About, observation
from mappings.messages.workspace import refer
from storage.record import Apart

if TYPE_CHECKING:
    from mappings.messages.groups import Noted, OrderPart, PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

NAMING = ("result", "supportingInfo", "context.related")
"""Where reports, orders and documents name observations of theirs."""


def allergies_and_covers(desk: Desk, part: PatientPart, about: Record) -> None:
    """Make the allergies (AL1) and insurance covers (IN1, IN2, PV1-20) that any message may tell of."""
    allergies(desk, part.allergies, about)
    covers(desk, part.covers, about)
    financial_classes(desk, part.pv1, about)


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

    One that the visit has already (without a visit: the patient, of none), at the same time and of no order
    or report, is the same.
    """
    if not part.observations:
        return
    loose = _loose(desk, about, visit)
    for noted in part.observations:
        at = moment_text(noted.segment, 14, desk.context)
        same = [record for record in loose if desk.get(record, "effectiveDateTime") == at]
        observation(desk, noted, About(about, "PATIENT.OBX", visit, present=same))


def _loose(desk: Desk, about: Record, visit: Record | None) -> list[Record]:
    """Return the observations that messages told of a visit, or of a patient alone, outside orders and
    reports.
    """
    if visit is not None:
        apart = Apart(("basedOn",), NAMING)
        listed = desk.workspace.referring("Observation", "encounter", visit.resource["id"], apart)
    else:
        apart = Apart(("basedOn", "encounter"), NAMING)
        listed = desk.workspace.referring("Observation", "subject", about.resource["id"], apart)
    return [record for record in listed if record.resource["origin"] in (None, "hl7v2")]
