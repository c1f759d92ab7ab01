"""What callers of the OR command center's interface send and get: procedures."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.native.clinic_words import Stamped, Word
from gateway.native.words import Told, one_of
from mappings import board

Readiness = Annotated[str, one_of(board.CODES["surgical_status"].values)]
Status = Annotated[str, one_of(board.CODES["status"].values)]
StressTest = Annotated[str, one_of(board.CODES["stress_test_status"].values)]
Consent = Annotated[str, one_of(board.CODES["consent_status"].values)]


CLEARED = (
    "procedure_side",
    "scheduled_location",
    "scheduled_start",
    "scheduled_end",
    "override_reason",
    "notes",
)
"""Texts that an empty one clears."""
FIELDS = {
    "'barrier'": "barriers",
    "'cardiologyClearance'": "cardiology_clearance",
    "'stressTestStatus'": "stress_test_status",
    "'consentStatus'": "consent_status",
    "'scheduledPeriod'": "scheduled_start",
    "'scheduledLocation'": "scheduled_location",
    "'side'": "procedure_side",
    "'surgicalStatus'": "surgical_status",
    "Procedure.status": "status",
}
"""A part of an expression of FHIR -> the field of this door."""


class Portion(Told, forbid_unknown_fields=True):
    """Which part of a list is given."""

    skip: Annotated[int, Meta(ge=0, le=10**9)] = 0
    limit: Annotated[int, Meta(ge=0, le=1000)] = 500


class ProcedureFilters(Portion, forbid_unknown_fields=True):
    """By what a list of procedures is narrowed."""

    surgical_status: Readiness | UnsetType = UNSET
    patient_mrn: str | UnsetType = UNSET
    scheduled_location: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class _Told(Told, forbid_unknown_fields=True, kw_only=True):
    """What may be told of a procedure; null clears."""

    barriers: list[str] | UnsetType = UNSET
    cardiology_clearance: bool | str | UnsetType | None = UNSET
    stress_test_status: StressTest | UnsetType | None = UNSET
    consent_status: Consent | UnsetType | None = UNSET
    procedure_side: str | UnsetType | None = UNSET
    scheduled_location: str | UnsetType | None = UNSET
    scheduled_start: str | UnsetType | None = UNSET
    scheduled_end: str | UnsetType | None = UNSET
    estimated_minutes: int | UnsetType | None = UNSET
    override_reason: str | UnsetType | None = UNSET
    notes: str | UnsetType | None = UNSET


class ProcedureChange(_Told, forbid_unknown_fields=True, kw_only=True):
    """What a PATCH may change; what it leaves out stays, null clears."""

    mrn: str | UnsetType = UNSET
    patient_name: str | UnsetType = UNSET
    procedure_type: str | UnsetType = UNSET
    surgical_status: Readiness | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET


class ProcedureNew(_Told, forbid_unknown_fields=True, kw_only=True):
    """A procedure that comes onto the board; the patient of the MRN must be known."""

    mrn: Annotated[str, Meta(min_length=1, max_length=64)]
    patient_name: Annotated[str, Meta(description="must be the name of that patient")] | UnsetType | None = (
        UNSET
    )
    procedure_type: Annotated[str, Meta(min_length=1)]
    surgical_status: Readiness = "workup"


class Procedure(Stamped, kw_only=True):
    """A procedure as the board shows it."""

    mrn: Word
    patient_name: Word
    procedure_type: Word
    surgical_status: Readiness | None
    status: Status
    cardiology_clearance: Word
    stress_test_status: StressTest | None
    consent_status: Consent | None
    procedure_side: Word
    case_class: Word
    estimated_minutes: int | None
    scheduled_location: Word
    scheduled_start: Word
    scheduled_end: Word
    barriers: list[str]
    notes: Word


class Finding(Struct):
    """What was found in a segment of an artery."""

    id: str
    kind: Word
    side: Word
    segment: Word
    finding: Word
    stenosis_pct: float | None
    length_mm: float | None
    diameter_mm: float | None
    psv_cm_s: float | None
    calcification: Word
    runoff_vessels: int | None
    source_modality: Word
    measure: Word
    measure_value: float | None
    measure_class: Word


class ProcedureInFull(Procedure, kw_only=True):
    """A procedure with what was found in the arteries."""

    arterial_findings: list[Finding]


PROCEDURES: dict[str, Any] = {
    "to be worked up": {
        "mrn": "MRN123456",
        "patient_name": "John Doe",
        "procedure_type": "Femoral-popliteal bypass",
        "surgical_status": "workup",
        "barriers": ["labs", "needs a cardiology visit"],
        "cardiology_clearance": False,
        "stress_test_status": "ordered",
    },
}
"""Procedures as callers send them."""
CHANGES: dict[str, Any] = {
    "ready": {"surgical_status": "ready", "barriers": [], "cardiology_clearance": True},
    "a slot": {
        "scheduled_location": "OR 3",
        "scheduled_start": "2026-03-03T08:00:00Z",
        "scheduled_end": "2026-03-03T10:30:00Z",
        "estimated_minutes": 150,
    },
}
"""Changes as callers send them."""
