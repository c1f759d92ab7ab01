"""PR1 as Procedure: found by its number, else by code and time among those of the visit.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pr1-to-procedure.html
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mappings.concepts import SNOMED
from mappings.messages.diagnosis import NOT_KNOWN, is_deleted
from mappings.messages.location import place_of
from mappings.messages.moments import moment, moment_text
from mappings.messages.order import same_code
from mappings.messages.people import people
from mappings.messages.roles import performers
from mappings.messages.systems import former_systems, numbered_by
from mappings.messages.workspace import refer
from mappings.v2types import cwe, ei

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.groups import Followed
    from mappings.messages.workspace import Desk
    from storage.record import Record

ROLES: dict[int, dict[str, Any] | None] = {
    8: {"coding": [{"system": SNOMED, "code": "88189002", "display": "Anesthesiologist"}]},
    11: {"coding": [{"system": SNOMED, "code": "304292004", "display": "Surgeon"}]},
    12: None,
}
"""Field of PR1 -> the function of who it names."""
SCHEDULED = "The procedure is on the OR schedule, which tells what becomes of it; its status stays"
OPEN = frozenset({None, "unknown", "preparation", "in-progress"})
"""Statuses from which a procedure may turn out to be completed."""


def procedures(
    desk: Desk, parts: Iterable[Followed], patient: Record, visit: Record | None, *, done: bool
) -> None:
    """Make each PR1 a Procedure; ``done`` tells that the message ends the visit, and so all that was done
    in it.
    """
    present: list[Record] | None = None
    taken: list[Record] = []
    for part in parts:
        if present is None:
            present = desk.workspace.referring("Procedure", "subject", patient.resource["id"])
        free = [record for record in present if not any(record is other for other in taken)]
        number = _number(desk, part.segment, 19)
        record = _find(desk, part.segment, number, free, visit)
        if record is None and is_deleted(part.segment, 20):
            desk.coverage.set_aside(NOT_KNOWN, part.segment, *part.others)
            continue
        record = desk.meet(record, "PR1") if record else desk.make("Procedure", "PR1")
        taken.append(record)
        desk.own(record, part.segment, *part.others)
        _fill(desk, record, part.segment, number, patient, visit)
        performers(desk, part.others, record)
        _status(desk, record, part.segment, done=done)


def _number(desk: Desk, pr1: Segment, place: int) -> dict[str, Any] | None:
    made = None if pr1.field(place).is_null else ei(pr1.field(place).first, desk.context)
    return numbered_by(desk, made) if made else None


def _find(
    desk: Desk, pr1: Segment, number: dict[str, Any] | None, free: list[Record], visit: Record | None
) -> Record | None:
    if number:
        numbered = (record for record in free if _carries(desk, record, number))
        return next(numbered, None)
    code = cwe(pr1.field(3).first, desk.context)
    at = moment_text(pr1, 5, desk.context)
    return next(
        (
            record
            for record in free
            if code
            and same_code(desk.get(record, "code"), code)
            and desk.get(record, "encounter") == (refer(visit) if visit else None)
            and _began(desk, record) == at
        ),
        None,
    )


def _carries(desk: Desk, record: Record, number: dict[str, Any]) -> bool:
    systems = (number["system"], *former_systems(desk, number["system"]))
    return any(
        item.get("system") in systems and item.get("value") == number["value"]
        for item in desk.get(record, "identifier") or ()
    )


def _began(desk: Desk, record: Record) -> str | None:
    period: dict[str, str] = desk.get(record, "performedPeriod") or {}
    return desk.get(record, "performedDateTime") or period.get("start")


def _fill(
    desk: Desk,
    record: Record,
    pr1: Segment,
    number: dict[str, Any] | None,
    patient: Record,
    visit: Record | None,
) -> None:
    if number:
        desk.coverage.map(pr1, 19, "Procedure.identifier")
        if not _carries(desk, record, number):
            desk.add(record, "identifier", number)
    desk.put(record, "subject", refer(patient))
    if visit is not None and not desk.get(record, "encounter"):
        desk.put(record, "encounter", refer(visit))
    desk.fill(record, pr1, skip=("identifier",))
    _lasted(desk, record, pr1)
    _performers(desk, record, pr1)
    place = place_of(desk, pr1, 23, "Procedure.location")
    if place:
        desk.put(record, "location", place)
    _parent(desk, record, pr1)


def _lasted(desk: Desk, record: Record, pr1: Segment) -> None:
    """Make the time (PR1-5) a period where PR1-7 tells how many minutes the procedure took."""
    start, minutes = moment_text(pr1, 5, desk.context), pr1.field(7).text.strip()
    if start is None or "T" not in start or not minutes.isdecimal() or len(minutes) > 5:
        return
    end = datetime.fromisoformat(start) + timedelta(minutes=int(minutes))
    desk.put(record, "performedPeriod", {"start": start, "end": end.isoformat()})
    desk.coverage.map(pr1, 7, "Procedure.performedPeriod")


def _performers(desk: Desk, record: Record, pr1: Segment) -> None:
    for number, function in ROLES.items():
        for reference in people(desk, pr1, number, "Procedure.performer"):
            present: list[dict[str, Any]] = desk.get(record, "performer") or []
            if not any(item.get("actor") == reference for item in present):
                told = {"function": function} if function else {}
                desk.add(record, "performer", told | {"actor": reference})


def _parent(desk: Desk, record: Record, pr1: Segment) -> None:
    number = _number(desk, pr1, 25)
    if not number:
        return
    known = desk.identified("Procedure", number["system"], number["value"])
    found = [
        item
        for item in known
        if item is not record and desk.get(item, "subject") == desk.get(record, "subject")
    ]
    logical = {"identifier": {key: number[key] for key in ("system", "value")}}
    desk.put(record, "partOf", [refer(found[0]) if found else logical])
    desk.coverage.map(pr1, 25, "Procedure.partOf")


def _status(desk: Desk, record: Record, pr1: Segment, *, done: bool) -> None:
    """Set the status: deleted (PR1-20) is in error; done at discharge, or if its time is past.

    What is on the OR schedule is begun and completed there; the sender is told.
    """
    present = desk.get(record, "status")
    told = _told(desk, pr1, done=done)
    if present is not None and (told in ("preparation", "unknown") or present == told):
        return
    if told == "completed" and present not in OPEN:
        return
    if present != "unknown" and record.main["surgical_status"] is not None:
        desk.coverage.tell(pr1, text=SCHEDULED)
    else:
        desk.put(record, "status", told)


def _told(desk: Desk, pr1: Segment, *, done: bool) -> str:
    if is_deleted(pr1, 20):
        desk.coverage.map(pr1, 20, "Procedure.status")
        return "entered-in-error"
    at = moment(pr1, 5, desk.context)
    past = at is not None and at <= desk.workspace.author.at
    return "completed" if done or past else "preparation" if at is not None else "unknown"
