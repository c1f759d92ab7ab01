"""What belongs together is of one patient: a reference to another patient's encounter, order or procedure is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mappings.element import Refused
from storage import dependents
from storage.model.shared import Reference

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.record import Record

PATHS = ("encounter", "basedOn", "partOf")
TARGETS = ("Encounter", "ServiceRequest", "Procedure")


def same_patient(unit: Unit, draft: Draft) -> None:
    """See that what a record belongs to is of its patient, where both patients are here. Raises Refused."""
    patient = draft.record.main["patient_id"]
    if patient is None:
        return
    named = [row for path in PATHS for row in draft.record.rows(Reference, None, path)]
    told = [row for row in named if row["target_id"] is not None and row["target_type"] in TARGETS]
    _learn(unit, {row["target_id"] for row in told})
    for row in told:
        if unit.patients.get(row["target_id"]) not in (None, patient):
            where = f"{draft.mapping.type}.{row['path']}"
            message = f"{where} belongs to another patient"
            raise Refused("invariant", where, None, "what belongs to the same patient", message)


def _learn(unit: Unit, ids: set[UUID]) -> None:
    """Look up the patients of targets, those of this unit as they are now."""
    here = {key: unit.drafts[key].record.main["patient_id"] for key in ids if key in unit.drafts}
    missing = ids - here.keys() - unit.patients.keys()
    found = dependents.patients(unit.session.raw, sorted(missing)) if missing else {}
    unit.patients |= found | here


def may_share(one: Record, other: Record) -> bool:
    """Tell whether two records may be of one patient: unless both patients are here and differ."""
    patients = {record.main["patient_id"] for record in (one, other)} - {None}
    return len(patients) < 2
