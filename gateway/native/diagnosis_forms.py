"""What callers of the diagnoses' interface send and get."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.native.clinic_words import ID, Line, Moment, Page, Paged, Stamped, Word
from gateway.native.words import Told

Icd10 = Annotated[
    str,
    Meta(
        max_length=10,
        description="a code of ICD-10-CM, such as M16.12",
        extra_json_schema={"pattern": r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$"},
    ),
]


class DiagnosisNew(Told, forbid_unknown_fields=True, kw_only=True):
    """A diagnosis of an encounter: its primary one, or one of its others."""

    encounter_id: ID
    icd10_code: Icd10
    description: Line | UnsetType | None = UNSET
    is_primary: bool = False
    diagnosis_date: Moment | UnsetType | None = UNSET


class Diagnosis(Stamped, kw_only=True):
    """A diagnosis."""

    patient_id: Word
    encounter_id: Word
    icd10_code: Word
    description: Word
    is_primary: bool
    rank: int | None
    clinical_status: Word
    verification_status: Word
    diagnosis_date: Word


class DiagnosisPage(Page, kw_only=True):
    """A page of diagnoses, newest first."""

    items: list[Diagnosis]


class DiagnosisFilters(Paged, forbid_unknown_fields=True, kw_only=True):
    """By what a list of diagnoses is narrowed."""

    encounter_id: ID | UnsetType = UNSET
    patient_id: ID | UnsetType = UNSET
    icd10_code: Line | UnsetType = UNSET
    is_primary: bool | UnsetType = UNSET


DIAGNOSES: dict[str, Any] = {
    "the primary one": {
        "encounter_id": "visit",
        "icd10_code": "M16.12",
        "description": "Unilateral primary osteoarthritis, left hip",
        "is_primary": True,
        "diagnosis_date": "2025-01-20",
    },
    "another": {"encounter_id": "visit", "icd10_code": "E11.9"},
}
"""Diagnoses as callers send them."""
