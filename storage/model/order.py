"""Orders, their typed details, and the history of their workflow."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Code,
    Date,
    Instant,
    Integer,
    Json,
    Key,
    Link,
    Listed,
    Period,
    Quantity,
    Table,
    Text,
    index,
)
from storage.model.resource import Detail, Typed

ORDER_TYPES = ("IMAGING", "LAB", "PROCEDURE", "OTHER")
STATUSES = ("ordered", "scheduled", "in_progress", "completed", "reported", "cancelled")
INTENTS = (
    "proposal",
    "plan",
    "directive",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)

NUMBERED = (
    "order_number IS NOT NULL AND accession_number IS NOT NULL OR record_state = 'draft' "
    "OR intent IN ('proposal', 'plan', 'directive', 'option')"
)
"""What is really ordered has its numbers; a draft or a mere plan may go without."""


class ServiceOrder(
    Typed,
    name="service_order",
    constraints=(sa.CheckConstraint(NUMBERED, name="numbered"),),
    indexes=(
        index("intent"),
        index("patient_id", "authored_lo"),
        index("patient_id", "status"),
        index("encounter_id", "order_type"),
        index("status", "order_type"),
        index("priority", "status"),
        index("authored_lo"),
        index("occurrence_lo", "occurrence_hi"),
        index("scheduled_at_lo"),
    ),
):
    """An order. ``occurrence`` is when it is wanted, ``scheduled_at`` when it is booked."""

    order_number = Text(20, unique=True)
    accession_number = Text(20, unique=True)
    order_type = Code(*ORDER_TYPES, required=True)
    patient = Link("patient")
    encounter = Link("encounter")
    requester = Link("resource")
    status = Code(*STATUSES, required=True)
    record_state = Code("normal", "draft", "entered-in-error", "unknown", required=True, default="normal")
    on_hold = Boolean(required=True, default="false")
    priority = Code("routine", "urgent", "asap", "stat")
    intent = Code(*INTENTS, required=True)
    do_not_perform = Boolean()
    clinical_indication = Text()
    special_instructions = Text()
    authored = Date()
    occurrence_kind = Code("dateTime", "Period", "Timing")
    occurrence = Period()
    scheduled_at = Date()
    performed_at = Instant()
    reported_at = Instant()
    cancelled_at = Instant()
    cancellation_reason = Text()
    performing_user = Link("practitioner")
    reporting_user = Link("practitioner")
    quantity = Quantity()
    instantiates_canonical = Json()
    instantiates_uri = Json()
    as_needed_boolean = Boolean()
    patient_instruction = Text()
    external_id = Text(100)


class OrderImaging(Detail, name="order_imaging"):
    """What an imaging order asks for; the names of modality and body part are reference data."""

    modality_code = Listed("ref_imaging_modality.code", 10)
    body_part_code = Listed("ref_body_part.code", 20)
    laterality = Code("left", "right", "bilateral")
    procedure_code = Text(20)
    procedure_name = Text(200)
    contrast = Boolean()
    clinical_history = Text()
    study_instance_uid = Text(100)
    number_of_images = Integer()


class OrderLab(Detail, name="order_lab"):
    """What a laboratory order asks for; an unknown test stands in the order's code alone."""

    test_code = Listed("ref_lab_test.code", 20)
    test_name = Text(200)
    specimen_type = Text(50)
    specimen_source = Text(50)
    fasting_required = Boolean()
    collection_date = Date()
    panel = Json()


class OrderProcedure(Detail, name="order_procedure"):
    """What an order of a procedure asks for."""

    procedure_code = Text(20)
    procedure_name = Text(200)
    procedure_kind = Code("diagnostic", "therapeutic", "surgical", "other")
    anesthesia_required = Boolean()
    estimated_minutes = Integer()


class OrderStatusEvent(Table, name="order_status_event", indexes=(index("order_id", "at"),)):
    """One step of the workflow; never changed. ``implied`` is a step that was walked through."""

    id = Key(primary=True)
    order = Link("service_order", required=True, ondelete="CASCADE")
    from_status = Text(20)
    to_status = Text(20, required=True)
    at = Instant(required=True)
    actor = Link("app_user")
    via = Code("fhir", "hl7v2", "rest", "system", required=True)
    implied = Boolean(required=True, default="false")
    note = Text()
