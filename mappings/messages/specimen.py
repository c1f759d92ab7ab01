"""SPM, and OBR-7 to 15 of older senders, as Specimens.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-spm-to-specimen.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mappings.messages.order import same_code
from mappings.messages.people import people
from mappings.messages.systems import numbered_by
from mappings.messages.workspace import refer
from mappings.resources.specimen import CONTAINER
from mappings.v2fields import entity
from mappings.v2types import cwe

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

KINDS = ((1, "PLAC"), (2, "FILL"))
"""Half of an EIP -> type of table 0203."""


def specimens(desk: Desk, part: OrderPart, patient: Record, holder: Record) -> list[Record]:
    """Return the specimens of an order or report (``holder``), in order; of OBR-15 where there is no SPM."""
    present = desk.referred(holder, "specimen", "Specimen")
    if part.specimens:
        found = [_of_spm(desk, item.segment, part, patient, present) for item in part.specimens]
    elif part.obr is not None and not part.obr.field(15).is_empty and not part.obr.field(15).is_null:
        path = f"{part.path}.OBR"
        found = [desk.meet(present[0], path) if present else desk.make("Specimen", path)]
        desk.fill(found[0], part.obr, skip=("identifier",))
    else:
        return []
    for item, spm in zip(found, part.specimens, strict=False):
        desk.own(item, spm.segment, *spm.others)
    for record in found:
        desk.put(record, "subject", refer(patient))
        desk.add(holder, "specimen", refer(record))
    if part.obr is not None and found:
        _set_collector(desk, found, part.obr)
    return found


def _set_collector(desk: Desk, found: list[Record], obr: Segment) -> None:
    """Set who collected the specimens (OBR-10)."""
    told = people(desk, obr, 10, "Specimen.collection.collector")
    for record in found if told else ():
        collection: dict[str, Any] = desk.get(record, "collection") or {}
        if collection.get("collector") != told[0]:
            desk.put(record, "collection", {**collection, "collector": told[0]})


def _of_spm(desk: Desk, spm: Segment, part: OrderPart, patient: Record, present: list[Record]) -> Record:
    numbers = _numbers(desk, spm)
    record = _find(desk, spm, numbers, patient, present)
    path = f"{part.path}.SPM"
    record = desk.meet(record, path) if record else desk.make("Specimen", path)
    new = [number.identifier for number in numbers if not _has(desk, record, number)]
    desk.add(record, "identifier", *new)
    desk.fill(record, spm, part.obr if len(part.specimens) == 1 else None, skip=("identifier",))
    _set_container(desk, record, spm)
    return record


def _set_container(desk: Desk, record: Record, spm: Segment) -> None:
    """Set the type of the first container (SPM-27) and what was added to it (SPM-6)."""
    told = desk.value(CONTAINER, spm)
    present: list[dict[str, Any]] = desk.get(record, "container") or []
    first = present[0] if present else {}
    if told and first | told != first:
        desk.put(record, "container", [first | told, *present[1:]])


class _Number(NamedTuple):
    """A number of a specimen; ``assumed`` where it came without authority, and is the sender's."""

    identifier: dict[str, Any]
    assumed: bool


def _numbers(desk: Desk, spm: Segment) -> list[_Number]:
    field = spm.field(2)
    made = [] if field.is_null else [entity(half, kind)(field.first, desk.context) for half, kind in KINDS]
    if any(made):
        desk.coverage.map(spm, 2, "Specimen.identifier")
    return [_Number(numbered_by(desk, item), "system" not in item) for item in made if item]


def _find(
    desk: Desk, spm: Segment, numbers: list[_Number], patient: Record, present: list[Record]
) -> Record | None:
    """Return the specimen with any of the numbers and no other in place of one, else without numbers the
    one of that type that is there already.

    A number without authority is another sender's too for a specimen of the same order.
    """
    known = [
        record
        for number, _ in numbers
        for record in desk.identified("Specimen", number["system"], number["value"])
        if desk.get(record, "subject") == refer(patient)
    ]
    for record in (*known, *(present if numbers else ())):
        told = [_has(desk, record, number) for number in numbers]
        if any(told) and not any(found is False for found in told):
            return record
    if numbers:
        return None
    kind = cwe(spm.field(4).first, desk.context)
    return next((item for item in present if same_code(desk.get(item, "type"), kind)), None)


def _has(desk: Desk, record: Record, number: _Number) -> bool | None:
    """Tell whether a specimen has a number; None where it has none of that kind."""
    identifier, assumed = number
    listed: list[dict[str, Any]] = desk.get(record, "identifier") or []
    same = [
        item["value"].strip()
        for item in listed
        if item.get("type") in (None, identifier["type"])
        and (assumed or item.get("system") == identifier["system"])
        and item.get("value")
    ]
    return identifier["value"].strip() in same if same else None
