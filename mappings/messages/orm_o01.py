"""ORM^O01, orders: patient, encounter, and one ServiceRequest for each order with what hangs on it.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-orm-o01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.diagnosis import diagnoses
from mappings.messages.encounter import encounter
from mappings.messages.groups import OrderPart, PatientPart, group
from mappings.messages.numbers import (
    Numbers,
    Taken,
    carriers,
    choose,
    numbers_of,
    set_id,
)
from mappings.messages.order import fill_order, same_code, service_code
from mappings.messages.order_status import closes, move, read_status
from mappings.messages.parents import set_parents
from mappings.messages.patient import patient
from mappings.messages.rules import RULES
from mappings.messages.senders import keep_sender
from mappings.messages.specimen import specimens
from mappings.messages.supporting import patient_observations, supporting
from mappings.messages.workspace import refer
from mappings.order_workflow import book

if TYPE_CHECKING:
    from mappings.messages.workspace import Desk
    from storage.record import Record

CANCELS = frozenset({"CA", "DC", "OC", "OD", "CR", "DR"})
REPLACED = frozenset({"RP", "RU"})


def apply(desk: Desk) -> None:
    """Apply an ORM^O01 to the records. Raises MessageRefused."""
    parts = group(desk.message, desk.coverage)
    patients: list[Record] = []
    for part in parts:
        about = patient(desk, part)
        patients.append(about)
        _orders(desk, part, about)
    desk.finish(RULES, patients[0])


def _orders(desk: Desk, part: PatientPart, about: Record) -> None:
    found = [(order, _numbers(desk, order)) for order in part.orders]
    taken: Taken = []
    known = {id(order): find_orders(desk, order, numbers, about, taken) for order, numbers in found}
    visits = [
        visit
        for orders in known.values()
        for order in orders
        for visit in desk.referred(order, "encounter", "Encounter")
    ]
    visit = encounter(desk, part, about, visits)
    diagnoses(desk, part.diagnoses, about, visit)
    patient_observations(desk, part, about, visit)
    replaced: list[Record] = []
    for order, numbers in found:
        # An earlier group may have made the order that this one is about.
        again = not known[id(order)] and taken
        records = find_orders(desk, order, numbers, about, taken) if again else known[id(order)]
        for record in records or [_new(desk, order, taken)]:
            _apply_order(desk, order, numbers, record, about, visit)
            control = _control(order)
            if control in REPLACED:
                replaced.append(record)
            elif control == "RO":
                desk.add(record, "replaces", *(refer(old) for old in replaced))
                replaced.clear()


def _control(order: OrderPart) -> str:
    return order.orc.field(1).first.component(1).strip().upper() if order.orc is not None else ""


def _numbers(desk: Desk, order: OrderPart) -> Numbers:
    numbers = numbers_of(desk, order, "ServiceRequest.identifier")
    asked = read_status(desk, order)
    numbers.closing = closes(asked)
    numbers.asked = asked.request
    return numbers


def _new(desk: Desk, order: OrderPart, taken: Taken) -> Record:
    if _control(order) in CANCELS:
        desk.coverage.warn("204", order.head, 2, text="The order was not known; it is kept as cancelled")
    made = desk.make("ServiceRequest", f"{order.path}.{order.head.name}")
    keep_sender(desk, made)
    taken.append((set_id(order.obr), made))
    return made


def find_orders(desk: Desk, order: OrderPart, numbers: Numbers, about: Record, taken: Taken) -> list[Record]:
    """Return the orders that a group is about: those with its numbers and its code (all of them where it
    has no code).

    Placer and filler number are not enough, because one number may stand for several OBR. A new order (NW)
    whose number is that of an order of something else is an order of its own, and warned about (205). A
    cancel, hold or release without a set id (OBR-1) is about all with the code.
    """
    found = [
        desk.meet(record, f"{order.path}.{order.head.name}")
        for record in carriers(desk, "ServiceRequest", numbers, about)
    ]
    code = service_code(desk, order)
    if code is None or not found:
        return found
    same = [record for record in found if same_code(desk.get(record, "code"), code)]
    chosen = choose(same, order.obr, taken)
    if chosen is not None:
        taken.append((set_id(order.obr), chosen))
        return [chosen]
    if same:
        return same if numbers.closing and not set_id(order.obr) else []
    stored = [record for record in found if not desk.is_new(record)]
    if _control(order) in ("NW", "SN") and stored:
        text = "The number is also that of an order of something else; this one is kept apart from it"
        desk.coverage.warn("205", order.head, 2, text=text)
        return []
    free = [record for record in stored if not any(record is other for _, other in taken)]
    return free if len(found) == 1 else []


def _apply_order(
    desk: Desk, order: OrderPart, numbers: Numbers, record: Record, about: Record, visit: Record | None
) -> None:
    asked = read_status(desk, order)
    move(desk, record, asked, order)
    fill_order(desk, record, order, numbers, about)
    if visit is not None and (order.obr is not None or not desk.get(record, "encounter")):
        desk.put(record, "encounter", refer(visit))
    if asked.status == "scheduled" and record.main["scheduled_at"] is None:
        _book(desk, record)
    set_parents(desk, record, order, about)
    diagnoses(desk, order.diagnoses, about, visit, record)
    found = specimens(desk, order, about, record)
    supporting(desk, record, order, about, visit, found)


def _book(desk: Desk, record: Record) -> None:
    """Book an order for the time it is wanted: the sender says that it is scheduled, and names no other
    time.
    """
    period: dict[str, str] = desk.get(record, "occurrencePeriod") or {}
    start: str | None = desk.get(record, "occurrenceDateTime") or period.get("start")
    if start:
        book(record, start)
