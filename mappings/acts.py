"""Procedures as they are recorded of an encounter (JSON): a CPT code, when and how it was done.

https://hl7.org/fhir/R4/procedure.html. All raise Refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import convert
from mappings.element import Refused, ext
from mappings.encounters import CPT_CODE
from mappings.inside import set_value
from mappings.resources.procedure import PROCEDURE
from mappings.times import beside

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.convert import NewId
    from storage.record import Record

_RECORD = PROCEDURE.extensions[ext("or-record")]


def cpt_code(text: str) -> str:
    """Return a CPT code in capitals. Raises Refused where it has not the form of one."""
    code = text.strip().upper()
    if not CPT_CODE.fullmatch(code):
        raise Refused("value", "cpt_code", text, message=f"{text} is no CPT code such as 27130 or 0054T")
    return code


def begin(record: Record, patient: str, encounter: str, new_id: NewId) -> None:
    """Let a new record be a procedure of an encounter (both by literal references)."""
    set_value(record, PROCEDURE, "subject", {"reference": patient}, new_id)
    set_value(record, PROCEDURE, "encounter", {"reference": encounter}, new_id)


def set_date(record: Record, date: str, new_id: NewId) -> None:
    """Set when it was, or will be, done."""
    set_value(record, PROCEDURE, "performedDateTime", date, new_id)


def set_status(record: Record, status: str, new_id: NewId) -> None:
    """Set the status of a new procedure; one that is yet to be done begins its work-up."""
    set_value(record, PROCEDURE, "status", status, new_id)
    if status == "preparation":
        record.main["surgical_status"] = "workup"


def status_of_date(date: str | None, at: datetime) -> str:
    """Return the status of a procedure of a date where nobody tells it: done, unless it lies ahead of now
    (``at``, in the site's zone).
    """
    return "preparation" if date is not None and beside(date, at) > 0 else "completed"


def set_details(record: Record, text: str, new_id: NewId) -> None:
    """Set what is written of how it was done."""
    line = _RECORD.extensions["details"]
    at = convert.descend(convert.top(record, PROCEDURE, new_id), (_RECORD, line))
    convert.replace_element(at, line.by_element["valueString"], "valueString", text)
