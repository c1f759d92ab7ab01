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
