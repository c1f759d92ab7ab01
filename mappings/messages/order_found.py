"""Which order a group of an order message is about: by its numbers, what is ordered, and the set id.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.kept import kept_field
from mappings.messages.numbers import (
    Numbers,
    Taken,
    carriers,
    choose,
    fitting,
    has_number,
    numbers_of,
    set_id,
)
from mappings.messages.order import same_code, service_code
from mappings.messages.order_status import closes, read_status
from mappings.messages.senders import came_from_sender, came_of_result, keep_sender, see_may_be_made
from mappings.messages.unnumbered import unnumbered_orders

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
    of those that the message replaces (``gone``), though a filler's has the same placer number. An order
    without numbers is known by what else is told of it (``unnumbered_orders``).
    """
    if numbers.identifiers:
        known = carriers(desk, "ServiceRequest", numbers, about)
    else:
        known = unnumbered_orders(desk, order, about)
    if order.control == "RO":
        known = [record for record in known if not _is_in(record, gone)]
    found = [desk.meet(record, f"{order.path}.{order.head.name}") for record in known]
    code = service_code(desk, order)
    if code is None or not found:
        return _exact(desk, found, numbers)
    coded = [item for item in found if same_code(desk.get(item, "code"), code)]
    chosen = choose(desk, coded, numbers, order.obr, taken)
    if chosen is not None:
        taken.append((set_id(order.obr), chosen))
        return [chosen]
    if coded:
        meant = _all_meant(desk, fitting(desk, coded, numbers), numbers, order)
        return meant if numbers.closing else _senders_own(desk, meant, order, taken)
    return _of_another_code(desk, order, numbers, found, taken)


def _all_meant(desk: Desk, fit: list[Record], numbers: Numbers, order: OrderPart) -> list[Record]:
    """Return all the orders that a cancel, hold or release is about, where none is more likely than others:
    the placer's number may be that of the orders of several fillers.
    """
    told = set_id(order.obr)
    return [item for item in _exact(desk, fit, numbers) if not told or kept_field(item, "OBR", 1) == told]


def _senders_own(desk: Desk, meant: list[Record], order: OrderPart, taken: Taken) -> list[Record]:
    """Return the order that the sender itself sent, of several with its set id: others are fillers' of it."""
    told = set_id(order.obr)
    free = [record for record in meant if told and not any(record is other for _, other in taken)]
    mine = [record for record in free if came_from_sender(desk, record)]
    if len(mine) != 1:
        return []
    taken.append((told, mine[0]))
    return mine


def _of_another_code(
    desk: Desk, order: OrderPart, numbers: Numbers, found: list[Record], taken: Taken
) -> list[Record]:
    """Return the order with the numbers whose code the group changes, if there is only one.

    One that was made of its result, which came first, may have the result's code: it is what is ordered now.
    """
    stored = [record for record in found if not desk.is_new(record)]
    free = [record for record in stored if not any(record is other for _, other in taken)]
    chosen = fitting(desk, free, numbers) if len(found) == 1 else []
    if (
        order.control in ("NW", "SN")
        and stored
        and not all(came_of_result(record) for record in chosen or stored)
    ):
        text = "The number is also that of an order of something else; this one is kept apart from it"
        _contradict(desk, "205", order, text)
        return []
    taken += [(set_id(order.obr), record) for record in chosen]
    return chosen


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
        text = "The order has no placer and no filler number; it is known by its content alone"
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
