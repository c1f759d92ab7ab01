"""Order responses: what became of each order of a message, beside its acknowledgement (ORR, ORL, ORG, ORI).

HL7 v2.5.1, sections 4.4.2 to 4.4.9, and table 0119: https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mappings.er7 import escape
from mappings.messages.coverage import Coverage, MessageRefused
from mappings.messages.groups import OrderPart, group
from mappings.order_facts import ORDER_NUMBER
from mappings.order_workflow import state_of
from mappings.outbound.order import FHIR_STATUS, STATUS
from mappings.outbound.ways import authority
from mappings.workflow.orders import to_fhir
from storage.model.shared import Identifier

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Warned
    from mappings.messages.workspace import Desk
    from storage.record import Record

REPLIES: Final = {
    ("ORM", "O01"): ("ORR", "O02"),
    ("OML", "O21"): ("ORL", "O22"),
    ("OMG", "O19"): ("ORG", "O20"),
    ("OMI", "O23"): ("ORI", "O24"),
}
"""Code and event of an order message -> those of its response."""
ANSWERS: Final = {
    **dict.fromkeys(("", "NW", "RO", "CH", "PA"), ("OK", "UA")),
    "SN": ("NA", "UA"),
    "CA": ("CR", "UC"),
    "DC": ("DR", "UD"),
    "HD": ("HR", "UH"),
    "RL": ("OR", "UR"),
    "XO": ("XR", "UX"),
    "RP": ("RQ", "UM"),
    "SS": ("SR", "UN"),
}
"""What a placer asks for (ORC-1) -> the code that says it was done, and the one that says it was not.

Other codes tell of something, and are not answered.
"""
UNKNOWN: Final = "UA"
"""What answers a request about an order that is not known."""


class Reply(NamedTuple):
    """Code and event of a response, and its segments after MSA and ERR as lists of fields, which stand as
    they go over the wire.
    """

    code: str
    event: str
    segments: list[list[str]]


def reply_of(desk: Desk) -> Reply | None:
    """Return the response to a message that was applied, once its records have their numbers; None where it
    asks for nothing.
    """
    told: list[list[str]] = []
    pid: Segment | None = None
    for part, order, record in desk.answered:
        code = _code(desk, order)
        if code is None:
            continue
        told += [_patient(part.pid)] if part.pid is not pid else []
        pid = part.pid
        told += _order(order, code, _own_number(desk, record), _status(record))
    return _reply(desk.message, told)


def refusal_of(message: Message, cause: Warned | None = None) -> Reply | None:
    """Return the response to a message that was refused: nothing of what it asks for was done."""
    try:
        parts = group(message, Coverage(), with_priors=message.message_code != "ORM")
    except MessageRefused:
        return None
    told: list[list[str]] = []
    for part in parts:
        orders = [order for order in part.orders if order.control in ANSWERS]
        told += [_patient(part.pid)] if orders else []
        for order in orders:
            told += _order(order, UNKNOWN if _is_unknown(order, cause) else ANSWERS[order.control][1])
    return _reply(message, told)


def _reply(message: Message, told: list[list[str]]) -> Reply | None:
    found = REPLIES.get((message.message_code, message.trigger_event))
    if found is None or not told:
        return None
    return Reply(*found, [line for line in told if line[0] != "IPC" or found[0] == "ORI"])


def _code(desk: Desk, order: OrderPart) -> str | None:
    """Return the order control code that answers an order group, None for what is not answered."""
    found = ANSWERS.get(order.control)
    if found is None:
        return None
    place = (order.head.name, order.head.number)
    about = [fault for fault in desk.coverage.warned if (fault.segment, fault.sequence) == place]
    if any(fault.code == "204" for fault in about):
        return UNKNOWN
    return found[1] if any(fault.told for fault in about) else found[0]


def _is_unknown(order: OrderPart, cause: Warned | None) -> bool:
    found = (cause.code, cause.segment, cause.sequence) if cause else None
    return found == ("204", order.head.name, order.head.number)


def _patient(pid: Segment) -> list[str]:
    """Return PID with who it is, as it came: identifiers and names."""
    return ["PID", "", "", pid.field(3).raw, "", pid.field(5).raw]


def _order(order: OrderPart, code: str, own: str = "", status: str = "") -> list[list[str]]:
    """Return ORC and what was ordered, with the numbers by which both sides know the order: ours (``own``)
    is the filler's, and the placer's for a filler who asks for one (SN).
    """
    placer, filler = (_told(order, number) for number in (2, 3))
    if order.control == "SN":
        placer = placer or own
    filler = filler or own
    made = [["ORC", code, placer, filler, order.orc.field(4).raw if order.orc else "", status]]
    if order.obr is not None:
        made.append(["OBR", order.obr.field(1).raw, placer, filler, order.obr.field(4).raw])
    elif order.detail is not None:
        made.append(_echo(order.detail))
    return made + [_echo(segment) for segment in order.studies if segment.name == "IPC"]


def _told(order: OrderPart, number: int) -> str:
    """Return a number of ORC, else of OBR, as it came."""
    fields = (segment.field(number) for segment in (order.orc, order.obr) if segment is not None)
    return next((field.raw for field in fields if not field.is_empty and not field.is_null), "")


def _echo(segment: Segment) -> list[str]:
    last = max(segment.filled(), default=0)
    return [segment.name, *(segment.field(number).raw for number in range(1, last + 1))]


def _own_number(desk: Desk, record: Record) -> str:
    """Return our number of an order as an EI, empty where it has none."""
    delimiters = desk.message.delimiters
    for row in record.rows(Identifier, None, "identifier"):
        if row["system"] == ORDER_NUMBER and row["value"]:
            parts = (row["value"], *authority(ORDER_NUMBER, desk.context))
            written = delimiters.component.join(escape(part, delimiters) for part in parts)
            return written.rstrip(delimiters.component)
    return ""


def _status(record: Record) -> str:
    """Return ORC-5 of where an order stands (table 0038), empty for one that is only ordered."""
    state = state_of(record)
    return FHIR_STATUS.get(to_fhir(state), "") or STATUS.get(state.status, "")
