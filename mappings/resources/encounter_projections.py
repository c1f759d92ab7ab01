"""Columns of an encounter that follow from its identifiers, class, types and reasons.

https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.class
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import codings
from mappings.element import cs, sid
from mappings.projections import has_type
from storage.model.encounter import ENCOUNTER_TYPES
from storage.model.shared import Coding, Concept, Identifier

if TYPE_CHECKING:
    from storage.record import Record

VISIT_NUMBER = sid("visit-number")
TYPE_SYSTEM = cs("encounter-type")
TYPE_OF_CLASS = {
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "EMER": "emergency",
    "OBSENC": "observation",
    "PRENC": "preop",
    "VR": "telehealth",
    "AMB": "clinic",
}
"""Code of v3-ActCode -> our encounter type, where no type of our own is given."""


def set_visit_number(record: Record) -> None:
    """Set the visit number: the identifier of our own system, else the first of type VN."""
    identifiers = record.rows(Identifier, None, "identifier")
    found = next((row for row in identifiers if row["system"] == VISIT_NUMBER), None) or next(
        (row for row in identifiers if has_type(record, row, "VN")), None
    )
    record.main["visit_number"] = found and found["value"]


def set_encounter_type(record: Record) -> None:
    """Set the encounter type: our own coding among the types, else what the class tells, else ``other``."""
    own = (row["code"] for row in codings(record, "type") if row["system"] == TYPE_SYSTEM)
    derived = (TYPE_OF_CLASS.get(row["code"]) for row in codings(record, "class"))
    listed = next((code for code in own if code in ENCOUNTER_TYPES), None)
    record.main["encounter_type"] = listed or next(derived, None) or "other"


def set_first_complaint(record: Record) -> None:
    """Set the chief complaint: the text of the first reason that has no code."""
    uncoded = (
        concept["text"]
        for concept in record.rows(Concept, None, "reasonCode")
        if concept["text"] and not record.rows(Coding, concept["id"], "reasonCode")
    )
    record.main["chief_complaint"] = next(uncoded, None)
