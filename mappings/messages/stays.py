"""Where the patient of a visit is and was: each stay at a place with its times.

HL7 v2.5.1, section 3.3.2 (A02); https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.location
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mappings import times
from mappings.messages.coverage import place as spot
from mappings.messages.location import place_of

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

HERE = ("active", "planned")
OTHERS = {11: "active", 42: "reserved"}
"""Places of PV1 beside the patient's own: for a time, and to come -> Encounter.location.status."""
TO = "Encounter.location"
LATE = "The patient came to where they are now after what this tells, and was not moved"
Stays = list[dict[str, Any]]


class Stay(NamedTuple):
    """A stay that goes on: where, its status, when the message's event happened, and when it began."""

    place: dict[str, Any]
    status: str
    at: str | None
    start: str | None


class Moved(NamedTuple):
    """How an event moves the patient: when it happened (None: it tells of no move), as of when it tells.

    With ``returns`` the patient is back where they were, and the move between did not happen. Of a visit that
    ``is_over`` no stay goes on. By one that ``begins`` the stay begins when it happened.
    """

    at: str | None
    as_of: str | None
    returns: bool
    is_over: bool
    begins: bool


def move(desk: Desk, record: Record, pv1: Segment, moved: Moved) -> None:
    """Set the stays of a visit: PV1-3 where the patient is, PV1-6 was, PV1-11 is for a time, PV1-42 will be.

    What tells of a time before the present stay began moves nobody: the sender is told, and the stay that it
    tells of is put before.
    """
    at, _, returns, is_over, begins = moved
    before: Stays = list(desk.get(record, "location") or ())
    now = "planned" if desk.get(record, "status") == "planned" else "active"
    others = [(place_of(desk, pv1, number, TO), status) for number, status in OTHERS.items()]
    told = [place for place, _ in others if place is not None]
    found = _after_prior(desk, pv1, before)
    place = place_of(desk, pv1, 3, TO)
    if place is None and returns and found and not any(item.get("status") in HERE for item in found):
        place = found[-1].get("location")
    if pv1.field(3).is_null:
        desk.coverage.map(pv1, 3, TO)
        found = stay_ends(found, at)
    elif place is not None and not returns and _is_late(found, place, moved.as_of):
        desk.coverage.tell(pv1, 3, LATE)
        found = earlier(found, place, at)
        if at is None:
            desk.coverage.mapped.pop(spot(pv1, 3), None)
            desk.coverage.ignore(pv1, 3, LATE)
    elif place is not None and not (is_over and any(item.get("location") == place for item in found)):
        begun = begins or any(item.get("status") == "active" or "period" in item for item in found)
        arrived = at if begun else _start(desk, record) or (None if is_over else at)
        stay = Stay(place, now, at, arrived)
        found = back_at(found, stay) if returns else arrive(found, stay, told)
    for other, status in others:
        known = (item.get("location") == other and (is_over or _is_at(item, other)) for item in found)
        if other is not None and not any(known):
            found = [*found, {"location": other, "status": status}]
    if is_over:
        found = stay_ends(found, at)
    if found != before:
        desk.put(record, "location", found or None)


def _start(desk: Desk, record: Record) -> str | None:
    period: dict[str, str] = desk.get(record, "period") or {}
    return period.get("start")


def _is_late(found: Stays, place: dict[str, Any], as_of: str | None) -> bool:
    """Tell whether the patient came to where they are now, another place, only after a message's time."""
    return as_of is not None and any(
        _starts_after(item, as_of) and item.get("location") != place
        for item in found
        if item.get("status") == "active"
    )


def _starts_after(item: dict[str, Any], at: str) -> bool:
    start = item.get("period", {}).get("start")
    return start is not None and times.bounds(at)[1] <= times.bounds(start)[0]


def earlier(found: Stays, place: dict[str, Any], at: str | None) -> Stays:
    """Return stays with one that began earlier than the present one: it ends when the next one began, and
    ends the one that went on when it began.
    """
    begun = {"start": at}
    same = (item for item in found if item.get("location") == place)
    if at is None or any(item.get("period", {}).get("start") == at for item in same):
        return found
    later = [place for place, item in enumerate(found) if _starts_after(item, at)]
    first = min(later, key=lambda number: times.bounds(found[number]["period"]["start"])[0])
    made = {
        "location": place,
        "status": "completed",
        "period": begun | {"end": found[first]["period"]["start"]},
    }
    before = [_cut(item, at) for item in found[:first]]
    return [*before, made, *found[first:]]


def _cut(item: dict[str, Any], at: str) -> dict[str, Any]:
    """Return a stay without what of it was after a time."""
    period: dict[str, str] = item.get("period", {})
    end = period.get("end")
    if item.get("status") != "completed" or end is None or times.bounds(end)[0] <= times.bounds(at)[0]:
        return item
    return {**item, "period": period | {"end": at}}


def _after_prior(desk: Desk, pv1: Segment, found: Stays) -> Stays:
    """Add the place of PV1-6, where it is not known that the patient was there."""
    prior = place_of(desk, pv1, 6, TO)
    if prior is None or any(item.get("location") == prior for item in found):
        return found
    return [*found, {"location": prior, "status": "completed"}]


def _is_at(item: dict[str, Any], place: dict[str, Any] | None) -> bool:
    return item.get("location") == place and item.get("status") in (*HERE, "reserved")


def arrive(found: Stays, stay: Stay, others: Stays) -> Stays:
    """Return stays of which one begins, or goes on where it is; all others end, but for those at ``others``,
    places that the message tells besides.
    """
    here = next((item for item in found if _is_at(item, stay.place)), None)
    made = [
        item if item is here or item.get("location") in others else stay_ends([item], stay.at)[0]
        for item in found
    ]
    times_told = {"period": {"start": stay.start}} if stay.start and stay.status == "active" else {}
    if here is None:
        return [*made, {"location": stay.place, "status": stay.status} | times_told]
    begins = here.get("status") != "active" and "period" not in here
    goes_on = {**here, "status": stay.status} | (times_told if begins else {})
    return [goes_on if item is here else item for item in made]


def back_at(found: Stays, stay: Stay) -> Stays:
    """Return stays without those that went on elsewhere, of which the last one at a place goes on again."""
    kept = [item for item in found if item.get("status") not in HERE or item.get("location") == stay.place]
    last = next((item for item in reversed(kept) if item.get("location") == stay.place), None)
    if last is None:
        return [*kept, {"location": stay.place, "status": stay.status}]
    period = {name: value for name, value in last.get("period", {}).items() if name != "end"}
    same = {name: value for name, value in last.items() if name != "period"}
    goes_on = same | {"status": stay.status} | ({"period": period} if period else {})
    return [goes_on if item is last else item for item in kept]


def stay_ends(found: Stays, at: str | None) -> Stays:
    """Return stays of which none goes on; ``at`` is when they end, where it is known."""
    return [_ended(item, at) if item.get("status") in HERE else item for item in found]


def _ended(item: dict[str, Any], at: str | None) -> dict[str, Any]:
    period: dict[str, str] = item.get("period", {})
    start = period.get("start")
    fits = at is not None and "end" not in period
    if fits and start is not None:
        fits = times.bounds(str(at))[1] > times.bounds(start)[0]
    return {**item, "status": "completed"} | ({"period": {**period, "end": at}} if fits else {})
