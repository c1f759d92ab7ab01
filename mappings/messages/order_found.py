"""Which order a group of an order message is about: by its numbers, what is ordered, and the set id.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.numbers import Numbers, Taken, carriers, choose, has_number, numbers_of, set_id
from mappings.messages.order import same_code, service_code
from mappings.messages.order_status import closes, read_status
from mappings.messages.senders import keep_sender, see_may_be_made

if TYPE_CHECKING:
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

CANCELS = frozenset({"CA", "DC", "OC", "OD", "CR", "DR"})
CHANGES = frozenset({"XO", "HD", "RL", "RP"})
"""What a placer may ask for of an order that is known."""
NEW = frozenset({"", "NW", "SN", "RO"})
"""Order controls of orders that are not known before."""


def numbers_asked(desk: Desk, order: OrderPart) -> Numbers:
    """Return the numbers of an order group, and whether it asks to cancel, hold or release."""
    numbers = numbers_of(desk, order, "ServiceRequest.identifier")
    asked = read_status(desk, order)
    numbers.closing = closes(asked)
    numbers.asked = asked.request
    return numbers


def find_orders(
    desk: Desk, order: OrderPart, numbers: Numbers, about: Record, taken: Taken, gone: list[Record]
) -> list[Record]:
    """Return the orders that a group is about: those with its numbers and its code (all of them where it
    has no code).

    Placer and filler number are not enough, because one number may stand for several OBR. A new order (NW)
    whose number is that of an order of something else is an order of its own, and warned about (205). A
    cancel, hold or release without a set id (OBR-1) is about all with the code. A replacement (RO) is none
    of those that the message replaces (``gone``), though a filler's has the same placer number.
    """
    known = carriers(desk, "ServiceRequest", numbers, about)
    if order.control == "RO":
        known = [record for record in known if not _is_in(record, gone)]
    found = [desk.meet(record, f"{order.path}.{order.head.name}") for record in known]
    code = service_code(desk, order)
    if code is None or not found:
        return _exact(desk, found, numbers)
    same = _exact(desk, [item for item in found if same_code(desk.get(item, "code"), code)], numbers)
    chosen = choose(same, order.obr, taken)
    if chosen is not None:
        taken.append((set_id(order.obr), chosen))
        return [chosen]
    if same:
        return same if numbers.closing and not set_id(order.obr) else []
    return _of_another_code(desk, order, found, taken)


def _of_another_code(desk: Desk, order: OrderPart, found: list[Record], taken: Taken) -> list[Record]:
    """Return the order with the numbers whose code the group changes, if there is only one."""
    stored = [record for record in found if not desk.is_new(record)]
    if order.control in ("NW", "SN") and stored:
        text = "The number is also that of an order of something else; this one is kept apart from it"
        _contradict(desk, "205", order, text)
        return []
    free = [record for record in stored if not any(record is other for _, other in taken)]
    return free if len(found) == 1 else []


def _exact(desk: Desk, found: list[Record], numbers: Numbers) -> list[Record]:
    """Return those that carry every number of the group, where any does; else all."""
    whole = [item for item in found if all(has_number(desk, item, told) for told in numbers.identifiers)]
    return whole or found


def _is_in(record: Record, listed: list[Record]) -> bool:
    return any(record is other for other in listed)


def new_order(desk: Desk, order: OrderPart, numbers: Numbers, taken: Taken) -> Record:
    """Return a new order for a group that is about none that is known.

    What can only be asked of a known one is warned about (204), and so is an order without numbers (101).
    Raises MessageRefused (204) where the sender tells of known orders only, or asks for the status of one.
    """
    if order.control == "SS":
        raise MessageRefused("204", order.head.name, order.head.number, 2, text="The order is not known")
    if order.control not in NEW:
        see_may_be_made(desk, order.head)
    if order.control in CANCELS:
        _contradict(desk, "204", order, "The order was not known; it is kept as cancelled")
    elif order.control in CHANGES:
        _contradict(desk, "204", order, "The order was not known; it is kept as it is told here")
    if not numbers.identifiers:
        text = "The order has no placer and no filler number; it cannot be found again"
        desk.coverage.warn("101", order.head, 2, text=text)
    made = desk.make("ServiceRequest", f"{order.path}.{order.head.name}")
    keep_sender(desk, made)
    taken.append((set_id(order.obr), made))
    return made


def _contradict(desk: Desk, code: str, order: OrderPart, text: str) -> None:
    """Warn of a key that does not go with what is known; of a strict peer it refuses the message."""
    if desk.peer.strictness == "strict":
        raise MessageRefused(code, order.head.name, order.head.number, 2, text=text)
    desk.coverage.warn(code, order.head, 2, text=text)
