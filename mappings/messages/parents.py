"""The parent of an order (ORC-8, OBR-29, OBR-54) as ServiceRequest.basedOn, and the parent of a result
(OBR-26, OBR-29) as Observation.derivedFrom.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-orc-to-servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.numbers import Numbers, carriers, has_number
from mappings.messages.order import same_code
from mappings.messages.systems import numbered_by
from mappings.messages.workspace import refer
from mappings.v2fields import entity, inner_concept

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record


def set_parents(desk: Desk, record: Record, order: OrderPart, about: Record) -> None:
    """Let an order say that it is based on its parent, by the parent's numbers where the parent is not
    here.

    A result may name its own order: that of the result which it belongs to (OBR-26).
    """
    for segment, number in ((order.orc, 8), (order.obr, 29), (order.obr, 54)):
        numbers = parent_numbers(desk, segment, number)
        if segment is None or not numbers.identifiers:
            continue
        found = carriers(desk, "ServiceRequest", numbers, about)
        known = [item for item in found if item is not record]
        if found and not known:
            continue
        desk.coverage.map(segment, number, "ServiceRequest.basedOn")
        logical = {key: numbers.identifiers[0][key] for key in ("type", "system", "value")}
        desk.add(
            record, "basedOn", refer(known[0]) if known else {"type": "ServiceRequest", "identifier": logical}
        )


def parent_result(desk: Desk, obr: Segment, about: Record) -> Record | None:
    """Return the observation that the results of an OBR are about, as the organism is of a susceptibility.

    OBR-29 tells the numbers of its report, OBR-26 its code and sub-id (PRL, 2.A.56); None where it is not
    known.
    """
    if obr.field(26).is_empty or obr.field(26).is_null:
        return None
    numbers = parent_numbers(desk, obr, 29)
    code = inner_concept(1)(obr.field(26).first, desk.context)
    sub_id = obr.field(26).first.component(2).strip()
    reports = carriers(desk, "DiagnosticReport", numbers, about)
    for report in sorted(reports, key=lambda item: not _has_all(desk, item, numbers)):
        for item in desk.referred(report, "result", "Observation"):
            if same_code(desk.get(item, "code"), code) and (item.main["sub_id"] or "") == sub_id:
                for number in (26, 29):
                    desk.coverage.map(obr, number, "Observation.derivedFrom")
                return item
    return None


def _has_all(desk: Desk, record: Record, numbers: Numbers) -> bool:
    return all(has_number(desk, record, told) for told in numbers.identifiers)


def parent_numbers(desk: Desk, segment: Segment | None, number: int) -> Numbers:
    """Return the numbers of a parent, an EIP (2.A.29): the placer's and the filler's, where they are told."""
    if segment is None or segment.field(number).is_null:
        return Numbers()
    first = segment.field(number).first
    made = [entity(half, kind)(first, desk.context) for half, kind in ((1, "PLAC"), (2, "FILL"))]
    told = [item for item in made if item]
    return Numbers(
        [numbered_by(desk, item) for item in told],
        {item["value"] for item in told if "system" not in item},
    )
