"""Who and what takes part in an appointment: patients, people, places, equipment, those who arranged it.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-segment-aip-to-appointment.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.location import place_of
from mappings.messages.people import people
from mappings.messages.siu_times import span
from mappings.messages.systems import sender_system
from mappings.messages.workspace import refer
from mappings.v2types import compact, cwe

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.siu_groups import Booked, SiuPart
    from mappings.messages.siu_times import When
    from mappings.messages.workspace import Desk
    from storage.record import Record

Participant = dict[str, Any]

ENTERER = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
CONTACTS: dict[int, dict[str, Any]] = {
    12: {"text": "placer contact"},
    16: {"text": "filler contact"},
    20: {"coding": [{"system": ENTERER, "code": "enterer", "display": "Enterer"}]},
}
"""Field of SCH -> the type of who it names."""
STATUS_FIELD = {"AIG": 14, "AIL": 12, "AIP": 12}
STATUSES = {
    **dict.fromkeys(("BOOKED", "SCHEDULED", "CONFIRMED", "STARTED", "COMPLETE", "OVERBOOK"), "accepted"),
    **dict.fromkeys(("PENDING", "WAITLIST"), "needs-action"),
    **dict.fromkeys(("CANCELLED", "CANCELED", "DC", "DELETED"), "declined"),
    "NOSHOW": "accepted",
}
"""Table 0278, filler status -> participationstatus."""
LOCAL = "urn:hl7:cs:L"
"""The system of local codes (table 0396), which are other ones at each sender."""
UNDECIDED = {"proposed", "pending", "waitlist"}


def participants(
    desk: Desk, part: SiuPart, value: dict[str, Any], patients: list[Record], at: When
) -> list[Participant]:
    """Return the participants after a message; ``value`` is the Appointment with its status.

    Of each kind (people, places, equipment) the message tells all, unless it only adds some and takes some
    away; of a kind that it does not tell of, those that were there stay.
    """
    status = "needs-action" if value["status"] in UNDECIDED else "accepted"
    present: list[Participant] = value.get("participant", [])
    found: list[Participant] = [{"actor": refer(record), "status": status} for record in patients]
    if not found:
        found = [item for item in present if _kind(item) == "PID"]
    for kind in ("AIP", "AIL", "AIG"):
        found += _of_kind(
            desk, part.of_kind(kind), [item for item in present if _kind(item) == kind], at, status
        )
    for number, role in CONTACTS.items():
        told = people(desk, part.sch, number, "Appointment.participant")
        made = [{"type": [role], "actor": actor, "status": "accepted"} for actor in told]
        found += made or [item for item in present if item.get("type") == [role]]
    found = [item for place, item in enumerate(found) if item not in found[:place]]
    return found or [{"type": [{"text": "not told"}], "status": status}]


def _kind(item: Participant) -> str:
    actor: dict[str, Any] = item.get("actor", {})
    if item.get("type") and item["type"][0] in CONTACTS.values():
        return "SCH"
    kinds = {"Patient": "PID", "Location": "AIL", "Practitioner": "AIP"}
    named = actor.get("reference", "").partition("/")[0]
    return kinds.get(named, "AIG" if "identifier" in actor else "AIP")


def _of_kind(
    desk: Desk, booked: list[Booked], present: list[Participant], at: When, status: str
) -> list[Participant]:
    made = [(item.action, found) for item in booked for found in _made(desk, item.segment, at, status)]
    wanted = [found for action, found in made if action != "D"]
    gone = [found.get("actor") for action, found in made if action == "D"]
    alters = desk.message.trigger_event != "S12" and {item.action for item in booked} <= {"A", "D"}
    if booked and not alters:
        return wanted
    told = [found.get("actor") for found in wanted]
    return [*(item for item in present if item.get("actor") not in (*gone, *told)), *wanted]


def _made(desk: Desk, segment: Segment, at: When, status: str) -> list[Participant]:
    number = STATUS_FIELD[segment.name]
    code = segment.field(number).first.component(1).strip().upper()
    if code in STATUSES:
        desk.coverage.map(segment, number, "Appointment.participant.status")
    role: dict[str, Any] | None = (
        None if segment.field(4).is_null else cwe(segment.field(4).first, desk.context)
    )
    if role:
        desk.coverage.map(segment, 4, "Appointment.participant.type")
    told: dict[str, Any] = {"type": [role]} if role else {}
    period = span(desk, segment, at)
    last = {"status": STATUSES.get(code, status)} | ({"period": period} if period else {})
    actors = actors_of(desk, segment)
    if not actors and not told:
        return []
    return [told | ({"actor": actor} if actor else {}) | last for actor in actors or [{}]]


def actors_of(desk: Desk, segment: Segment) -> list[dict[str, Any]]:
    """Return References to the people, the place or the equipment that a segment books."""
    to = "Appointment.participant.actor"
    if segment.name == "AIP":
        return people(desk, segment, 3, to)
    if segment.name == "AIL":
        place = place_of(desk, segment, 3, to)
        return [place] if place else []
    found: dict[str, Any] | None = (
        None if segment.field(3).is_null else cwe(segment.field(3).first, desk.context)
    )
    if not found:
        return []
    desk.coverage.map(segment, 3, to)
    listed: list[dict[str, Any]] = found.get("coding") or [{}]
    first = listed[0]
    shown = first.get("display") or found.get("text") or first.get("code")
    system: str = first.get("system") or LOCAL
    system = f"{sender_system(desk.message)}:resource" if system == LOCAL else system
    return [
        {"identifier": {"system": system, "value": first.get("code") or shown}}
        | (compact(display=shown) or {})
    ]
