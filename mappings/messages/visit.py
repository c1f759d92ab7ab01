"""The visit of an ADT message: what its event makes of it; registration is believed.

HL7 v2.5.1, section 3.3; https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pv1-to-encounter.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mappings import times
from mappings.messages.adt_events import ENDED, EVENTS, Event
from mappings.messages.coverage import MessageRefused
from mappings.messages.encounter import (
    NO_CLASS,
    PARTICIPATION,
    RANK,
    ROLES,
    find_visit,
    identify,
    in_role,
    set_planned,
    visit_numbers,
)
from mappings.messages.moments import moment_text
from mappings.messages.stays import Moved, move
from mappings.resources.encounter_codes import patient_class
from mappings.resources.encounter_codes import status as status_of_class

if TYPE_CHECKING:
    from collections.abc import Collection

    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

TAKEN_BACK = "The event takes something back, and a time of discharge in it says nothing"
GOING_ON = RANK.keys() - ENDED
UNDER_WAY = GOING_ON - {"unknown", "planned"}
NOT_SO = "The visit is not as what is taken back would have left it; the event was not applied to it"
OF_PERSON = "The event is about the person; without a visit number PV1 names no visit"


@dataclass(frozen=True)
class Turn:
    """What a message makes of a visit: its status before (None: new) and after, and whether it goes there."""

    event: Event
    before: str | None
    after: str
    applies: bool
    at: str | None
    """When it happened (EVN-6, else EVN-2)."""


def visit(desk: Desk, part: PatientPart, patient: Record) -> Record | None:
    """Return the visit that PV1 tells of, as the event of the message leaves it; None for none.

    Raises MessageRefused: 100 where an event of a visit has no PV1, 204 where it takes back what is not
    known, 205 where the number is of another patient's visit.
    """
    event = EVENTS.get(desk.message.trigger_event, Event(about_person=True))
    pv1 = part.pv1
    if pv1 is None:
        if event.status or event.takes_back:
            raise MessageRefused("100", "PV1", text="The event is about a visit, and there is no PV1")
        return None
    numbers = visit_numbers(desk, pv1)
    if event.about_person and not numbers:
        desk.coverage.set_aside(OF_PERSON, *(item for item in (pv1, part.pv2) if item))
        return None
    found = find_visit(desk, pv1, numbers, patient) if numbers else _unnumbered(desk, event, pv1, patient)
    if found is None and event.takes_back:
        raise MessageRefused("204", "PV1", pv1.number, 19, text="The visit is not known")
    record = desk.meet(found, "PV1") if found else desk.make("Encounter", "PV1")
    identify(desk, record, part, patient, numbers)
    turn = _turn(desk, record, event, pv1)
    _fill(desk, record, part, pv1, turn)
    if turn.applies:
        _participants(desk, record, pv1, part.pv2)
        set_planned(desk, record, part.pv2)
        move(desk, record, pv1, _moved(desk, turn, pv1))
    return record


def _moved(desk: Desk, turn: Turn, pv1: Segment) -> Moved:
    """Return how the event moves the patient; one that takes back a discharge that never was moves them as
    any other does.
    """
    event = turn.event
    returns = event.returns and not (event.undoes and turn.before not in event.undoes)
    if event.returns and not returns:
        desk.coverage.tell(pv1, text="The visit goes on; there was no discharge to take back")
    evn = desk.message.first("EVN")
    recorded = moment_text(evn, 2, desk.context) if evn is not None else None
    return Moved(turn.at, turn.at or recorded, returns, turn.after in ENDED, event.moves)


def _unnumbered(desk: Desk, event: Event, pv1: Segment, patient: Record) -> Record | None:
    """Return the visit that is meant where PV1 has no number: the last without one that goes on, for A13 that
    has ended; else, of an event that neither begins a visit nor takes back, the one that is under way.
    """
    found = unnumbered(desk, patient, event.undoes if event.returns and event.undoes else GOING_ON)
    if found is not None or event.begins or event.takes_back:
        return found
    changes_class = desk.message.trigger_event in ("A06", "A07")
    return under_way(desk, pv1, patient, any_class=changes_class)


def under_way(desk: Desk, pv1: Segment | None, patient: Record, *, any_class: bool = False) -> Record | None:
    """Return the visit that a PV1 without a number is of though messages numbered it: the only one of the
    patient that has begun and not ended, of its class and its beginning (PV1-44); None for none, or several.
    """
    if pv1 is None or visit_numbers(desk, pv1):
        return None
    told = patient_class(pv1.field(2).first, desk.context)
    start = moment_text(pv1, 44, desk.context)
    found = [
        record
        for record in desk.workspace.referring("Encounter", "subject", patient.resource["id"])
        if desk.get(record, "status") in UNDER_WAY
        and record.resource["origin"] in (None, "hl7v2")
        and (any_class or told in (None, desk.get(record, "class")))
        and _began(desk, record) in (None, start or _began(desk, record))
    ]
    return found[0] if len(found) == 1 else None


def _began(desk: Desk, record: Record) -> str | None:
    period: dict[str, str] = desk.get(record, "period") or {}
    return period.get("start")


def unnumbered(desk: Desk, patient: Record, wanted: Collection[str]) -> Record | None:
    """Return the last visit of a patient that messages told of without a number, of certain statuses."""
    listed = desk.workspace.referring("Encounter", "subject", patient.resource["id"])
    found = [
        record
        for record in listed
        if not desk.get(record, "identifier")
        and desk.get(record, "status") in wanted
        and record.resource["origin"] in (None, "hl7v2")
    ]
    return max(found, key=_age, default=None)


def _age(record: Record) -> tuple[Any, str]:
    return record.resource["created_at"], str(record.resource["id"])


def _turn(desk: Desk, record: Record, event: Event, pv1: Segment) -> Turn:
    before = None if desk.is_new(record) else desk.get(record, "status")
    after = _status(desk, event, pv1, before)
    stays = after is None or before is None or after == before
    ahead = RANK.get(after or "", 5) >= RANK.get(before or "", 6) and before not in ENDED
    applies = stays or (ahead and not event.takes_back) or before in event.undoes
    if not applies:
        text = (
            NOT_SO if event.takes_back else "The visit is further on already; the event was not applied to it"
        )
        desk.coverage.tell(pv1, text=text)
    stands = after if after and applies else before or "unknown"
    return Turn(event, before, stands, applies, _happened(desk, event))


def _status(desk: Desk, event: Event, pv1: Segment, before: str | None) -> str | None:
    """Return the status that a message tells, None where it tells none."""
    discharged = bool(pv1.field(45)) and not pv1.field(45).is_null
    if discharged and not event.takes_back:
        return "finished"
    arrived = bool(pv1.field(44)) and pv1.field(2).first.component(1).strip().upper() != "P"
    if event.arrives and not arrived:
        # Whoever is here already is not expected again.
        return "planned" if before in (None, "cancelled") else None
    if event.status is None and before is None:
        return status_of_class(pv1.field(2).first, desk.context)
    return event.status


def _happened(desk: Desk, event: Event) -> str | None:
    """Return when the patient went or came; an update tells no such time."""
    if event.status is None and not event.takes_back:
        return None
    evn = desk.message.first("EVN")
    for number in (6, 2):
        at = moment_text(evn, number, desk.context) if evn is not None else None
        if at and evn is not None:
            desk.coverage.map(evn, number, "Encounter.location.period")
            return at
    return None


def _fill(desk: Desk, record: Record, part: PatientPart, pv1: Segment, turn: Turn) -> None:
    takes_back = turn.event.takes_back
    skip = ("identifier", "status", "period") if takes_back else ("identifier", "status")
    desk.fill(record, pv1, part.pv2, part.pid, skip=skip, only_empty=not turn.applies)
    desk.put(record, "status", turn.after)
    if takes_back and turn.applies:
        _reopen(desk, record, pv1, turn)
    if turn.event.status == "finished" and turn.applies:
        _discharge(desk, record, turn.at)
    for number in (2, 45):
        if turn.applies and bool(pv1.field(number)) and not desk.coverage.is_aside(pv1, number):
            desk.coverage.map(pv1, number, "Encounter.status")
    if desk.get(record, "class") is None:
        desk.put(record, "class", NO_CLASS)


def _reopen(desk: Desk, record: Record, pv1: Segment, turn: Turn) -> None:
    """Set the period of a visit of which something is taken back: it goes on, unless it has ended."""
    period: dict[str, str] = dict(desk.get(record, "period") or {})
    start = moment_text(pv1, 44, desk.context)
    if start:
        desk.coverage.map(pv1, 44, "Encounter.period")
        period["start"] = start
    if turn.after not in ENDED:
        period.pop("end", None)
    desk.put(record, "period", period or None)
    if pv1.field(45):
        desk.coverage.ignore(pv1, 45, TAKEN_BACK)


def _discharge(desk: Desk, record: Record, at: str | None) -> None:
    """Let a visit that is over end when the event happened, where no time of discharge is told."""
    period: dict[str, str] = dict(desk.get(record, "period") or {})
    if at and "end" not in period and not_before(at, period.get("start")):
        desk.put(record, "period", period | {"end": at})


def not_before(end: str, start: str | None) -> bool:
    """Tell whether a period may have that end."""
    return start is None or times.bounds(end)[1] > times.bounds(start)[0]


def _participants(desk: Desk, record: Record, pv1: Segment, pv2: Segment | None) -> None:
    """Let each field of people be all who have its role, those of PV2-13 refer too; ``""`` means nobody."""
    present: list[dict[str, Any]] = desk.get(record, "participant") or []
    found = present
    for number, (code, shown) in ROLES.items():
        told = in_role(desk, pv1, pv2, number)
        if pv1.field(number).is_null:
            desk.coverage.map(pv1, number, f"Encounter.participant({code})")
        elif not told:
            continue
        role = {"coding": [{"system": PARTICIPATION, "code": code, "display": shown}]}
        made = [{"type": [role], "individual": reference} for reference in told]
        mine = [item for item in found if _has_role(item, code)]
        if [item.get("individual") for item in mine] != told:
            found = [*(item for item in found if not _has_role(item, code)), *made]
    if found != present:
        desk.put(record, "participant", found or None)


def _has_role(item: dict[str, Any], code: str) -> bool:
    codings = [coding.get("code") for role in item.get("type", ()) for coding in role.get("coding", ())]
    return codings == [code]
