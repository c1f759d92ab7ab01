"""Times of a message as instants, for columns that hold when something happened.

HL7 v2.5.1, section 2.A.77 (TS): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import times

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.element import V2Context
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart


def moment(segment: Segment, number: int, context: V2Context, component: int = 1) -> datetime | None:
    """Return the instant that a field of TS or DTM begins at, None where there is none or it is malformed."""
    told = moment_text(segment, number, context, component)
    return times.bounds(told)[0] if told else None


def moment_text(segment: Segment, number: int, context: V2Context, component: int = 1) -> str | None:
    """Return a field of TS or DTM as a FHIR dateTime, its precision kept; None where there is none or it
    is malformed.
    """
    text = segment.field(number).first.component(component).strip()
    try:
        return times.from_v2(text, context.zone) if text else None
    except ValueError:
        return None


def wished(part: OrderPart, context: V2Context) -> str | None:
    """Return when an order is wanted, a FHIR dateTime: TQ1-7, OBR-6, ORC-7, OBR-27; None where none tells."""
    places: list[tuple[Segment | None, int, int]] = [(timing, 7, 1) for timing in part.timings]
    places += [(part.obr, 6, 1), (part.orc, 7, 4), (part.obr, 27, 4)]
    found = (
        moment_text(segment, number, context, component)
        for segment, number, component in places
        if segment is not None
    )
    return next((at for at in found if at), None)
