"""What comes too late: a preliminary or older result of what is final already, which changes nothing.

HL7 tables 0123 and 0085 (result status); HL7 v2.5.1, section 7.4.1.22 (OBR-22):
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-table-hl70123-to-diagnostic-report-status.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import times
from mappings.messages.moments import moment_text
from mappings.observation_codes import STATUS
from mappings.workflow.reports import FINAL, STATUS_OF_OBR25

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import Noted, OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

LESSER = frozenset({"registered", "partial", "preliminary", "unknown"})
CORRECTED = frozenset({"corrected", "amended"})
TAKEN_BACK = frozenset({"cancelled", "entered-in-error"})
REASON = "Earlier than what is stored; kept with the message, which is stored whole"


def set_late_report_aside(desk: Desk, record: Record, part: OrderPart) -> bool:
    """Tell whether a result (OBR-22, OBR-25) comes too late for its report, and set its group aside if so.

    The sender is told; report, observations and order stay as they are.
    """
    obr = part.obr
    if obr is None or not _is_late(desk, record, STATUS_OF_OBR25.get(_letter(obr, 25)), obr):
        return False
    desk.coverage.tell(obr, 25, "The report is final; this preliminary or older result was not applied")
    desk.coverage.set_aside(REASON, *part.everything)
    return True


def set_late_observation_aside(desk: Desk, record: Record, noted: Noted, obr: Segment | None) -> bool:
    """Tell whether an OBX (OBX-11, and OBR-22 of its group) comes too late, and set it aside if so."""
    obx = noted.segment
    if not _is_late(desk, record, STATUS.get(_letter(obx, 11)), obr):
        return False
    desk.coverage.tell(obx, 11, "The observation is final; this preliminary or older one was not applied")
    desk.coverage.set_aside(REASON, obx, *noted.notes)
    return True


def is_aside(desk: Desk, noted: Noted) -> bool:
    """Tell whether an OBX was set aside."""
    return any(desk.coverage.is_aside(noted.segment, number) for number in noted.segment.filled())


def _letter(segment: Segment, number: int) -> str:
    return segment.field(number).first.component(1).strip().upper()


def _is_late(desk: Desk, record: Record, told: str | None, obr: Segment | None) -> bool:
    """Tell whether a final record is told of a lesser status, or of what was issued before it.

    What was corrected is told to be final by a message of before, unless that was issued later.
    """
    status = desk.get(record, "status")
    if status not in FINAL or told in TAKEN_BACK:
        return False
    issued, told_at = desk.get(record, "issued"), moment_text(obr, 22, desk.context) if obr else None
    if not issued or not told_at:
        return told in LESSER or (told == "final" and status in CORRECTED)
    stored, here = times.bounds(issued), times.bounds(told_at)
    uncorrected = told == "final" and status in CORRECTED and here[0] <= stored[0]
    return told in LESSER or here[1] <= stored[0] or uncorrected
