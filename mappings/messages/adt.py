"""ADT: who the patient is, and what an event makes of their visit, with what hangs on it.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-adt-a01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.adt_groups import group_adt
from mappings.messages.diagnosis import diagnoses
from mappings.messages.patient import patient
from mappings.messages.procedure import procedures
from mappings.messages.roles import roles
from mappings.messages.rules import RULES
from mappings.messages.supporting import allergies_and_covers, patient_observations
from mappings.messages.visit import visit

if TYPE_CHECKING:
    from mappings.messages.adt_groups import AdtPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


def apply(desk: Desk) -> None:
    """Apply an ADT message about patients and their visits to the records. Raises MessageRefused."""
    patients = [_apply(desk, part) for part in group_adt(desk.message, desk.coverage)]
    desk.finish(RULES, patients[0])


def _apply(desk: Desk, part: AdtPart) -> Record:
    about = patient(desk, part.patient, registers=True)
    desk.own(about, *part.merges)
    of_visit = visit(desk, part.patient, about)
    roles(desk, part.patient, about, of_visit)
    diagnoses(desk, part.patient.diagnoses, about, of_visit)
    patient_observations(desk, part.patient, about, of_visit)
    ends = desk.message.trigger_event == "A03"
    procedures(desk, part.procedures, about, of_visit, done=ends)
    allergies_and_covers(desk, part.patient, about)
    return about
