"""What callers of the encounters' interface send and get."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.native.clinic_words import ID, Line, Moment, Page, Paged, Prose, Stamped, Word
from gateway.native.words import Told, one_of
from mappings.encounters import STATUSES
from storage.model.encounter import ENCOUNTER_TYPES

EncounterType = Annotated[str, one_of(ENCOUNTER_TYPES)]
EncounterStatus = Annotated[str, one_of(tuple(STATUSES))]


class _Told(Told, forbid_unknown_fields=True, kw_only=True):
    """What may be told of an encounter; null clears."""

    end_date: Moment | UnsetType | None = UNSET
    status: EncounterStatus | UnsetType = UNSET
    location: Line | UnsetType | None = UNSET
    attending_physician: Line | UnsetType | None = UNSET
    chief_complaint: Prose | UnsetType | None = UNSET
    treatment_plan: Prose | UnsetType | None = UNSET


class EncounterNew(_Told, forbid_unknown_fields=True, kw_only=True):
    """An encounter; its status follows from its date where it is not told."""

    patient_id: ID
    encounter_type: EncounterType
    encounter_date: Moment


class EncounterChange(_Told, forbid_unknown_fields=True, kw_only=True):
    """What a PATCH may change; what it leaves out stays, null clears."""

    encounter_type: EncounterType | UnsetType = UNSET
    encounter_date: Moment | UnsetType = UNSET


class Encounter(Stamped, kw_only=True):
    """An encounter."""

    patient_id: Word
    patient_mrn: Word
    patient_name: Word
    visit_number: Word
    encounter_type: EncounterType
    encounter_date: Word
    end_date: Word
    status: EncounterStatus
    location: Word
    attending_physician: Word
    chief_complaint: Word
    diagnosis: Annotated[Word, Meta(description="the primary diagnosis, else the first, in words")]
    treatment_plan: Word


class EncounterPage(Page, kw_only=True):
    """A page of encounters, newest first."""

    items: list[Encounter]


class EncounterFilters(Paged, forbid_unknown_fields=True, kw_only=True):
    """By what a list of encounters is narrowed."""

    patient_id: ID | UnsetType = UNSET
    encounter_type: EncounterType | UnsetType = UNSET
    status: EncounterStatus | UnsetType = UNSET
    date_from: Moment | UnsetType = UNSET
    date_to: Moment | UnsetType = UNSET
    visit_number: Line | UnsetType = UNSET


ENCOUNTERS: dict[str, Any] = {
    "surgery": {
        "patient_id": "p",
        "encounter_type": "surgery",
        "encounter_date": "2025-01-20",
        "chief_complaint": "Left hip pain",
    },
    "a clinic visit to come": {
        "patient_id": "p",
        "encounter_type": "clinic",
        "encounter_date": "2031-03-02T09:30",
        "status": "scheduled",
        "location": "Orthopaedic clinic",
        "attending_physician": "Ada Okafor",
    },
}
"""Encounters as callers send them."""
CHANGES: dict[str, Any] = {"the patient is here": {"status": "checked_in", "location": "Room 4"}}
