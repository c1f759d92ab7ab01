"""The flat patient record deleted: with the patient goes what the record is made of, and nothing else."""

from __future__ import annotations

from uuid import UUID

from gateway import audit, errors
from gateway.unit import Unit
from mappings.flat.findings import CODES
from storage import flat_parts
from storage.model.ledger import AuditEvent
from storage.purge import purge
from storage.record import Record


def remove(unit: Unit, patient: Record) -> None:
    """Delete a patient with covers, allergies, medication, and the observations and encounters that fields of
    the record are read from; their versions stay.

    Raises Dependents where anything else that is live belongs to the patient or to such an encounter.
    """
    raw, key = unit.session.raw, patient.resource["id"]
    unit.hold([patient])
    for resource_type, ids in flat_parts.hanging(raw, key, CODES).items():
        unit.mark_deleted(unit.load(resource_type, ids))
    unit.flush()
    # What else belongs to an encounter keeps it, and it keeps the patient.
    visits = {flat_parts.visit(raw, key), flat_parts.stay(raw, key)} - {None}
    for record in unit.load("Encounter", sorted(visit for visit in visits if visit)):
        unit.delete(record)
    unit.flush()
    unit.delete(patient)
    unit.flush()


def remove_for_good(unit: Unit, patient: Record) -> None:
    """Remove a patient and all that belonged to the patient, with every version; the audit trail keeps who
    did it, when, and the ids.

    Raises Forbidden unless an administrator asks, Dependents as ``remove``.
    """
    if unit.role != "admin":
        raise errors.Forbidden("Only an administrator removes a patient for good.", expression="hard")
    key: UUID = patient.resource["id"]
    if patient.resource["deleted_at"] is None:
        remove(unit, patient)
    gone = purge(unit.session.raw, [key])
    others = [str(each) for each in gone if each != key]
    row = audit.event(unit, "D", patient, detail={"removed": "for good", "with": others})
    unit.writer.add(AuditEvent, row)
    unit.flush()
