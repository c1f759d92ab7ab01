"""A procedure in the words of the OR board: each field set where FHIR has it.

https://hl7.org/fhir/R4/procedure.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings import convert, inside, procedures, text
from mappings.element import Refused
from mappings.resources.procedure import PROCEDURE
from mappings.workflow.procedures import clearance_of
from storage.model.procedure import Procedure

if TYPE_CHECKING:
    from datetime import datetime

    from storage.record import Record

MOST_MINUTES = 2**31 - 1
"""The most that an integer of FHIR can tell."""
CODES = {
    "surgical_status": Procedure.surgical_status,
    "stress_test_status": Procedure.stress_test_status,
    "consent_status": Procedure.consent_status,
    "status": Procedure.status,
    "cardiology_clearance": Procedure.cardiology_clearance,
}


def begin(record: Record, patient: str, new_id: convert.NewId) -> None:
    """Make a blank record a procedure in work-up of a patient, a reference."""
    record.main["status"], record.main["surgical_status"] = "preparation", "workup"
    inside.set_value(record, PROCEDURE, "subject", {"reference": patient}, new_id)


def same_person(name: str, other: str) -> bool:
    """Tell whether two names may be of one person: in any order, one may leave out what the other tells."""
    words, others = ({text.fold(word) for word in told.replace(",", " ").split()} for told in (name, other))
    return bool(words and others) and (words <= others or others <= words)


def change(record: Record, told: dict[str, Any], at: datetime, actor: UUID, new_id: convert.NewId) -> None:
    """Set the fields that are told (None clears), by their native names. Raises Refused, naming the field."""
    for name, value in told.items():
        if name in CODES:
            _set_code(record, name, value)
        elif name in _SETTERS:
            _SETTERS[name](record, value, new_id)
    if "barriers" in told:
        _see_text("barriers", *told["barriers"])
        procedures.set_barriers(record, told["barriers"], at, new_id, actor)
    if "scheduled_start" in told or "scheduled_end" in told:
        _set_slot(record, told, new_id)


def _set_code(record: Record, name: str, value: Any) -> None:
    group = CODES[name]
    wanted = clearance_of(value) if name == "cardiology_clearance" else value
    if wanted is not None and wanted not in group.values:
        raise Refused("code-invalid", name, value, ", ".join(group.values))
    record.main[group.name] = wanted


def _see_text(name: str, *texts: str) -> None:
    if any(not each.strip() for each in texts):
        raise Refused("value", name, "", "a text that is not blank")


def _set_type(record: Record, value: str, new_id: convert.NewId) -> None:
    _see_text("procedure_type", value)
    procedures.set_procedure_type(record, value, new_id)


def _set_minutes(record: Record, value: int | None, new_id: convert.NewId) -> None:
    if value is not None and not 1 <= value <= MOST_MINUTES:
        raise Refused("value", "estimated_minutes", value, f"minutes, 1 to {MOST_MINUTES}")
    record.main["estimated_minutes"] = value


def _set_slot(record: Record, told: dict[str, Any], new_id: convert.NewId) -> None:
    slot: dict[str, Any] = procedures.scheduled_period(record, new_id) or {}
    slot |= {part: told[f"scheduled_{part}"] for part in ("start", "end") if f"scheduled_{part}" in told}
    wanted = {part: each for part, each in slot.items() if each is not None}
    procedures.set_scheduled_period(record, wanted or None, new_id)
    if wanted and record.main["scheduled_lo"] is None:
        raise Refused("value", "scheduled_start", None, "dates and times such as 2026-11-20T08:00:00+01:00")


def _set_notes(record: Record, value: str | None, new_id: convert.NewId) -> None:
    inside.set_value(record, PROCEDURE, "note", [{"text": value}] if value else None, new_id)


_SETTERS: dict[str, Callable[[Record, Any, convert.NewId], None]] = {
    "procedure_type": _set_type,
    "procedure_side": procedures.set_side,
    "scheduled_location": procedures.set_scheduled_location,
    "estimated_minutes": _set_minutes,
    "notes": _set_notes,
}
