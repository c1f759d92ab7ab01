"""MDM, documents: patient, encounter, the orders that they are about, and one DocumentReference.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-message-mdm-t02-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.diagnosis import diagnoses
from mappings.messages.document import document, find_document
from mappings.messages.encounter import encounter, visit_numbers
from mappings.messages.mdm_groups import group_mdm
from mappings.messages.named_orders import named_orders
from mappings.messages.notes import add_notes
from mappings.messages.numbers import Numbers, numbers_of
from mappings.messages.order import fill_of_result, set_all_but
from mappings.messages.order_found import find_orders
from mappings.messages.order_status import move, read_status
from mappings.messages.patient import patient
from mappings.messages.rules import RULES
from mappings.messages.senders import keep_sender, see_may_be_made
from mappings.messages.supporting import allergies_and_covers
from mappings.messages.visit import GOING_ON, under_way, unnumbered
from mappings.messages.workspace import refer
from mappings.resources.encounter_codes import patient_class

if TYPE_CHECKING:
    from mappings.messages.groups import OrderPart
    from mappings.messages.mdm_groups import MdmPart
    from mappings.messages.numbers import Taken
    from mappings.messages.workspace import Desk
    from storage.record import Record

Found = list[tuple["OrderPart", Numbers, "Record | None"]]


def apply(desk: Desk) -> None:
    """Apply a document message to the records. Raises MessageRefused."""
    part = group_mdm(desk.message, desk.coverage)
    about = patient(desk, part.patient)
    known = find_document(desk, part.txa, about)
    taken: Taken = []
    found = _find_all(desk, part, about, taken)
    visits = [] if known is None else desk.referred(known, "context.encounter", "Encounter")
    visits += [
        visit for *_, order in found if order for visit in desk.referred(order, "encounter", "Encounter")
    ]
    visit = encounter(desk, part.patient, about, visits or _going_on(desk, part, about))
    diagnoses(desk, part.patient.diagnoses, about, visit)
    allergies_and_covers(desk, part.patient, about)
    orders = [_order(desk, item, numbers, order, about, visit, taken) for item, numbers, order in found]
    named = named_orders(desk, part.txa, 14, about, "DocumentReference.context.related")
    orders += [order for order in named if not any(order is other for other in orders)]
    document(desk, part, known, about, visit, orders)
    desk.finish(RULES, about)


def _going_on(desk: Desk, part: MdmPart, about: Record) -> list[Record]:
    """Return the visit that the patient is in, one without a number before others: a document without a
    number begins no visit.
    """
    pv1 = part.patient.pv1
    if pv1 is None or visit_numbers(desk, pv1):
        return []
    found = unnumbered(desk, about, GOING_ON)
    told = patient_class(pv1.field(2).first, desk.context)
    if found is None or told not in (None, desk.get(found, "class")):
        found = under_way(desk, pv1, about)
    return [found] if found is not None else []


def _find_all(desk: Desk, part: MdmPart, about: Record, taken: Taken) -> Found:
    found: Found = []
    for item in part.patient.orders:
        numbers = numbers_of(desk, item, "ServiceRequest.identifier")
        known = find_orders(desk, item, numbers, about, taken, [])
        found.append((item, numbers, next(iter(known), None)))
    return found


def _order(
    desk: Desk,
    item: OrderPart,
    numbers: Numbers,
    order: Record | None,
    about: Record,
    visit: Record | None,
    taken: Taken,
) -> Record:
    """Return the order of a group: a known one gets what it lacks, and its status; else one is made."""
    if order is None:
        # An earlier group may have made the order that this one is about.
        order = next(iter(find_orders(desk, item, numbers, about, taken, []) if taken else ()), None)
    if order is None:
        see_may_be_made(desk, item.head)
        order = desk.make("ServiceRequest", f"{item.path}.{item.head.name}")
        keep_sender(desk, order)
    move(desk, order, read_status(desk, item)._replace(request=False), item)
    fill_of_result(desk, order, item, numbers, about)
    # What a result is of need not be what was ordered; here it is.
    desk.fill(order, item.obr, skip=set_all_but("code"), only_empty=True)
    add_notes(desk, order, item.notes)
    if visit is not None and not desk.get(order, "encounter"):
        desk.put(order, "encounter", refer(visit))
    return order
