"""ORU^R01, results: patient, encounter, and one DiagnosticReport for each OBR with its Observations and
its order.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-oru-r01-to-bundle.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.diagnosis import diagnoses
from mappings.messages.encounter import encounter
from mappings.messages.groups import OrderPart, PatientPart, group
from mappings.messages.late import set_late_report_aside
from mappings.messages.numbers import Numbers, Taken, carriers, choose, fitting, numbers_of, set_id
from mappings.messages.observation import is_answer
from mappings.messages.order import fill_of_result, same_code, service_code
from mappings.messages.order_status import Wanted, move, read_status, retract
from mappings.messages.parents import set_parents
from mappings.messages.patient import patient
from mappings.messages.research_case import kind_of, research_case
from mappings.messages.result import find_report, report
from mappings.messages.rules import RULES
from mappings.messages.senders import see_may_be_made
from mappings.messages.supporting import allergies_and_covers, answers, patient_observations
from mappings.messages.visit import under_way
from mappings.messages.workspace import refer
from mappings.workflow.reports import ERROR, order_target

if TYPE_CHECKING:
    from uuid import UUID

    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record


def apply(desk: Desk) -> None:
    """Apply an ORU^R01 to the records. Raises MessageRefused."""
    patients: list[Record] = []
    for part in group(desk.message, desk.coverage):
        about = patient(desk, part)
        patients.append(about)
        _results(desk, part, about)
    desk.finish(RULES, patients[0])


def _results(desk: Desk, part: PatientPart, about: Record) -> None:
    found = [(item, numbers_of(desk, item, "identifier")) for item in part.orders]
    taken: Taken = []
    known = [(item, numbers, find_report(desk, item, numbers, about, taken)) for item, numbers in found]
    ordinary = [(item, numbers) for item, numbers in found if kind_of(desk, item) is None]
    orders = [find_order(desk, item, numbers, about) for item, numbers in ordinary]
    records = [record for record in (*(item[2] for item in known), *orders) if record is not None]
    visits = [visit for record in records for visit in desk.referred(record, "encounter", "Encounter")]
    visits = visits or [found for found in (under_way(desk, part.pv1, about),) if found is not None]
    visit = encounter(desk, part, about, visits)
    diagnoses(desk, part.diagnoses, about, visit)
    patient_observations(desk, part, about, visit)
    allergies_and_covers(desk, part, about)
    for item, numbers, record in known:
        # An earlier group may have made the report that this one is about.
        again = find_report(desk, item, numbers, about, taken) if record is None and taken else record
        _apply(desk, item, numbers, again, about, visit, taken)


def find_order(desk: Desk, item: OrderPart, numbers: Numbers, about: Record) -> Record | None:
    """Return the order that a result is of: with its numbers and code, else the first with a number of it.

    A report may be coded otherwise than its order, and several reports may be of one order.
    """
    known = carriers(desk, "ServiceRequest", numbers, about)
    code = service_code(desk, item)
    same = [record for record in known if same_code(desk.get(record, "code"), code)]
    likely = (*fitting(desk, same, numbers), *same, *fitting(desk, known, numbers), *known)
    chosen = choose(desk, same, numbers, item.obr, []) or next(iter(likely), None)
    return chosen and desk.meet(chosen, f"{item.path}.{item.head.name}")


def _apply(
    desk: Desk,
    item: OrderPart,
    numbers: Numbers,
    record: Record | None,
    about: Record,
    visit: Record | None,
    taken: Taken,
) -> None:
    kind = kind_of(desk, item)
    if kind is not None:
        research_case(desk, item, kind, numbers, about, visit)
        return
    if record is not None and set_late_report_aside(desk, record, item):
        return
    order = _order(desk, item, numbers, about, visit)
    diagnoses(desk, item.diagnoses, about, visit, order)
    if item.obr is None:
        return
    if record is None:
        record = desk.make("DiagnosticReport", f"{item.path}.OBR")
        taken.append((set_id(item.obr), record))
    report(desk, item, item.obr, record, about, visit, order)
    if order is None:
        return
    asked = [noted for noted in item.observations if is_answer(noted.segment)]
    if asked:
        answers(desk, order, item, about, visit, asked)
    _bring_on(desk, order, record, item, item.obr)


def _order(
    desk: Desk, item: OrderPart, numbers: Numbers, about: Record, visit: Record | None
) -> Record | None:
    """Return the order of a result, made from the result where it was not known; None without numbers.

    A known order gets what it lacks; what it asked for is not changed by the result.
    """
    if not numbers.identifiers:
        desk.coverage.warn("101", item.head, 3, text="The result has no placer and no filler number")
        return None
    order = find_order(desk, item, numbers, about)
    if order is None:
        see_may_be_made(desk, item.head)
        order = desk.make("ServiceRequest", f"{item.path}.{item.head.name}")
    fill_of_result(desk, order, item, numbers, about)
    set_parents(desk, order, item, about)
    if visit is not None and not desk.get(order, "encounter"):
        desk.put(order, "encounter", refer(visit))
    return order


def _bring_on(desk: Desk, order: Record, made: Record, item: OrderPart, obr: Segment) -> None:
    """Bring the order to where its report says it is: reported by a final one, begun by others, back by an
    error.
    """
    status = desk.get(made, "status")
    letter = obr.field(25).first.component(1).strip().upper()
    if order.main["status"] is None:
        move(desk, order, Wanted("ordered"), item)
    if status == ERROR:
        others = desk.workspace.referring("DiagnosticReport", "basedOn", order.resource["id"])
        retract(desk, order, [other.main["status"] for other in others if other is not made])
        return
    target = order_target(status, letter)
    told = read_status(desk, item)
    if target is None:
        move(desk, order, told._replace(request=False), item)
    elif target != order.main["status"] or desk.changed(made):
        move(desk, order, Wanted(target), item, _reporter(desk, made))


def _reporter(desk: Desk, made: Record) -> UUID | None:
    found = desk.referred(made, "resultsInterpreter", "Practitioner")
    return found[0].resource["id"] if found else None
