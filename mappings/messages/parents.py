"""The parent of an order (ORC-8, OBR-29, OBR-54) as ServiceRequest.basedOn.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-orc-to-servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.numbers import Numbers, carriers
from mappings.messages.systems import with_system
from mappings.messages.workspace import refer
from mappings.v2fields import entity

if TYPE_CHECKING:
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


def set_parents(desk: Desk, record: Record, order: OrderPart, about: Record) -> None:
    """Let an order say that it is based on its parent, by the parent's numbers where the parent is not
    here.
    """
    for segment, number in ((order.orc, 8), (order.obr, 29), (order.obr, 54)):
        if segment is None or segment.field(number).is_null:
            continue
        first = segment.field(number).first
        made = [entity(half, kind)(first, desk.context) for half, kind in ((1, "PLAC"), (2, "FILL"))]
        told = [item for item in made if item]
        if not told:
            continue
        desk.coverage.map(segment, number, "ServiceRequest.basedOn")
        numbers = Numbers(
            [with_system(item, desk.message) for item in told],
            {item["value"] for item in told if "system" not in item},
        )
        known = [item for item in carriers(desk, "ServiceRequest", numbers, about) if item is not record]
        logical = {key: numbers.identifiers[0][key] for key in ("type", "system", "value")}
        desk.add(
            record, "basedOn", refer(known[0]) if known else {"type": "ServiceRequest", "identifier": logical}
        )
