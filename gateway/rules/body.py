"""The body mass index follows from weight and height, whichever door they come through.

After a weight or a height was written or is gone, the index of each weight that it touches is computed anew;
where somebody else has told one of the same day, that stands and none is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from mappings import body, resource
from mappings.body import BMI, HEIGHT, WEIGHT, Measure
from storage import body as stored
from storage import loader

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.record import Record

MOST_CLAIMED = 50
"""Of so many patients at once a unit keeps others from writing at the same time; the server's room for claims
is limited."""


@dataclass
class Bodies:
    """What a unit knows of the bodies of its patients: who they are, what was measured, as it is stored, and
    which observations of this unit say so.
    """

    seen: int = 0
    """How many of the unit's drafts were looked at."""
    drafts: dict[UUID, set[UUID]] = field(default_factory=dict[UUID, set[UUID]])
    born: dict[UUID, tuple[str, datetime | None]] = field(
        default_factory=dict[UUID, tuple[str, datetime | None]]
    )
    stored: dict[UUID, list[Measure]] = field(default_factory=dict[UUID, list[Measure]])


def body_mass_index(unit: Unit, draft: Draft) -> None:
    """Have the index follow a weight, a height, or an index that somebody has told."""
    code = body.code_of(draft.record)
    patient = draft.record.main["patient_id"]
    if code is None or patient is None or (code == BMI and draft.record.main["is_computed"]):
        return
    _learn(unit)
    if patient in unit.bodies.born:
        changed = body.of_record(draft.record, code)
        for weight in _touched(unit, patient, changed):
            _follow(unit, patient, weight)


def _learn(unit: Unit) -> None:
    """Look at the drafts that came since, and up what is stored of the bodies of their patients."""
    known = unit.bodies
    for draft in islice(reversed(unit.drafts.values()), len(unit.drafts) - known.seen):
        patient = draft.record.main.get("patient_id")
        if draft.mapping.type == "Observation" and patient and body.code_of(draft.record):
            known.drafts.setdefault(patient, set()).add(draft.record.resource["id"])
    known.seen = len(unit.drafts)
    missing = known.drafts.keys() - known.born.keys()
    for key in [key for key in missing if key in unit.drafts and unit.drafts[key].op == "create"]:
        made = unit.drafts[key].record
        known.born[key] = (made.resource["fhir_id"], made.main["birth_date_hi"])
    _look_up(unit, sorted(missing - known.born.keys()))


def _look_up(unit: Unit, patients: list[UUID]) -> None:
    if not patients:
        return
    raw = unit.session.raw
    if len(patients) <= MOST_CLAIMED:
        for key in patients:
            loader.claim(raw, f"body {key}")
    unit.bodies.born |= stored.patients(raw, patients)
    for row in stored.measures(raw, patients, body.KINDS):
        unit.bodies.stored.setdefault(row["patient_id"], []).append(body.of_row(row))


def _measures(unit: Unit, patient: UUID, code: str) -> dict[UUID, Measure]:
    """Return what is measured of a patient: as it is stored, and as this unit has it."""
    known = unit.bodies
    drafts = [unit.drafts[key] for key in known.drafts.get(patient, ())]
    here = {draft.record.resource["id"] for draft in drafts}
    found = {each.key: each for each in known.stored.get(patient, ()) if each.key not in here}
    for draft in drafts:
        its = body.code_of(draft.record)
        if its is not None and draft.op != "delete" and draft.record.main["patient_id"] == patient:
            measure = body.of_record(draft.record, its)
            found[measure.key] = measure
    return {key: each for key, each in found.items() if each.code == code}


def _touched(unit: Unit, patient: UUID, changed: Measure) -> list[Measure]:
    """Return the weights, be they gone, whose index a change may change."""
    weights = _measures(unit, patient, WEIGHT)
    if changed.code == WEIGHT:
        return [weights.get(changed.key, changed)]
    if changed.code == BMI:
        return [each for each in weights.values() if _same_day(unit, each, changed)]
    heights = _measures(unit, patient, HEIGHT)
    indices = _measures(unit, patient, BMI).values()
    derived = {
        source
        for each in indices
        if each.computed and changed.fhir_id in each.sources
        for source in each.sources
    }
    return [
        each
        for each in weights.values()
        if each.fhir_id in derived or _height(unit, patient, each, heights) == changed
    ]


def _same_day(unit: Unit, one: Measure, other: Measure) -> bool:
    if one.at is None or other.at is None:
        return False
    return body.day_of(one.at, unit.site.zone) == body.day_of(other.at, unit.site.zone)


def _height(unit: Unit, patient: UUID, weight: Measure, heights: dict[UUID, Measure]) -> Measure | None:
    return body.height_for(weight, heights.values(), unit.bodies.born[patient][1], unit.site.zone)


def _follow(unit: Unit, patient: UUID, weight: Measure) -> None:
    """Compute the index of a weight, change it, or let it go."""
    weights = _measures(unit, patient, WEIGHT)
    indices = _measures(unit, patient, BMI).values()
    own = next((each for each in indices if each.computed and weight.fhir_id in each.sources), None)
    told = any(
        not each.computed and _same_day(unit, each, weight) and each.value is not None for each in indices
    )
    height = _height(unit, patient, weight, _measures(unit, patient, HEIGHT))
    wanted = weight.key in weights and weight.value is not None and not told
    if height is None or not wanted:
        if own is not None:
            unit.mark_deleted(_record(unit, own))
        return
    made = body.observation(unit.bodies.born[patient][0], weight, height)
    if own is None:
        record = unit.new("Observation")
        resource.read(unit.drafts[record.resource["id"]].mapping, made, unit.new_id, record)
    else:
        (old,) = _record(unit, own)
        record = unit.replace(old, made)
        unit.bodies.drafts.setdefault(patient, set()).add(record.resource["id"])
    record.main["is_computed"] = True
    # Its patient is known before its references are looked up.
    record.main["patient_id"] = patient


def _record(unit: Unit, measure: Measure) -> list[Record]:
    return unit.load("Observation", [measure.key])
