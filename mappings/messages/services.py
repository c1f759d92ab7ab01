"""Several services of one appointment (AIS), each the operation of an order of its own: which, and when.

HL7 v2.5.1, sections 10.6.1.26 (SCH-26) and 10.6.4 (AIS):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mappings.messages.moments import moment_text
from mappings.messages.siu_times import STARTS, When, duration, later
from mappings.messages.slot import OPEN, is_one_of, with_number
from mappings.messages.workspace import refer
from mappings.v2types import cwe

if TYPE_CHECKING:
    from mappings.messages.siu_groups import Booked, SiuPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


class Booking(NamedTuple):
    """A procedure, what the appointment tells of it, and when it is."""

    record: Record
    part: SiuPart
    at: When


def bookings(
    desk: Desk,
    part: SiuPart,
    numbers: list[dict[str, Any]],
    orders: list[Record],
    about: Record | None,
    at: When,
    *,
    books: bool,
) -> list[Booking]:
    """Return the procedures of an appointment that has several, each with its service; none for one or none.

    They are those with the appointment's number and, where it ``books``, those of the orders that it names
    (SCH-26, 27). A service is that of the only one of them with its code. Where a service is of none or of
    several of them, or two are of one, none is booked so; what names no service is of all with the number.
    """
    mine = _numbered(desk, numbers, about)
    services = [item for item in part.of_kind("AIS") if item.action != "D" and item.segment.field(3)]
    if not books or not services:
        return [Booking(record, part, at) for record in mine] if len(mine) > 1 else []
    found = [*mine, *_of_orders(desk, orders, mine)]
    if len(found) < 2 or (len(services) < 2 and len(mine) < 2):
        return []
    pairs = [(item, [record for record in found if _is_of(desk, record, item)]) for item in services]
    chosen = [records[0] for _, records in pairs if len(records) == 1]
    if len(chosen) < len(pairs) or len({record.resource["id"] for record in chosen}) < len(chosen):
        return []
    apart = len({item.group for item in services}) > 1
    return [
        Booking(desk.meet(record, "SCH"), _of_service(part, item, apart=apart), _own_time(desk, item, at))
        for (item, _), record in zip(pairs, chosen, strict=True)
    ]


def _numbered(desk: Desk, numbers: list[dict[str, Any]], about: Record | None) -> list[Record]:
    found: list[Record] = []
    for record in with_number(desk, numbers):
        known = any(record is other for other in found)
        if not known and (about is None or desk.get(record, "subject") == refer(about)):
            found.append(desk.meet(record, "SCH"))
    return found


def _of_orders(desk: Desk, orders: list[Record], others: list[Record]) -> list[Record]:
    return [
        record
        for order in orders
        for record in desk.workspace.referring("Procedure", "basedOn", order.resource["id"])
        if desk.get(record, "status") in OPEN and not any(record is other for other in others)
    ]


def _is_of(desk: Desk, record: Record, item: Booked) -> bool:
    return is_one_of(desk, record, [cwe(item.segment.field(3).first, desk.context)])


def _of_service(part: SiuPart, service: Booked, *, apart: bool) -> SiuPart:
    """Return the appointment with one service, and with what is booked for it: what stands in its group,
    where the services stand ``apart`` (RGS), else all.
    """
    booked = [
        item
        for item in part.booked
        if item is service or (item.segment.name != "AIS" and (not apart or item.group == service.group))
    ]
    return replace(part, booked=booked)


def _own_time(desk: Desk, service: Booked, at: When) -> When:
    """Return when a service is: from its own start (AIS-4), for its own duration (AIS-7), where it tells."""
    segment, number = service.segment, STARTS["AIS"]
    start = moment_text(segment, number, desk.context)
    minutes = duration(desk, segment, number + 3, "Procedure.extension(scheduledPeriod)")
    if start is None and minutes is None:
        return at
    if start is not None:
        desk.coverage.map(segment, number, "Procedure.extension(scheduledPeriod)")
    if minutes is None and start in (None, at.start):
        return at
    begin = start or at.start
    return When(begin, later(begin, minutes or at.minutes) if begin else None, minutes or at.minutes)
