"""SIU: an appointment, onto the OR schedule where a procedure is meant, else as an Appointment.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-message-siu-s12-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import order_workflow, times
from mappings.messages.appointment import (
    appointment,
    appointment_numbers,
    find_appointment,
    link,
)
from mappings.messages.aside import take_back
from mappings.messages.diagnosis import diagnoses
from mappings.messages.encounter import encounter, find_visit, visit_numbers
from mappings.messages.groups import OrderPart
from mappings.messages.named_orders import named_orders
from mappings.messages.order_status import Wanted, move
from mappings.messages.patient import patient
from mappings.messages.rules import RULES
from mappings.messages.services import Booking, bookings
from mappings.messages.siu_groups import SiuPart, group_siu
from mappings.messages.siu_times import When, when
from mappings.messages.slot import book, find_procedure, free, is_booked_since
from mappings.messages.supporting import allergies_and_covers, patient_observations
from mappings.messages.workspace import refer
from mappings.workflow.orders import Step

if TYPE_CHECKING:
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

EVENTS: dict[str, str | None] = {
    "S12": None,
    "S13": None,
    "S14": None,
    "S15": "cancelled",
    "S16": "cancelled",
    "S17": "entered-in-error",
    "S26": "noshow",
}
"""Trigger event -> the status of the appointment after it; None leaves it to SCH-25, booked without."""
STATUSES = {
    **dict.fromkeys(("BOOKED", "SCHEDULED", "CONFIRMED", "OVERBOOK"), "booked"),
    "PENDING": "pending",
    "WAITLIST": "waitlist",
    "STARTED": "checked-in",
    "COMPLETE": "fulfilled",
    **dict.fromkeys(("CANCELLED", "CANCELED", "DC"), "cancelled"),
    "DELETED": "entered-in-error",
    "NOSHOW": "noshow",
}
"""Table 0278, and words that senders write for its codes -> appointmentstatus."""
BOOKS = ("booked", "checked-in", "fulfilled")
ENDS = ("cancelled", "entered-in-error", "noshow")
OF_PROCEDURE = {
    "Appointment.identifier": "Procedure.identifier",
    "Appointment.basedOn": "Procedure.basedOn",
    "Appointment.status": "Procedure.extension(surgicalStatus)",
    "Appointment.start": "Procedure.extension(scheduledPeriod)",
    "Appointment.minutesDuration": "Procedure.extension(estimatedMinutes)",
    "Appointment.participant": "Procedure.performer",
}
"""Where a field goes that is told of an appointment, where no Appointment is made of it."""
NO_VISIT = "The appointment does not take place, and its visit is not known"


def apply(desk: Desk) -> None:
    """Apply a scheduling message to the records. Raises MessageRefused."""
    part = group_siu(desk.message, desk.coverage)
    numbers = appointment_numbers(desk, part.sch)
    patients = [patient(desk, item) for item in part.patients]
    about = patients[0] if patients else None
    status, at = _status(desk, part), when(desk, part)
    orders = named_orders(desk, part.sch, 26, about, "Appointment.basedOn") if about is not None else []
    known = find_appointment(desk, part.sch, numbers, patients)
    books = status not in ENDS
    listed = bookings(desk, part, numbers, orders, about, at, books=books)
    if not listed:
        one = find_procedure(desk, part, numbers, orders, about, at, books=books)
        listed = [Booking(one, part, at)] if one is not None else []
    operation = listed[0].record if listed else None
    if known is None and operation is None and desk.message.trigger_event != "S12":
        desk.coverage.warn("204", part.sch, 1, text="The appointment was not known; it is kept as it is told")
    found = [*(item.record for item in listed), *([known] if known is not None else ())]
    visits = _visits(desk, part, patients, found, ends=status in ENDS)
    for item in listed:
        _of_operation(desk, item.record, item.part, numbers, status, item.at, next(iter(visits), None))
    if operation is None:
        for order in orders:
            _of_order(desk, order, part, status, at)
    record = known
    if known is not None or operation is None or status not in (*BOOKS, *ENDS):
        record = appointment(desk, part, known, numbers, status, at, patients, orders)
        _join(desk, record, visits, [item.record for item in listed])
    else:
        for told in desk.coverage.mapped.values():
            told[:] = dict.fromkeys(OF_PROCEDURE.get(element, element) for element in told)
    desk.finish(RULES, next(item for item in (about, operation, record) if item is not None))


def _status(desk: Desk, part: SiuPart) -> str:
    """Return the status of the appointment: by the event, else SCH-25, AIS-10 of its services, booked."""
    told: list[str] = []
    for segment, number in ((part.sch, 25), *((item, 10) for item in part.wanted("AIS"))):
        code = segment.field(number).first.component(1).strip().upper()
        if code in STATUSES:
            desk.coverage.map(segment, number, "Appointment.status")
            told.append(STATUSES[code])
        elif code:
            text = f"{segment.name}-{number} has a code of no HL7 table"
            desk.coverage.warn("103", segment, number, text=text)
    return EVENTS[desk.message.trigger_event] or next(iter(told), "booked")


def _visits(
    desk: Desk, part: SiuPart, patients: list[Record], known: list[Record], *, ends: bool
) -> list[Record]:
    """Return the visits that PV1 tells of, with what hangs on patients; a new one is planned, and one of an
    appointment that does not take place is not made.
    """
    found: list[Record] = []
    for item, about in zip(part.patients, patients, strict=True):
        here = [visit for record in known for visit in _known_visits(desk, record)]
        visit = _visit(desk, item, about, here, ends=ends)
        found += [visit] if visit is not None else []
        diagnoses(desk, item.diagnoses, about, visit)
        patient_observations(desk, item, about, visit)
        allergies_and_covers(desk, item, about)
    return found


def _visit(desk: Desk, item: PatientPart, about: Record, here: list[Record], *, ends: bool) -> Record | None:
    pv1 = item.pv1
    if pv1 is None:
        return None
    numbers = visit_numbers(desk, pv1)
    known = find_visit(desk, pv1, numbers, about) or (None if numbers else next(iter(here), None))
    if known is None and ends:
        take_back(desk.coverage, NO_VISIT, [segment for segment in (pv1, item.pv2) if segment])
        return None
    before = "planned" if known is None else desk.get(known, "status")
    visit = encounter(desk, item, about, here)
    if visit is not None and before == "planned" and not pv1.field(44) and not pv1.field(45):
        _plan(desk, visit)
    return visit


def _known_visits(desk: Desk, record: Record) -> list[Record]:
    if record.resource["resource_type"] == "Procedure":
        return desk.referred(record, "encounter", "Encounter")
    return desk.workspace.referring("Encounter", "appointment", record.resource["id"])


def _plan(desk: Desk, visit: Record) -> None:
    """Let a visit that has not begun be planned: that it is booked does not begin it."""
    desk.put(visit, "status", "planned")
    places: list[dict[str, Any]] = desk.get(visit, "location") or []
    now = [item | {"status": "planned"} if item.get("status") == "active" else item for item in places]
    if now != places:
        desk.put(visit, "location", now)


def _of_operation(
    desk: Desk,
    operation: Record,
    part: SiuPart,
    numbers: list[dict[str, Any]],
    status: str,
    at: When,
    visit: Record | None,
) -> None:
    if status in BOOKS:
        book(desk, operation, part, numbers, at, visit)
    elif status in ENDS:
        free(desk, operation, part, missed=status == "noshow")


def _of_order(desk: Desk, order: Record, part: SiuPart, status: str, at: When) -> None:
    """Book an order that has no procedure for the time of its appointment, or give that time back."""
    row = order.main
    if status in BOOKS and at.start and row["status"] in ("ordered", "scheduled"):
        move(desk, order, Wanted("scheduled"), OrderPart(1, part.sch), slot=at.start)
    elif status in BOOKS and row["status"] == "cancelled":
        desk.coverage.tell(part.sch, 26, text="The order of the appointment is cancelled, and stays so")
    elif (
        status in ENDS
        and row["status"] == "scheduled"
        and _is_booked_for(order, at)
        and not is_booked_since(desk, order)
    ):
        order_workflow.unbook(order)
        desk.steps.append((order, (Step("scheduled", "ordered"),)))


def _is_booked_for(order: Record, at: When) -> bool:
    return at.start is None or times.bounds(at.start)[0] == order.main["scheduled_at_lo"]


def _join(desk: Desk, record: Record, visits: list[Record], operations: list[Record]) -> None:
    """Let visits name their appointment, and the appointment its reasons: diagnoses and the procedures."""
    for visit in visits:
        if refer(record) not in (desk.get(visit, "appointment") or ()):
            desk.add(visit, "appointment", refer(record))
    causes = [item for visit in visits for item in desk.referred(visit, "diagnosis.condition", "Condition")]
    link(record, "reasonReference", [*causes, *operations], desk)
