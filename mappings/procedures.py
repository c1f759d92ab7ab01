"""Procedures set from inside (JSON, HL7v2): type, side, room and barriers.

https://hl7.org/fhir/R4/procedure.html. A function that takes None clears what it sets. All raise Refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mappings import convert
from mappings.concepts import CPT, SIDES, SNOMED
from mappings.element import Refused, cs, ext
from mappings.inside import coded_in, coding, concept, set_item, set_value
from mappings.resources.procedure import PROCEDURE
from mappings.workflow.procedures import READINESS, open_barriers
from storage.model.procedure import BARRIERS, Procedure, ProcedureBarrier

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.inside import Object
    from storage.model.columns import Row
    from storage.record import Record

SIDE = cs("side")
SURGICAL = {"coding": [{"system": SNOMED, "code": "387713003", "display": "Surgical procedure"}]}


def set_procedure_type(record: Record, text: str | None, new_id: NewId, cpt_code: str | None = None) -> None:
    """Set what is done: its name, its CPT code where it is known; a new procedure is a surgical one."""
    made = concept(coding(CPT, cpt_code, text) if cpt_code else None, text=text)
    set_value(record, PROCEDURE, "code", made, new_id)
    set_value(record, PROCEDURE, "category", SURGICAL, new_id)


def set_side(record: Record, side: str | None, new_id: NewId) -> None:
    """Set the side, and the laterality among the body sites."""
    if side is not None and side not in Procedure.side.values:
        raise Refused(
            "code-invalid", f"{READINESS}.extension('side')", side, ", ".join(Procedure.side.values)
        )
    record.main["side"] = side
    code, display = SIDES.get(side or "", (None, None))
    standard = coding(SNOMED, code, display) if code else None
    made = concept(coding(SIDE, side), standard) if side and standard else None
    set_item(record, PROCEDURE, "bodySite", coded_in(SIDE), made, new_id)


def set_scheduled_location(record: Record, location: Object | None, new_id: NewId) -> None:
    """Set the room that is booked: a Reference, whose display is its name (alone, if it is no Location)."""
    _set_booked(record, "scheduledLocation", "valueReference", location, new_id)


def scheduled_location(record: Record, new_id: NewId) -> Object | None:
    """Return the room that is booked: a Reference, None where there is none."""
    return _booked(record, "scheduledLocation", "valueReference", new_id)


def set_scheduled_period(record: Record, period: Object | None, new_id: NewId) -> None:
    """Set the slot that is booked: a Period."""
    _set_booked(record, "scheduledPeriod", "valuePeriod", period, new_id)


def scheduled_period(record: Record, new_id: NewId) -> Object | None:
    """Return the slot that is booked: a Period, None where there is none."""
    return _booked(record, "scheduledPeriod", "valuePeriod", new_id)


_BOARD = PROCEDURE.extensions[ext("or-readiness")]


def _set_booked(record: Record, name: str, element: str, value: Object | None, new_id: NewId) -> None:
    inner = _BOARD.extensions[name]
    at = convert.descend(convert.top(record, PROCEDURE, new_id), (_BOARD, inner))
    convert.replace_element(at, inner.by_element[element], element, value)


def _booked(record: Record, name: str, element: str, new_id: NewId) -> Object | None:
    inner = _BOARD.extensions[name]
    at = convert.descend(convert.top(record, PROCEDURE, new_id), (_BOARD, inner))
    return convert.element(at, inner.by_element[element])


def add_barrier(
    record: Record, kind: str, text: str | None, at: datetime, new_id: NewId, by: UUID | None = None
) -> Row:
    """Open a blocking barrier; ``by`` is the account that opens it."""
    if kind not in BARRIERS:
        raise Refused("code-invalid", "barriers", kind, ", ".join(BARRIERS))
    row = ProcedureBarrier.blank()
    row.update(id=new_id(), owner_id=record.resource["id"], item_no=len(record.rows(ProcedureBarrier)))
    row.update(kind=kind, text=text, blocking=True, opened_at=at, opened_by=by)
    record.add(ProcedureBarrier, row)
    return row


def set_barriers(
    record: Record, texts: list[str], at: datetime, new_id: NewId, by: UUID | None = None
) -> bool:
    """Make the texts the open barriers: resolve those that are gone, open new ones; tell whether any is new.

    A text that is one of our kinds (``labs``, ``Insurance authorization``) is of that kind, else ``other``.
    """
    present = {row["text"] or row["kind"]: row for row in open_barriers(record, blocking=False)}
    for text, row in present.items():
        if text not in texts:
            row.update(resolved_at=at, resolved_by=by)
    added = [text for text in dict.fromkeys(texts) if text not in present]
    for text in added:
        word = text.strip().lower().replace(" ", "_").replace("-", "_")
        add_barrier(record, word if word in BARRIERS else "other", text, at, new_id, by)
    return bool(added)
