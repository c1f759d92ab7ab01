"""What callers of the patients' interface send and get: forms read off the fields of the flat record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.native.clinic_words import InPages, Page, PageNumber, PageSize
from gateway.native.words import Told, one_of
from mappings.flat.check import SEX
from storage.model.clinical import INSURANCE_TYPES
from storage.model.flat import BY_NAME, FIELDS, SEXES, STATUSES, Field

NOTES = {
    "date": "a date, perhaps a partial one: 1980-01-15, 1980-01, 1980",
    "moment": "a date, perhaps with a time: 2026-03-02, 2026-03-02T07:30:00Z",
    "list": "texts parted by ;",
    "ssn": "shown whole to administrators only",
}


def _sent(field: Field) -> Any:
    if field.kind == "decimal":
        return Annotated[float, Meta(ge=field.low, le=field.high)]
    if field.values:
        return Annotated[str, one_of(tuple(SEX) if field.kind == "sex" else field.values)]
    return Annotated[str, Meta(min_length=1, max_length=field.limit, description=NOTES.get(field.kind))]


def _given(field: Field) -> Any:
    if field.kind == "stamp":
        return datetime
    if field.kind == "decimal":
        return float | None
    return str | None


def _form(name: str, fields: Any, **told: Any) -> Any:
    return msgspec.defstruct(name, fields, kw_only=True, module=__name__, **told)


_WRITTEN = [field for field in FIELDS if not field.read_only]
PatientNew: Any = _form(
    "PatientNew",
    [
        (field.name, _sent(field)) if field.required else (field.name, _sent(field) | UnsetType | None, UNSET)
        for field in _WRITTEN
    ],
)
PatientChange: Any = _form(
    "PatientChange",
    [
        (field.name, _sent(field) | UnsetType | (None if not field.required else UnsetType), UNSET)
        for field in _WRITTEN
    ],
)
PatientRecord: Any = _form("PatientRecord", [(field.name, _given(field)) for field in FIELDS])


PatientPage: Any = _form("PatientPage", [("items", list[PatientRecord])], bases=(Page,))

_DATE = Annotated[str, Meta(pattern=r"^\d{4}(-\d\d(-\d\d)?)?(T.+)?$", description=NOTES["moment"])]


class PatientFilters(Told, forbid_unknown_fields=True):
    """By what a list of patients is narrowed."""

    status: Annotated[str, one_of(STATUSES)] | UnsetType = UNSET
    sex: Annotated[str, one_of(tuple(SEXES))] | UnsetType = UNSET
    city: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    insurance_type: Annotated[str, one_of(INSURANCE_TYPES)] | UnsetType = UNSET
    mrn: str | UnsetType = UNSET
    name: Annotated[str, Meta(description="a part of a given or family name")] | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: Annotated[str, Meta(description="any telephone number, by its digits")] | UnsetType = UNSET
    date_of_birth_from: _DATE | UnsetType = UNSET
    date_of_birth_to: _DATE | UnsetType = UNSET
    created_from: _DATE | UnsetType = UNSET
    created_to: _DATE | UnsetType = UNSET


class PatientList(InPages, PatientFilters, forbid_unknown_fields=True):
    """Which page of a list of patients, in which order."""

    page: PageNumber = 1
    page_size: PageSize = 50
    sort_by: Annotated[str, one_of(tuple(BY_NAME))] = "created_at"
    sort_order: Annotated[str, one_of(("asc", "desc"))] = "asc"


class Removal(Told, forbid_unknown_fields=True):
    """How a patient is deleted."""

    hard: Annotated[bool, Meta(description="for good, with all versions: administrators only")] = False


class PatientFigures(Struct):
    """Counts over all patients."""

    total: int
    by_status: dict[str, int]
    by_sex: dict[str, int]
    by_age_band: dict[str, int]
    by_insurance_type: dict[str, int]
    added_this_month: int
    average_bmi: float | None


PATIENTS: dict[str, Any] = {
    "the least": {
        "mrn": "MRN123456",
        "first_name": "John",
        "last_name": "Doe",
        "date_of_birth": "1980-01-15",
        "sex": "M",
    },
    "all fields": {field.name: field.example for field in _WRITTEN if field.example is not None},
}
"""Patients as callers send them."""
CHANGES: dict[str, Any] = {"moved": {"city": "Chicago", "postal_code": "60601", "address_line2": None}}
