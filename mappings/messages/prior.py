"""Results of earlier orders that come with a new one: reports that support it, and no new orders.

HL7 v2.5.1, section 4.4.6 (OML^O21, prior results):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.allergy import allergies
from mappings.messages.encounter import encounter
from mappings.messages.late import set_late_report_aside
from mappings.messages.numbers import carriers, numbers_of, set_id
from mappings.messages.order import same_code, service_code
from mappings.messages.patient import patient
from mappings.messages.result import find_report, report, report_code
from mappings.messages.workspace import refer

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart, PatientPart
    from mappings.messages.numbers import Numbers, Taken
    from mappings.messages.workspace import Desk
    from storage.record import Record


TOLD_BEFORE = "Repeats what stands earlier in the message"
NOT_ORDERED = "Of an earlier order, of which no order is made; kept with the message, which is stored whole"


def prior_results(desk: Desk, part: PatientPart, order: Record, about: Record) -> None:
    """Make the results that came with an order reports of their patient, which the order names as support.

    Their own orders are not made, and those that are known do not move. A PID among them may be another
    patient's (a newborn's mother's); without one they are of the patient ``about``.
    """
    told = part.pid is not desk.message.first("PID")
    whose = patient(desk, part) if told else about
    desk.own(whose, *part.others)
    visit = encounter(desk, part, whose, [])
    allergies(desk, _not_told_before(desk, part, whose is about), whose)
    taken: Taken = []
    for item in part.orders:
        numbers = numbers_of(desk, item, "DiagnosticReport.identifier")
        known = _known(desk, item, numbers, order, whose, taken)
        if known is None or not set_late_report_aside(desk, known, item):
            known = _report(desk, item, numbers, known, whose, visit, taken)
        if known is not None:
            desk.add(order, "supportingInfo", refer(known))


def _not_told_before(desk: Desk, part: PatientPart, same_patient: bool) -> list[Segment]:
    """Return the AL1 of prior results that repeat none of the same patient earlier in the message."""
    told = {segment.field(3).raw for segment in desk.message.all("AL1") if segment not in part.allergies}
    again = [segment for segment in part.allergies if same_patient and segment.field(3).raw in told]
    desk.coverage.set_aside(TOLD_BEFORE, *again)
    return [segment for segment in part.allergies if segment not in again]


def _known(
    desk: Desk, item: OrderPart, numbers: Numbers, order: Record, whose: Record, taken: Taken
) -> Record | None:
    """Return the report of a prior result: by its numbers, else the one with its code that the order has."""
    if numbers.identifiers:
        return find_report(desk, item, numbers, whose, taken)
    code = report_code(desk, item)
    for record in desk.referred(order, "supportingInfo", "DiagnosticReport"):
        if same_code(desk.get(record, "code"), code) and not any(record is other for _, other in taken):
            taken.append((set_id(item.obr), record))
            return desk.meet(record, f"{item.path}.OBR")
    return None


def _report(
    desk: Desk,
    item: OrderPart,
    numbers: Numbers,
    record: Record | None,
    whose: Record,
    visit: Record | None,
    taken: Taken,
) -> Record | None:
    if item.obr is None:
        desk.coverage.warn("100", item.head, text="A prior result without OBR is kept but not mapped")
        return None
    if record is None:
        record = desk.make("DiagnosticReport", f"{item.path}.OBR")
        taken.append((set_id(item.obr), record))
    code = service_code(desk, item)
    orders = [
        found
        for found in (carriers(desk, "ServiceRequest", numbers, whose) if numbers.identifiers else ())
        if same_code(desk.get(found, "code"), code)
    ]
    report(desk, item, item.obr, record, whose, visit, next(iter(orders), None))
    about_order = [item.orc] if item.orc else []
    desk.coverage.set_aside(NOT_ORDERED, *about_order, *item.timings, *item.diagnoses)
    return record
