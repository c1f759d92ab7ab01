"""ORM^O01, orders: patient, encounter, and one ServiceRequest for each order with what hangs on it.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-orm-o01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.chain import Chain
from mappings.messages.diagnosis import diagnoses
from mappings.messages.encounter import encounter
from mappings.messages.groups import OrderPart, PatientPart, group
from mappings.messages.order import fill_order
from mappings.messages.order_found import find_orders, new_order, numbers_asked
from mappings.messages.order_status import is_closed, move, read_status
from mappings.messages.parents import set_parents
from mappings.messages.patient import patient
from mappings.messages.prior import prior_results
from mappings.messages.rules import RULES
from mappings.messages.specimen import specimens
from mappings.messages.supporting import allergies_and_covers, patient_observations, supporting
from mappings.messages.visit import under_way
from mappings.messages.workspace import refer

if TYPE_CHECKING:
    from mappings.messages.numbers import Numbers, Taken
    from mappings.messages.workspace import Desk
    from storage.record import Record

CONTENT = frozenset({"", "NW", "XO", "RO", "CH", "PA"})
"""Order controls that bring what is ordered, and not only where it stands."""
STATUS_QUERY = "SS"
CLOSED = "The order is cancelled or in error and stays as it is; kept with the message, which is stored whole"
ASKED = "Asks for the status of the order, and changes nothing"


def apply(desk: Desk) -> None:
    """Apply an ORM^O01 to the records. Raises MessageRefused."""
    apply_parts(desk, group(desk.message, desk.coverage))


def apply_parts(desk: Desk, parts: list[PatientPart]) -> None:
    """Apply patients with their orders, as any order message has them. Raises MessageRefused."""
    patients: list[Record] = []
    for part in parts:
        about = patient(desk, part)
        patients.append(about)
        _orders(desk, part, about)
    desk.finish(RULES, patients[0])


def _orders(desk: Desk, part: PatientPart, about: Record) -> None:
    asked = [(order, numbers_asked(desk, order)) for order in part.orders]
    taken: Taken = []
    chain = Chain()
    found = [
        (order, numbers, chain.foresee(order, find_orders(desk, order, numbers, about, taken, chain.gone)))
        for order, numbers in asked
    ]
    known = [record for *_, records in found for record in records]
    visits = [visit for record in known for visit in desk.referred(record, "encounter", "Encounter")]
    visits = visits or [found for found in (under_way(desk, part.pv1, about),) if found is not None]
    visit = encounter(desk, part, about, visits)
    diagnoses(desk, part.diagnoses, about, visit)
    patient_observations(desk, part, about, visit)
    allergies_and_covers(desk, part, about)
    for order, numbers, records in found:
        # An earlier group may have made the order that this one is about.
        again = not records and taken
        meant = find_orders(desk, order, numbers, about, taken, chain.gone) if again else records
        for record in meant or [new_order(desk, order, numbers, taken)]:
            _apply_order(desk, order, numbers, record, about, visit)
            chain.link(desk, order, record)
            desk.answered.append((part, order, record))


def _apply_order(
    desk: Desk, order: OrderPart, numbers: Numbers, record: Record, about: Record, visit: Record | None
) -> None:
    if order.control == STATUS_QUERY:
        desk.coverage.set_aside(ASKED, *order.everything)
        return
    asked = read_status(desk, order)
    late = is_closed(record) and order.control in CONTENT and asked.status != "cancelled"
    move(desk, record, asked, order)
    if late:
        desk.coverage.set_aside(CLOSED, *order.everything)
        return
    fill_order(desk, record, order, numbers, about)
    if visit is not None and (order.obr is not None or not desk.get(record, "encounter")):
        desk.put(record, "encounter", refer(visit))
    set_parents(desk, record, order, about)
    diagnoses(desk, order.diagnoses, about, visit, record)
    found = specimens(desk, order, about, record)
    supporting(desk, record, order, about, visit, found)
    for part in order.priors:
        prior_results(desk, part, record, about)
