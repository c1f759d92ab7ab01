"""Known orders that a message names by their numbers alone: of an appointment (SCH), of a document (TXA).

HL7 v2.5.1, sections 9.6.1.14 (TXA-14) and 10.6.1.26 (SCH-26):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.numbers import Numbers, carriers, fitting
from mappings.messages.systems import numbered_by
from mappings.v2types import ei, typed

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record


def named_orders(desk: Desk, segment: Segment, placer: int, about: Record, to: str) -> list[Record]:
    """Return the known orders of a patient with a placer's number (that field) or a filler's (the next one).

    The sender is told of a number that no order has.
    """
    found: list[Record] = []
    whole = Numbers()
    for number, kind in ((placer, "PLAC"), (placer + 1, "FILL")):
        field = segment.field(number)
        for repetition in () if field.is_empty or field.is_null else field.repetitions:
            made: dict[str, Any] | None = typed(ei, kind)(repetition, desk.context)
            if not made:
                continue
            assumed = set[str]() if "system" in made else {made["value"]}
            told = Numbers(identifiers=[numbered_by(desk, made)], assumed=assumed)
            whole.identifiers += told.identifiers
            orders = carriers(desk, "ServiceRequest", told, about)
            found += [order for order in orders if not any(order is other for other in found)]
            if orders:
                desk.coverage.map(segment, number, to)
            else:
                text = f"The order of {segment.name}-{number} is not known"
                desk.coverage.tell(segment, number, text=text)
    # The placer's number may be that of several orders, of which the filler's tells one.
    meant = fitting(desk, found, whole) or found
    return [desk.meet(order, segment.name) for order in meant]
