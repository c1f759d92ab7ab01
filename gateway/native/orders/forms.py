"""What callers of the orders' interface send: orders of three types, changes, reports, and filters."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.native.clinic_words import Moment
from gateway.native.words import Told, one_of
from mappings.workflow.reports import RESULTS
from storage.model.order import ORDER_TYPES, STATUSES, OrderImaging, OrderProcedure

Text = Annotated[str, Meta(min_length=1)]
Priority = Annotated[str, one_of(("routine", "urgent", "stat"))]
Indication = Annotated[str, Meta(min_length=10, max_length=2000)]
Side = Annotated[str, one_of(OrderImaging.laterality.values)]
Kind = Annotated[str, one_of(OrderProcedure.procedure_kind.values)]
Minutes = Annotated[int, Meta(ge=1, le=24 * 60)]
Cpt = Annotated[str, Meta(min_length=1, max_length=20)]
Status = Annotated[str, one_of(STATUSES)]


class _NewOrder(Told, kw_only=True, forbid_unknown_fields=True, tag_field="order_type"):
    """What orders of every type tell."""

    clinical_indication: Indication
    priority: Priority = "routine"
    special_instructions: Text | None = None
    notes: Text | None = None


class NewImaging(_NewOrder, tag="IMAGING"):
    """An order of imaging: a modality that its body part allows."""

    modality: Text
    body_part: Text
    laterality: Side | None = None
    procedure_code: Cpt | None = None
    contrast: bool | None = None
    clinical_history: Text | None = None


class NewLab(_NewOrder, tag="LAB"):
    """An order of a laboratory test; specimen and fasting are the test's where they are not told."""

    test_code: Text
    specimen_type: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    specimen_source: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    fasting_required: bool | None = None
    collection_date: Moment | None = None
    panel: list[Text] | None = None


class NewProcedure(_NewOrder, tag="PROCEDURE"):
    """An order of a procedure; its duration is the usual one where it is not told, in minutes."""

    procedure_code: Text
    procedure_type: Kind | None = None
    anesthesia_required: bool | None = None
    estimated_duration: Minutes | None = None
    pre_procedure_instructions: Text | None = None


NewOrder = NewImaging | NewLab | NewProcedure


class OrderOf(Told, forbid_unknown_fields=True):
    """For whom an order is, and on which visit."""

    patient_id: Text
    visit_id: Text


class Paged(Told, forbid_unknown_fields=True):
    """Which part of a list is given."""

    skip: Annotated[int, Meta(ge=0, le=10**9)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class OrderFilters(Paged, forbid_unknown_fields=True):
    """By what a list of orders is narrowed; dates are those of ordering, the last day or moment included."""

    order_type: Annotated[str, one_of(ORDER_TYPES)] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    patient_id: str | UnsetType = UNSET
    visit_id: str | UnsetType = UNSET
    date_from: Moment | UnsetType = UNSET
    date_to: Moment | UnsetType = UNSET


class OrderChange(Told, forbid_unknown_fields=True):
    """What a PUT changes; what it leaves out stays, null clears. ``notes`` are all notes, line by line."""

    scheduled_date: Moment | UnsetType | None = UNSET
    special_instructions: Text | UnsetType | None = UNSET
    notes: Text | UnsetType | None = UNSET


class StatusChange(Told, forbid_unknown_fields=True):
    """A step of the workflow; ``on_hold`` lays a hold on an open order or takes it off, by itself or with a
    step.
    """

    status: Status | UnsetType = UNSET
    scheduled_date: Moment | UnsetType = UNSET
    cancellation_reason: Annotated[str, Meta(min_length=10)] | UnsetType = UNSET
    on_hold: bool | UnsetType = UNSET
    notes: Text | UnsetType = UNSET


class Cancellation(Told, forbid_unknown_fields=True):
    """Why an order is cancelled."""

    reason: Annotated[str, Meta(extra_json_schema={"minLength": 10})] | UnsetType = UNSET


class NewReport(Told, forbid_unknown_fields=True):
    """A report on an order; a second one amends the first."""

    report_text: Annotated[str, Meta(min_length=20)]
    findings: Annotated[str, Meta(min_length=10)]
    impression: Annotated[str, Meta(min_length=10)]
    result_status: Annotated[str, one_of(RESULTS)] | None = None


ORDERS: dict[str, Any] = {
    "imaging": {
        "order_type": "IMAGING",
        "priority": "routine",
        "clinical_indication": "Suspected pneumonia, fever for 3 days",
        "modality": "XRAY",
        "body_part": "CHEST",
        "laterality": "bilateral",
    },
    "laboratory": {
        "order_type": "LAB",
        "priority": "urgent",
        "clinical_indication": "Check anemia, patient complains of fatigue",
        "test_code": "CBC",
        "specimen_type": "Blood",
        "fasting_required": False,
    },
    "procedure": {
        "order_type": "PROCEDURE",
        "clinical_indication": "Screening for colorectal cancer",
        "procedure_code": "45378",
        "anesthesia_required": True,
        "estimated_duration": 30,
        "pre_procedure_instructions": "NPO after midnight",
    },
}
"""Orders as callers send them."""
STEPS: dict[str, Any] = {
    "booked": {
        "status": "scheduled",
        "scheduled_date": "2026-11-21T10:00:00Z",
        "notes": "Scheduled for tomorrow 10 AM",
    },
}
CHANGES: dict[str, Any] = {
    "instructions": {"special_instructions": "Standing, if possible", "notes": "The patient uses a walker"}
}
REPORTS: dict[str, Any] = {
    "normal": {
        "report_text": "Two views of the chest. Heart and mediastinum are of normal size.",
        "findings": "Lungs are clear.",
        "impression": "No acute disease.",
        "result_status": "normal",
    },
}
