"""What a procedure's rows say of it: its CPT code, the room that is booked, who has which role.

https://hl7.org/fhir/R4/procedure.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import CPT, code_of, codings
from mappings.element import Refused, cs, ext
from storage.model.procedure import ProcedureBarrier, ProcedurePerformer
from storage.model.shared import Reference

if TYPE_CHECKING:
    from storage.record import Record

READINESS = ext("or-readiness")
SURGICAL_ROLE = cs("surgical-role")
_ROLES: dict[str, str] = {
    "304292004": "primary_surgeon",
    "158967008": "anesthesiologist",
    "88189002": "anesthesiologist",
    "415506007": "scrub",
}
"""SNOMED CT occupations -> our role, where the function has no code of our own."""


def set_cpt_code(record: Record) -> None:
    """Set the CPT code, of five characters."""
    found = code_of(record, "code", CPT)
    record.main["cpt_code"] = found if found and len(found) == 5 else None


def set_location_text(record: Record) -> None:
    """Set how the booked room is called: the display of its reference."""
    found = next(iter(record.rows(Reference, None, "scheduledLocation")), None)
    record.main["scheduled_location_text"] = found and found["display"]


def set_roles(record: Record) -> None:
    """Set the role of each performer: our own code in its function, else what a SNOMED code tells."""
    for row in record.rows(ProcedurePerformer):
        found = list(codings(record, "performer.function", row["id"]))
        own = next((coding["code"] for coding in found if coding["system"] == SURGICAL_ROLE), None)
        told = own if own in ProcedurePerformer.role.values else "other" if own else None
        row["role"] = told or next((role for coding in found if (role := _ROLES.get(coding["code"]))), None)


def complete_barriers(record: Record) -> None:
    """Let a barrier block unless it is told otherwise; raise Refused where kind or opening is missing.

    Barriers that are carried over from the version before pass here too.
    """
    for place, row in enumerate(record.rows(ProcedureBarrier)):
        row["blocking"] = row["blocking"] is not False
        where = f"Procedure.extension('{READINESS}').extension('barrier')[{place}]"
        for column, name in (("kind", "kind"), ("opened_at", "openedAt")):
            if row[column] is None:
                raise Refused("required", f"{where}.extension('{name}')", None)


PROJECT = (complete_barriers, set_cpt_code, set_location_text, set_roles)
