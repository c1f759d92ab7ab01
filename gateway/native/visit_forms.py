"""What callers of the visits' interface send and get: encounters with what was measured and billed."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from gateway.native.clinic_words import Line, Moment, Page, Paged, Prose, Stamped, Word
from gateway.native.encounter_forms import EncounterStatus, EncounterType
from gateway.native.words import Told
from mappings.vitals import SIGNS, Sign


def _measured(sign: Sign) -> Any:
    limits = {"type": "number", "minimum": float(sign.low), "maximum": float(sign.high)}
    return Annotated[Any, Meta(description=f"in {sign.unit}", extra_json_schema=limits)]


def _form(name: str, fields: Any, **told: Any) -> Any:
    return defstruct(name, fields, module=__name__, **told)


VitalSigns: Any = _form(
    "VitalSigns",
    [(name, _measured(sign), UNSET) for name, sign in SIGNS.items()],
    bases=(Told,),
    forbid_unknown_fields=True,
)
VitalSignsShown: Any = _form("VitalSignsShown", [(name, float | None) for name in SIGNS])


SYSTEM = "CPT, HCPCS or a URL; without it, what the form of the code tells"


class BillingCode(Told, forbid_unknown_fields=True, kw_only=True):
    """A code that is billed."""

    code: Annotated[str, Meta(max_length=20, pattern=r"^\S+(\s\S+)*$")]
    system: Annotated[str, Meta(max_length=255, pattern=r"^\S+$", description=SYSTEM)] | UnsetType | None = (
        UNSET
    )
    modifier: Annotated[str, Meta(min_length=1, max_length=20)] | UnsetType | None = UNSET
    units: Annotated[int, Meta(ge=1, le=99_999)] | UnsetType | None = UNSET


class VisitNew(Told, forbid_unknown_fields=True, kw_only=True):
    """A visit; its status follows from its date where it is not told."""

    visit_type: EncounterType
    visit_date: Moment
    status: EncounterStatus | UnsetType = UNSET
    location: Line | UnsetType | None = UNSET
    attending_physician: Line | UnsetType | None = UNSET
    chief_complaint: Prose | UnsetType | None = UNSET
    diagnosis: Prose | UnsetType | None = UNSET
    treatment_plan: Prose | UnsetType | None = UNSET
    vital_signs: VitalSigns | UnsetType | None = UNSET  # pyright: ignore[reportInvalidTypeForm]
    billing_codes: Annotated[list[BillingCode], Meta(max_length=100)] | UnsetType | None = UNSET


class Billed(Struct, kw_only=True):
    """What was billed."""

    code: str
    system: str
    modifier: Word
    units: int | None


class Visit(Stamped, kw_only=True):
    """A visit; its id is that of the encounter that it is."""

    patient_id: Word
    visit_number: Word
    visit_type: EncounterType
    visit_date: Word
    status: EncounterStatus
    location: Word
    attending_physician: Word
    chief_complaint: Word
    diagnosis: Word
    treatment_plan: Word
    vital_signs: VitalSignsShown  # pyright: ignore[reportInvalidTypeForm]
    billing_codes: list[Billed]


class VisitPage(Page, kw_only=True):
    """A page of the visits of a patient, newest first."""

    items: list[Visit]


class VisitList(Paged, forbid_unknown_fields=True, kw_only=True):
    """Which page of the visits of a patient."""


VISITS: dict[str, Any] = {
    "a clinic visit": {
        "visit_type": "clinic",
        "visit_date": "2025-02-03",
        "location": "Orthopaedic clinic",
        "chief_complaint": "Left hip pain",
        "diagnosis": "Osteoarthritis of the left hip",
        "treatment_plan": "Physiotherapy, then total hip arthroplasty",
        "vital_signs": {
            "systolic": 132,
            "diastolic": 84,
            "heart_rate": 72,
            "respiratory_rate": 14,
            "temperature": Decimal("36.8"),
            "oxygen_saturation": 98,
            "height_cm": 171,
            "weight_kg": Decimal("82.5"),
            "pain": 6,
        },
        "billing_codes": [{"code": "99213", "system": "CPT", "modifier": "25", "units": 1}],
    },
    "the least": {"visit_type": "telehealth", "visit_date": "2025-03"},
}
"""Visits as callers send them."""
