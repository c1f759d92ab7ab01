"""The encounter of a message (PV1, PV2): found by its visit number, created, filled; never moved backwards.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pv1-to-encounter.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.coverage import MessageRefused
from mappings.messages.location import place_of
from mappings.messages.moments import moment_text
from mappings.messages.people import people
from mappings.messages.reading import read_number
from mappings.messages.systems import carriers_of, numbered_by
from mappings.messages.workspace import refer
from mappings.remainder import put_extension
from mappings.v2types import cx, typed

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

RANK = {"unknown": 0, "planned": 1, "arrived": 2, "triaged": 3, "in-progress": 4, "onleave": 4, "finished": 5}
"""How far a visit is; ``cancelled`` and ``entered-in-error`` are its end too."""
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ROLES = {
    7: ("ATND", "attender"),
    8: ("REF", "referrer"),
    9: ("CON", "consultant"),
    17: ("ADM", "admitter"),
    52: ("PART", "Participation"),
}
"""Field of PV1 -> code of v3-ParticipationType and its display."""
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter"
PLANNED = {8: f"{R5}.plannedStartDate", 9: f"{R5}.plannedEndDate"}
"""Field of PV2 -> the extension by which R4 has the element of R5."""
PLACES = {3: "active", 6: "completed", 11: "active", 42: "reserved"}
"""Field of PV1 -> Encounter.location.status."""
NO_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}


def encounter(desk: Desk, part: PatientPart, patient: Record, known: list[Record]) -> Record | None:
    """Return the encounter that PV1 tells of, None without PV1.

    It is the one with the visit number (PV1-19), else with the alternate one (PV1-50), else without any
    number the one that an order or report of the message has already (``known``), else a new one. Raises
    MessageRefused (205) where the number is of another patient's visit.
    """
    pv1 = part.pv1
    if pv1 is None:
        return None
    numbers = visit_numbers(desk, pv1)
    record = find_visit(desk, pv1, numbers, patient) or (None if numbers else next(iter(known), None))
    record = desk.meet(record, "PV1") if record else desk.make("Encounter", "PV1")
    identify(desk, record, part, patient, numbers)
    _fill(desk, record, part, pv1)
    _participants(desk, record, pv1, part.pv2)
    set_planned(desk, record, part.pv2)
    _places(desk, record, pv1)
    return record


def identify(
    desk: Desk, record: Record, part: PatientPart, patient: Record, numbers: list[dict[str, Any]]
) -> None:
    """Say whose visit it is, and add the numbers that it has not yet."""
    desk.own(record, part.pv1, part.pv2)
    if not desk.get(record, "subject"):
        desk.put(record, "subject", refer(patient))
    present = {(item.get("system"), item.get("value")) for item in desk.get(record, "identifier") or ()}
    desk.add(
        record, "identifier", *(item for item in numbers if (item["system"], item["value"]) not in present)
    )


def visit_numbers(desk: Desk, pv1: Segment) -> list[dict[str, Any]]:
    """Return the visit numbers of PV1-19 and the alternate ones of PV1-50, each with a system."""
    found: list[dict[str, Any]] = []
    for number in (19, 50):
        for repetition in pv1.field(number).repetitions if not pv1.field(number).is_null else ():
            made = read_number(typed(cx, "VN") if number == 19 else cx, repetition, pv1, number, desk)
            if made:
                found.append(numbered_by(desk, made))
                desk.coverage.map(pv1, number, "Encounter.identifier")
    return found


def find_visit(desk: Desk, pv1: Segment, numbers: list[dict[str, Any]], patient: Record) -> Record | None:
    """Return the visit that carries any of the numbers; raises MessageRefused (205) for another patient's."""
    for number in numbers:
        for record in carriers_of(desk, "Encounter", number):
            if desk.get(record, "subject") not in (None, refer(patient)):
                raise MessageRefused("205", "PV1", pv1.number, 19, text="The visit is of another patient")
            return record
    return None


def _fill(desk: Desk, record: Record, part: PatientPart, pv1: Segment) -> None:
    """Fill the elements that lines of the mapping name; the status only forwards, nothing of a visit that
    has ended.
    """
    before = None if desk.is_new(record) else desk.get(record, "status")
    ended = RANK.get(before, 5) == 5 if before else False
    period = desk.get(record, "period")
    desk.fill(record, pv1, part.pv2, part.pid, skip=("identifier",), only_empty=ended)
    told = desk.get(record, "status")
    if told is None:
        desk.put(record, "status", "unknown")
    elif before is not None and (ended or RANK.get(told, 0) < RANK[before]):
        desk.put(record, "status", before)
        if told != before or (ended and period != desk.get(record, "period")):
            desk.coverage.warn("0", pv1, 2, text="The visit is further on already and was not moved back")
    if desk.get(record, "class") is None:
        desk.put(record, "class", NO_CLASS)


def set_planned(desk: Desk, record: Record, pv2: Segment | None) -> None:
    """Set when the visit is expected to begin (PV2-8) and to end (PV2-9), which R4 tells by extensions."""
    for number, url in PLANNED.items():
        at = moment_text(pv2, number, desk.context) if pv2 is not None else None
        if at and pv2 is not None:
            put_extension(record.resource, {"url": url, "valueDateTime": at})
            desk.coverage.map(pv2, number, "Encounter.extension(planned)")


def in_role(desk: Desk, pv1: Segment, pv2: Segment | None, number: int) -> list[dict[str, Any]]:
    """Return References to those whom a field of PV1 names; PV2-13 refers the patient as PV1-8 does."""
    to = f"Encounter.participant({ROLES[number][0]})"
    found = people(desk, pv1, number, to)
    more = people(desk, pv2, 13, to) if number == 8 else []
    return [*found, *(reference for reference in more if reference not in found)]


def _participants(desk: Desk, record: Record, pv1: Segment, pv2: Segment | None) -> None:
    present: list[dict[str, Any]] = desk.get(record, "participant") or []
    for number, (code, shown) in ROLES.items():
        for reference in in_role(desk, pv1, pv2, number):
            role = {"coding": [{"system": PARTICIPATION, "code": code, "display": shown}]}
            if not any(_plays(item, code, reference) for item in present):
                desk.add(record, "participant", {"type": [role], "individual": reference})


def _plays(item: dict[str, Any], code: str, reference: dict[str, Any]) -> bool:
    roles = [coding.get("code") for role in item.get("type", ()) for coding in role.get("coding", ())]
    return item.get("individual") == reference and (code in roles or not roles)


def _places(desk: Desk, record: Record, pv1: Segment) -> None:
    """Set where the patient is and was: the place of PV1-3 becomes the active one, the one before is
    completed.
    """
    found: list[dict[str, Any]] = list(desk.get(record, "location") or ())
    for number, status in PLACES.items():
        place = place_of(desk, pv1, number, "Encounter.location")
        if place is None:
            continue
        now = status
        if number == 3:
            now = "planned" if desk.get(record, "status") == "planned" else "active"
            found = [
                item | {"status": "completed"} if item.get("status") in ("active", "planned") else item
                for item in found
            ]
        others = [item for item in found if item.get("location") != place]
        none: dict[str, Any] = {}
        same = next((item for item in found if item.get("location") == place), none)
        found = [*others, {**same, "location": place, "status": now}]
    if found != (desk.get(record, "location") or []):
        desk.put(record, "location", found)
