"""SCH and what is booked (AIS, AIG, AIL, AIP) as an Appointment, found again by its numbers.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-segment-sch-to-appointment.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.coverage import MessageRefused
from mappings.messages.participants import participants
from mappings.messages.systems import sender_system
from mappings.messages.whole import content, make_whole, put_whole
from mappings.messages.workspace import refer
from mappings.v2types import V2_TABLE, cwe, ei, identifier_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.siu_groups import SiuPart
    from mappings.messages.siu_times import When
    from mappings.messages.workspace import Desk
    from storage.record import Record

NUMBERS = {1: "PLAC", 2: "FILL"}
"""Field of SCH -> whose number of the appointment it is (table 0203)."""
NUMBER = "Appointment"
"""The text of the type of an appointment's number: a procedure carries other numbers too."""
WITHOUT_TIME = {"proposed", "cancelled", "waitlist"}
"""The statuses in which an Appointment may have no time (app-3)."""
REASONS = frozenset({"ROUTINE", "WALKIN", "CHECKUP", "FOLLOWUP", "EMERGENCY"})
"""Table 0276."""
TYPES = frozenset({"NORMAL", "TENTATIVE", "COMPLETE"})
"""Table 0277."""


def appointment_numbers(desk: Desk, sch: Segment) -> list[dict[str, Any]]:
    """Return the numbers of SCH-1 and SCH-2, each with a system; without an authority they are the sender's
    appointments.
    """
    found: list[dict[str, Any]] = []
    for number, kind in NUMBERS.items():
        field = sch.field(number)
        made: dict[str, Any] | None = None if field.is_null else ei(field.first, desk.context)
        if made:
            told: Any = identifier_type(kind)
            own = {"type": told | {"text": NUMBER}, "system": f"{sender_system(desk.message)}:appointment"}
            found.append(own | made)
            desk.coverage.map(sch, number, "Appointment.identifier")
    return found


def carries(item: dict[str, Any], number: dict[str, Any]) -> bool:
    """Tell whether an identifier is an appointment's number, of the same kind where it tells one."""
    same = (item.get("system"), item.get("value")) == (number["system"], number["value"])
    kinds = {coding["code"] for coding in item.get("type", {}).get("coding", ()) if "code" in coding}
    return same and (not kinds or number["type"]["coding"][0]["code"] in kinds)


def find_appointment(
    desk: Desk, sch: Segment, numbers: list[dict[str, Any]], patients: list[Record]
) -> Record | None:
    """Return the Appointment with any of the numbers; raises MessageRefused (205) for other patients'."""
    for number in numbers:
        for record in desk.identified("Appointment", number["system"], number["value"]):
            if any(carries(item, number) for item in content(record).get("identifier", ())):
                _see_whose(sch, content(record), patients)
                return desk.meet(record, "SCH")
    return None


def _see_whose(sch: Segment, value: dict[str, Any], patients: list[Record]) -> None:
    known = [
        item["actor"]["reference"]
        for item in value.get("participant", ())
        if item.get("actor", {}).get("reference", "").startswith("Patient/")
    ]
    told = [refer(record)["reference"] for record in patients]
    if known and told and not set(known) & set(told):
        raise MessageRefused("205", "SCH", sch.number, 1, text="The appointment is of another patient")


def appointment(
    desk: Desk,
    part: SiuPart,
    record: Record | None,
    numbers: list[dict[str, Any]],
    status: str,
    at: When,
    patients: list[Record],
    based_on: Iterable[Record],
) -> Record:
    """Return the Appointment that a message tells of, made where ``record`` is None.

    What the message does not tell stays. Raises MessageRefused (101) for a new one without a number.
    """
    if record is None and not numbers:
        raise MessageRefused("101", "SCH", part.sch.number, 1, text="The appointment has no number")
    present = content(record) if record is not None else {}
    value = present | _told(desk, part, status) | _numbers(present, numbers)
    value = _timed(desk, part.sch, value, status, at)
    value["participant"] = participants(desk, part, value, patients, at)
    references = [refer(item) for item in based_on]
    known: list[dict[str, Any]] = present.get("basedOn", [])
    if references or known:
        value["basedOn"] = [*known, *(item for item in references if item not in known)]
    if record is None:
        record = make_whole(desk, "Appointment", value, "SCH")
    else:
        put_whole(desk, record, value)
    desk.own(record, *part.segments)
    return record


def link(record: Record, element: str, others: Iterable[Record], desk: Desk) -> None:
    """Add references to an array of an Appointment, those that it has not yet."""
    present: list[dict[str, Any]] = content(record).get(element, [])
    added = [made for other in others if (made := refer(other)) not in present]
    if added:
        put_whole(desk, record, content(record) | {element: [*present, *added]})


def _numbers(present: dict[str, Any], numbers: list[dict[str, Any]]) -> dict[str, Any]:
    known: list[dict[str, Any]] = present.get("identifier", [])
    others = [item for item in numbers if not any(carries(found, item) for found in known)]
    return {"identifier": [*known, *others]} if known or others else {}


def _timed(desk: Desk, sch: Segment, value: dict[str, Any], status: str, at: When) -> dict[str, Any]:
    """Set status and time; one that needs a time and has none is proposed, or cancelled where it is over."""
    made = {name: item for name, item in value.items() if name != "cancelationReason"}
    if status == "cancelled" and "cancelationReason" in value:
        made["cancelationReason"] = value["cancelationReason"]
    if at.is_exact:
        made |= {"start": at.start, "end": at.end}
    elif at.start and "T" in at.start:
        # How long it takes is not told: FHIR wants an end all the same.
        made |= {"start": at.start, "end": at.start}
    elif at.period:
        made["requestedPeriod"] = [at.period]
    if at.minutes:
        made["minutesDuration"] = at.minutes
    if "start" not in made and status not in WITHOUT_TIME:
        status = "cancelled" if status in ("noshow", "entered-in-error") else "proposed"
        text = f"The appointment has no time of day; it is kept as {status}"
        desk.coverage.warn("101", sch, 11, text=text)
    return made | {"status": status}


def _told(desk: Desk, part: SiuPart, status: str) -> dict[str, Any]:
    """Return the elements that the message tells, but for numbers, times and participants."""
    sch = part.sch
    made: dict[str, Any] = {}
    concepts = [
        ("reasonCode", 7, "0276", REASONS, True),
        ("appointmentType", 8, "0277", TYPES, False),
        *([("cancelationReason", 6, "", frozenset[str](), False)] if status == "cancelled" else ()),
    ]
    for element, number, table, known, repeats in concepts:
        found = None if sch.field(number).is_null else concept(desk, sch, number, table, known)
        if found:
            made[element] = [found] if repeats else found
            desk.coverage.map(sch, number, f"Appointment.{element}")
    services = [(segment, cwe(segment.field(3).first, desk.context)) for segment in part.wanted("AIS")]
    if any(found for _, found in services):
        made["serviceType"] = _unique(found for _, found in services if found)
    for item in part.of_kind("AIS"):
        if item.segment.field(3):
            desk.coverage.map(item.segment, 3, "Appointment.serviceType")
    return made | _comment(desk, part, status)


def concept(
    desk: Desk, sch: Segment, number: int, table: str, known: frozenset[str]
) -> dict[str, Any] | None:
    """Return a field of CWE; only codes of the HL7 table are said to be of it, and a sentence is no code."""
    made: dict[str, Any] | None = cwe(sch.field(number).first, desk.context)
    listed: list[dict[str, Any]] = (made or {}).get("coding", [])
    for coding in listed:
        if "system" not in coding and coding["code"].upper() in known:
            coding["system"] = V2_TABLE + table
    if made and len(listed) == 1 and listed[0].keys() == {"code"} and " " in listed[0]["code"]:
        return {"text": made.get("text", listed[0]["code"])}
    return made


def _comment(desk: Desk, part: SiuPart, status: str) -> dict[str, Any]:
    """Return the notes, one to a line, and why the patient did not come: FHIR has no element for that."""
    lines: list[str] = []
    for note in part.all_notes:
        # Some senders leave out the source of the comment (NTE-2) with its separator.
        number = 3 if note.field(3) or " " not in note.field(2).text.strip() else 2
        text = "" if note.field(number).is_null else note.field(number).lines.strip()
        if text:
            lines.append(text)
            desk.coverage.map(note, number, "Appointment.comment")
    if status == "noshow":
        reason = event_reason(desk, part.sch, "Appointment.comment")
        lines += [reason] if reason else []
    return {"comment": "\n".join(dict.fromkeys(lines))} if lines else {}


def event_reason(desk: Desk, sch: Segment, to: str) -> str:
    """Return SCH-6, the reason of the event, in words; empty where there is none."""
    found: dict[str, Any] | None = None if sch.field(6).is_null else cwe(sch.field(6).first, desk.context)
    if not found:
        return ""
    desk.coverage.map(sch, 6, to)
    listed: list[dict[str, Any]] = found.get("coding") or [{}]
    first = listed[0]
    return found.get("text") or first.get("display") or first.get("code", "")


def _unique(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    listed = list(found)
    return [item for place, item in enumerate(listed) if item not in listed[:place]]
