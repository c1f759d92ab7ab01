"""What the status fields of an order message (ORC-1, ORC-5, OBR-25) ask for or tell, and how an order
follows.

HL7 tables 0119 (order control), 0038 (order status), 0123 (result status):
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-table-hl70119-to-request-status.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mappings.element import IllegalTransition
from mappings.messages.coverage import MessageRefused
from mappings.messages.moments import moment, moment_text, wished
from mappings.order_workflow import book, bring_about_walk, set_state, state_of
from mappings.workflow.orders import OPEN, State, Step, walk
from mappings.workflow.reports import retracts

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from uuid import UUID

    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


class Wanted(NamedTuple):
    """What is asked for or told: a workflow status, a hold (laid on or taken off), that the record is in
    error.

    ``request`` where the sender asks for it, and may be refused; else it is a fact that the sender reports.
    """

    status: str | None = None
    hold: bool | None = None
    void: bool = False
    request: bool = False


ORDERED = Wanted("ordered")
CONTROL = {
    **dict.fromkeys(("CA", "DC", "RP"), Wanted("cancelled", request=True)),
    **dict.fromkeys(("CR", "DR", "DF", "OC", "OD", "RU", "UA"), Wanted("cancelled")),
    "HD": Wanted(hold=True, request=True),
    **dict.fromkeys(("HR", "OH"), Wanted(hold=True)),
    "RL": Wanted(hold=False, request=True),
    **dict.fromkeys(("OE", "OR"), Wanted(hold=False)),
}
"""Table 0119: the codes that decide by themselves; the others leave it to ORC-5 and OBR-25."""
CONTENT = frozenset(
    [
        "NW",
        "SN",
        "AF",
        "OK",
        "PR",
        "PY",
        "RO",
        "RQ",
        "PA",
        "CH",
        "XO",
        "XX",
        "XR",
        "SC",
        "SR",
        "SS",
        "RE",
        "NA",
        "RF",
        "UC",
        "UD",
        "UF",
        "UH",
        "UM",
        "UN",
        "UR",
        "UX",
        "DE",
        "LI",
        "MC",
        "RC",
        "RD",
        "CN",
        "FU",
        "CP",
        "NR",
        "OF",
        "OP",
        "RR",
        "SQ",
    ]
)
STATUS = {
    "IP": Wanted("in_progress"),
    "A": Wanted("in_progress"),
    "SC": Wanted("scheduled"),
    "CM": Wanted("completed"),
    **dict.fromkeys(("CA", "DC", "RP"), Wanted("cancelled")),
    "HD": Wanted(hold=True),
    "ER": Wanted(void=True),
}
"""Table 0038."""
RESULT = {
    **dict.fromkeys("IPAR", Wanted("in_progress")),
    "S": Wanted("scheduled"),
    **dict.fromkeys("FC", Wanted("completed")),
}
"""Table 0123, for an order without its report."""


def wanted(control: str, status: str, result: str, *, booked: bool = False) -> Wanted:
    """Return what ORC-1, ORC-5 and OBR-25 say together: a request by its control code, else the status,
    else the result.

    ``booked`` tells that OBR-36 has a time.
    """
    if control in CONTROL:
        return CONTROL[control]
    told = STATUS.get(status) or RESULT.get(result)
    if told is not None:
        return told
    if control == "FU":
        return Wanted("completed")
    return Wanted("scheduled") if booked else ORDERED


def read_status(desk: Desk, part: OrderPart) -> Wanted:
    """Return what an order group wants of its order; codes of no table are kept, and warned about (103)."""
    control = _code(desk, part.orc, 1, CONTROL.keys() | CONTENT)
    status = _code(desk, part.orc, 5, STATUS.keys())
    result = _code(desk, part.obr, 25, frozenset("OISARPFCXYZMND"))
    booked = part.obr is not None and moment(part.obr, 36, desk.context) is not None
    return wanted(control, status, result, booked=booked)


def is_closed(order: Record) -> bool:
    """Tell whether nothing leaves the state that an order is in: cancelled, or in error."""
    present = state_of(order)
    return present.record_state == "entered-in-error" or present.status == "cancelled"


def closes(asked: Wanted) -> bool:
    """Tell whether an order shall be cancelled, held, released or be in error."""
    return asked.status == "cancelled" or asked.hold is not None or asked.void


def _code(desk: Desk, segment: Segment | None, number: int, known: AbstractSet[str]) -> str:
    if segment is None or segment.field(number).is_null:
        return ""
    code = segment.field(number).first.component(1).strip().upper()
    if code and code not in known:
        desk.coverage.warn("103", segment, number, text=f"{segment.name}-{number} has a code of no HL7 table")
        return ""
    if code:
        desk.coverage.map(segment, number, "ServiceRequest.status")
    return code


def move(
    desk: Desk,
    order: Record,
    asked: Wanted,
    part: OrderPart,
    reporter: UUID | None = None,
    slot: str | None = None,
) -> None:
    """Bring an order to the state that is asked for or told, walking the steps between.

    A fact that comes too late changes nothing and is warned about; so is an order that is said to be
    scheduled where no time is known: ``slot``, OBR-36, else when it is wanted. Raises MessageRefused (207)
    for a request that the workflow has not from the present state.
    """
    present = state_of(order)
    if is_closed(order) and (present.record_state == "entered-in-error" or asked.status != "cancelled"):
        _refuse(desk, asked, part, "The order is cancelled or in error and stays so")
        return
    if asked.void:
        _step(desk, order, present._replace(record_state="entered-in-error"))
        return
    if asked.hold is not None:
        _hold(desk, order, asked, part)
        return
    slot = slot or _slot(desk, order, part)
    if asked.status == "scheduled" and slot is None and order.main["status"] in (None, "ordered"):
        text = "The order is said to be scheduled, and no time is told; it is not booked"
        desk.coverage.tell(part.head, text=text)
        asked = ORDERED
    try:
        steps = walk(order.main["status"], asked.status or "ordered")
    except IllegalTransition as illegal:
        _refuse(desk, asked, part, f"The order does not go from {illegal.present} to {illegal.wanted}")
        return
    if steps and steps[-1].target in ("completed", "reported"):
        _stamp(desk, order, part)
    bring_about_walk(order, steps, _when(desk, part), reporter)
    if slot and asked.status == order.main["status"] == "scheduled":
        book(order, slot)
    _tell_when(desk, order, part)
    if steps:
        set_state(order, state_of(order)._replace(on_hold=False))
        desk.steps.append((order, steps))


def _slot(desk: Desk, order: Record, part: OrderPart) -> str | None:
    """Return when an order is booked: OBR-36, else as it was; else when it is wanted."""
    told = moment_text(part.obr, 36, desk.context) if part.obr is not None else None
    period: dict[str, str] = desk.get(order, "occurrencePeriod") or {}
    wanted = desk.get(order, "occurrenceDateTime") or period.get("start")
    return told or order.main["scheduled_at"] or wished(part, desk.context) or wanted


def retract(desk: Desk, order: Record, others: list[str]) -> None:
    """Take an order back to completed when its last final report became entered in error; ``others`` are
    the statuses left.
    """
    if order.main["status"] != "reported" or not retracts("entered-in-error", others):
        return
    set_state(order, state_of(order)._replace(status="completed"))
    order.main.update(reported_at=None, reporting_user_id=None)
    desk.steps.append((order, (Step("reported", "completed"),)))


def _hold(desk: Desk, order: Record, asked: Wanted, part: OrderPart) -> None:
    """Lay a hold on an order or take it off."""
    present = state_of(order)
    if present.status not in OPEN:
        _refuse(desk, asked, part, "The order is done and cannot be put on hold or released")
        return
    _step(desk, order, present._replace(on_hold=bool(asked.hold)))


def _step(desk: Desk, order: Record, target: State) -> None:
    """Take one step that is no way to walk, a new order first to ordered; tell it in the order's history."""
    present = state_of(order)
    steps = () if order.main["status"] else walk(None, "ordered")
    if target.name != present.name:
        steps = (*steps, Step(present.name, target.name))
    set_state(order, target)
    if steps:
        desk.steps.append((order, steps))


def _refuse(desk: Desk, asked: Wanted, part: OrderPart, text: str) -> None:
    head = part.head
    if asked.request:
        raise MessageRefused("207", head.name, head.number, 1, text=text)
    desk.coverage.tell(head, text=text)


def _when(desk: Desk, part: OrderPart) -> datetime:
    """Return when it happened: the transaction (ORC-9), the report (OBR-22), the message, else now."""
    told = (
        moment(segment, number, desk.context)
        for segment, number in ((part.orc, 9), (part.obr, 22), (desk.message.msh, 7))
        if segment is not None
    )
    return next((at for at in told if at is not None), desk.workspace.author.at)


def _tell_when(desk: Desk, order: Record, part: OrderPart) -> None:
    """Note that the time of the transaction (ORC-9) is that at which the order was done or cancelled."""
    at = moment(part.orc, 9, desk.context) if part.orc is not None else None
    if part.orc is not None and at is not None:
        for name in ("performed_at", "reported_at", "cancelled_at"):
            if order.main[name] == at:
                desk.coverage.map(part.orc, 9, f"service_order.{name}")


def _stamp(desk: Desk, order: Record, part: OrderPart) -> None:
    """Tell when the order was performed (OBR-8, else OBR-7), before the walk stamps the time of the
    message.
    """
    if part.obr is not None and order.main["performed_at"] is None:
        order.main["performed_at"] = moment(part.obr, 8, desk.context) or moment(part.obr, 7, desk.context)
