"""Who stands for a patient who was merged into another: the link replaced-by, to its end.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.link.type
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.workspace import refer

if TYPE_CHECKING:
    from mappings.messages.workspace import Desk
    from storage.record import Record


def survivor(desk: Desk, record: Record) -> Record:
    """Return the patient who replaced a patient, and who replaced that one; the patient itself otherwise."""
    seen = {record.resource["id"]}
    while True:
        following = _replacement(desk, record)
        if following is None or following.resource["id"] in seen:
            return record
        seen.add(following.resource["id"])
        record = following


def _replacement(desk: Desk, record: Record) -> Record | None:
    links: list[dict[str, Any]] = desk.get(record, "link") or []
    targets = [item.get("other") for item in links if item.get("type") == "replaced-by"]
    if not targets:
        return None
    others = desk.referred(record, "link.other", "Patient")
    return next((item for item in others if refer(item) in targets), None)
