"""ADT^A40 (structure ADT_A39), merge: what belonged to a patient's other record is the survivor's.

HL7 v2.5.1, sections 3.3.40 and 3.6.2: https://hl7.org/fhir/R4/patient-definitions.html#Patient.link
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.adt_groups import group_adt
from mappings.messages.coverage import MessageRefused
from mappings.messages.patient import find, patient
from mappings.messages.reading import read_number
from mappings.messages.rules import RULES
from mappings.messages.supporting import allergies_and_covers
from mappings.messages.systems import with_system
from mappings.messages.visit import visit
from mappings.messages.workspace import refer
from mappings.references import repoint
from mappings.v2types import cx, xpn

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.adt_groups import AdtPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

STAY = frozenset({"Patient", "AuditEvent", "Provenance"})
"""Types whose references stay: links lead on to the survivor, and what happened to a record did."""
PRIOR = (1, 2, 4)
"""Fields of MRG with numbers of the patient: 1 the list, 2 and 4 of older senders."""


def apply(desk: Desk) -> None:
    """Apply a merge to the records, pair by pair. Raises MessageRefused: 100 and 101 for what is missing,
    204 for numbers that nobody has, 205 where they are of several patients.
    """
    survivors = [_merge_part(desk, part) for part in group_adt(desk.message, desk.coverage)]
    desk.finish(RULES, survivors[0])


def _merge_part(desk: Desk, part: AdtPart) -> Record:
    pid = part.patient.pid
    if not part.merges:
        raise MessageRefused("100", "MRG", pid.number, text="There is no MRG after PID")
    told = [(mrg, _numbers(desk, mrg)) for mrg in part.merges]
    # Some senders list the number that goes among those that stay.
    gone = {(item["system"], item["value"]) for _, numbers in told for item in numbers}
    old = [(mrg, _known(desk, mrg, numbers)) for mrg, numbers in told]
    about = patient(desk, part.patient, registers=True, without=gone)
    for mrg, record in old:
        _merge(desk, mrg, record, about)
    visit(desk, part.patient, about)
    allergies_and_covers(desk, part.patient, about)
    return about


def _numbers(desk: Desk, mrg: Segment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in PRIOR:
        for repetition in mrg.field(number).repetitions if not mrg.field(number).is_null else ():
            made = read_number(cx, repetition, mrg, number, desk)
            if made:
                desk.coverage.map(mrg, number, "Patient.link")
                found.append(with_system(made, desk.message, desk.context.systems))
    if not found:
        raise MessageRefused("101", "MRG", mrg.number, 1, text="MRG-1 has no identifier")
    return found


def _known(desk: Desk, mrg: Segment, numbers: list[dict[str, Any]]) -> Record:
    record = find(desk, mrg, numbers)
    if record is None:
        raise MessageRefused("204", "MRG", mrg.number, 1, text="The patient to be merged is not known")
    return record


def _merge(desk: Desk, mrg: Segment, old: Record, new: Record) -> None:
    """Let all that refers to a patient refer to the survivor; the patient stays, inactive and linked."""
    if old is new:
        text = "Both numbers are of one patient already; nothing was merged"
        desk.coverage.tell(mrg, 1, text)
        return
    desk.own(old, mrg)
    moved = [
        desk.meet(record, "MRG")
        for record in desk.workspace.all_referring(old.resource["id"])
        if record.resource["resource_type"] not in STAY
    ]
    for record in moved:
        repoint(record, old, new)
    _visits(desk, mrg, [record for record in moved if record.resource["resource_type"] == "Encounter"])
    _names(desk, mrg, new)
    desk.put(old, "active", value=False)
    desk.add(old, "link", {"other": refer(new), "type": "replaced-by"})
    desk.add(new, "link", {"other": refer(old), "type": "replaces"})


def _visits(desk: Desk, mrg: Segment, moved: list[Record]) -> None:
    """Note that the prior account (MRG-3) and visit (MRG-5) are of a visit that is the survivor's now."""
    for number, element in ((3, "account"), (5, "identifier")):
        field = mrg.field(number)
        told = {repetition.component(1).strip() for repetition in field.repetitions} - {""}
        if (
            not field.is_null
            and told
            and told <= {value for visit in moved for value in _told(desk, visit, element)}
        ):
            desk.coverage.map(mrg, number, "Encounter.subject")


def _told(desk: Desk, visit: Record, element: str) -> set[str]:
    listed: list[dict[str, Any]] = desk.get(visit, element) or []
    return {str(item.get("identifier", item).get("value")) for item in listed}


def _names(desk: Desk, mrg: Segment, new: Record) -> None:
    """Keep the prior name (MRG-7) as an old one of the survivor, who is looked for by it; one that is theirs
    anyway stays as it is.
    """
    field = mrg.field(7)
    for repetition in field.repetitions if field and not field.is_null else ():
        made: dict[str, Any] | None = xpn(repetition, desk.context)
        if not made:
            continue
        desk.coverage.map(mrg, 7, "Patient.name")
        present: list[dict[str, Any]] = desk.get(new, "name") or []
        if not any(_spelled(item) == _spelled(made) for item in present):
            desk.add(new, "name", made | {"use": "old"})


def _spelled(name: dict[str, Any]) -> str:
    return " ".join((name.get("family", ""), *name.get("given", ()))).casefold()
