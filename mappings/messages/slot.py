"""Onto the OR schedule: the procedure that an appointment is about, and what its booking does to it.

An outside scheduler's booking is a fact: slot and room are taken down. That a procedure is ready is no fact
of the scheduler's, so that one which is not ready keeps its readiness, and the sender is told.

HL7 v2.5.1, section 10.3 (SIU): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import procedures, times
from mappings.messages.appointment import NUMBER, carries, event_reason
from mappings.messages.aside import take_back
from mappings.messages.coverage import MessageRefused
from mappings.messages.location import place_name, place_of
from mappings.messages.notes import add_notes
from mappings.messages.order import same_code
from mappings.messages.people import people
from mappings.messages.workspace import refer
from mappings.v2types import cwe
from mappings.workflow.procedures import lacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mappings.er7 import Segment
    from mappings.messages.siu_groups import SiuPart
    from mappings.messages.siu_times import When
    from mappings.messages.workspace import Desk
    from storage.record import Record

OPEN = ("preparation", "on-hold")
"""The statuses in which a procedure may still be booked."""
BEGUN = "The procedure has begun or is over; the booking was not applied to it"
KEEPS = "The procedure has begun, is on hold or is over; it keeps its slot"
MISSED = "The patient did not come to the appointment"


def find_procedure(
    desk: Desk,
    part: SiuPart,
    numbers: list[dict[str, Any]],
    orders: list[Record],
    about: Record | None,
    at: When,
    *,
    books: bool,
) -> Record | None:
    """Return the procedure that an appointment is about, None where none is known.

    It is the one with a number of the appointment; else of an order that the message names; else the only one
    of the patient in preparation that has the code of a service (AIS-3) and is not booked by another one.
    What is cancelled (not ``books``) must then have been booked for that time. Raises MessageRefused (205)
    where the number is of another patient's procedure.
    """
    record = _numbered(desk, part.sch, numbers, about)
    codes = [cwe(segment.field(3).first, desk.context) for segment in part.wanted("AIS")]
    if record is None and orders:
        record = _of_orders(desk, orders, codes, numbers, books=books)
    if record is None and about is not None:
        record = _coded(desk, part.sch, about, codes, None if books else at)
    return desk.meet(record, "SCH") if record is not None else None


def with_number(desk: Desk, numbers: list[dict[str, Any]]) -> Iterator[Record]:
    """Yield the procedures that carry a number of an appointment, number by number."""
    for number in numbers:
        for record in desk.identified("Procedure", number["system"], number["value"]):
            if any(carries(item, number) for item in desk.get(record, "identifier") or ()):
                yield record


def _numbered(desk: Desk, sch: Segment, numbers: list[dict[str, Any]], about: Record | None) -> Record | None:
    record = next(with_number(desk, numbers), None)
    if record is not None and about is not None and desk.get(record, "subject") != refer(about):
        raise MessageRefused("205", "SCH", sch.number, 1, text="The appointment is of another patient")
    return record


def _of_orders(
    desk: Desk,
    orders: list[Record],
    codes: list[dict[str, Any] | None],
    numbers: list[dict[str, Any]],
    *,
    books: bool,
) -> Record | None:
    """Return the procedure of the orders: one that is open, one with a code of the message before others.

    A booking moves what an earlier appointment has booked; what cancels an appointment with a number leaves
    what another one has booked since.
    """
    found = [
        record
        for order in orders
        for record in desk.workspace.referring("Procedure", "basedOn", order.resource["id"])
        if books or not numbers or not _is_taken(desk, record)
    ]
    still = [record for record in found if desk.get(record, "status") in OPEN]
    coded = [record for record in still or found if is_one_of(desk, record, codes)]
    return next(iter((*coded, *still, *found)), None)


def _coded(
    desk: Desk, sch: Segment, about: Record, codes: list[dict[str, Any] | None], at: When | None
) -> Record | None:
    if not any(codes):
        return None
    found = [
        record
        for record in desk.workspace.referring("Procedure", "subject", about.resource["id"])
        if desk.get(record, "status") == "preparation"
        and is_one_of(desk, record, codes)
        and not _is_taken(desk, record)
        and (at is None or _same_time(record, at))
    ]
    if len(found) > 1:
        text = "More than one procedure of the patient has such a code; none of them was booked"
        desk.coverage.tell(sch, text=text)
    return found[0] if len(found) == 1 else None


def is_one_of(desk: Desk, record: Record, codes: list[dict[str, Any] | None]) -> bool:
    """Tell whether a procedure has one of several codes, or is called so."""
    mine: dict[str, Any] | None = desk.get(record, "code")
    return any(code and (same_code(mine, code) or _names(mine) & _names(code)) for code in codes)


def _names(concept: dict[str, Any] | None) -> set[str]:
    """Return how a concept is called: its text and displays, in lower case."""
    told = concept or {}
    found = [told.get("text"), *(coding.get("display") for coding in told.get("coding", ()))]
    return {text.casefold().strip() for text in found if text}


def _is_taken(desk: Desk, record: Record) -> bool:
    """Tell whether another appointment has booked a procedure."""
    numbers = [item for item in desk.get(record, "identifier") or () if _is_number(item)]
    return bool(numbers) and record.main["scheduled_lo"] is not None


def is_booked_since(desk: Desk, order: Record) -> bool:
    """Tell whether an appointment has booked a procedure of an order."""
    found = desk.workspace.referring("Procedure", "basedOn", order.resource["id"])
    return any(_is_taken(desk, record) for record in found)


def _is_number(item: dict[str, Any]) -> bool:
    return item.get("type", {}).get("text") == NUMBER


def _same_time(record: Record, at: When) -> bool:
    start = record.main["scheduled_lo"]
    return start is not None and at.start is not None and times.bounds(at.start)[0] == start


def book(
    desk: Desk,
    record: Record,
    part: SiuPart,
    numbers: list[dict[str, Any]],
    at: When,
    visit: Record | None,
) -> None:
    """Give a procedure its slot, room and people, and schedule it if it is ready; where it has begun or is
    over nothing is applied, and the sender is told.
    """
    sch = part.sch
    if desk.get(record, "status") not in OPEN:
        desk.coverage.tell(sch, text=BEGUN)
        take_back(desk.coverage, BEGUN, part.segments)
        return
    _take_down(desk, record, part, numbers, visit)
    if at.period:
        procedures.set_scheduled_period(record, at.period, desk.workspace.new_id)
    if at.minutes and record.main["estimated_minutes"] is None:
        record.main["estimated_minutes"] = at.minutes
    _room(desk, record, part)
    _people(desk, record, part)
    _schedule(desk, record, sch)


def _take_down(
    desk: Desk, record: Record, part: SiuPart, numbers: list[dict[str, Any]], visit: Record | None
) -> None:
    """Keep the numbers of the appointment, in place of an earlier one's, the visit and the notes."""
    desk.own(record, *part.segments)
    present: list[dict[str, Any]] = desk.get(record, "identifier") or []
    kept = [item for item in present if not _is_number(item)]
    known = [item for item in present if any(carries(item, number) for number in numbers)]
    new = [number for number in numbers if not any(carries(item, number) for item in known)]
    wanted = [*(item for item in present if item in kept or item in known), *new]
    if numbers and wanted != present:
        desk.put(record, "identifier", wanted)
    if visit is not None and not desk.get(record, "encounter"):
        desk.put(record, "encounter", refer(visit))
    add_notes(desk, record, part.all_notes)
    listed = part.of_kind("AIS")
    for item in listed:
        code = cwe(item.segment.field(3).first, desk.context)
        if code and is_one_of(desk, record, [code]):
            desk.coverage.map(item.segment, 3, "Procedure.code")
        elif code and len(listed) > 1 and item.action != "D":
            desk.coverage.tell(item.segment, 3, "The service is not the procedure's, and was not booked")


def _room(desk: Desk, record: Record, part: SiuPart) -> None:
    for segment in part.wanted("AIL"):
        place = place_of(desk, segment, 3, "Procedure.extension(scheduledLocation)")
        if place:
            shown = {"display": place_name(segment.field(3).first)}
            procedures.set_scheduled_location(record, shown | place, desk.workspace.new_id)
            return


def _people(desk: Desk, record: Record, part: SiuPart) -> None:
    """Add the people who are booked as performers, and take away those who are no more."""
    for item in part.of_kind("AIP"):
        segment = item.segment
        role = None if segment.field(4).is_null else cwe(segment.field(4).first, desk.context)
        for reference in people(desk, segment, 3, "Procedure.performer"):
            present: list[dict[str, Any]] = desk.get(record, "performer") or []
            known = any(found.get("actor") == reference for found in present)
            gone = [found for found in present if _gives_way(found, item.action, reference, role)]
            kept = [found for found in present if found not in gone]
            made = ({"function": role} if role else {}) | {"actor": reference}
            wanted = kept if known or item.action == "D" else [*kept, made]
            if wanted != present:
                desk.put(record, "performer", wanted or None)
        if role:
            desk.coverage.map(segment, 4, "Procedure.performer.function")


def _gives_way(
    found: dict[str, Any], action: str, reference: dict[str, Any], role: dict[str, Any] | None
) -> bool:
    """Tell whether a performer goes: who is taken away (D), or another with the role of who changed (U)."""
    if found.get("actor") == reference:
        return action == "D"
    return action == "U" and role is not None and found.get("function") == role


def _schedule(desk: Desk, record: Record, sch: Segment) -> None:
    row = record.main
    if row["status"] != "preparation" or row["surgical_status"] == "scheduled":
        return
    lacks = [] if row["case_class"] == "emergent" else [lack.needs for lack in lacking(record, "ready")]
    if row["scheduled_start"] is None:
        lacks.append("the start of its slot")
    if procedures.scheduled_location(record, desk.workspace.new_id) is None:
        lacks.append("its room")
    if lacks:
        text = (
            f"What was told of the slot is kept; the procedure is not scheduled, it needs: {'; '.join(lacks)}"
        )
        desk.coverage.tell(sch, text=text)
    else:
        row["surgical_status"] = "scheduled"


def free(desk: Desk, record: Record, part: SiuPart, *, missed: bool) -> None:
    """Give back the slot and the room of a procedure, which is ready again: what was to be done is still to
    be done. ``missed`` tells that the patient did not come. Raises nothing; one that has begun keeps all.
    """
    desk.own(record, *part.segments)
    reason = event_reason(desk, part.sch, "Procedure.note")
    row = record.main
    if row["status"] not in OPEN or (row["status"] == "on-hold" and row["surgical_status"] == "scheduled"):
        desk.coverage.tell(part.sch, text=KEEPS)
        take_back(desk.coverage, KEEPS, part.segments)
        return
    if row["surgical_status"] == "scheduled":
        row["surgical_status"] = "ready"
    procedures.set_scheduled_period(record, None, desk.workspace.new_id)
    procedures.set_scheduled_location(record, None, desk.workspace.new_id)
    add_notes(desk, record, part.all_notes)
    _note(desk, record, [*([MISSED] if missed else ()), *([reason] if reason else ())])


def _note(desk: Desk, record: Record, texts: Iterable[str]) -> None:
    present = {item.get("text") for item in desk.get(record, "note") or ()}
    desk.add(record, "note", *({"text": text} for text in texts if text not in present))
