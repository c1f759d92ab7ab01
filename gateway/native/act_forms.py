"""What callers of the procedures' interface of the registry send and get."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.native.clinic_words import ID, Line, Moment, Page, Paged, Prose, Stamped, Word
from gateway.native.words import Told, one_of
from storage.model.procedure import STATUSES, Procedure

ActStatus = Annotated[str, one_of(STATUSES)]
Side = Annotated[str, one_of(Procedure.side.values)]
Cpt = Annotated[
    str,
    Meta(
        max_length=10,
        description="a CPT code: five digits, or four and a letter",
        extra_json_schema={"pattern": "^[0-9]{4}[0-9A-Z]$"},
    ),
]


class ActNew(Told, forbid_unknown_fields=True, kw_only=True):
    """A procedure of an encounter, with the date of the encounter if no other; its status follows from it."""

    encounter_id: ID
    cpt_code: Cpt
    description: Line | UnsetType | None = UNSET
    procedure_date: Moment | UnsetType | None = UNSET
    procedure_side: Side | UnsetType | None = UNSET
    status: ActStatus | UnsetType = UNSET
    details: Prose | UnsetType | None = UNSET


class Act(Stamped, kw_only=True):
    """A procedure."""

    patient_id: Word
    encounter_id: Word
    cpt_code: Word
    description: Word
    procedure_date: Word
    procedure_side: Side | None
    status: ActStatus
    surgical_status: Word
    details: Word


class ActPage(Page, kw_only=True):
    """A page of procedures, newest first."""

    items: list[Act]


class ActFilters(Paged, forbid_unknown_fields=True, kw_only=True):
    """By what a list of procedures is narrowed."""

    encounter_id: ID | UnsetType = UNSET
    patient_id: ID | UnsetType = UNSET
    cpt_code: Line | UnsetType = UNSET
    status: ActStatus | UnsetType = UNSET


ACTS: dict[str, Any] = {
    "a hip replacement": {
        "encounter_id": "visit",
        "cpt_code": "27130",
        "description": "Total hip arthroplasty",
        "procedure_date": "2025-01-20",
        "procedure_side": "left",
        "details": "Anterior approach, no complication",
    },
}
"""Procedures as callers send them."""
