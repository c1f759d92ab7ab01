"""Where the patient of a visit is and was: each stay at a place with its times.

HL7 v2.5.1, section 3.3.2 (A02); https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.location
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mappings import times
from mappings.messages.location import place_of

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

HERE = ("active", "planned")
OTHERS = {11: "active", 42: "reserved"}
"""Places of PV1 beside the patient's own: for a time, and to come -> Encounter.location.status."""
TO = "Encounter.location"
Stays = list[dict[str, Any]]


class Stay(NamedTuple):
    """A stay that goes on: where, its status, when the message's event happened, and when it began."""

    place: dict[str, Any]
    status: str
    at: str | None
    start: str | None


def move(desk: Desk, record: Record, pv1: Segment, at: str | None, *, returns: bool, is_over: bool) -> None:
    """Set the stays of a visit: PV1-3 where the patient is, PV1-6 was, PV1-11 is for a time, PV1-42 will be.

    ``at`` is when the message's event happened; with ``returns`` the patient is back where they were, and
    the move between did not happen. Of a visit that ``is_over`` no stay goes on.
    """
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
    elif place is not None and not (is_over and any(item.get("location") == place for item in found)):
        begun = any(item.get("status") == "active" or "period" in item for item in found)
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
