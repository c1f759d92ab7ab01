"""What callers of the orders' interface get: orders with who and what they are about, and reference lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from gateway import errors
from gateway.native.orders.forms import Status
from mappings import encounters
from mappings.order_forms import ACCOUNTS
from storage import orders

Word = str | None


class PatientSummary(Struct):
    """Whom an order is for."""

    id: str
    mrn: Word
    full_name: Word
    gender: Word
    date_of_birth: Word


class VisitSummary(Struct):
    """The visit on which it was ordered."""

    id: str
    visit_number: Word
    status: str
    visit_date: Word


class UserSummary(Struct):
    """Who did something: an account, or a practitioner who has none (without a role)."""

    id: Word
    full_name: Word
    role: Word


class Order(Struct):
    """An order with what it asks for and what was reported on it."""

    id: str
    order_number: Word
    accession_number: Word
    order_type: str
    status: Status
    on_hold: bool
    record_state: str
    priority: str
    patient: PatientSummary | None
    visit: VisitSummary | None
    ordered_by: UserSummary
    order_details: dict[str, Any]
    clinical_indication: Word
    special_instructions: Word
    notes: Word
    ordered_date: str
    scheduled_date: Word
    performed_date: datetime | None
    reported_date: datetime | None
    cancelled_date: datetime | None
    cancellation_reason: Word
    performing_user: UserSummary | None
    reporting_user: UserSummary | None
    report_text: Word
    findings: Word
    impression: Word
    result_status: Word
    created_at: datetime
    updated_at: datetime


class Modality(Struct):
    """A kind of imaging."""

    id: UUID
    code: str
    name: str
    description: Word


class LabTest(Struct):
    """A laboratory test; ``tat_hours`` is how long it usually takes."""

    id: UUID
    code: str
    name: str
    category: str
    specimen_type: str
    fasting_required: bool
    tat_hours: int | None


class ProcedureType(Struct):
    """A procedure that can be ordered; its duration is in minutes."""

    id: UUID
    code: str
    name: str
    category: str
    requires_consent: bool
    estimated_duration: int | None


class BodyPart(Struct):
    """A part of the body, with the modalities that it allows."""

    id: UUID
    code: str
    name: str
    applicable_modalities: list[str]


def shown(row: dict[str, Any]) -> Order:
    """Return a row of ``storage.orders`` as callers see it."""
    told = {name: value for name, value in row.items() if name != "is_deleted"}
    if visit := told["visit"]:
        visit["status"] = encounters.word_of(visit["status"], no_show=visit.pop("no_show"))
    return Order(**told)


def one(connection: Any, value: str, by: str = "id") -> Order:
    """Return the order with an id or a number. Raises NotFound, Deleted."""
    row = orders.one(connection, by, value, ACCOUNTS)
    if row is None:
        raise errors.NotFound("There is no such order.", expression=by)
    if row["is_deleted"]:
        raise errors.Deleted("The order was deleted.", expression=by)
    return shown(row)
